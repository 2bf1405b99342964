//! Looks at the YAML of rules before it is built, and refuses what would cost too much to build.
//!
//! Uses the very scanner that the parser of rules is made of, event by event and without keeping
//! anything, so that the two cannot understand a text differently. What is refused: anchors and
//! aliases (a few kilobytes of them make gigabytes, and rules need none), deep nesting, long lists,
//! and long conditions (their parser recurses).

use std::ffi::CStr;
use std::fmt;
use std::mem::MaybeUninit;

use libyaml_rs as yaml;

const MOST_DEPTH: usize = 32;
/// Scalars and brackets of one document; the largest rule known has some 3,000.
const MOST_NODES: usize = 20_000;
pub(super) const MOST_CONDITION_BYTES: usize = 4096;

/// Where and why a document is refused; line and column from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) line: u64,
    pub(super) column: u64,
    pub(super) reason: String,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}: {}", self.line, self.column, self.reason)
    }
}

/// Checks a text of one document.
pub(super) fn check(text: &str) -> Result<(), Refusal> {
    let mut scanner = Scanner::new(text);
    let mut state = State::default();
    while let Some(node) = scanner.next()? {
        state.take(node).map_err(|reason| Refusal {
            line: node.line,
            column: node.column,
            reason,
        })?;
    }
    Ok(())
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Scalar { bytes: usize, is_condition: bool },
    Open,
    Close,
    Alias,
    Other,
}

#[derive(Debug, Clone, Copy)]
struct Node {
    kind: Kind,
    has_anchor: bool,
    line: u64,
    column: u64,
}

#[derive(Default)]
struct State {
    depth: usize,
    nodes: usize,
    /// What comes next, or the list that is open at this depth, belongs to a condition.
    condition: Option<usize>,
    condition_bytes: usize,
}

impl State {
    fn take(&mut self, node: Node) -> Result<(), String> {
        self.nodes += 1;
        if node.has_anchor || node.kind == Kind::Alias {
            return Err("anchors and aliases (&, *) are not accepted: write it out".to_owned());
        }
        if self.nodes > MOST_NODES {
            return Err(format!("more than {MOST_NODES} values in one document"));
        }
        match node.kind {
            Kind::Open => {
                self.depth += 1;
                if self.depth > MOST_DEPTH {
                    return Err(format!("nested deeper than {MOST_DEPTH}"));
                }
            }
            Kind::Close => {
                self.depth = self.depth.saturating_sub(1);
                self.condition = self.condition.filter(|depth| *depth < self.depth);
            }
            Kind::Scalar { bytes, is_condition } => self.scalar(bytes, is_condition)?,
            Kind::Alias | Kind::Other => {}
        }
        Ok(())
    }

    fn scalar(&mut self, bytes: usize, is_condition: bool) -> Result<(), String> {
        if let Some(depth) = self.condition {
            self.condition_bytes += bytes;
            if self.condition_bytes > MOST_CONDITION_BYTES {
                return Err(format!("a condition of more than {MOST_CONDITION_BYTES} bytes"));
            }
            if depth == self.depth {
                self.condition = None;
            }
        } else if is_condition {
            self.condition = Some(self.depth);
        }
        Ok(())
    }
}

struct Scanner<'t> {
    /// Refers to itself once it is initialised: it must not move.
    parser: Box<MaybeUninit<yaml::yaml_parser_t>>,
    is_initialised: bool,
    has_ended: bool,
    text: &'t str,
}

#[expect(unsafe_code, reason = "the scanner has the interface of a C library")]
impl<'t> Scanner<'t> {
    fn new(text: &'t str) -> Self {
        Self {
            parser: Box::new(MaybeUninit::uninit()),
            is_initialised: false,
            has_ended: false,
            text,
        }
    }

    fn next(&mut self) -> Result<Option<Node>, Refusal> {
        if self.has_ended {
            return Ok(None);
        }
        self.initialise()?;
        let mut event = MaybeUninit::<yaml::yaml_event_t>::uninit();
        // SAFETY: the parser is initialised and has not moved; the event is only written to.
        let result =
            unsafe { yaml::yaml_parser_parse(self.parser.as_mut_ptr(), event.as_mut_ptr()) };
        if result.fail {
            self.has_ended = true;
            return Err(self.problem());
        }
        // SAFETY: the call succeeded, so that it has written an event.
        let mut event = unsafe { event.assume_init() };
        let node = node(&event);
        self.has_ended = event.type_ == yaml::YAML_STREAM_END_EVENT;
        // SAFETY: the event is initialised and is not used after this.
        unsafe { yaml::yaml_event_delete(&raw mut event) };
        Ok(Some(node))
    }

