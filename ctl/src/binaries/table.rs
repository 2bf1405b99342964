//! Contents as rows.

use std::io::{self, Write};

use common::binary::{Binary, PackageState};

use super::{parse, short, unlisted_runs};
use crate::content::storage_text;
use crate::error::CommandError;
use crate::screen::{Screen, Tone};
use crate::sink::Rows;
use crate::stream::Kind;
use crate::table::{Cell, Column, render};
use crate::text;

/// A terminal this wide has room for the whole of a hash.
const WIDE: usize = 180;

/// Written when all is there: the columns fit every row.
pub(crate) struct BinaryTable {
    screen: Screen,
    rows: Vec<Vec<Cell>>,
}

impl BinaryTable {
    pub(crate) fn new(screen: Screen) -> Self {
        Self { screen, rows: Vec::new() }
    }

    fn is_wide(&self) -> bool {
        self.screen.width.is_none_or(|width| width >= WIDE)
    }

    fn row(&self, binary: &Binary) -> Vec<Cell> {
        let last = binary.last.as_deref().map(|last| text::date_time_of(last, &self.screen.zone));
        let last = last.unwrap_or_else(|| "-".to_owned());
        let sha256 = &*binary.hash.sha256;
        let (last, sha256) = match self.is_wide() {
            true => (&*last, sha256),
            // To the minute.
            false => (last.get(..16).unwrap_or(&last), short(sha256)),
        };
        let (storage, storage_tone) = storage_text(binary.storage);
        vec![
            Cell::toned(last, Tone::Dim),
            Cell::new(text::number(binary.runs)),
            Cell::new(text::size(binary.size_bytes)),
            Cell::toned(storage, storage_tone),
            package(binary),
            Cell::toned(sha256, Tone::Dim),
            Cell::new(path(binary)),
        ]
    }
}

impl Rows for BinaryTable {
    fn put(&mut self, _: &mut dyn Write, kind: &Kind, line: &[u8]) -> Result<(), CommandError> {
        // Nothing else is in the result.
        if *kind == Kind::Event {
            self.rows.push(self.row(&parse(line)?));
        }
        Ok(())
    }

    fn settle(&mut self, out: &mut dyn Write) -> io::Result<()> {
        const COLUMNS: [Column; 7] = [
            Column::left("LAST RUN", 16, 23),
            Column::right("RUNS", 4, 12),
            Column::right("SIZE", 7, 9),
            Column::left("COPY", 6, 10),
            Column::left("PACKAGE", 7, 24),
            Column::left("SHA-256", 12, 64),
            Column::left("PATH", 0, 0),
        ];
        let rows = std::mem::take(&mut self.rows);
        match rows.is_empty() {
            true => Ok(()),
            false => out.write_all(render(&COLUMNS, &rows, &self.screen).as_bytes()),
        }
    }
}

/// `coreutils`, `coreutils +1` where files of other packages have the same content, `-` where no
/// package owns the file.
fn package(binary: &Binary) -> Cell {
    let packages = || binary.files.iter().map(|file| file.package.as_ref());
    let mut names: Vec<&str> = Vec::new();
    for name in packages().map(|package| package.map_or("-", |package| &package.name)) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let text = and_more(names.first().copied().unwrap_or("-"), names.len());
    let is_modified = packages().flatten().any(|package| package.state == PackageState::Modified);
    match is_modified {
        true => Cell::toned(format!("{text} (modified)"), Tone::Killed),
        false => Cell::new(text),
    }
}

/// Of the file that ran last, with the number of the others: `/tmp/x +2`, or `/tmp/x +99…` where
/// not all are listed.
fn path(binary: &Binary) -> String {
    let path = binary.files.first().map_or("(none)", |file| &file.path);
    let more = if unlisted_runs(binary) > 0 { "…" } else { "" };
    format!("{}{more}", and_more(path, binary.files.len()))
}

fn and_more(text: &str, count: usize) -> String {
    match count {
        0 | 1 => text.to_owned(),
        count => format!("{text} +{}", count - 1),
    }
}

#[cfg(test)]
mod tests {
    use common::binary::Storage;

    use super::*;
    use crate::binaries::tests::{binary, file};
    use crate::content::tests::owner;

    fn rows(binaries: &[Binary], width: Option<usize>) -> Vec<String> {
        let mut table = BinaryTable::new(Screen::plain(width));
        let mut out = Vec::new();
        for binary in binaries {
            let line = serde_json::to_vec(binary).unwrap();
            table.put(&mut out, &Kind::Event, &line).unwrap();
        }
        table.settle(&mut out).unwrap();
        String::from_utf8(out).unwrap().lines().map(str::to_owned).collect()
    }

    fn hostile() -> Binary {
        let mut hostile = binary('b', "/tmp/a\nb\x1b[2J\u{202e}");
        hostile.files.push(file("/tmp/c"));
        hostile.files[0].package = Some(owner("sudo", PackageState::Modified));
        hostile.storage = Storage::Evicted;
        hostile.last = None;
        hostile.runs = 0;
        hostile
    }

    #[test]
    fn rows_are_aligned_and_harmless() {
        let mut curl = binary('a', "/usr/bin/curl");
        curl.files[0].package = Some(owner("curl", PackageState::Verified));
        assert_eq!(
            rows(&[curl, hostile(), binary('c', "/tmp/x")], Some(100)),
            [
                "LAST RUN            RUNS     SIZE  COPY       PACKAGE             SHA-256       PATH",
                "2026-11-24 14:03  12,481  1.4 MiB  ● kept     curl                aaaaaaaaaaaa  /usr/bin/curl",
                "-                      0  1.4 MiB  ○ evicted  sudo +1 (modified)  bbbbbbbbbbbb  /tmp/a\\nb\\x1b[2J\\u{…",
                "2026-11-24 14:03  12,481  1.4 MiB  ● kept     -                   cccccccccccc  /tmp/x",
            ]
        );
        assert!(rows(&[], None).is_empty());
    }

    #[test]
    fn a_pipe_gets_the_whole_of_everything() {
        let found = rows(&[hostile(), binary('c', "/tmp/x")], None);
        assert!(
            found[1].ends_with(&format!("{}  /tmp/a\\nb\\x1b[2J\\u{{202e}} +1", "b".repeat(64)))
        );
        assert!(found[2].starts_with("2026-11-24 14:03:27.512  "), "{found:?}");
        assert_eq!(found, rows(&[hostile(), binary('c', "/tmp/x")], Some(200)));
    }

    #[test]
    fn rows_fit_a_small_terminal_where_nothing_is_long() {
        let mut small = binary('a', "/usr/lib/x86_64-linux-gnu/libexec/x");
        small.runs = 3;
        for line in rows(&[small], Some(80)) {
            assert!(text::width(&line) <= 80, "{line}");
        }
    }

    #[test]
    fn files_of_one_package_name_it_once() {
        let mut twice = binary('a', "/bin/a");
        twice.files.push(file("/bin/b"));
        for file in &mut twice.files {
            file.package = Some(owner("coreutils", PackageState::Verified));
        }
        assert_eq!(package(&twice), Cell::new("coreutils"));
        assert_eq!(path(&twice), "/bin/a +1");
        twice.files[0].package = None;
        assert_eq!(package(&twice), Cell::new("- +1"));
        twice.runs = 2 * 12_481 + 1;
        assert_eq!(path(&twice), "/bin/a +1…");
        twice.runs = 0;
        twice.files.clear();
        assert_eq!((package(&twice), &*path(&twice)), (Cell::new("-"), "(none)"));
    }
}
