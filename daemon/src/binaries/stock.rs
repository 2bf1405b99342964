//! What lies in the vault, what may be added, and what has to go for it.

use std::collections::{HashMap, VecDeque};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use common::binary::Storage;
use common::record::{Content, FileContent};

use super::intake::{self, Taken};
use super::vault::Vault;
use super::{Figures, Found, Present, count, elf};
use crate::recorder::pipeline::Handle;
use crate::settings;
use crate::store::{Control, Reader};

/// Copies that are looked for at once when room is needed.
const EVICTION_BATCH: u32 = 64;

/// How often, and after which time, the database is asked once more for what may go.
const MOST_ATTEMPTS: u32 = 10;
const BATCH: Duration = Duration::from_millis(150);
/// What is pinned stays pinned for a while.
const FULL: Duration = Duration::from_secs(10);

pub(super) struct Stock {
    vault: Present,
    directory: PathBuf,
    settings: settings::Binaries,
    reader: Reader,
    pipeline: Handle,
    figures: Figures,
    accounts: Mutex<Accounts>,
    /// Held by whoever puts another vault in place.
    renewal: Mutex<()>,
    /// What lies in the vault is still to be compared with what the database says.
    is_unknown: AtomicBool,
}

#[derive(Default)]
struct Accounts {
    /// With their size on disk.
    copies: HashMap<String, u64>,
    kept_bytes: u64,
    /// For copies that are being written, which may become smaller.
    reserved_bytes: u64,
    /// Until then nobody looks again for what may go: nothing may.
    full_until: Option<Instant>,
}

impl Accounts {
    fn add(&mut self, sha256: &str, bytes: u64) {
        let before = self.copies.insert(sha256.to_owned(), bytes).unwrap_or(0);
        self.kept_bytes = self.kept_bytes - before + bytes;
    }

    fn remove(&mut self, sha256: &str) {
        self.kept_bytes -= self.copies.remove(sha256).unwrap_or(0);
    }
}

/// Room for one copy, until it is dropped.
pub(super) struct Place<'s> {
    stock: &'s Stock,
    vault: Arc<Vault>,
    bytes: u64,
}

impl Place<'_> {
    pub(super) fn vault(&self) -> &Vault {
        &self.vault
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.stock.accounts().reserved_bytes -= self.bytes;
    }
}

impl Stock {
    pub(super) fn new(
        vault: Present,
        directory: PathBuf,
        settings: settings::Binaries,
        reader: Reader,
        pipeline: Handle,
        figures: Figures,
    ) -> Self {
        Self {
            vault,
            directory,
            settings,
            reader,
            pipeline,
            figures,
            accounts: Mutex::default(),
            renewal: Mutex::default(),
            is_unknown: AtomicBool::new(true),
        }
    }

    /// The vault in its place, and `None` where there can be none; health says why.
    fn vault(&self) -> Option<Arc<Vault>> {
        self.in_place().or_else(|| self.renew())
    }

    fn in_place(&self) -> Option<Arc<Vault>> {
        self.vault.get().filter(|vault| vault.is_in_place())
    }

    /// Makes a vault where there is none, or none any more. What lies in the directory that is
    /// there now is looked at later, by whoever has time.
    fn renew(&self) -> Option<Arc<Vault>> {
        let _renewal = self.renewal.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(vault) = self.in_place() {
            return Some(vault);
        }
        let renewed = Vault::create(&self.directory).map(Arc::new);
        let trouble = renewed.as_ref().err().map(ToString::to_string);
        let is_news = self.figures.lock().is_ok_and(|mut figures| {
            std::mem::replace(&mut figures.trouble, trouble.clone()) != trouble
        });
        match &trouble {
            Some(trouble) if is_news => tracing::error!("executed files are not kept: {trouble}"),
            Some(_) => {}
            None => tracing::warn!(
                "copies of executed files are kept in the directory that is now at {}",
                self.directory.display()
            ),
        }
        let renewed = renewed.ok();
        self.vault.set(renewed.clone());
        {
            let mut accounts = self.accounts();
            *accounts = Accounts { reserved_bytes: accounts.reserved_bytes, ..Accounts::default() };
        }
        self.is_unknown.store(true, Ordering::Relaxed);
        self.publish(&Content::Unknown);
        renewed
    }

