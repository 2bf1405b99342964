//! A content that ran, as a line of a table.

use common::binary::{Binary, PackageState, Storage};
use common::time::parse_rfc3339;

use super::row::Text;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BinaryRow {
    pub sha256: Box<str>,
    /// Of the file that ran last.
    pub path: Text,
    /// So many other files had it.
    pub other_paths: usize,
    pub size_bytes: u64,
    pub storage: Storage,
    pub is_pinned: bool,
    pub alerts: u64,
    pub runs: u64,
    pub first_ns: i64,
    pub last_ns: i64,
    pub package: Option<(Text, PackageState)>,
    /// Gives capabilities, is packed, has no file, …: what one should see at once.
    pub is_notable: bool,
}

impl BinaryRow {
    pub fn of(binary: &Binary) -> Self {
        let time = |text: &Option<String>| text.as_deref().and_then(parse_rfc3339).unwrap_or(0);
        let file = binary.files.first();
        let is_odd = binary.files.iter().any(|f| f.memfd || f.deleted || f.capabilities.is_some());
        let is_packed = binary.elf.as_ref().is_some_and(|elf| elf.is_packed == Some(true));
        Self {
            sha256: binary.hash.sha256.as_str().into(),
            path: file.map(|file| Text::new(&file.path)).unwrap_or_default(),
            other_paths: binary.files.len().saturating_sub(1),
            size_bytes: binary.size_bytes,
            storage: binary.storage,
            is_pinned: binary.pinned,
            alerts: binary.alerts,
            runs: binary.runs,
            first_ns: time(&binary.first),
            last_ns: time(&binary.last),
            package: file
                .and_then(|file| file.package.as_ref())
                .map(|package| (Text::new(&package.name), package.state)),
            is_notable: is_odd || is_packed,
        }
    }
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Order {
    #[default]
    LastRun,
    Newest,
    Rarest,
    MostRun,
}

impl Order {
    pub const ALL: [Order; 4] = [Order::LastRun, Order::Newest, Order::Rarest, Order::MostRun];

    pub fn name(self) -> &'static str {
        match self {
            Order::LastRun => "Run last",
            Order::Newest => "Newest",
            Order::Rarest => "Rarest",
            Order::MostRun => "Most run",
        }
    }

    /// As the recorder names the order that has these first.
    pub fn asked(self) -> &'static str {
        match self {
            Order::LastRun | Order::MostRun => "last",
            Order::Newest => "first",
            Order::Rarest => "rarest",
        }
    }
}

/// Most rows come in their order; that of runs the recorder does not have.
pub fn sort(rows: &mut [BinaryRow], order: Order) {
    use std::cmp::Reverse;
    match order {
        Order::LastRun => rows.sort_by_key(|row| Reverse(row.last_ns)),
        Order::Newest => rows.sort_by_key(|row| Reverse(row.first_ns)),
        Order::Rarest => rows.sort_by_key(|row| (row.runs, Reverse(row.last_ns))),
        Order::MostRun => rows.sort_by_key(|row| Reverse((row.runs, row.last_ns))),
    }
}

/// Whether a row has all the words in its path, hash or package.
pub fn fits(row: &BinaryRow, words: &str) -> bool {
    let package = row.package.as_ref().map_or("", |(name, _)| &name.text);
    let text = format!("{} {} {package}", row.path.text, row.sha256).to_lowercase();
    words.to_lowercase().split_whitespace().all(|word| text.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(sha256: &str, runs: u64, first_ns: i64, last_ns: i64) -> BinaryRow {
        BinaryRow {
            sha256: sha256.into(),
            path: Text::new("/usr/bin/Curl"),
            other_paths: 0,
            size_bytes: 1,
            storage: Storage::Kept,
            is_pinned: false,
            alerts: 0,
            runs,
            first_ns,
            last_ns,
            package: Some((Text::new("curl"), PackageState::Verified)),
            is_notable: false,
        }
    }

    #[test]
    fn orders() {
        let check = |order, expected: &str| {
            let mut rows = [row("a", 5, 1, 9), row("b", 1, 2, 8), row("c", 7, 3, 7)];
            sort(&mut rows, order);
            let found: String = rows.iter().map(|row| &*row.sha256).collect();
            assert_eq!(found, expected, "{order:?}");
        };
        check(Order::LastRun, "abc");
        check(Order::Newest, "cba");
        check(Order::Rarest, "bac");
        check(Order::MostRun, "cab");
    }

    #[test]
    fn words_are_looked_for_everywhere() {
        let row = row("abcdef", 1, 0, 0);
        for words in ["", "CURL", "usr bcd", " curl  bin "] {
            assert!(fits(&row, words), "{words}");
        }
        assert!(!fits(&row, "curl wget"));
    }
}
