//! `org.bpfrecorder.Recorder1.Binaries`: the files that were executed, and their copies.

use std::io::{self, Read, Write as _};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use common::binary::{Binary, BinaryLine, Storage, VerifyLine};
use common::bus::{BinarySelection, Error};
use common::ecs::Done;
use common::escape;
use zbus::message::Header;
use zbus::{Connection, OwnedFd, interface};

use super::access::{Access, Right};
use super::pipe::{self, Sink};
use super::{Service, failed, processes};
use crate::binaries::{CheckError, Vault};
use crate::store::{BinaryOrder, BinaryPage, Control, Named, Stopped};

pub(super) struct Binaries {
    service: Service,
    access: Access,
}

impl Binaries {
    pub(super) fn new(service: Service, access: Access) -> Self {
        Self { service, access }
    }
}

/// A beginning of a hash that means anything.
const LEAST_DIGITS: usize = 6;
const MOST_DIGITS: usize = 64;
const MOST_PINNED: usize = 10_000;
const PROGRESS: Duration = Duration::from_millis(200);

/// The files that were executed.
#[interface(name = "org.bpfrecorder.Recorder1.Binaries")]
impl Binaries {
    /// Contents that ran, as NDJSON on a pipe that ends with a `done` line.
    ///
    /// `filter` is of the processes that ran them: one run that matches is enough, or, with the
    /// last part of `selection`, every run has to match. The order is `last` (run last first),
    /// `first` (seen first last first) or `rarest`. A `limit` of 0 means all.
    async fn query(
        &self,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
        filter: &str,
        selection: BinarySelection,
        limit: u32,
    ) -> Result<OwnedFd, Error> {
        self.access.check_read(connection, &header).await?;
        let filter = processes::parse(filter)?;
        let order = parse_order(&selection.order)?;
        let is_current = self.service.flush().await;
        let reader = self.service.inner.reader.clone();
        let (reading, writing) = pipe::new().map_err(failed)?;
        let mut sink = Sink::new(writing).map_err(failed)?;
        self.service.spawn_query(move || {
            let page = BinaryPage {
                filter: &filter,
                is_only: selection.is_only,
                order,
                first_since_ns: selection.first_since_ns,
                is_unpackaged: selection.is_unpackaged,
                limit,
            };
            let control = sink.control()?;
            let mut broken = None;
            let mut count = 0;
            let result = reader.binaries(&control, &page, &mut |binary| {
                count += 1;
                match sink.json(&BinaryLine::Binary(Box::new(binary.clone()))) {
                    Ok(()) => ControlFlow::Continue(()),
                    Err(error) => {
                        broken = Some(error);
                        ControlFlow::Break(())
                    }
                }
            });
            drop(control);
            if let Some(error) = broken {
                return Err(error);
            }
            let error = match result {
                Ok(()) => None,
                Err(Stopped::Cancelled) => return Ok(()),
                Err(error) => Some(error.to_string()),
            };
            let done = Done { count, cursor: None, error, behind: !is_current };
            sink.last(&BinaryLine::Done(done))
        })?;
        Ok(reading.into())
    }

    /// One content, as JSON.
    ///
    /// `hash` is its SHA-256, SHA-1 or MD5, or a beginning of at least six digits that is no
    /// other's; so below.
    async fn get(
        &self,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
        hash: &str,
    ) -> Result<String, Error> {
        self.access.check_read(connection, &header).await?;
        serde_json::to_string(&self.service.named(hash).await?).map_err(failed)
    }

