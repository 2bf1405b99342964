//! What is wrong with a configuration, and where; as people read it.

use std::fmt;
use std::path::{Path, PathBuf};

use super::values::Problem;

/// One thing that is wrong: `FILE:LINE:COLUMN: key: what is wrong and what to give instead`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// `None` on the command line.
    file: Option<PathBuf>,
    position: Option<Position>,
    key: Option<String>,
    problem: String,
}

/// From 1 on; columns are characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Position {
    pub(super) line: usize,
    pub(super) column: usize,
}

impl Mistake {
    pub(super) fn of_argument(problem: Problem) -> Self {
        Self {
            file: None,
            position: None,
            key: Some(problem.key.to_owned()),
            problem: problem.text,
        }
    }

    /// Of a file as a whole.
    pub(super) fn of_file(file: &Path, problem: impl Into<String>) -> Self {
        Self { file: Some(file.to_owned()), position: None, key: None, problem: problem.into() }
    }

    pub(super) fn at(mut self, position: Position) -> Self {
        self.position = Some(position);
        self
    }

    pub(super) fn with_key(mut self, key: Option<String>) -> Self {
        self.key = key;
        self
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        match (&self.file, &self.key) {
            (Some(file), _) => text.push_str(&file.to_string_lossy()),
            (None, Some(_)) => text.push_str("--"),
            (None, None) => {}
        }
        if let Some(Position { line, column }) = self.position {
            text.push_str(&format!(":{line}:{column}"));
        }
        if self.file.is_some() {
            text.push_str(": ");
        }
        if let Some(key) = &self.key {
            text.push_str(&format!("{key}: "));
        }
        text.push_str(&self.problem);
        // Names and values of a file may hold what a terminal obeys, or what hides text.
        f.write_str(&common::escape::terminal(&text))
    }
}

impl std::error::Error for Mistake {}

/// Everything that is wrong, at least one; a line each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistakes(pub Vec<Mistake>);

impl Mistakes {
    pub fn iter(&self) -> impl Iterator<Item = &Mistake> {
        self.0.iter()
    }
}

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, mistake) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "\n" };
            write!(f, "{separator}{mistake}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Mistakes {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mistakes_name_their_place() {
        let check = |mistake: Mistake, text| assert_eq!(mistake.to_string(), text);
        let of_file = Mistake::of_file(Path::new("/a.toml"), "is odd");
        check(of_file.clone(), "/a.toml: is odd");
        let position = Position { line: 3, column: 7 };
        check(of_file.clone().at(position), "/a.toml:3:7: is odd");
        let with_key = of_file.at(position).with_key(Some("bus".into()));
        check(with_key, "/a.toml:3:7: bus: is odd");
        let problem = Problem { key: "bus", text: "is odd".into() };
        check(Mistake::of_argument(problem), "--bus: is odd");
    }

    #[test]
    fn nothing_hostile_reaches_a_terminal() {
        let mistake = Mistake::of_file(Path::new("/a\n.toml"), "x\u{202e}y")
            .with_key(Some("\u{1b}[31m".to_owned()));
        assert_eq!(mistake.to_string(), "/a\\n.toml: \\x1b[31m: x\\u{202e}y");
    }
}