    /// Notices that the vault was taken away, though nothing is executed, and what it lost.
    pub(super) fn look_after(&self) {
        if self.settings.total_limit_bytes == 0 {
            return;
        }
        if let Some(vault) = self.vault()
            && self.is_unknown.swap(false, Ordering::Relaxed)
            && !self.take_stock(&vault)
        {
            self.is_unknown.store(true, Ordering::Relaxed);
        }
    }

    /// Whoever panicked while it had them changed one figure at most.
    fn accounts(&self) -> MutexGuard<'_, Accounts> {
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn file_limit_bytes(&self) -> u64 {
        self.settings.file_limit_bytes
    }

    /// For the health document.
    pub(super) fn publish(&self, content: &Content) {
        let (kept, kept_bytes) = {
            let accounts = self.accounts();
            (accounts.copies.len() as u64, accounts.kept_bytes)
        };
        let Ok(mut figures) = self.figures.lock() else { return };
        match content {
            Content::Read(_) => figures.read += 1,
            Content::Unread(reason) => count(&mut figures.unread, *reason),
            Content::Unknown => {}
        }
        (figures.kept, figures.kept_bytes) = (kept, kept_bytes);
    }

    /// Room for a copy of at most this size, or why there is none. On a disk that others fill
    /// nothing is given up for it.
    pub(super) fn place(&self, bytes: u64) -> Result<Place<'_>, Storage> {
        let limit = self.settings.total_limit_bytes;
        if limit == 0 {
            return Err(Storage::NotKept);
        }
        let vault = self.vault().ok_or(Storage::Failed)?;
        if bytes > limit {
            return Err(Storage::NoRoom);
        }
        let free = vault.free_bytes().unwrap_or(0);
        if free < bytes.saturating_add(self.settings.min_free_bytes) {
            return Err(Storage::NoSpace);
        }
        let mut accounts = self.accounts();
        let is_full = accounts.kept_bytes + accounts.reserved_bytes > limit - bytes;
        if is_full && accounts.full_until.is_some_and(|until| Instant::now() < until) {
            return Err(Storage::NoRoom);
        }
        let evicted = self.evict(&vault, &mut accounts, limit - bytes);
        let has_room = accounts.kept_bytes + accounts.reserved_bytes <= limit - bytes;
        if has_room {
            accounts.reserved_bytes += bytes;
        }
        drop(accounts);
        if !evicted.is_empty() {
            if let Ok(mut figures) = self.figures.lock() {
                figures.evicted += evicted.len() as u64;
            }
            self.pipeline.found(Found::Copies { sha256: evicted, storage: Storage::Evicted });
        }
        if has_room { Ok(Place { stock: self, vault, bytes }) } else { Err(Storage::NoRoom) }
    }

    /// What became of a content that was read: it may have been kept before, whatever there is room
    /// for now, and it may have been evicted while it was read again.
    pub(super) fn settle(&self, taken: &mut Taken) {
        let Some(vault) = self.vault.get() else { return };
        let mut accounts = self.accounts();
        match vault.has(&taken.hashes.sha256) {
            Some(bytes) => {
                accounts.add(&taken.hashes.sha256, bytes);
                (taken.storage, taken.stored_bytes) = (Storage::Kept, bytes);
            }
            None if taken.storage == Storage::Kept => {
                (taken.storage, taken.stored_bytes) = (Storage::Evicted, 0);
            }
            None => {}
        }
    }

    /// Removes the copies that were executed least recently, until no more than this is left or
    /// nothing may go any more.
    fn evict(&self, vault: &Vault, accounts: &mut Accounts, limit: u64) -> Vec<String> {
        let mut evicted = Vec::new();
        // Asked for anew each time: what was pinned meanwhile must stay.
        let mut evictable = VecDeque::new();
        let mut tried = Vec::new();
        let mut attempts = 0;
        while accounts.kept_bytes + accounts.reserved_bytes > limit {
            let Some(sha256) = evictable.pop_front() else {
                evictable = self.evictable(&tried);
                if evictable.is_empty() {
                    if accounts.reserved_bytes == 0 && self.is_written_down(accounts, &tried) {
                        accounts.full_until = Some(Instant::now() + FULL);
                        break;
                    }
                    attempts += 1;
                    if attempts == MOST_ATTEMPTS {
                        break;
                    }
                    // What was kept just now is written down with the next batch, and what is
                    // being written becomes smaller.
                    std::thread::sleep(BATCH);
                }
                continue;
            };
            tried.push(sha256.clone());
            if accounts.copies.contains_key(&sha256) {
                match vault.remove(&sha256) {
                    Ok(()) => {
                        accounts.remove(&sha256);
                        evicted.push(sha256);
                    }
                    Err(error) => tracing::warn!("a copy could not be removed: {error}"),
                }
            }
        }
        evicted
    }

    /// What may go, but for what was tried already: the database does not know of that yet.
    fn evictable(&self, tried: &[String]) -> VecDeque<String> {
        let most = EVICTION_BATCH.saturating_add(u32::try_from(tried.len()).unwrap_or(u32::MAX));
        match self.reader.evictable(&Control::default(), most) {
            Ok(mut found) => {
                found.retain(|sha256| !tried.contains(sha256));
                found.into()
            }
            Err(error) => {
                tracing::warn!("no room can be made for executed files: {error}");
                VecDeque::new()
            }
        }
    }

    /// Whether the database knows of every copy, so that waiting for it is in vain.
    fn is_written_down(&self, accounts: &Accounts, tried: &[String]) -> bool {
        self.reader.kept(&Control::default()).is_ok_and(|said| {
            accounts.copies.keys().all(|sha256| said.contains(sha256) || tried.contains(sha256))
        })
    }

    /// Compares what lies in the vault with what the database says; false if it has to be done
    /// again.
    fn take_stock(&self, vault: &Arc<Vault>) -> bool {
        let mut accounts = self.accounts();
        if !self.vault.get().is_some_and(|present| Arc::ptr_eq(&present, vault)) {
            return false;
        }
        let (stored, said) = match (vault.contents(), self.reader.kept(&Control::default())) {
            (Ok(stored), Ok(said)) => (stored, said),
            (Err(error), _) => {
                tracing::warn!("the kept files cannot be listed: {error}");
                return false;
            }
            (_, Err(error)) => {
                tracing::warn!("the kept files cannot be listed: {error}");
                return false;
            }
        };
        for stored in &stored {
            accounts.add(&stored.sha256, stored.stored_bytes);
        }
        let missing: Vec<String> =
            said.iter().filter(|sha256| !accounts.copies.contains_key(*sha256)).cloned().collect();
        drop(accounts);
        if !missing.is_empty() {
            tracing::warn!("{} copies of executed files have disappeared", missing.len());
            if let Ok(mut figures) = self.figures.lock() {
                figures.disappeared += missing.len() as u64;
            }
            self.pipeline.found(Found::Copies { sha256: missing, storage: Storage::Damaged });
        }
        for stored in stored.iter().filter(|stored| !said.contains(&stored.sha256)) {
            self.adopt(vault, &stored.sha256, stored.stored_bytes);
        }
        self.publish(&Content::Unknown);
        true
    }

    /// A copy that was made just before the recorder was killed, so that nobody wrote it down.
    fn adopt(&self, vault: &Vault, sha256: &str, stored_bytes: u64) {
        let found = vault.unpacked(sha256).and_then(|(file, size_bytes)| {
            let taken = intake::take(&file, u64::MAX, Err(Storage::NotKept), |_| true)
                .map_err(|reason| std::io::Error::other(reason.sentence()))?;
            Ok((elf::facts(&file, size_bytes), taken))
        });
        match found {
            Ok((elf, taken)) if taken.hashes.sha256 == sha256 => {
                let content = FileContent {
                    hashes: taken.hashes,
                    elf,
                    package: None,
                    capabilities: None,
                    storage: Storage::Kept,
                    is_uncertain: false,
                };
                let (content, size_bytes) = (Arc::new(content), taken.size_bytes);
                self.pipeline.found(Found::Orphan { content, size_bytes, stored_bytes });
            }
            Ok(_) => {
                tracing::warn!("a damaged copy that nobody knows of is removed");
                if vault.remove(sha256).is_ok() {
                    self.accounts().remove(sha256);
                }
            }
            Err(error) => tracing::warn!("a copy that nobody knows of cannot be read: {error}"),
        }
    }
}