    /// The content itself, on a pipe, once its copy has been read and found undamaged.
    ///
    /// It is what somebody executed here, and may be dangerous. Who reads it compares its SHA-256
    /// once more.
    async fn open(
        &self,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
        hash: &str,
    ) -> Result<OwnedFd, Error> {
        self.access.check(Right::ReadBinaries, connection, &header).await?;
        let binary = self.service.named(hash).await?;
        let vault = self.service.vault()?;
        if binary.storage != Storage::Kept {
            let reason = binary.storage.sentence();
            return Err(Error::NotKept(format!("{}: {reason}", binary.hash.sha256)));
        }
        let place = self.service.place()?;
        let (reading, writing) = pipe::new().map_err(failed)?;
        let service = self.service.clone();
        let content = tokio::task::spawn_blocking(move || {
            let sha256 = &binary.hash.sha256;
            match vault.check(sha256, &mut |_| true) {
                Ok(()) => vault.open(sha256).map_err(failed),
                Err(error) => Err(service.not_good(sha256, &error)),
            }
        })
        .await
        .map_err(failed)??;
        let mut sink = Sink::new(writing).map_err(failed)?;
        tokio::task::spawn_blocking(move || {
            if let Err(error) = copy(content, &mut sink)
                && error.kind() != io::ErrorKind::BrokenPipe
            {
                tracing::warn!("a file was not handed out to its end: {error}");
            }
            drop(place);
        });
        Ok(reading.into())
    }

