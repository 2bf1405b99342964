//! Export: all records that match, written to a file of the user.
//!
//! The forms are those of `bpfctl export`. Nothing is seen at the path before all of it is there;
//! the file is new and only its owner may read it, for arguments and environments may hold secrets.

use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use common::bus::ProcessesProxy;
use common::csv_form;
use common::ecs::{Control, Done, Event};
use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;
use tokio::time::Instant;
use zbus::Connection;

use super::pipe::Lines;
use super::worker::Teller;
use super::{Answer as AnyAnswer, Trouble, TroubleKind};

const BUFFER_BYTES: usize = 256 * 1024;
const TELL_EVERY: Duration = Duration::from_millis(200);

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Form {
    #[default]
    Ndjson,
    Csv,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    pub filter: String,
    pub form: Form,
    pub path: PathBuf,
    /// A file that is there may be replaced.
    pub may_replace: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    Progress(Tally),
    Written { path: PathBuf, tally: Tally },
}

/// What was written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    pub records: u64,
    pub bytes: u64,
    /// Records that are missing in between.
    pub lost: u64,
    /// The recorder could not write the newest in time.
    pub is_behind: bool,
}

pub(super) async fn answer(
    connection: &Connection,
    ask: &Ask,
    teller: Teller<'_>,
) -> Result<Answer, Trouble> {
    // Settled before the recorder is asked for anything.
    let file = NewFile::create(&ask.path, ask.may_replace)?;
    let proxy = ProcessesProxy::new(connection).await.map_err(common::bus::Error::ZBus)?;
    let mut writer = Writer::new(file.take_buffer()?, ask.form).map_err(|e| file.cannot(&e))?;
    let mut told = Instant::now();
    let mut cursor = String::new();
    loop {
        let mut lines = Lines::new(proxy.query(&ask.filter, 0, false, &cursor).await?)?;
        let done = loop {
            let line = lines.next().await?;
            if let Some(done) = writer.put(&line, &file)? {
                break done;
            }
            if told.elapsed() >= TELL_EVERY {
                told = Instant::now();
                teller.tell(AnyAnswer::Export(Answer::Progress(writer.tally))).await;
            }
        };
        match done.cursor {
            Some(next) if next != cursor => cursor = next,
            _ => break,
        }
    }
    let tally = writer.finish().map_err(|error| file.cannot(&error))?;
    let path = file.persist().await?;
    Ok(Answer::Written { path, tally })
}

/// A file that appears when it is complete. Dropped before, it leaves nothing.
struct NewFile {
    file: NamedTempFile,
    path: PathBuf,
    may_replace: bool,
}

impl NewFile {
    fn create(path: &Path, may_replace: bool) -> Result<Self, Trouble> {
        if !path.is_absolute() {
            let text = format!("{} is not a whole path", path.display());
            return Err(Trouble::failed(text).hint("write it from / on"));
        }
        // Through symbolic links, so that a link is not replaced by a file.
        let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        match path.metadata() {
            Ok(found) if !found.is_file() => {
                let text = format!("{} is not a file that could be replaced", path.display());
                return Err(Trouble::failed(text).hint("choose another name"));
            }
            Ok(_) if !may_replace => return Err(exists(&path)),
            _ => {}
        }
        let directory = path.parent().unwrap_or(Path::new("/"));
        // Its mode is 0600.
        let file = NamedTempFile::new_in(directory).map_err(|error| cannot(&path, &error))?;
        Ok(Self { file, path, may_replace })
    }

    fn take_buffer(&self) -> Result<BufWriter<File>, Trouble> {
        let file = self.file.as_file().try_clone().map_err(|error| self.cannot(&error))?;
        Ok(BufWriter::with_capacity(BUFFER_BYTES, file))
    }

    fn cannot(&self, error: &io::Error) -> Trouble {
        cannot(&self.path, error)
    }

    async fn persist(self) -> Result<PathBuf, Trouble> {
        let Self { file, path, may_replace } = self;
        // It may take long. The name is given here and not there: what was cancelled in between
        // never gets one.
        let synced = tokio::task::spawn_blocking(move || file.as_file().sync_all().map(|()| file));
        let file = match synced.await {
            Ok(outcome) => outcome.map_err(|error| cannot(&path, &error))?,
            Err(_) => return Err(Trouble::failed("writing was broken off")),
        };
        if may_replace {
            file.persist(&path).map_err(|error| cannot(&path, &error.error))?;
        } else {
            file.persist_noclobber(&path).map_err(|error| match error.error.kind() {
                io::ErrorKind::AlreadyExists => exists(&path),
                _ => cannot(&path, &error.error),
            })?;
        }
        Ok(path)
    }
}

fn exists(path: &Path) -> Trouble {
    Trouble::new(TroubleKind::Exists, format!("{} is there already", path.display()))
        .hint("choose another name, or overwrite it")
}

fn cannot(path: &Path, error: &io::Error) -> Trouble {
    let hint = match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "make room, choose a place on another disk, or a narrower filter or range"
        }
        io::ErrorKind::NotFound => "choose a directory that is there",
        _ => "choose a place that you may write to",
    };
    Trouble::failed(format!("cannot write {}: {error}", path.display())).hint(hint)
}

enum Sink {
    Ndjson(BufWriter<File>),
    Csv(Box<csv::Writer<BufWriter<File>>>),
}

struct Writer {
    sink: Sink,
    tally: Tally,
}

