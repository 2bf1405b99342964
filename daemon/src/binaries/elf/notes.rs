//! The build id, from the notes of segments or sections.

use std::fmt::Write as _;

use object::elf;
use object::endian::Endianness;
use object::read::elf::NoteIterator;

use super::source::Source;

/// How many places are looked at. Programs have up to three or four.
pub(super) const MOST: usize = 32;

/// How much of each is looked at. They have some hundred bytes; only in core files more.
const MOST_BYTES: usize = 16 << 10;

/// GNU's are of 16 or 20 bytes, LLVM's of 8 too, and mold's of up to 32.
const MOST_BUILD_ID_BYTES: usize = 64;

/// A place that is said to hold notes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Notes {
    pub(super) offset: u64,
    pub(super) size_bytes: u64,
    pub(super) align: u64,
}

/// The first one.
pub(super) fn build_id(
    places: impl Iterator<Item = Notes>,
    endian: Endianness,
    source: &mut Source<'_>,
) -> Option<String> {
    for (index, notes) in places.enumerate() {
        if index == MOST {
            source.damaged("it has too many notes");
            return None;
        }
        if let Some(build_id) = notes.build_id(endian, source) {
            return Some(build_id);
        }
    }
    None
}

impl Notes {
    fn build_id(self, endian: Endianness, source: &mut Source<'_>) -> Option<String> {
        let length = usize::try_from(self.size_bytes).unwrap_or(usize::MAX);
        let bytes = source.read(self.offset, length.min(MOST_BYTES));
        // Notes are the same in both classes.
        let notes = NoteIterator::<elf::FileHeader64<Endianness>>::new(endian, self.align, &bytes);
        for note in notes.into_iter().flatten() {
            let Ok(note) = note else {
                if length <= MOST_BYTES {
                    source.damaged("its notes are not well-formed");
                }
                break;
            };
            if note.name() == elf::ELF_NOTE_GNU && note.n_type(endian) == elf::NT_GNU_BUILD_ID {
                if note.desc().len() <= MOST_BUILD_ID_BYTES {
                    return hexadecimal(note.desc());
                }
                source.damaged("its build id is too long");
            }
        }
        None
    }
}

fn hexadecimal(bytes: &[u8]) -> Option<String> {
    let mut digits = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        let _ = write!(digits, "{byte:02x}");
    }
    (!digits.is_empty()).then_some(digits)
}
