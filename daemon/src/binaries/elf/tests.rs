//! Every fact, every damage, and that no content breaks the reader.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::time::{Duration, Instant};

use common::binary::Elf;
use object::elf;
use proptest::prelude::*;

use super::header::FORMS;
use super::made::{
    CODE, DYNAMIC, END, LAST, LIBRARY, Made, NOTE, PIE, SECTIONS, SEGMENTS, SYMBOLS,
};
use super::{check_bounds, facts};

fn file(bytes: &[u8]) -> File {
    let file = tempfile::tempfile().unwrap();
    file.write_all_at(bytes, 0).unwrap();
    file
}

fn read(bytes: &[u8]) -> Option<Elf> {
    facts(&file(bytes), bytes.len() as u64)
}

#[test]
fn every_form_is_read() {
    for form in FORMS {
        let expected = Elf {
            class: Some(form.class()),
            machine: Some("x86_64".into()),
            kind: Some("pie".into()),
            is_static: Some(false),
            interpreter: Some("/lib/ld.so.2".into()),
            is_stripped: Some(false),
            build_id: Some("ab01ff10".into()),
            entropy: Some(1000),
            is_packed: Some(false),
            damage: None,
        };
        assert_eq!(read(&Made::program(form).bytes()), Some(expected), "{form:?}");
    }
}

#[test]
fn this_program_is_read() {
    let file = File::open("/proc/self/exe").unwrap();
    let facts = facts(&file, file.metadata().unwrap().len()).unwrap();
    assert_eq!(facts.class.map(u32::from), Some(usize::BITS));
    assert!(matches!(facts.kind.as_deref(), Some("pie" | "executable")), "{facts:?}");
    assert_eq!(facts.is_static, Some(facts.interpreter.is_none()));
    assert!(facts.entropy.is_some_and(|entropy| (4000..7200).contains(&entropy)), "{facts:?}");
    assert_eq!((facts.is_packed, facts.damage), (Some(false), None));
}

#[test]
fn what_is_not_elf_is_none() {
    for bytes in [&b""[..], b"\x7fEL", b"#!/bin/sh\n", &[0; 64]] {
        assert_eq!(read(bytes), None, "{bytes:?}");
    }
    assert_eq!(facts(&File::open("/").unwrap(), 4096), None, "a directory cannot be read");
}

#[test]
fn machines_have_names() {
    let check = |machine, form, name: &str| {
        let bytes = Made { machine, ..Made::program(form) }.bytes();
        assert_eq!(read(&bytes).unwrap().machine.as_deref(), Some(name));
    };
    let [little64, little32, big64, big32] = FORMS;
    check(elf::EM_386, little32, "i386");
    check(elf::EM_AARCH64, little64, "aarch64");
    check(elf::EM_RISCV, little64, "riscv64");
    check(elf::EM_RISCV, little32, "riscv32");
    check(elf::EM_PPC64, little64, "ppc64le");
    check(elf::EM_PPC64, big64, "ppc64");
    check(elf::EM_S390, big64, "s390x");
    check(elf::EM_MIPS, big32, "mips");
    check(elf::EM_LOONGARCH, little64, "loongarch64");
    check(0xfedc, little64, "65244");
}

#[test]
fn kinds_and_linking() {
    let check = |kind, interpreter, dynamic, name: &str, is_static| {
        let made = Made { kind, interpreter, dynamic, ..Made::program(FORMS[0]) };
        let facts = read(&made.bytes()).unwrap();
        assert_eq!((facts.kind.as_deref(), facts.is_static), (Some(name), is_static), "{facts:?}");
        assert_eq!(facts.damage, None);
    };
    let linker = Some(&b"/lib/ld.so\0"[..]);
    check(elf::ET_EXEC, linker, Some(&[LIBRARY, LAST]), "executable", Some(false));
    check(elf::ET_EXEC, None, None, "executable", Some(true));
    check(elf::ET_EXEC, None, Some(&[LIBRARY, LAST]), "executable", Some(false));
    check(elf::ET_DYN, linker, Some(&[LAST]), "pie", Some(false));
    check(elf::ET_DYN, None, Some(&[PIE, LAST]), "pie", Some(true));
    check(elf::ET_DYN, None, None, "pie", Some(true));
    check(elf::ET_DYN, None, Some(&[LIBRARY, LAST]), "shared-object", None);
    check(elf::ET_REL, None, None, "relocatable", None);
    check(elf::ET_CORE, None, None, "core", None);
    check(0xfe01, None, None, "65025", None);
}

