//! The file header, and which of the four forms of ELF the file has.

use object::endian::Endianness;
use object::read::elf::FileHeader;
use object::{elf, pod};

/// Of the longer form.
pub(super) const MOST_BYTES: usize = size_of::<elf::FileHeader64<Endianness>>();

/// Numbers as the file gives them; nothing is checked.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) form: Form,
    pub(super) kind: u16,
    machine: u16,
    pub(super) segments: Table,
    pub(super) sections: Table,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Form {
    pub(super) is_64: bool,
    pub(super) endian: Endianness,
}

pub(super) const FORMS: [Form; 4] = [
    Form { is_64: true, endian: Endianness::Little },
    Form { is_64: false, endian: Endianness::Little },
    Form { is_64: true, endian: Endianness::Big },
    Form { is_64: false, endian: Endianness::Big },
];

/// Where a table of headers is said to be.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Table {
    pub(super) offset: u64,
    pub(super) count: u16,
    pub(super) entry_bytes: u16,
}

impl Header {
    /// The second value tells whether the file states another form than it uses.
    ///
    /// On x86 and Arm, Linux looks at neither the class nor the byte order (`load_elf_binary`,
    /// `fs/binfmt_elf.c`): the machine and the size of the program headers decide. Debuggers do
    /// look, so the two bytes are falsified to hinder them.
    pub(super) fn parse(start: &[u8]) -> Result<(Header, bool), &'static str> {
        let stated = stated_form(start);
        let runnable: Vec<Header> = stated
            .into_iter()
            .chain(FORMS)
            .filter_map(|form| Header::read(start, form))
            .filter(Header::is_runnable)
            .collect();
        let native = runnable.iter().position(Header::is_native).unwrap_or(0);
        if let Some(header) = runnable.into_iter().nth(native) {
            let is_contradictory = stated != Some(header.form);
            return Ok((header, is_contradictory));
        }
        match stated.and_then(|form| Header::read(start, form)) {
            Some(header) => Ok((header, false)),
            None if start.len() < MOST_BYTES => Err("it ends within its header"),
            None => Err("neither its class nor its byte order can be told"),
        }
    }

    fn is_runnable(&self) -> bool {
        usize::from(self.segments.entry_bytes) == self.form.segment_bytes()
            && matches!(self.kind, elf::ET_EXEC | elf::ET_DYN)
    }

    /// Of the class that Linux tries first on this machine. The others state theirs truly, or Linux
    /// does not run them.
    fn is_native(&self) -> bool {
        match self.machine {
            elf::EM_X86_64 | elf::EM_AARCH64 => self.form.is_64,
            elf::EM_386 | elf::EM_ARM => !self.form.is_64,
            _ => false,
        }
    }

    fn read(start: &[u8], form: Form) -> Option<Header> {
        if form.is_64 {
            read::<elf::FileHeader64<Endianness>>(start, form)
        } else {
            read::<elf::FileHeader32<Endianness>>(start, form)
        }
    }

    /// As `uname -m` says it there, without the revisions of the processor.
    pub(super) fn machine(&self) -> String {
        let Form { is_64, endian } = self.form;
        let name = match self.machine {
            elf::EM_X86_64 => "x86_64",
            elf::EM_386 => "i386",
            elf::EM_AARCH64 => "aarch64",
            elf::EM_ARM => "arm",
            elf::EM_RISCV if is_64 => "riscv64",
            elf::EM_RISCV => "riscv32",
            elf::EM_PPC64 if endian == Endianness::Little => "ppc64le",
            elf::EM_PPC64 => "ppc64",
            elf::EM_PPC => "ppc",
            elf::EM_S390 if is_64 => "s390x",
            elf::EM_S390 => "s390",
            elf::EM_MIPS | elf::EM_MIPS_RS3_LE if is_64 => "mips64",
            elf::EM_MIPS | elf::EM_MIPS_RS3_LE => "mips",
            elf::EM_LOONGARCH if is_64 => "loongarch64",
            elf::EM_LOONGARCH => "loongarch32",
            elf::EM_SPARCV9 => "sparc64",
            elf::EM_SPARC | elf::EM_SPARC32PLUS => "sparc",
            elf::EM_PARISC => "parisc",
            elf::EM_ALPHA => "alpha",
            elf::EM_IA_64 => "ia64",
            elf::EM_68K => "m68k",
            elf::EM_SH => "sh",
            elf::EM_ARC_COMPACT | elf::EM_ARC_COMPACT2 => "arc",
            elf::EM_MICROBLAZE => "microblaze",
            elf::EM_OPENRISC => "openrisc",
            elf::EM_XTENSA => "xtensa",
            elf::EM_CSKY => "csky",
            elf::EM_BPF => "bpf",
            number => return number.to_string(),
        };
        name.to_owned()
    }
}

impl Form {
    /// 32 or 64.
    pub(super) fn class(self) -> u8 {
        if self.is_64 { 64 } else { 32 }
    }

    pub(super) fn segment_bytes(self) -> usize {
        if self.is_64 { 56 } else { 32 }
    }

    pub(super) fn section_bytes(self) -> usize {
        if self.is_64 { 64 } else { 40 }
    }

    pub(super) fn symbol_bytes(self) -> u64 {
        if self.is_64 { 24 } else { 16 }
    }
}

/// `None` where one of them has no meaning.
pub(super) fn stated_form(start: &[u8]) -> Option<Form> {
    let is_64 = match *start.get(4)? {
        elf::ELFCLASS32 => false,
        elf::ELFCLASS64 => true,
        _ => return None,
    };
    let endian = match *start.get(5)? {
        elf::ELFDATA2LSB => Endianness::Little,
        elf::ELFDATA2MSB => Endianness::Big,
        _ => return None,
    };
    Some(Form { is_64, endian })
}

fn read<H: FileHeader<Endian = Endianness>>(start: &[u8], form: Form) -> Option<Header> {
    let (header, _) = pod::from_bytes::<H>(start).ok()?;
    let endian = form.endian;
    Some(Header {
        form,
        kind: header.e_type(endian),
        machine: header.e_machine(endian),
        segments: Table {
            offset: header.e_phoff(endian).into(),
            count: header.e_phnum(endian),
            entry_bytes: header.e_phentsize(endian),
        },
        sections: Table {
            offset: header.e_shoff(endian).into(),
            count: header.e_shnum(endian),
            entry_bytes: header.e_shentsize(endian),
        },
    })
}
