//! `bpfctl export`: all records that match, to a file or a pipe.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};

use common::csv_form;

use crate::args::{Export, Format};
use crate::command::{Context, Interrupt};
use crate::error::{CommandError, Kind as ErrorKind};
use crate::new_file::{NewFile, cannot, exists};
use crate::progress::Progress;
use crate::stream::{Kind, Stream, event_of};
use crate::text;

/// Where the records go, settled before anything is asked for.
#[derive(Debug)]
pub(crate) enum Destination {
    Stdout,
    /// A device or a named pipe: written as it is.
    Special(PathBuf),
    /// A file that appears when it is complete.
    New {
        path: PathBuf,
        may_replace: bool,
    },
}

impl Destination {
    pub(crate) fn of(args: &Export) -> Result<Self, CommandError> {
        let Some(path) = &args.output else { return Ok(Self::Stdout) };
        if path == Path::new("-") {
            return Ok(Self::Stdout);
        }
        // Through symbolic links, so that a link is not replaced by a file.
        let target = path.canonicalize().unwrap_or_else(|_| path.clone());
        match target.metadata() {
            Ok(found) if found.is_dir() => {
                Err(CommandError::usage(format!("{} is a directory", path.display())))
            }
            Ok(found) if found.is_file() && !args.force => Err(exists(path)),
            Ok(found) if !found.is_file() => Ok(Self::Special(target)),
            _ => Ok(Self::New { path: target, may_replace: args.force }),
        }
    }
}

pub(crate) async fn run(
    context: &mut Context,
    destination: Destination,
    format: Format,
    filter: &str,
) -> Result<(), CommandError> {
    match destination {
        Destination::Stdout => {
            // On a terminal the records themselves are the progress.
            let has_progress = !io::stdout().is_terminal();
            copy(context, filter, format, has_progress, None).await?;
        }
        Destination::Special(path) => {
            let file = OpenOptions::new().write(true).open(&path).map_err(|e| cannot(&path, &e))?;
            copy(context, filter, format, true, Some(&file)).await?;
        }
        Destination::New { path, may_replace } => {
            to_new_file(context, &path, may_replace, format, filter).await?;
        }
    }
    Ok(())
}

async fn to_new_file(
    context: &mut Context,
    path: &Path,
    may_replace: bool,
    format: Format,
    filter: &str,
) -> Result<(), CommandError> {
    let file = NewFile::create(path, may_replace)?;
    let count = copy(context, filter, format, true, Some(file.as_file())).await?;
    file.persist()?;
    let records = text::counted(count, "record");
    let _ = writeln!(
        io::stderr(),
        "wrote {records} to {}",
        common::escape::terminal(&path.display().to_string())
    );
    Ok(())
}

/// Copies all records to the file, or to standard output where there is none. Gives their count.
async fn copy(
    context: &mut Context,
    filter: &str,
    format: Format,
    has_progress: bool,
    file: Option<&File>,
) -> Result<u64, CommandError> {
    let mut interrupt = Interrupt::new()?;
    let mut tally = Tally::new(has_progress);
    let processes = context.processes().await?;
    let mut file = file.map(|file| BufWriter::with_capacity(256 * 1024, file));
    let out: &mut dyn Write = match &mut file {
        Some(file) => file,
        None => &mut context.out,
    };
    let mut writer = RecordWriter::new(out, format)?;
    let mut cursor = String::new();
    let outcome = loop {
        let page = async {
            let answer = processes.query(filter, 0, false, &cursor).await?;
            copy_page(Stream::new(answer)?, &mut writer, &mut tally).await
        };
        let page = tokio::select! {
            biased;
            () = interrupt.wait() => Err(interrupted()),
            page = page => page,
        };
        match page {
            Ok(Some(next)) if next != cursor => cursor = next,
            Ok(_) => break Ok(()),
            Err(error) => break Err(error),
        }
    };
    tally.finish();
    // What came before an error is written, too; a file is removed with its error.
    let flushed = writer.flush();
    outcome?;
    flushed?;
    Ok(tally.records)
}

/// Gives the cursor of the next page, if there is one.
async fn copy_page(
    mut stream: Stream,
    writer: &mut RecordWriter<'_>,
    tally: &mut Tally,
) -> Result<Option<String>, CommandError> {
    while let Some(kind) = stream.next().await? {
        writer.put(&kind, stream.line())?;
        tally.step(&kind, stream.line().len());
    }
    Ok(stream.done().and_then(|done| done.cursor.clone()))
}

fn interrupted() -> CommandError {
    CommandError::new(ErrorKind::Interrupted, "interrupted")
        .hint("the result is not whole; a file named by --output was not written")
}

