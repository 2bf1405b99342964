//! Lines that come newest first and go out oldest first.

use std::io::{self, Read, Seek, SeekFrom, Write};

use tempfile::SpooledTempFile;

/// Kept in memory up to here, then in an unnamed file.
const MEMORY_BYTES: usize = 32 * 1024 * 1024;

pub(crate) struct Spool {
    file: SpooledTempFile,
    lengths: Vec<usize>,
    end: u64,
}

impl Spool {
    pub(crate) fn new() -> Self {
        Self { file: tempfile::spooled_tempfile(MEMORY_BYTES), lengths: Vec::new(), end: 0 }
    }

    pub(crate) fn push(&mut self, line: &[u8]) -> io::Result<()> {
        self.file.write_all(line)?;
        self.lengths.push(line.len());
        self.end += line.len() as u64;
        Ok(())
    }

    /// The line pushed last, which is taken out.
    pub(crate) fn pop(&mut self, line: &mut Vec<u8>) -> io::Result<bool> {
        let Some(length) = self.lengths.pop() else { return Ok(false) };
        self.end -= length as u64;
        self.file.seek(SeekFrom::Start(self.end))?;
        line.resize(length, 0);
        self.file.read_exact(line)?;
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_back_in_reverse() {
        let mut spool = Spool::new();
        for line in [&b"a"[..], b"", b"ccc"] {
            spool.push(line).unwrap();
        }
        let mut line = Vec::new();
        for expected in [&b"ccc"[..], b"", b"a"] {
            assert!(spool.pop(&mut line).unwrap());
            assert_eq!(line, expected);
        }
        assert!(!spool.pop(&mut line).unwrap());
    }
}
