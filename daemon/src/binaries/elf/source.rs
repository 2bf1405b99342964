//! Reading a file that may not be what it says.

use std::fs::File;
use std::io::ErrorKind;
use std::os::unix::fs::FileExt;

use object::pod::{self, Pod};

/// A file of a known size, and what was found wrong with it so far.
pub(super) struct Source<'a> {
    file: &'a File,
    pub(super) size_bytes: u64,
    /// Each once, in the order found. Fixed texts only, so that the file has no say in the length.
    damage: Vec<&'static str>,
}

impl<'a> Source<'a> {
    pub(super) fn new(file: &'a File, size_bytes: u64) -> Source<'a> {
        Source { file, size_bytes, damage: Vec::new() }
    }

    pub(super) fn damaged(&mut self, what: &'static str) {
        if !self.damage.contains(&what) {
            self.damage.push(what);
        }
    }

    pub(super) fn damage(&self) -> Option<String> {
        (!self.damage.is_empty()).then(|| self.damage.join("; "))
    }

    /// What there is of `length` bytes at `offset`. The caller bounds the length.
    pub(super) fn read(&mut self, offset: u64, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; self.available(offset, length)];
        let filled = self.fill(offset, &mut bytes);
        bytes.truncate(filled);
        bytes
    }

    /// Like [`Source::read`], into a buffer. Returns how much of it was filled.
    pub(super) fn fill(&mut self, offset: u64, buffer: &mut [u8]) -> usize {
        let wanted = self.available(offset, buffer.len());
        let mut filled = 0;
        while filled < wanted {
            match self.file.read_at(&mut buffer[filled..wanted], offset + filled as u64) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => {
                    self.damaged("reading it failed");
                    return filled;
                }
            }
        }
        if filled < wanted {
            self.damaged("it became shorter while it was read");
        }
        filled
    }

    fn available(&self, offset: u64, length: usize) -> usize {
        let rest = self.size_bytes.saturating_sub(offset);
        usize::try_from(rest).map_or(length, |rest| rest.min(length))
    }
}

/// As many whole entries of a table as there are.
pub(super) fn entries<T: Pod>(bytes: &[u8]) -> &[T] {
    pod::slice_from_bytes(bytes, bytes.len() / size_of::<T>()).map_or(&[], |(entries, _)| entries)
}