    fn initialise(&mut self) -> Result<(), Refusal> {
        if self.is_initialised {
            return Ok(());
        }
        // SAFETY: the memory is that of a parser, and is written to only.
        if unsafe { yaml::yaml_parser_initialize(self.parser.as_mut_ptr()) }.fail {
            let reason = "not enough memory to read it".to_owned();
            return Err(Refusal { line: 1, column: 1, reason });
        }
        self.is_initialised = true;
        let (start, length) = (self.text.as_ptr(), self.text.len() as u64);
        // SAFETY: the parser is initialised.
        unsafe {
            yaml::yaml_parser_set_encoding(self.parser.as_mut_ptr(), yaml::YAML_UTF8_ENCODING);
        }
        // SAFETY: the parser is initialised, and does not outlive the text that is borrowed.
        unsafe { yaml::yaml_parser_set_input_string(self.parser.as_mut_ptr(), start, length) };
        Ok(())
    }

    fn problem(&self) -> Refusal {
        // SAFETY: the parser is initialised.
        let parser = unsafe { self.parser.assume_init_ref() };
        let reason = if parser.problem.is_null() {
            "not YAML".to_owned()
        } else {
            // SAFETY: the library points it at texts of its own, ended by NUL.
            unsafe { CStr::from_ptr(parser.problem.cast()) }.to_string_lossy().into_owned()
        };
        let mark = parser.problem_mark;
        Refusal { line: mark.line + 1, column: mark.column + 1, reason }
    }
}

impl Drop for Scanner<'_> {
    #[expect(unsafe_code, reason = "the scanner has the interface of a C library")]
    fn drop(&mut self) {
        if self.is_initialised {
            // SAFETY: the parser is initialised, and is not used after this.
            unsafe { yaml::yaml_parser_delete(self.parser.as_mut_ptr()) };
        }
    }
}

#[expect(unsafe_code, reason = "the scanner has the interface of a C library")]
fn node(event: &yaml::yaml_event_t) -> Node {
    let (kind, anchor) = match event.type_ {
        yaml::YAML_SCALAR_EVENT => {
            // SAFETY: the type says which of the variants it is.
            let scalar = unsafe { &event.data.scalar };
            let bytes = usize::try_from(scalar.length).unwrap_or(usize::MAX);
            // SAFETY: the scalar has `length` bytes, valid as long as the event.
            let value = unsafe { std::slice::from_raw_parts(scalar.value.cast_const(), bytes) };
            (Kind::Scalar { bytes, is_condition: value == b"condition" }, scalar.anchor)
        }
        yaml::YAML_SEQUENCE_START_EVENT => {
            // SAFETY: the type says which of the variants it is.
            (Kind::Open, unsafe { event.data.sequence_start.anchor })
        }
        yaml::YAML_MAPPING_START_EVENT => {
            // SAFETY: the type says which of the variants it is.
            (Kind::Open, unsafe { event.data.mapping_start.anchor })
        }
        yaml::YAML_SEQUENCE_END_EVENT | yaml::YAML_MAPPING_END_EVENT => {
            (Kind::Close, std::ptr::null_mut())
        }
        yaml::YAML_ALIAS_EVENT => (Kind::Alias, std::ptr::null_mut()),
        _ => (Kind::Other, std::ptr::null_mut()),
    };
    Node {
        kind,
        has_anchor: !anchor.is_null(),
        line: event.start_mark.line + 1,
        column: event.start_mark.column + 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        check(text).unwrap_err().to_string()
    }

    #[test]
    fn ordinary_rules_pass() {
        check("a: 'x &y *z'\nb: foo &bar\nc: |\n  *x &y\ndetection:\n  condition: a or b\n")
            .unwrap();
        check("").unwrap();
        let many: String = (0..5000).map(|n| format!("k{n}: v\n")).collect();
        check(&many).unwrap();
    }

    #[test]
    fn what_would_explode_is_refused_where_it_stands() {
        assert!(refused("a: 1\nb: &x 1\n").starts_with("line 2, column 4: anchors"));
        assert!(refused("a: *x\n").contains("aliases"));
        assert!(refused(&"[".repeat(5_000_000)).contains("deeper than 32"));
        assert!(refused(&"- ".repeat(1_000_000)).contains("deeper than 32"));
        let many: String = (0..15_000).map(|n| format!("k{n}: v\n")).collect();
        assert!(refused(&many).contains("more than 20000 values"));
    }

    #[test]
    fn long_conditions_are_refused() {
        let nots = "not ".repeat(6000);
        assert!(refused(&format!("detection:\n  condition: {nots}a\n")).contains("condition of"));
        let list = "    - a or b\n".repeat(1000);
        assert!(refused(&format!("detection:\n  condition:\n{list}")).contains("condition of"));
        // What follows a condition is not one.
        let long = "x".repeat(5000);
        check(&format!("detection: {{condition: [a, b], b: {long}}}\nother: {long}\n")).unwrap();
    }

    #[test]
    fn faults_have_a_place() {
        assert!(refused("a:\n\tb: 1\n").starts_with("line 2, column 1: "));
        assert!(refused("a: \"x\n").starts_with("line "));
    }
}
