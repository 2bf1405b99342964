//! Section headers: whether there are symbols, and where notes are.
//!
//! Linux does not look at them to run a program, so they may be missing or made up.

use std::ops::Range;

use object::elf;
use object::endian::Endianness;
use object::read::elf::SectionHeader;

use super::header::{Form, Header};
use super::notes::{self, Notes};
use super::source::{Source, entries};

/// Programs have some 30; only object files of large C++ programs have thousands.
const MOST_SECTIONS: usize = 65_536;

/// How many are held at a time: 64 KiB at most.
const CHUNK: usize = 1024;

#[derive(Debug, Default)]
pub(super) struct Sections {
    /// `None` where not all headers could be read, and no symbols were seen in those that could.
    pub(super) is_stripped: Option<bool>,
    /// One more than is looked at, at most, so that having too many is noticed.
    pub(super) notes: Vec<Notes>,
}

struct Section {
    kind: u32,
    offset: u64,
    size_bytes: u64,
    align: u64,
}

impl Sections {
    pub(super) fn read(header: &Header, source: &mut Source<'_>) -> Sections {
        let (table, form) = (&header.sections, header.form);
        if table.offset == 0 {
            return Sections { is_stripped: Some(true), notes: Vec::new() };
        }
        if usize::from(table.entry_bytes) != form.section_bytes() {
            source.damaged("its section headers have an unknown size");
            return Sections::default();
        }
        let count = if table.count == 0 {
            // A number that does not fit stands in the first header.
            let first = part(form, table.offset, 0..1, source);
            first.first().map_or(1, |first| usize::try_from(first.size_bytes).unwrap_or(usize::MAX))
        } else {
            usize::from(table.count)
        };
        Sections::of_table(form, table.offset, count, source)
    }

    fn of_table(form: Form, offset: u64, count: usize, source: &mut Source<'_>) -> Sections {
        if count > MOST_SECTIONS {
            source.damaged("it has too many section headers");
        }
        let mut sections = Sections::default();
        let mut has_symbols = false;
        let mut index = 0;
        while index < count.min(MOST_SECTIONS) {
            let end = (index + CHUNK).min(count).min(MOST_SECTIONS);
            let part = part(form, offset, index..end, source);
            index += part.len();
            for section in &part {
                has_symbols |= section.has_symbols(form, source);
                if section.kind == elf::SHT_NOTE && sections.notes.len() <= notes::MOST {
                    sections.notes.push(section.notes());
                }
            }
            if index < end {
                source.damaged("its section headers lie beyond its end");
                break;
            }
        }
        sections.is_stripped = (has_symbols || index == count).then_some(!has_symbols);
        sections
    }
}

impl Section {
    /// Beside the first symbol, which is always there and means nothing.
    fn has_symbols(&self, form: Form, source: &mut Source<'_>) -> bool {
        if self.kind != elf::SHT_SYMTAB || self.size_bytes <= form.symbol_bytes() {
            return false;
        }
        let is_there = self.offset < source.size_bytes;
        if !is_there {
            source.damaged("its symbols lie beyond its end");
        }
        is_there
    }

    fn notes(&self) -> Notes {
        Notes { offset: self.offset, size_bytes: self.size_bytes, align: self.align }
    }
}

/// As many of these headers as there are.
fn part(form: Form, offset: u64, range: Range<usize>, source: &mut Source<'_>) -> Vec<Section> {
    let entry_bytes = form.section_bytes();
    let start = offset.saturating_add((range.start * entry_bytes) as u64);
    let bytes = source.read(start, range.len() * entry_bytes);
    if form.is_64 {
        parse::<elf::SectionHeader64<Endianness>>(&bytes, form.endian)
    } else {
        parse::<elf::SectionHeader32<Endianness>>(&bytes, form.endian)
    }
}

fn parse<S: SectionHeader<Endian = Endianness>>(bytes: &[u8], endian: Endianness) -> Vec<Section> {
    let section = |header: &S| Section {
        kind: header.sh_type(endian),
        offset: header.sh_offset(endian).into(),
        size_bytes: header.sh_size(endian).into(),
        align: header.sh_addralign(endian).into(),
    };
    entries(bytes).iter().map(section).collect()
}
