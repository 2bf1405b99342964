//! The files that were executed: opened through the broker, read once, a copy kept.
//!
//! Threads of their own open and read: a process may be gone in a moment, and what it ran with it, so
//! that opening waits for nothing, and small files do not wait for large ones. They speak to the pipeline in questions and answers. Deliberately absent:
//! writing to the database, which the answers reach with the next batch.

#[cfg(feature = "capture")]
mod capabilities;
#[cfg(feature = "capture")]
mod elf;
#[cfg(feature = "capture")]
mod intake;
#[cfg(feature = "capture")]
mod keeper;
#[cfg(feature = "capture")]
mod opener;
#[cfg(feature = "capture")]
mod package;
mod present;
#[cfg(feature = "capture")]
mod stock;
mod vault;

#[cfg(all(feature = "capture", any(test, feature = "fuzz")))]
pub(crate) use elf::{check_bounds, facts};
pub(crate) use present::Present;
pub(crate) use vault::{CheckError, Vault};

/// Name of the vault in the data directory.
pub(crate) const DIRECTORY: &str = "binaries";

#[cfg(feature = "capture")]
pub(crate) use self::threads::*;

#[cfg(feature = "capture")]
mod threads {
    use std::os::fd::OwnedFd;
    use std::path::PathBuf;
    use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
    use std::sync::{Arc, Mutex};

    use common::binary::{Storage, Unread};
    use common::record::{Content, Executable, FileContent, FileIdentity, PathState, PathText};

    use super::keeper::{Job, Keeper};
    use super::opener;
    use super::stock::Stock;
    use crate::recorder::pipeline::Handle;
    use crate::sensor::opening::{Wanted, Way};
    use crate::settings;
    use crate::store::Reader;

    /// Questions that may wait; more are refused, and their files recorded as unread.
    const MOST_QUESTIONS: usize = 8192;
    /// Open files that wait to be read, of either kind.
    const MOST_OPEN: usize = 512;

    /// A file that was executed, and of which the content is not known.
    #[derive(Debug, Clone)]
    pub(crate) struct Question {
        pub(crate) about: About,
        pub(crate) wanted: Wanted,
        /// Of the image, and when it began.
        pub(crate) row: i64,
        pub(crate) time_ns: i64,
        /// It runs now, and not since before.
        pub(crate) is_exec: bool,
    }

    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub(crate) enum About {
        File(FileIdentity),
        /// Which file that is, the answer tells.
        Script,
    }

    #[derive(Debug, Clone)]
    pub(crate) struct Answer {
        pub(crate) question: Question,
        pub(crate) content: Content,
        pub(crate) stored_bytes: u64,
        /// `None` where it was not opened.
        pub(crate) way: Option<Way>,
        /// Of a script.
        pub(crate) script: Option<Arc<Executable>>,
        /// Holds for every later exec of the same file.
        pub(crate) is_final: bool,
        /// The database says so already.
        pub(crate) is_recorded: bool,
    }

    /// A script of which nothing is known but its name.
    pub(crate) fn unknown_file(path: &[u8]) -> Arc<Executable> {
        let path = PathText { bytes: path.into(), state: PathState::Complete };
        Arc::new(Executable { path, ..Executable::absent() })
    }

    /// What the threads tell the pipeline.
    #[derive(Debug)]
    pub(crate) enum Found {
        Answer(Box<Answer>),
        /// Something happened to copies.
        Copies {
            sha256: Vec<String>,
            storage: Storage,
        },
        /// A copy that was made just before a crash.
        Orphan {
            content: Arc<FileContent>,
            size_bytes: u64,
            stored_bytes: u64,
        },
    }

    pub(super) fn count(counts: &mut Vec<common::health::Named>, reason: Unread) {
        match counts.iter_mut().find(|named| named.name == reason.name()) {
            Some(named) => named.count += 1,
            None => {
                counts.push(common::health::Named { name: reason.name().to_owned(), count: 1 });
            }
        }
    }

    /// Open files on their way to be read.
    pub(super) struct Jobs {
        urgent: SyncSender<Box<Job>>,
        patient: SyncSender<Box<Job>>,
    }

    impl Jobs {
        /// Waits while many small files wait. Gives a large one back: small ones must not wait
        /// for it.
        pub(super) fn send(&self, job: Box<Job>) -> Result<(), Box<Job>> {
            if job.is_urgent() {
                return self.urgent.send(job).map_err(|error| error.0);
            }
            self.patient.try_send(job).map_err(|error| match error {
                TrySendError::Full(job) | TrySendError::Disconnected(job) => job,
            })
        }
    }

    /// What the threads have done, for the health document.
    pub(crate) type Figures = Arc<Mutex<common::health::Files>>;

    /// Where the threads will take their questions from; made before they start.
    pub(crate) struct Binaries {
        questions: Receiver<Question>,
        figures: Figures,
    }

    impl Binaries {
        pub(crate) fn new() -> (SyncSender<Question>, Self) {
            let (sender, questions) = sync_channel(MOST_QUESTIONS);
            (sender, Self { questions, figures: Figures::default() })
        }

        pub(crate) fn figures(&self) -> Figures {
            self.figures.clone()
        }

        /// Starts the threads. They end with the pipeline, or with the process: a file that cannot
        /// be read must not hold it.
        pub(crate) fn start(
            self,
            broker: OwnedFd,
            settings: &settings::Binaries,
            vault: super::Present,
            directory: PathBuf,
            reader: Reader,
            pipeline: Handle,
        ) -> std::io::Result<()> {
            let (urgent, soon) = sync_channel(MOST_OPEN);
            let (patient, later) = sync_channel(MOST_OPEN);
            let stock = Arc::new(Stock::new(
                vault,
                directory,
                settings.clone(),
                reader.clone(),
                pipeline.clone(),
                self.figures.clone(),
            ));
            let keeper = Keeper::new(stock, pipeline.clone());
            let second = keeper.clone();
            std::thread::Builder::new()
                .name("keeper".to_owned())
                .spawn(move || keeper.run(&soon))?;
            std::thread::Builder::new()
                .name("keeper-large".to_owned())
                .spawn(move || second.run_and_look_after(&later))?;
            let jobs = Jobs { urgent, patient };
            let opener = opener::Opener::new(broker, jobs, reader, pipeline, self.figures.clone());
            std::thread::Builder::new()
                .name("opener".to_owned())
                .spawn(move || opener.run(&self.questions))?;
            Ok(())
        }
    }
}
