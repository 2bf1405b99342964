//! Small files of which is known what they are, in every form of ELF.

use object::elf;
use object::endian::Endianness;

use super::header::Form;

// Where the parts of a made file are, in every form.
pub(super) const SEGMENTS: usize = 0x40;
pub(super) const INTERPRETER: usize = 0x200;
pub(super) const DYNAMIC: usize = 0x240;
pub(super) const NOTE: usize = 0x2c0;
pub(super) const CODE: usize = 0x400;
pub(super) const SYMBOLS: usize = 0x800;
pub(super) const SECTIONS: usize = 0x840;
pub(super) const END: usize = 0x900;

/// What to make a file of.
#[derive(Clone)]
pub(super) struct Made {
    pub(super) form: Form,
    pub(super) kind: u16,
    pub(super) machine: u16,
    pub(super) interpreter: Option<&'static [u8]>,
    pub(super) dynamic: Option<&'static [(i64, u32)]>,
    pub(super) build_id: &'static [u8],
    pub(super) has_symbols: bool,
    pub(super) code: fn(usize) -> u8,
}

pub(super) const PIE: (i64, u32) = (elf::DT_FLAGS_1, elf::DF_1_PIE);
pub(super) const LIBRARY: (i64, u32) = (elf::DT_NEEDED, 1);
pub(super) const LAST: (i64, u32) = (elf::DT_NULL, 0);

impl Made {
    pub(super) fn program(form: Form) -> Made {
        Made {
            form,
            kind: elf::ET_DYN,
            machine: elf::EM_X86_64,
            interpreter: Some(b"/lib/ld.so.2\0"),
            dynamic: Some(&[LIBRARY, PIE, LAST]),
            build_id: &[0xab, 0x01, 0xff, 0x10],
            has_symbols: true,
            code: |index| [0x90, 0xc3][index % 2],
        }
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut bytes = vec![0; END];
        let word = if self.form.is_64 { 8 } else { 4 };
        self.header(&mut bytes);
        let mut segments = vec![(elf::PT_LOAD, CODE, 0x400), (elf::PT_NOTE, NOTE, 0x20)];
        if let Some(name) = self.interpreter {
            bytes[INTERPRETER..INTERPRETER + name.len()].copy_from_slice(name);
            segments.push((elf::PT_INTERP, INTERPRETER, name.len()));
        }
        if let Some(entries) = self.dynamic {
            for (index, &(tag, value)) in entries.iter().enumerate() {
                let at = DYNAMIC + index * 2 * word;
                self.put(&mut bytes, at, word, tag.unsigned_abs());
                self.put(&mut bytes, at + word, word, value.into());
            }
            segments.push((elf::PT_DYNAMIC, DYNAMIC, entries.len() * 2 * word));
        }
        for (at, value) in [(0, 4), (4, self.build_id.len()), (8, 3)] {
            self.put(&mut bytes, NOTE + at, 4, value as u64);
        }
        bytes[NOTE + 12..NOTE + 16].copy_from_slice(b"GNU\0");
        bytes[NOTE + 16..NOTE + 16 + self.build_id.len()].copy_from_slice(self.build_id);
        for index in 0..0x400 {
            bytes[CODE + index] = (self.code)(index);
        }
        for (index, &(kind, offset, size)) in segments.iter().enumerate() {
            self.segment(&mut bytes, index, kind, offset as u64, size as u64);
        }
        self.put(&mut bytes, if self.form.is_64 { 56 } else { 44 }, 2, segments.len() as u64);
        self.section(&mut bytes, 1, elf::SHT_NOTE, NOTE as u64, 0x20);
        let symbols = if self.has_symbols { 0x40 } else { 0x10 };
        self.section(&mut bytes, 2, elf::SHT_SYMTAB, SYMBOLS as u64, symbols);
        bytes
    }

    fn header(&self, bytes: &mut [u8]) {
        bytes[..4].copy_from_slice(&elf::ELFMAG);
        bytes[4] = if self.form.is_64 { 2 } else { 1 };
        bytes[5] = if self.form.endian == Endianness::Little { 1 } else { 2 };
        bytes[6] = 1;
        self.put(bytes, 16, 2, self.kind.into());
        self.put(bytes, 18, 2, self.machine.into());
        let fields = if self.form.is_64 {
            [(32, 8, SEGMENTS), (40, 8, SECTIONS), (54, 2, 56), (58, 2, 64), (60, 2, 3)]
        } else {
            [(28, 4, SEGMENTS), (32, 4, SECTIONS), (42, 2, 32), (46, 2, 40), (48, 2, 3)]
        };
        for (at, width, value) in fields {
            self.put(bytes, at, width, value as u64);
        }
    }

    fn segment(&self, bytes: &mut [u8], index: usize, kind: u32, offset: u64, size: u64) {
        let at = SEGMENTS + index * self.form.segment_bytes();
        let flags = u64::from(elf::PF_X | elf::PF_R);
        let fields = if self.form.is_64 {
            [(0, 4, kind.into()), (4, 4, flags), (8, 8, offset), (32, 8, size), (48, 8, 4)]
        } else {
            [(0, 4, kind.into()), (24, 4, flags), (4, 4, offset), (16, 4, size), (28, 4, 4)]
        };
        for (field, width, value) in fields {
            self.put(bytes, at + field, width, value);
        }
    }

    fn section(&self, bytes: &mut [u8], index: usize, kind: u32, offset: u64, size: u64) {
        let at = SECTIONS + index * self.form.section_bytes();
        let fields = if self.form.is_64 {
            [(4, 4, kind.into()), (24, 8, offset), (32, 8, size), (48, 8, 4)]
        } else {
            [(4, 4, kind.into()), (16, 4, offset), (20, 4, size), (32, 4, 4)]
        };
        for (field, width, value) in fields {
            self.put(bytes, at + field, width, value);
        }
    }

    pub(super) fn put(&self, bytes: &mut [u8], at: usize, width: usize, value: u64) {
        let range = at..at + width;
        match self.form.endian {
            Endianness::Little => bytes[range].copy_from_slice(&value.to_le_bytes()[..width]),
            Endianness::Big => bytes[range].copy_from_slice(&value.to_be_bytes()[8 - width..]),
        }
    }
}