    /// Reads every copy from the first to the last byte, as NDJSON on a pipe: progress, what is
    /// damaged, and at the end `done`. What is damaged is not handed out any more.
    async fn verify(
        &self,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<OwnedFd, Error> {
        self.access.check(Right::ReadBinaries, connection, &header).await?;
        let vault = self.service.vault()?;
        self.service.flush().await;
        let copies =
            self.service.blocking(|reader| reader.kept_copies(&Control::default())).await?;
        let (reading, writing) = pipe::new().map_err(failed)?;
        let sink = Sink::new(writing).map_err(failed)?;
        let service = self.service.clone();
        self.service.spawn_query(move || verify(&service, &vault, &copies, sink))?;
        Ok(reading.into())
    }

    /// Keeps contents from being removed to make room, or lets them be again. Tells how many there
    /// were of these hashes.
    async fn pin(
        &self,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
        hashes: Vec<String>,
        is_pinned: bool,
    ) -> Result<u32, Error> {
        let uid = self.access.check(Right::Control, connection, &header).await?;
        if hashes.len() > MOST_PINNED {
            return Err(Error::InvalidArgument(format!("at most {MOST_PINNED} hashes at once")));
        }
        let mut sha256 = Vec::with_capacity(hashes.len());
        for hash in &hashes {
            match self.service.named(hash).await {
                Ok(binary) => sha256.push(binary.hash.sha256),
                Err(Error::NotFound(_)) => {}
                Err(error) => return Err(error),
            }
        }
        self.service.pin(uid, sha256, is_pinned).await
    }
}

fn parse_order(name: &str) -> Result<BinaryOrder, Error> {
    match name {
        "" | "last" => Ok(BinaryOrder::Last),
        "first" => Ok(BinaryOrder::First),
        "rarest" => Ok(BinaryOrder::Rarest),
        _ => Err(Error::InvalidArgument("order: give last, first or rarest".to_owned())),
    }
}

fn copy(mut content: Box<dyn Read + Send>, sink: &mut Sink) -> io::Result<()> {
    let mut buffer = vec![0; 64 << 10];
    loop {
        match content.read(&mut buffer) {
            Ok(0) => return sink.flush(),
            Ok(length) => sink.write_all(&buffer[..length])?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

fn verify(
    service: &Service,
    vault: &Vault,
    copies: &[(String, u64)],
    mut sink: Sink,
) -> io::Result<()> {
    let total = copies.len() as u64;
    let total_bytes = copies.iter().map(|(_, bytes)| bytes).sum();
    let control = sink.control()?;
    let (mut checked, mut damaged, mut before) = (0, 0, 0);
    let mut told = Instant::now();
    for (sha256, bytes) in copies {
        let mut broken = None;
        let result = vault.check(sha256, &mut |read| {
            if told.elapsed() >= PROGRESS {
                told = Instant::now();
                let bytes = before + read;
                let line = VerifyLine::Progress { checked, total, bytes, total_bytes };
                broken = sink.json(&line).and_then(|()| sink.flush()).err();
            }
            broken.is_none() && !control.is_cancelled()
        });
        if let Some(error) = broken {
            return Err(error);
        }
        match result {
            Ok(()) => {}
            Err(CheckError::Stopped) => return Ok(()),
            Err(CheckError::Missing) if !service.is_still_kept(sha256) => {}
            Err(error) => {
                damaged += 1;
                service.note_damage(sha256, &error);
                let reason = error.to_string();
                sink.json(&VerifyLine::Damaged { sha256: sha256.clone(), reason })?;
            }
        }
        checked += 1;
        before += bytes;
    }
    drop(control);
    sink.last(&VerifyLine::Done { checked, damaged, error: None })
}

impl Service {
    /// The binary that a hash, or the beginning of one, means.
    async fn named(&self, hash: &str) -> Result<Binary, Error> {
        let digits = hash.trim().to_ascii_lowercase();
        let is_hash = (LEAST_DIGITS..=MOST_DIGITS).contains(&digits.len())
            && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !is_hash {
            return Err(Error::InvalidArgument(format!(
                "{} is no hash: give a SHA-256, SHA-1 or MD5, or at least its first \
                 {LEAST_DIGITS} digits",
                escape::terminal(hash)
            )));
        }
        self.flush().await;
        let wanted = digits.clone();
        match self.blocking(move |reader| reader.binary(&Control::default(), &wanted)).await? {
            Named::One(binary) => Ok(*binary),
            Named::None => {
                Err(Error::NotFound(format!("nothing with the hash {digits} was executed here")))
            }
            Named::Several(sha256) => Err(Error::InvalidArgument(format!(
                "several hashes begin with {digits}: {}",
                sha256.join(", ")
            ))),
        }
    }

    fn vault(&self) -> Result<Arc<Vault>, Error> {
        self.inner.vault.get().ok_or_else(|| {
            Error::NotKept(
                "no copies are kept here: see binary-total-limit, and bpfctl health".to_owned(),
            )
        })
    }

    /// It may have been removed to make room since it was asked for.
    fn is_still_kept(&self, sha256: &str) -> bool {
        // For what is being written down just now.
        std::thread::sleep(Duration::from_millis(500));
        let found = self.inner.reader.binary(&Control::default(), sha256);
        matches!(found, Ok(Named::One(binary)) if binary.storage == Storage::Kept)
    }

    /// What is wrong with a copy, for whoever wanted it.
    fn not_good(&self, sha256: &str, error: &CheckError) -> Error {
        if matches!(error, CheckError::Missing) && !self.is_still_kept(sha256) {
            return Error::NotKept(format!("{sha256}: {}", Storage::Evicted.sentence()));
        }
        self.note_damage(sha256, error);
        match error {
            CheckError::Missing => Error::NotKept(format!("{sha256}: the copy has disappeared")),
            error => Error::Damaged(format!("the copy of {sha256} is not handed out: {error}")),
        }
    }

    #[cfg(feature = "capture")]
    fn note_damage(&self, sha256: &str, error: &CheckError) {
        tracing::error!("the copy of {sha256} is not as it was: {error}");
        let is_for_good = matches!(error, CheckError::Damaged(_) | CheckError::Missing);
        if let (Some(live), true) = (&self.inner.live, is_for_good) {
            // So that a good one can be kept when the file runs again.
            if let Some(vault) = self.inner.vault.get()
                && let Err(error) = vault.remove(sha256)
            {
                tracing::error!("the damaged copy of {sha256} cannot be removed: {error}");
            }
            let sha256 = vec![sha256.to_owned()];
            live.pipeline
                .found(crate::binaries::Found::Copies { sha256, storage: Storage::Damaged });
        }
    }

    #[cfg(not(feature = "capture"))]
    #[expect(clippy::unused_self, reason = "a recorder that records writes it down")]
    fn note_damage(&self, sha256: &str, error: &CheckError) {
        tracing::error!("the copy of {sha256} is not as it was: {error}");
    }

    #[cfg(feature = "capture")]
    async fn pin(&self, uid: u32, sha256: Vec<String>, is_pinned: bool) -> Result<u32, Error> {
        self.change(uid, crate::store::What::Binaries { sha256, is_pinned }).await
    }

    #[cfg(not(feature = "capture"))]
    async fn pin(&self, _uid: u32, _sha256: Vec<String>, _is_pinned: bool) -> Result<u32, Error> {
        Err(super::read_only())
    }
}
