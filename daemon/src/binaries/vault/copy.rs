//! Reading a copy back. It may have been damaged, or put there by somebody else, since it was
//! written: nothing it says makes this take much memory or go on for ever.

use std::fs::File;
use std::io::{self, Read, Seek as _};
use std::os::fd::OwnedFd;

use nix::errno::Errno;
use nix::fcntl::{OFlag, PosixFadviseAdvice, openat, posix_fadvise};
use nix::sys::stat::Mode;
use sha2::{Digest as _, Sha256};
use zstd::stream::read::Decoder;

use super::{CheckError, Form, Name, Vault, hex, open_directory};

/// What a compressed copy may expand to. Larger contents are kept as they are.
pub(crate) const MOST_BYTES: u64 = 1 << 30;
/// A copy that wants more memory is refused, as a power of two: 8 MiB. What is written here
/// takes less.
const WINDOW_LOG: u32 = 23;
const CHUNK_BYTES: usize = 128 << 10;

impl Vault {
    /// The content, decompressed. It is not compared with its hash on the way.
    pub(crate) fn open(&self, sha256: &str) -> io::Result<Box<dyn Read + Send>> {
        let (file, form) = self.find(Name::parse(sha256)?)?;
        content(file, form, MOST_BYTES)
    }

    /// The content as a file without a name, and its length. It is not compared with its hash.
    #[cfg(feature = "capture")]
    pub(crate) fn unpacked(&self, sha256: &str) -> io::Result<(File, u64)> {
        let (file, form) = self.find(Name::parse(sha256)?)?;
        let file = match form {
            Form::Raw => file,
            Form::Compressed => {
                let flags = OFlag::O_TMPFILE | OFlag::O_RDWR | OFlag::O_CLOEXEC;
                let mode = Mode::S_IRUSR | Mode::S_IWUSR;
                let mut unpacked = File::from(openat(&self.root, ".", flags, mode)?);
                io::copy(&mut content(file, form, MOST_BYTES)?, &mut unpacked)?;
                unpacked
            }
        };
        let size_bytes = file.metadata()?.len();
        Ok((file, size_bytes))
    }

    /// Reads the whole copy and compares its hash. `progress` is told how much of the copy, as it
    /// lies on disk, has been read so far; if it answers false, the work stops.
    pub(crate) fn check(
        &self,
        sha256: &str,
        progress: &mut dyn FnMut(u64) -> bool,
    ) -> Result<(), CheckError> {
        let (file, form) = self.find(Name::parse(sha256)?)?;
        // Shares its position with the one that is read from.
        let mut position = file.try_clone()?;
        let mut content = content(file, form, MOST_BYTES)?;
        let mut hash = Sha256::new();
        let mut chunk = vec![0; CHUNK_BYTES];
        loop {
            match content.read(&mut chunk) {
                Ok(0) => break,
                Ok(read) => hash.update(&chunk[..read]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error.into()),
            }
            if !progress(position.stream_position()?) {
                return Err(CheckError::Stopped);
            }
        }
        forget_pages(&position);
        let found = hex(&hash.finalize());
        if found != sha256 {
            return Err(CheckError::Damaged(format!("its content has SHA-256 {found}")));
        }
        Ok(())
    }

    fn find(&self, name: Name<'_>) -> io::Result<(File, Form)> {
        let folder = match open_directory(&self.root, name.folder()) {
            Err(Errno::ENOTDIR | Errno::ELOOP) => return Err(not_regular()),
            folder => folder?,
        };
        for form in Form::ALL {
            match open_regular(&folder, &name.file(form)) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                file => return Ok((file?, form)),
            }
        }
        Err(io::ErrorKind::NotFound.into())
    }
}

/// Copies are seldom read; the host has better use for its memory.
pub(super) fn forget_pages(file: &File) {
    let _ = posix_fadvise(file, 0, 0, PosixFadviseAdvice::POSIX_FADV_DONTNEED);
}

fn open_regular(folder: &OwnedFd, name: &str) -> io::Result<File> {
    // A pipe in its place must not make anybody wait.
    let flags = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
    let file = match openat(folder, name, flags, Mode::empty()) {
        // A link, a socket.
        Err(Errno::ELOOP | Errno::ENXIO) => return Err(not_regular()),
        file => File::from(file?),
    };
    if !file.metadata()?.is_file() {
        return Err(not_regular());
    }
    Ok(file)
}

fn not_regular() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "something else is in its place")
}

pub(super) fn content(file: File, form: Form, most_bytes: u64) -> io::Result<Box<dyn Read + Send>> {
    match form {
        Form::Raw => Ok(Box::new(file)),
        Form::Compressed => {
            let mut decoder = Decoder::new(file)?;
            decoder.window_log_max(WINDOW_LOG)?;
            Ok(Box::new(Bounded { inner: decoder, left_bytes: most_bytes }))
        }
    }
}

/// Fails, rather than ends, where there is more.
struct Bounded<R> {
    inner: R,
    left_bytes: u64,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(bytes)?;
        match self.left_bytes.checked_sub(read as u64) {
            Some(left_bytes) => self.left_bytes = left_bytes,
            None => return Err(io::Error::new(io::ErrorKind::InvalidData, "it expands too far")),
        }
        Ok(read)
    }
}
