//! What copies are called.

#[cfg(feature = "capture")]
use std::ffi::CStr;
use std::fmt;
use std::io;

/// Sixty-four lower-case hexadecimal digits: nothing else becomes part of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Name<'a>(&'a str);

impl<'a> Name<'a> {
    pub(super) fn parse(sha256: &'a str) -> io::Result<Self> {
        const DIGITS: usize = 64;
        let is_digit = |byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        if sha256.len() != DIGITS || !sha256.bytes().all(is_digit) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a SHA-256"));
        }
        Ok(Self(sha256))
    }

    /// None for a file that is not a copy, or not in its folder.
    #[cfg(feature = "capture")]
    pub(super) fn of_file(folder: &CStr, file: &'a CStr) -> Option<Self> {
        let file = file.to_str().ok()?;
        let digits = file.strip_suffix(Form::Compressed.suffix()).unwrap_or(file);
        Self::parse(digits).ok().filter(|name| name.folder().as_bytes() == folder.to_bytes())
    }

    pub(super) fn folder(self) -> &'a str {
        &self.0[..2]
    }

    pub(super) fn file(self, form: Form) -> String {
        format!("{}{}", self.0, form.suffix())
    }
}

impl fmt::Display for Name<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.0)
    }
}

/// How a copy is written. There is one of a content; of two, the first counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Raw,
    /// Of zstd.
    Compressed,
}

impl Form {
    pub(super) const ALL: [Form; 2] = [Form::Raw, Form::Compressed];

    fn suffix(self) -> &'static str {
        match self {
            Form::Raw => "",
            Form::Compressed => ".zst",
        }
    }
}

/// Lower-case digits.
pub(crate) fn hex(digest: &[u8]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}
