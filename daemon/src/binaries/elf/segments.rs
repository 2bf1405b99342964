//! Program headers: what of the file becomes memory, and what the kernel is asked for.

use common::escape;
use object::elf;
use object::endian::Endianness;
use object::read::elf::ProgramHeader;

use super::header::Header;
use super::notes::Notes;
use super::source::{Source, entries};

/// Linux takes no program with more than 64 KiB of them, which are 1170 to 2048 headers
/// (`load_elf_phdrs`, `fs/binfmt_elf.c`).
const MOST_SEGMENTS: usize = 4096;

/// Linux refuses a longer path, with the NUL (`PATH_MAX`).
const MOST_INTERPRETER_BYTES: usize = 4096;

pub(super) struct Segments {
    list: Vec<Segment>,
    /// All that the file claims to have.
    pub(super) is_complete: bool,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Segment {
    kind: u32,
    flags: u32,
    pub(super) offset: u64,
    pub(super) size_bytes: u64,
    align: u64,
}

impl Segments {
    pub(super) fn read(header: &Header, source: &mut Source<'_>) -> Segments {
        let table = &header.segments;
        let count = usize::from(table.count);
        let entry_bytes = header.form.segment_bytes();
        if count > 0 && usize::from(table.entry_bytes) != entry_bytes {
            source.damaged("its program headers have an unknown size");
            return Segments { list: Vec::new(), is_complete: false };
        }
        // A larger number stands in the first section header (`PN_XNUM`), but in core files only.
        let looked_at = count.min(MOST_SEGMENTS);
        if looked_at < count {
            source.damaged("it has too many program headers");
        }
        let bytes = source.read(table.offset, looked_at * entry_bytes);
        let list = if header.form.is_64 {
            parse::<elf::ProgramHeader64<Endianness>>(&bytes, header.form.endian)
        } else {
            parse::<elf::ProgramHeader32<Endianness>>(&bytes, header.form.endian)
        };
        if list.len() < looked_at {
            source.damaged("its program headers lie beyond its end");
        }
        let segments = Segments { is_complete: list.len() == count, list };
        if segments.of(elf::PT_LOAD).any(|segment| segment.end() > source.size_bytes) {
            source.damaged("it ends before its segments do");
        }
        segments
    }

    pub(super) fn first(&self, kind: u32) -> Option<&Segment> {
        self.of(kind).next()
    }

    fn of(&self, kind: u32) -> impl Iterator<Item = &Segment> {
        self.list.iter().filter(move |segment| segment.kind == kind)
    }

    /// What of the file can be executed, as Linux maps it.
    pub(super) fn executable(&self) -> impl Iterator<Item = &Segment> {
        self.of(elf::PT_LOAD).filter(|segment| segment.flags & elf::PF_X != 0)
    }

    pub(super) fn notes(&self) -> impl Iterator<Item = Notes> {
        self.of(elf::PT_NOTE).map(|&Segment { offset, size_bytes, align, .. }| Notes {
            offset,
            size_bytes,
            align,
        })
    }

    /// The first one asked for, as in Linux. Up to the first NUL.
    pub(super) fn interpreter(&self, source: &mut Source<'_>) -> Option<String> {
        let segment = self.first(elf::PT_INTERP)?;
        let length = usize::try_from(segment.size_bytes).unwrap_or(usize::MAX);
        let bytes = source.read(segment.offset, length.min(MOST_INTERPRETER_BYTES));
        let path = bytes.split(|&byte| byte == 0).next().unwrap_or_default();
        if path.len() == bytes.len() {
            source.damaged("the name of its interpreter does not end");
        }
        (!path.is_empty()).then(|| escape::text(path).0.into_owned())
    }
}

impl Segment {
    pub(super) fn end(&self) -> u64 {
        self.offset.saturating_add(self.size_bytes)
    }
}

fn parse<P: ProgramHeader<Endian = Endianness>>(bytes: &[u8], endian: Endianness) -> Vec<Segment> {
    let segment = |header: &P| Segment {
        kind: header.p_type(endian),
        flags: header.p_flags(endian),
        offset: header.p_offset(endian).into(),
        size_bytes: header.p_filesz(endian).into(),
        align: header.p_align(endian).into(),
    };
    entries(bytes).iter().map(segment).collect()
}
