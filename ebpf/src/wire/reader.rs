//! Checked access to a record's bytes.

use super::DecodeError;

/// Fields at known offsets, in the machine's own byte order: the writer is this machine's kernel.
#[derive(Clone, Copy)]
pub(super) struct Fixed<'a>(pub(super) &'a [u8]);

impl<'a> Fixed<'a> {
    fn array<const N: usize>(self, offset: usize) -> Result<[u8; N], DecodeError> {
        self.0
            .get(offset..)
            .and_then(|rest| rest.first_chunk())
            .copied()
            .ok_or(DecodeError::Truncated { size_bytes: self.0.len() })
    }

    pub(super) fn u8(self, offset: usize) -> Result<u8, DecodeError> {
        self.array(offset).map(u8::from_ne_bytes)
    }

    pub(super) fn u16(self, offset: usize) -> Result<u16, DecodeError> {
        self.array(offset).map(u16::from_ne_bytes)
    }

    pub(super) fn u32(self, offset: usize) -> Result<u32, DecodeError> {
        self.array(offset).map(u32::from_ne_bytes)
    }

    pub(super) fn u64(self, offset: usize) -> Result<u64, DecodeError> {
        self.array(offset).map(u64::from_ne_bytes)
    }

    pub(super) fn i64(self, offset: usize) -> Result<i64, DecodeError> {
        self.array(offset).map(i64::from_ne_bytes)
    }

    /// A field of `length` bytes up to its first NUL.
    pub(super) fn padded(self, offset: usize, length: usize) -> Result<&'a [u8], DecodeError> {
        let field = self
            .0
            .get(offset..offset + length)
            .ok_or(DecodeError::Truncated { size_bytes: self.0.len() })?;
        Ok(field.split(|byte| *byte == 0).next().unwrap_or_default())
    }
}

/// The parts of variable length, which follow each other behind the fixed part. They are to be
/// asked for in order.
pub(super) struct Parts<'a> {
    fixed: Fixed<'a>,
    rest: &'a [u8],
}

impl<'a> Parts<'a> {
    pub(super) fn after(fixed: Fixed<'a>, size_bytes: usize) -> Result<Self, DecodeError> {
        let rest = fixed
            .0
            .get(size_bytes..)
            .ok_or(DecodeError::Truncated { size_bytes: fixed.0.len() })?;
        Ok(Self { fixed, rest })
    }

    /// The next part, whose length is found at `length_offset` of the fixed part.
    pub(super) fn bytes(&mut self, length_offset: usize) -> Result<&'a [u8], DecodeError> {
        let length = self.fixed.u32(length_offset)? as usize;
        let (part, rest) = self
            .rest
            .split_at_checked(length)
            .ok_or(DecodeError::Truncated { size_bytes: self.fixed.0.len() })?;
        self.rest = rest;
        Ok(part)
    }

    /// Strings that each end in NUL, or nothing.
    pub(super) fn strings(
        &mut self,
        name: &'static str,
        length_offset: usize,
    ) -> Result<&'a [u8], DecodeError> {
        match self.bytes(length_offset)? {
            [] => Ok(&[]),
            part @ [.., 0] => Ok(part),
            _ => Err(DecodeError::Unterminated(name)),
        }
    }

    /// One string, returned without its NUL; empty if there is none.
    pub(super) fn string(
        &mut self,
        name: &'static str,
        length_offset: usize,
    ) -> Result<&'a [u8], DecodeError> {
        match self.bytes(length_offset)? {
            [] => Ok(&[]),
            [string @ .., 0] if !string.contains(&0) => Ok(string),
            _ => Err(DecodeError::Unterminated(name)),
        }
    }

    /// All parts have been asked for: nothing may be left.
    pub(super) fn end(self) -> Result<(), DecodeError> {
        let actual = self.fixed.0.len();
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(DecodeError::Length { stated: actual - self.rest.len(), actual })
        }
    }
}