impl Writer {
    fn new(out: BufWriter<File>, form: Form) -> io::Result<Self> {
        let sink = match form {
            Form::Ndjson => Sink::Ndjson(out),
            Form::Csv => {
                let mut writer = csv::Writer::from_writer(out);
                writer.write_record(csv_form::COLUMNS)?;
                Sink::Csv(Box::new(writer))
            }
        };
        Ok(Self { sink, tally: Tally::default() })
    }

    /// Gives the last line of an answer, which is not written.
    fn put(&mut self, line: &[u8], file: &NewFile) -> Result<Option<Done>, Trouble> {
        let control: Control =
            serde_json::from_slice(line).map_err(|error| Trouble::not_understood(&error))?;
        match control {
            Control { done: Some(Done { error: Some(text), .. }), .. } => {
                return Err(Trouble::failed(format!("the recorder gave up: {text}"))
                    .hint("nothing was written; try again, or choose a narrower range"));
            }
            Control { done: Some(done), .. } => {
                self.tally.is_behind |= done.behind;
                return Ok(Some(done));
            }
            Control { gap: Some(gap), .. } => self.tally.lost += gap.count,
            Control { missed: Some(count), .. } => self.tally.lost += count,
            Control { .. } => {
                self.tally.records += 1;
                if let Sink::Csv(writer) = &mut self.sink {
                    let event: Event<'_> = serde_json::from_slice(line)
                        .map_err(|error| Trouble::not_understood(&error))?;
                    let written = writer.write_record(csv_form::row(&event));
                    written.map_err(|error| file.cannot(&error.into()))?;
                }
            }
        }
        self.tally.bytes += line.len() as u64 + 1;
        // A spreadsheet has no row for what is missing; the window tells it.
        if let Sink::Ndjson(out) = &mut self.sink {
            let written = out.write_all(line).and_then(|()| out.write_all(b"\n"));
            written.map_err(|error| file.cannot(&error))?;
        }
        Ok(None)
    }

    fn finish(mut self) -> io::Result<Tally> {
        match &mut self.sink {
            Sink::Ndjson(out) => out.flush()?,
            Sink::Csv(writer) => writer.flush()?,
        }
        Ok(self.tally)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    const EVENTS: &str = include_str!("../../tests/data/processes.ndjson");

    fn files(directory: &Path) -> usize {
        std::fs::read_dir(directory).unwrap().count()
    }

    async fn written(form: Form, path: &Path, may_replace: bool) -> Result<Tally, Trouble> {
        let file = NewFile::create(path, may_replace)?;
        let mut writer = Writer::new(file.take_buffer()?, form).unwrap();
        for line in EVENTS.lines().filter(|line| !line.is_empty()) {
            assert_eq!(writer.put(line.as_bytes(), &file)?, None);
        }
        let gap = br#"{"missed":3}"#;
        assert_eq!(writer.put(gap, &file)?, None);
        assert!(writer.put(br#"{"done":{"count":1}}"#, &file)?.is_some());
        let tally = writer.finish().unwrap();
        file.persist().await?;
        Ok(tally)
    }

    #[tokio::test]
    async fn records_are_written_as_they_came_and_for_the_owner_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x.ndjson");
        let tally = written(Form::Ndjson, &path, false).await.unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text.lines().last(), Some("{\"missed\":3}"));
        assert_eq!(text.lines().count() as u64, tally.records + 1);
        assert_eq!((text.len() as u64, tally.lost), (tally.bytes, 3));
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o177, 0);
        assert_eq!(files(directory.path()), 1);
    }

    #[tokio::test]
    async fn a_spreadsheet_has_titles_and_rows() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x.csv");
        let tally = written(Form::Csv, &path, false).await.unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("@timestamp,event.action,"), "{text}");
        assert_eq!(text.lines().count() as u64, tally.records + 1);
    }

    #[tokio::test]
    async fn what_is_there_is_replaced_only_when_told() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x");
        std::fs::write(&path, "old").unwrap();
        let trouble = written(Form::Ndjson, &path, false).await.unwrap_err();
        assert_eq!(trouble.kind, TroubleKind::Exists);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "old");
        written(Form::Ndjson, &path, true).await.unwrap();
        assert!(path.metadata().unwrap().len() > 3);
    }

    #[tokio::test]
    async fn what_came_meanwhile_is_not_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x");
        let file = NewFile::create(&path, false).unwrap();
        std::fs::write(&path, "theirs").unwrap();
        assert_eq!(file.persist().await.unwrap_err().kind, TroubleKind::Exists);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "theirs");
        assert_eq!(files(directory.path()), 1, "nothing is left behind");
    }

    #[test]
    fn what_cannot_be_written_says_what_to_do() {
        let directory = tempfile::tempdir().unwrap();
        let refused = |path: &Path| NewFile::create(path, true).err().unwrap();
        for path in [directory.path(), Path::new("/dev/null"), Path::new("x")] {
            assert_eq!(refused(path).hints.len(), 1);
        }
        let absent = refused(&directory.path().join("absent/x"));
        assert_eq!(absent.hints, ["choose a directory that is there"]);
        let path = directory.path().join("x");
        let file = NewFile::create(&path, false).unwrap();
        let mut writer = Writer::new(file.take_buffer().unwrap(), Form::Csv).unwrap();
        let end = br#"{"done":{"count":0,"error":"disk"}}"#;
        assert!(writer.put(end, &file).unwrap_err().message.contains("gave up: disk"));
        drop(file);
        assert_eq!(files(directory.path()), 0);
    }
}
