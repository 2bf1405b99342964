//! A file of rules to its documents, each parsed apart: a fault in one leaves the others alone.

use rsigma_parser::{CorrelationRule, SigmaRule};

use super::scan;

/// Larger files are refused unread.
pub(crate) const MOST_FILE_BYTES: usize = 5 << 20;
/// The largest rule that SigmaHQ has for Linux is 50 KB.
const MOST_DOCUMENT_BYTES: usize = 256 << 10;
const MOST_DOCUMENTS: usize = 2000;
/// Of a message of the parser, which may quote a whole value.
const MOST_MESSAGE_BYTES: usize = 300;

/// One rule of a file.
#[derive(Debug)]
pub(super) struct Document {
    /// From 1.
    pub(super) number: u32,
    pub(super) text: String,
    pub(super) content: Result<Content, String>,
    /// What the parser complained of, though it could go on.
    pub(super) warnings: Vec<String>,
    /// With what other documents say of it.
    pub(super) whole: String,
}

#[derive(Debug)]
pub(super) enum Content {
    Rule(Box<SigmaRule>),
    Correlation(Box<CorrelationRule>),
}

/// The documents of a file, or why the whole file is refused.
pub(super) fn documents(content: &[u8]) -> Result<Vec<Document>, String> {
    if content.len() > MOST_FILE_BYTES {
        return Err(format!(
            "{} bytes are too many for a file of rules: at most {MOST_FILE_BYTES}",
            content.len()
        ));
    }
    let text = std::str::from_utf8(content)
        .map_err(|error| format!("not UTF-8: byte {} is none", error.valid_up_to() + 1))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if let Some(at) = text.find(|c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t')) {
        let line = text[..at].lines().count().max(1);
        return Err(format!("line {line}: a control character"));
    }
    let parts = split(text);
    if parts.len() > MOST_DOCUMENTS {
        return Err(format!("{} documents in one file: at most {MOST_DOCUMENTS}", parts.len()));
    }
    let mut reader = Reader::default();
    let documents: Vec<Document> = parts.iter().filter_map(|part| reader.read(part)).collect();
    if documents.is_empty() {
        return Err("no rule in it".to_owned());
    }
    Ok(documents)
}

#[derive(Debug, Clone, Copy)]
struct Part<'t> {
    text: &'t str,
    /// Lines of the file before it.
    lines_before: u64,
}

/// At lines that begin with `---`; what is empty but for comments is none.
fn split(text: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    let (mut start, mut at, mut line, mut first_line) = (0, 0, 0, 0);
    for piece in text.split_inclusive('\n') {
        let rest = piece.strip_prefix("---");
        if rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(char::is_whitespace)) {
            parts.push(Part { text: &text[start..at], lines_before: first_line });
            // What follows the mark on its line belongs to the document.
            start = at + "---".len();
            first_line = line;
        }
        at += piece.len();
        line += 1;
    }
    parts.push(Part { text: &text[start..], lines_before: first_line });
    parts.retain(|part| {
        let is_blank = |line: &str| line.trim().is_empty() || line.trim_start().starts_with('#');
        !part.text.lines().all(is_blank)
    });
    parts
}

#[cfg(feature = "capture")]
/// The text without the documents of these numbers; what says something of others stays.
pub(crate) fn without(text: &str, numbers: &[u32]) -> String {
    let mut reader = Reader::default();
    let kept: Vec<&str> = split(text)
        .iter()
        .filter(|part| {
            let document = reader.read(part);
            document.is_none_or(|document| !numbers.contains(&document.number))
        })
        .map(|part| part.text)
        .collect();
    kept.join("\n---")
}

/// What earlier documents mean for later ones: `action: global` and `repeat`.
#[derive(Default)]
struct Reader {
    global: Option<String>,
    previous: Option<String>,
    count: u32,
}

impl Reader {
    /// `None` for a document that only says something of others.
    fn read(&mut self, part: &Part<'_>) -> Option<Document> {
        let action = part.text.lines().find_map(|line| line.strip_prefix("action:"));
        match action.map(|action| action.trim().trim_matches(['"', '\''])) {
            Some("global") => {
                self.global = Some(part.text.to_owned());
                return None;
            }
            Some("reset") => {
                self.global = None;
                return None;
            }
            _ => {}
        }
        self.count += 1;
        let context: Vec<&str> = match action {
            Some(_) => self.global.iter().chain(&self.previous).map(String::as_str).collect(),
            None => self.global.iter().map(String::as_str).collect(),
        };
        let mut whole = String::new();
        for text in &context {
            whole.push_str(text);
            whole.push_str("\n---\n");
        }
        whole.push_str(part.text);
        let (content, warnings) = match parse(part, &context, &whole) {
            Ok((content, warnings)) => (Ok(content), warnings),
            Err(reason) => (Err(reason), Vec::new()),
        };
        if action.is_none() {
            self.previous = Some(part.text.to_owned());
        }
        let text = part.text.to_owned();
        Some(Document { number: self.count, text, content, warnings, whole })
    }
}

