//! The header of an installed package, as the database has it.
//!
//! Format: `docs/manual/format_header.md` of rpm, without the magic: the number of entries and of
//! bytes of data, the entries, the data; all big-endian.

use memchr::memchr;

use crate::binaries::package::text;

/// `rpmtag.h`.
mod tag {
    pub(super) const NAME: u32 = 1000;
    pub(super) const VERSION: u32 = 1001;
    pub(super) const RELEASE: u32 = 1002;
    pub(super) const EPOCH: u32 = 1003;
    pub(super) const FILE_STATES: u32 = 1029;
    pub(super) const FILE_MODES: u32 = 1030;
    pub(super) const FILE_DIGESTS: u32 = 1035;
    pub(super) const FILE_FLAGS: u32 = 1037;
    pub(super) const DIR_INDEXES: u32 = 1116;
    pub(super) const BASE_NAMES: u32 = 1117;
    pub(super) const DIR_NAMES: u32 = 1118;
    pub(super) const FILE_DIGEST_ALGORITHM: u32 = 5011;
}

/// `rpmTagType`.
mod kind {
    pub(super) const CHAR: u32 = 1;
    pub(super) const INT16: u32 = 3;
    pub(super) const INT32: u32 = 4;
    pub(super) const STRING: u32 = 6;
    pub(super) const STRING_ARRAY: u32 = 8;
}

const S_IFMT: u16 = 0o170_000;
const S_IFREG: u16 = 0o100_000;
/// `RPMFILE_GHOST`: the package owns the file, and does not bring it.
const GHOST: u32 = 1 << 6;

pub(super) struct Header<'a> {
    entries: &'a [[u8; 16]],
    data: &'a [u8],
}

/// What a package says of one of its files.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ListedFile<'a> {
    /// With a `/` at the end.
    pub(super) directory: &'a [u8],
    pub(super) name: &'a [u8],
    /// In hexadecimal digits; empty if it is no regular file.
    pub(super) digest: &'a [u8],
    /// Where the package does not say, it is MD5.
    pub(super) digest_algorithm: Option<u32>,
    pub(super) is_regular: bool,
    pub(super) is_ghost: bool,
    /// And not replaced by another package, left out, or of another architecture.
    pub(super) is_installed: bool,
}

impl<'a> Header<'a> {
    pub(super) fn parse(blob: &'a [u8]) -> Option<Self> {
        let (entry_count, rest) = blob.split_first_chunk()?;
        let (data_len, rest) = rest.split_first_chunk()?;
        let entries_len = usize_from(*entry_count)?.checked_mul(16)?;
        let (entries, data) = rest.split_at_checked(entries_len)?;
        let data = data.get(..usize_from(*data_len)?)?;
        Some(Self { entries: entries.as_chunks().0, data })
    }

    pub(super) fn name(&self) -> Option<&'a str> {
        text(self.string(tag::NAME)?)
    }

    /// `epoch:version-release`, without an epoch that is not there.
    pub(super) fn version(&self) -> Option<String> {
        let version = text(self.string(tag::VERSION)?)?;
        let release = text(self.string(tag::RELEASE)?)?;
        Some(match self.number(tag::EPOCH, 0) {
            Some(epoch) => format!("{epoch}:{version}-{release}"),
            None => format!("{version}-{release}"),
        })
    }

    /// The file with this index.
    pub(super) fn file(&self, index: usize) -> Option<ListedFile<'a>> {
        let directory = usize::try_from(self.number(tag::DIR_INDEXES, index)?).ok()?;
        let [mode_high, mode_low] = self.at::<2>(tag::FILE_MODES, kind::INT16, index)?;
        Some(ListedFile {
            directory: self.text_at(tag::DIR_NAMES, directory)?,
            name: self.text_at(tag::BASE_NAMES, index)?,
            digest: self.text_at(tag::FILE_DIGESTS, index).unwrap_or_default(),
            digest_algorithm: self.number(tag::FILE_DIGEST_ALGORITHM, 0),
            is_regular: u16::from_be_bytes([mode_high, mode_low]) & S_IFMT == S_IFREG,
            is_ghost: self.number(tag::FILE_FLAGS, index).is_some_and(|flags| flags & GHOST != 0),
            is_installed: self
                .at(tag::FILE_STATES, kind::CHAR, index)
                .is_none_or(|state| state == [0]),
        })
    }

    fn string(&self, tag: u32) -> Option<&'a [u8]> {
        let (data, _) = self.find(tag, kind::STRING)?;
        Some(&data[..memchr(0, data)?])
    }

    fn number(&self, tag: u32, index: usize) -> Option<u32> {
        self.at(tag, kind::INT32, index).map(u32::from_be_bytes)
    }

    /// An element of an array of strings, which lie one after the other.
    fn text_at(&self, tag: u32, index: usize) -> Option<&'a [u8]> {
        let (data, count) = self.find(tag, kind::STRING_ARRAY)?;
        let mut rest = data;
        for _ in 0..(index < count).then_some(index)? {
            rest = &rest[memchr(0, rest)? + 1..];
        }
        Some(&rest[..memchr(0, rest)?])
    }

    /// An element of an array of `LEN` bytes each.
    fn at<const LEN: usize>(&self, tag: u32, kind: u32, index: usize) -> Option<[u8; LEN]> {
        let (data, count) = self.find(tag, kind)?;
        data.as_chunks().0.get((index < count).then_some(index)?).copied()
    }

    /// The data from where those of the tag start, and their count. What rpm added when it
    /// installed the package comes last, and holds.
    fn find(&self, tag: u32, kind: u32) -> Option<(&'a [u8], usize)> {
        self.entries.iter().rev().find_map(|entry| {
            let (fields, _) = entry.as_chunks::<4>();
            let [entry_tag, entry_kind, offset, count] = fields else { return None };
            let is_wanted = (*entry_tag, *entry_kind) == (tag.to_be_bytes(), kind.to_be_bytes());
            is_wanted
                .then(|| Some((self.data.get(usize_from(*offset)?..)?, usize_from(*count)?)))?
        })
    }
}