#[test]
fn symbols_and_strange_names() {
    let made = Made::program(FORMS[0]);
    let stripped = Made { has_symbols: false, ..made.clone() }.bytes();
    assert_eq!(read(&stripped).unwrap().is_stripped, Some(true));
    let strange = Made { interpreter: Some(b"/tmp/\xff\0hidden\0"), ..made.clone() }.bytes();
    assert_eq!(read(&strange).unwrap().interpreter.as_deref(), Some("/tmp/\\xff"));
    let mut unsectioned = made.bytes();
    made.put(&mut unsectioned, 40, 8, 0);
    assert_eq!(read(&unsectioned).unwrap().is_stripped, Some(true));
}

#[test]
fn packed_code_is_noticed() {
    let check = |code, entropy, is_packed| {
        let facts = read(&Made { code, ..Made::program(FORMS[0]) }.bytes()).unwrap();
        assert_eq!((facts.entropy, facts.is_packed), (Some(entropy), Some(is_packed)));
    };
    check(|_| 0, 0, false);
    check(|index| index.to_le_bytes()[0] & 0x7f, 7000, false);
    check(|index| index.to_le_bytes()[0], 8000, true);
    for at in [0x1f0, END - 36] {
        let mut marked = Made::program(FORMS[0]).bytes();
        marked[at..at + 4].copy_from_slice(b"UPX!");
        assert_eq!(read(&marked).unwrap().is_packed, Some(true));
    }
}

/// What a debugger refuses and Linux runs.
#[test]
fn a_falsified_class_or_byte_order_changes_nothing() {
    let another = "it states another class or byte order than it uses";
    let original = replaced(&[], "");
    for (at, value) in [(4, 1), (4, 0), (4, 0xff), (5, 2), (5, 0)] {
        let facts = replaced(&[(at, 1, value)], another);
        assert_eq!(Elf { damage: None, ..facts }, original);
    }
    // The place of the section headers makes it look like the class stated, too.
    let damage = format!("{another}; its section headers lie beyond its end");
    let facts = replaced(&[(4, 1, 1), (42, 2, 32)], &damage);
    assert_eq!((facts.class, facts.interpreter), (Some(64), original.interpreter));
}

/// Facts of a program in which numbers were replaced: offset, width and value of each.
fn replaced(numbers: &[(usize, usize, u64)], damage: &str) -> Elf {
    let made = Made::program(FORMS[0]);
    let mut bytes = made.bytes();
    for &(at, width, value) in numbers {
        made.put(&mut bytes, at, width, value);
    }
    let facts = read(&bytes).unwrap();
    check_bounds(&facts);
    assert_eq!(facts.damage.as_deref().unwrap_or_default(), damage, "{numbers:x?}");
    facts
}

#[test]
fn damaged_program_headers() {
    replaced(&[(32, 8, u64::MAX)], "its program headers lie beyond its end");
    let facts = replaced(&[(54, 2, 55)], "its program headers have an unknown size");
    assert_eq!((facts.kind, facts.is_static, facts.entropy), (None, None, None));
    assert_eq!(facts.build_id.as_deref(), Some("ab01ff10"), "from the section");
    let facts = replaced(&[(56, 2, 0)], "");
    assert_eq!((facts.kind.as_deref(), facts.entropy), (Some("shared-object"), None));
    let many = "it has too many program headers; its program headers lie beyond its end";
    let facts = replaced(&[(56, 2, 0xffff)], many);
    assert_eq!((facts.is_static, facts.interpreter.is_some()), (Some(false), true));

    let (code, note, interpreter) = (SEGMENTS, SEGMENTS + 56, SEGMENTS + 2 * 56);
    let ends = "it ends before its segments do";
    assert!(replaced(&[(code + 32, 8, u64::MAX)], ends).entropy.is_some());
    assert!(replaced(&[(code + 8, 8, u64::MAX)], ends).entropy.is_none());
    let overlap = [(note, 4, 1), (note + 8, 8, CODE as u64 + 2), (note + 32, 8, 0x400)];
    assert_eq!(replaced(&overlap, "its executable segments overlap").entropy, Some(1018));
    let endless = "the name of its interpreter does not end";
    let facts = replaced(&[(interpreter + 32, 8, 7)], endless);
    assert_eq!(facts.interpreter.as_deref(), Some("/lib/ld"));
    replaced(&[(interpreter + 8, 8, u64::MAX)], endless);
    let facts = replaced(&[(DYNAMIC + 32, 8, 1)], "its dynamic section does not end");
    assert_eq!(facts.kind.as_deref(), Some("pie"));
}

