//! Writing a copy under a name that does not count, and giving it the one that does.

use std::fs::File;
use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};

use nix::errno::Errno;
use nix::fcntl::{OFlag, openat, renameat};
use nix::sys::stat::Mode;
use nix::unistd::{UnlinkatFlags, unlinkat};
use zstd::stream::write::Encoder;

use super::copy::forget_pages;
use super::keeping::make_directory;
use super::{Form, Name, Vault, open_directory};

/// Of zstd. What comes while another file is taken has to wait, and may be gone then: level 3 takes
/// a third more time, and a copy is a tenth smaller.
const LEVEL: i32 = 1;
/// How far back zstd looks, as a power of two: 1 MiB. Reading takes as much memory.
const WINDOW_LOG: u32 = 20;

/// A copy in the making. Dropped before [`Incoming::keep`], it disappears.
pub(crate) struct Incoming<'a> {
    sink: Sink,
    temporary: Temporary<'a>,
}

/// Whether a copy is to be compressed, told by how its content begins: if that saves a tenth.
pub(crate) fn is_worth_compressing(head: &[u8]) -> bool {
    zstd::bulk::compress(head, LEVEL)
        .is_ok_and(|compressed| compressed.len() * 10 <= head.len() * 9)
}

impl Vault {
    /// What is written to it is the content itself, whether it is compressed or not.
    pub(crate) fn incoming(&self, is_compressed: bool) -> io::Result<Incoming<'_>> {
        let (temporary, file) = Temporary::new(self)?;
        let sink = if is_compressed { Sink::compressed(file)? } else { Sink::Raw(file) };
        Ok(Incoming { sink, temporary })
    }
}

impl Incoming<'_> {
    /// Makes it the copy of this content, unless there is one. Answers the length of the copy.
    pub(crate) fn keep(self, sha256: &str) -> io::Result<u64> {
        let name = Name::parse(sha256)?;
        let (file, form) = self.sink.finish()?;
        if let Some(bytes) = self.temporary.vault.has(sha256) {
            return Ok(bytes);
        }
        // Without it, a power cut could leave the name with half the content.
        file.sync_data()?;
        let bytes = file.metadata()?.len();
        self.temporary.rename(name, form)?;
        forget_pages(&file);
        Ok(bytes)
    }
}

impl Write for Incoming<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.sink {
            Sink::Raw(file) => file.write(bytes),
            Sink::Compressed(encoder) => encoder.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.sink {
            Sink::Raw(file) => file.flush(),
            Sink::Compressed(encoder) => encoder.flush(),
        }
    }
}

enum Sink {
    Raw(File),
    Compressed(Encoder<'static, File>),
}

impl Sink {
    fn compressed(file: File) -> io::Result<Self> {
        let mut encoder = Encoder::new(file, LEVEL)?;
        encoder.window_log(WINDOW_LOG)?;
        Ok(Self::Compressed(encoder))
    }

    fn finish(self) -> io::Result<(File, Form)> {
        match self {
            Sink::Raw(file) => Ok((file, Form::Raw)),
            Sink::Compressed(encoder) => Ok((encoder.finish()?, Form::Compressed)),
        }
    }
}

/// Of all vaults: one may take the place of another while a file is written to that.
static NEXT_NAME: AtomicU64 = AtomicU64::new(0);

/// A name in `incoming`, removed with this if the file still has it. It is never used again.
struct Temporary<'a> {
    vault: &'a Vault,
    name: String,
}

impl<'a> Temporary<'a> {
    fn new(vault: &'a Vault) -> io::Result<(Self, File)> {
        let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_CLOEXEC;
        let keeping = vault.keeping()?;
        loop {
            let number = NEXT_NAME.fetch_add(1, Ordering::Relaxed);
            let name = format!("{}-{number}", std::process::id());
            match openat(&keeping.incoming, &*name, flags, Mode::S_IRUSR) {
                Err(Errno::EEXIST) => {}
                file => return Ok((Self { vault, name }, file?.into())),
            }
        }
    }

    fn rename(self, name: Name<'_>, form: Form) -> io::Result<()> {
        let root = &self.vault.root;
        make_directory(root, name.folder())?;
        let folder = open_directory(root, name.folder())?;
        renameat(&self.vault.keeping()?.incoming, &*self.name, &folder, &*name.file(form))?;
        Ok(())
    }
}

impl Drop for Temporary<'_> {
    fn drop(&mut self) {
        if let Ok(keeping) = self.vault.keeping() {
            // What stays is removed when the vault is opened the next time.
            let _ = unlinkat(&keeping.incoming, &*self.name, UnlinkatFlags::NoRemoveDir);
        }
    }
}
