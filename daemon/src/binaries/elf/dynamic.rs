//! What the dynamic linker would be told.

use object::elf;
use object::endian::Endianness;
use object::read::elf::Dyn;

use super::header::Form;
use super::segments::Segment;
use super::source::{Source, entries};

/// Some 4000 entries; programs have dozens, and a few hundred libraries at most.
const MOST_BYTES: usize = 64 << 10;

#[derive(Debug, Clone, Copy)]
pub(super) struct Facts {
    pub(super) needs_libraries: bool,
    /// Says so itself: `DF_1_PIE`, of binutils 2.26 and later.
    pub(super) is_pie: bool,
    /// The end of the list was seen.
    pub(super) is_complete: bool,
}

pub(super) fn read(form: Form, segment: &Segment, source: &mut Source<'_>) -> Facts {
    let length = usize::try_from(segment.size_bytes).unwrap_or(usize::MAX);
    let bytes = source.read(segment.offset, length.min(MOST_BYTES));
    let facts = if form.is_64 {
        parse::<elf::Dyn64<Endianness>>(&bytes, form.endian)
    } else {
        parse::<elf::Dyn32<Endianness>>(&bytes, form.endian)
    };
    if !facts.is_complete {
        source.damaged("its dynamic section does not end");
    }
    facts
}

fn parse<D: Dyn<Endian = Endianness>>(bytes: &[u8], endian: Endianness) -> Facts {
    let mut facts = Facts { needs_libraries: false, is_pie: false, is_complete: false };
    for entry in entries::<D>(bytes) {
        match entry.tag(endian) {
            elf::DT_NULL => {
                facts.is_complete = true;
                break;
            }
            elf::DT_NEEDED => facts.needs_libraries = true,
            elf::DT_FLAGS_1 => {
                facts.is_pie = entry.val(endian) & u64::from(elf::DF_1_PIE) != 0;
            }
            _ => {}
        }
    }
    facts
}