#[test]
fn damaged_section_headers() {
    let beyond = "its section headers lie beyond its end";
    let facts = replaced(&[(40, 8, u64::MAX - 3)], beyond);
    assert_eq!((facts.is_stripped, facts.kind.as_deref()), (None, Some("pie")));
    assert_eq!(replaced(&[(60, 2, 0xffff)], beyond).is_stripped, Some(false));
    let facts = replaced(&[(58, 2, 1)], "its section headers have an unknown size");
    assert_eq!(facts.is_stripped, None);
    // The number stands in the first header where it does not fit.
    assert_eq!(replaced(&[(60, 2, 0), (SECTIONS + 32, 8, 3)], "").is_stripped, Some(false));
    assert_eq!(replaced(&[(60, 2, 0), (SECTIONS + 32, 8, 2)], "").is_stripped, Some(true));
    let many = format!("it has too many section headers; {beyond}");
    replaced(&[(60, 2, 0), (SECTIONS + 32, 8, u64::MAX)], &many);
    let symbols = SECTIONS + 2 * 64;
    let facts = replaced(&[(symbols + 24, 8, 1 << 40)], "its symbols lie beyond its end");
    assert_eq!(facts.is_stripped, Some(true));
}

#[test]
fn damaged_notes() {
    let check = |numbers: &[_], damage| assert_eq!(replaced(numbers, damage).build_id, None);
    check(&[(NOTE, 4, u32::MAX.into())], "its notes are not well-formed");
    check(&[(NOTE + 4, 4, u32::MAX.into())], "its notes are not well-formed");
    check(&[(NOTE + 4, 4, 0)], "");
    check(&[(NOTE + 8, 4, 1)], "");
    let sizes = [(SEGMENTS + 56 + 32, 8, 0x100), (NOTE + 4, 4, 65)];
    check(&sizes, "its build id is too long; its notes are not well-formed");
    let facts = replaced(&[(SEGMENTS + 56 + 32, 8, 1 << 60)], "");
    assert!(facts.build_id.is_some(), "of notes that are too large, the beginning counts");
}

#[test]
fn every_beginning_of_a_file_is_bearable() {
    for form in FORMS {
        let bytes = Made::program(form).bytes();
        for length in 4..END {
            let cut = read(&bytes[..length]).unwrap();
            check_bounds(&cut);
            assert_eq!(cut.class.is_some(), length > 5, "{length}");
            assert!(cut.damage.is_some() || length > CODE + 0x400, "{length}: {cut:?}");
            // It was longer when it was opened.
            let shrunk = facts(&file(&bytes[..length]), END as u64).unwrap();
            check_bounds(&shrunk);
            assert!(shrunk.damage.is_some(), "{length}: {shrunk:?}");
        }
    }
}

/// All that can be large is: the file, what it executes, and its tables. Mostly a hole.
#[test]
fn a_huge_file_is_soon_read() {
    const SIZE: u64 = 10 << 30;
    let made = Made::program(FORMS[0]);
    let mut bytes = made.bytes();
    made.put(&mut bytes, 56, 2, 4096);
    made.put(&mut bytes, 60, 2, 0);
    made.put(&mut bytes, SECTIONS + 32, 8, u64::MAX);
    made.put(&mut bytes, SEGMENTS + 32, 8, SIZE);
    let file = file(&bytes);
    file.set_len(SIZE).unwrap();
    let started = Instant::now();
    let facts = facts(&file, SIZE).unwrap();
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    assert!(facts.entropy.is_some_and(|entropy| entropy < 100), "{facts:?}");
}

proptest! {
    #[test]
    fn no_content_breaks_the_reader(
        form in proptest::sample::select(&FORMS[..]),
        changes in proptest::collection::vec((4..CODE, any::<u8>()), 1..40),
        tables in proptest::collection::vec((SYMBOLS..END, any::<u8>()), 0..20),
    ) {
        let mut bytes = Made::program(form).bytes();
        for (at, value) in changes.into_iter().chain(tables) {
            bytes[at] = value;
        }
        check_bounds(&read(&bytes).unwrap());
    }

    #[test]
    fn extreme_numbers_break_nothing(
        form in proptest::sample::select(&FORMS[..]),
        numbers in proptest::collection::vec(
            (4..END - 8, proptest::sample::select(&[0, 1, u64::MAX, u64::MAX - 63, 1 << 63][..])),
            1..8,
        ),
    ) {
        let made = Made::program(form);
        let mut bytes = made.bytes();
        for (at, value) in numbers {
            made.put(&mut bytes, at & !3, 8, value);
        }
        check_bounds(&read(&bytes).unwrap());
    }
}