fn parse(part: &Part<'_>, context: &[&str], whole: &str) -> Result<(Content, Vec<String>), String> {
    if part.text.len() > MOST_DOCUMENT_BYTES {
        return Err(format!(
            "{} bytes are too many for a rule: at most {MOST_DOCUMENT_BYTES}",
            part.text.len()
        ));
    }
    for text in context {
        scan::check(text).map_err(|refusal| format!("in the document before: {refusal}"))?;
    }
    scan::check(part.text).map_err(|mut refusal| {
        refusal.line += part.lines_before;
        refusal.to_string()
    })?;
    // A fault of the parser must not take more down than the text that met it.
    let parsed = std::panic::catch_unwind(|| rsigma_parser::parse_sigma_yaml(whole))
        .map_err(|_| "the parser failed on it: please report this".to_owned())?
        .map_err(|error| message(&error))?;
    let mut problems: Vec<String> = parsed.errors.iter().map(|error| message(error)).collect();
    if !parsed.filters.is_empty() {
        return Err("Sigma filters are not supported: exclude in the rule itself".to_owned());
    }
    if parsed.rules.len() + parsed.correlations.len() > context.len() + 1 {
        return Err("several rules in one document: put a line of --- between them".to_owned());
    }
    // With context, the last one is that of this document.
    let rule = parsed.rules.into_iter().next_back().map(|rule| Content::Rule(Box::new(rule)));
    let correlation = parsed.correlations.into_iter().next_back();
    let correlation = correlation.map(|rule| Content::Correlation(Box::new(rule)));
    match rule.or(correlation) {
        Some(content) => Ok((content, problems)),
        None => {
            let problem = problems.pop().unwrap_or_else(|| "not a rule".to_owned());
            let is_aggregation = part
                .text
                .lines()
                .any(|line| line.trim_start().starts_with("condition:") && line.contains('|'));
            Err(match is_aggregation {
                true => format!(
                    "an aggregation (`| …`) in the condition, which Sigma no longer has: write a \
                     correlation rule ({problem})"
                ),
                false => problem,
            })
        }
    }
}

/// One line, not too long.
fn message(error: &dyn std::fmt::Display) -> String {
    let text = error.to_string();
    // What follows draws the place in several lines.
    let text = text.split(" -->").next().unwrap_or_default();
    let mut line = text.lines().map(str::trim).collect::<Vec<_>>().join(" ");
    if line.len() > MOST_MESSAGE_BYTES {
        line.truncate(line.floor_char_boundary(MOST_MESSAGE_BYTES));
        line.push('…');
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: &str = "title: T\nlogsource: {product: linux}\ndetection:\n  a: {Image: x}\n  \
                        condition: a\n";

    fn outcome(text: &str) -> Vec<Result<(), String>> {
        let documents = documents(text.as_bytes()).unwrap();
        documents.into_iter().map(|document| document.content.map(|_| ())).collect()
    }

    #[test]
    fn a_fault_in_one_document_leaves_the_others_alone() {
        let text =
            format!("{RULE}---\na: [\n---\n# nothing\n---\n{RULE}--- \nx: 1\nx: 2\n---\n{RULE}");
        let outcome = outcome(&text);
        assert_eq!(outcome.len(), 5);
        let fine: Vec<bool> = outcome.iter().map(Result::is_ok).collect();
        assert_eq!(fine, [true, false, true, false, true]);
        // The line is that of the file.
        assert!(outcome[1].as_ref().unwrap_err().starts_with("line 8"), "{outcome:?}");
    }

    #[test]
    fn global_documents_count_for_those_after_them() {
        let global = "action: global\nlogsource: {product: linux}\n---\n";
        let bare = "title: T\ndetection:\n  a: {Image: x}\n  condition: a\n";
        assert_eq!(outcome(&format!("{global}{bare}---\n{bare}")), [Ok(()), Ok(())]);
        let repeat = format!("{RULE}---\naction: repeat\ntitle: Other\n");
        assert_eq!(outcome(&repeat), [Ok(()), Ok(())]);
    }

    #[test]
    #[cfg(feature = "capture")]
    fn documents_can_be_taken_out() {
        let other = RULE.replace("title: T", "title: Other");
        let text = format!("action: global\ndate: 2026-01-01\n---\n{RULE}---\n{other}");
        let rest = without(&text, &[1]);
        assert!(!rest.contains("title: T\n") && rest.contains("title: Other"), "{rest}");
        assert!(rest.contains("action: global"));
        assert_eq!(outcome(&rest), [Ok(())]);
    }

    #[test]
    fn files_that_are_no_text_are_refused_whole() {
        assert!(documents(b"\xff\xfe").unwrap_err().contains("not UTF-8"));
        assert!(documents(b"a: 1\nb: \x07\n").unwrap_err().contains("line 2"));
        assert!(documents(b"# nothing\n").unwrap_err().contains("no rule"));
        assert!(documents(&vec![b'a'; MOST_FILE_BYTES + 1]).unwrap_err().contains("too many"));
        assert!(documents("\u{feff}title: T\n".as_bytes()).is_ok());
    }
}