enum RecordWriter<'o> {
    Ndjson(&'o mut dyn Write),
    Csv(Box<csv::Writer<&'o mut dyn Write>>),
}

impl<'o> RecordWriter<'o> {
    fn new(out: &'o mut dyn Write, format: Format) -> Result<Self, CommandError> {
        Ok(match format {
            Format::Ndjson => Self::Ndjson(out),
            Format::Csv => {
                let mut writer = csv::Writer::from_writer(out);
                writer.write_record(csv_form::COLUMNS).map_err(csv_error)?;
                Self::Csv(Box::new(writer))
            }
        })
    }

    fn put(&mut self, kind: &Kind, line: &[u8]) -> Result<(), CommandError> {
        match self {
            Self::Ndjson(out) => {
                out.write_all(line)?;
                out.write_all(b"\n")?;
            }
            // A spreadsheet has no row for what is missing; it is told on standard error.
            Self::Csv(writer) if *kind == Kind::Event => {
                writer.write_record(csv_form::row(&event_of(line)?)).map_err(csv_error)?;
            }
            Self::Csv(_) => {}
        }
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Ndjson(out) => out.flush(),
            Self::Csv(writer) => writer.flush(),
        }
    }
}

/// Of making a row, where the CSV writer itself fails.
fn csv_error(error: csv::Error) -> CommandError {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error.into(),
        kind => CommandError::failure(format!("cannot write CSV: {kind:?}")),
    }
}

/// Counts, and tells a person who waits.
struct Tally {
    progress: Progress,
    records: u64,
    bytes: u64,
    lost: u64,
}

impl Tally {
    fn new(has_progress: bool) -> Self {
        let progress = if has_progress { Progress::on_terminal() } else { Progress::hidden() };
        Self { progress, records: 0, bytes: 0, lost: 0 }
    }

    fn step(&mut self, kind: &Kind, bytes: usize) {
        self.bytes += bytes as u64 + 1;
        match kind {
            Kind::Event => self.records += 1,
            Kind::Gap(gap) => self.lost += gap.count,
            Kind::Missed(count) => self.lost += count,
        }
        self.progress.show(|| {
            let records = text::counted(self.records, "record");
            format!("{records}, {} read", text::size(self.bytes))
        });
    }

    fn finish(&mut self) {
        self.progress.clear();
        if self.lost > 0 {
            let lost = text::counted(self.lost, "record");
            let _ = writeln!(
                io::stderr(),
                "warning: {lost} of this time were lost; see `bpfctl health`"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use common::binary::Hashes;

    use super::*;
    use crate::row::tests::{ended, event};

    fn destination(path: &Path, force: bool) -> Result<Destination, CommandError> {
        let selection = crate::args::Selection { filter: Vec::new(), since: None, until: None };
        let output = Some(path.to_owned());
        Destination::of(&Export { selection, format: Format::Csv, output, force })
    }

    #[test]
    fn files_are_not_overwritten_unless_asked() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x");
        assert!(matches!(
            destination(&path, false),
            Ok(Destination::New { may_replace: false, .. })
        ));
        std::fs::write(&path, "old").unwrap();
        assert!(destination(&path, false).unwrap_err().message.ends_with("x exists"));
        assert!(matches!(destination(&path, true), Ok(Destination::New { may_replace: true, .. })));
        assert!(destination(directory.path(), true).is_err());
    }

    #[test]
    fn devices_are_written_not_replaced() {
        for force in [false, true] {
            let found = destination(Path::new("/dev/null"), force);
            assert!(matches!(found, Ok(Destination::Special(_))), "{found:?}");
        }
        assert!(matches!(destination(Path::new("-"), false), Ok(Destination::Stdout)));
    }

    #[test]
    fn a_link_leads_to_the_file_that_is_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let (file, link) = (directory.path().join("file"), directory.path().join("link"));
        std::fs::write(&file, "old").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        let Ok(Destination::New { path, .. }) = destination(&link, true) else { panic!("new") };
        assert_eq!(path, file.canonicalize().unwrap());
    }

    #[test]
    fn a_record_is_one_row_under_its_titles() {
        let mut event = ended(event(4711, "curl -o x,y"), 1, 5);
        let hash = Hashes { sha256: "9f86d081".to_owned(), ..Hashes::default() };
        event.process.hash = Some(Cow::Owned(hash));
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.write_record(csv_form::COLUMNS).unwrap();
        writer.write_record(csv_form::row(&event)).unwrap();
        let text = String::from_utf8(writer.into_inner().unwrap()).unwrap();
        assert_eq!(
            text.lines().nth(1).unwrap(),
            "2026-11-24T14:03:27.512345678Z,exec,7,3f2a9c81d0b4-4711-1a2b,4711,1,3f2a9c81d0b4-1-5,,0,\
             root,,,curl,/usr/bin/curl,9f86d081,\"curl -o x,y\",,2026-11-24T14:03:27.500000000Z,\
             2026-11-24T14:03:28Z,failed,1,,5,,,,,"
        );
    }
}