fn usize_from(bytes: [u8; 4]) -> Option<usize> {
    usize::try_from(u32::from_be_bytes(bytes)).ok()
}

#[cfg(test)]
mod tests {
    use super::super::sample::{Sample, SampleFile};
    use super::*;

    fn sample() -> Sample {
        let file = SampleFile::new(0, "ls", "aa".to_owned());
        let ghost = SampleFile { flags: GHOST | 1, mode: 0o120_777, ..file.clone() };
        let replaced = SampleFile { directory: 2, name: "cat", state: 1, ..file.clone() };
        Sample::new("tools", vec![file, ghost, replaced])
    }

    #[test]
    fn a_header_tells_the_package_and_its_files() {
        let blob = sample().header();
        let header = Header::parse(&blob).unwrap();
        assert_eq!(header.name(), Some("tools"));
        assert_eq!(header.version().as_deref(), Some("1.2-3"));
        let first = ListedFile {
            directory: b"/usr/bin/",
            name: b"ls",
            digest: b"aa",
            digest_algorithm: Some(8),
            is_regular: true,
            is_ghost: false,
            is_installed: true,
        };
        assert_eq!(header.file(0).unwrap(), first);
        let ghost = header.file(1).unwrap();
        assert!(ghost.is_ghost && !ghost.is_regular);
        let replaced = header.file(2).unwrap();
        assert_eq!((replaced.directory, replaced.name), (&b"/opt/"[..], &b"cat"[..]));
        assert!(!replaced.is_installed);
        assert_eq!(header.file(3), None);
        assert_eq!(header.file(usize::MAX), None);
    }

    #[test]
    fn what_need_not_be_there() {
        let blob = Sample { epoch: Some(0), algorithm: None, ..sample() }.header();
        let header = Header::parse(&blob).unwrap();
        assert_eq!(header.version().as_deref(), Some("0:1.2-3"));
        assert_eq!(header.file(0).unwrap().digest_algorithm, None);

        let mut file = SampleFile::new(9, "ls", String::new());
        file.directory = 3;
        let blob = Sample::new("no-directory", vec![file]).header();
        assert_eq!(Header::parse(&blob).unwrap().file(0), None);
    }

    #[test]
    fn a_damaged_header_is_no_reason_to_panic() {
        let look = |blob: &[u8]| {
            let Some(header) = Header::parse(blob) else { return false };
            for index in [0, 1, 2, 3, usize::MAX] {
                header.file(index);
            }
            header.name().is_some() && header.version().is_some()
        };
        let blob = sample().header();
        assert!(look(&blob));
        for len in 0..blob.len() {
            assert!(!look(&blob[..len]), "{len}");
        }
        for position in 0..blob.len() {
            for value in [0, 1, 0x7f, 0x80, 0xff] {
                let mut blob = blob.clone();
                blob[position] = value;
                look(&blob);
            }
        }
        // Entries that promise more than there is.
        for fill in [0, 0xff] {
            let mut blob = blob.clone();
            blob[8..].fill(fill);
            assert!(!look(&blob));
        }
    }
}
