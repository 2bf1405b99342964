//! What an ELF file says of itself.
//!
//! Whoever wrote the file chose every byte of it, may have cut it anywhere, and may change it while
//! it is read. So it is read at positions (a mapping would fault on a file that shrinks), every size
//! has a limit, and what does not fit is told as damage beside what could be read. Nothing here
//! judges a file, and symbols and sections are not read any further than the facts need.

mod dynamic;
mod header;
#[cfg(test)]
mod made;
mod notes;
mod packed;
mod sections;
mod segments;
mod source;
#[cfg(test)]
mod tests;

use std::fs::File;

use common::binary::Elf;
use object::elf;

use header::{Form, Header};
use sections::Sections;
use segments::Segments;
use source::Source;

/// `None` for what is not ELF, or cannot be read at all. `size_bytes` is the size the file had when
/// it was opened: what lies beyond is not looked at.
///
/// Reads less than 10 MiB of a file of any size, and holds less than 1 MiB.
pub(crate) fn facts(file: &File, size_bytes: u64) -> Option<Elf> {
    let mut source = Source::new(file, size_bytes);
    let start = source.read(0, header::MOST_BYTES);
    if !start.starts_with(&elf::ELFMAG) {
        return None;
    }
    let mut facts = match Header::parse(&start) {
        Ok((header, is_contradictory)) => {
            if is_contradictory {
                source.damaged("it states another class or byte order than it uses");
            }
            describe(&header, &mut source)
        }
        Err(what) => {
            source.damaged(what);
            Elf { class: header::stated_form(&start).map(Form::class), ..Elf::default() }
        }
    };
    facts.damage = source.damage();
    Some(facts)
}

/// What holds for the facts of any file.
#[cfg(any(test, feature = "fuzz"))]
pub(crate) fn check_bounds(facts: &Elf) {
    assert!(facts.interpreter.as_ref().is_none_or(|path| path.len() <= 4 * 4096), "{facts:?}");
    assert!(facts.build_id.as_ref().is_none_or(|digits| digits.len() <= 128), "{facts:?}");
    assert!(facts.damage.as_ref().is_none_or(|damage| damage.len() < 500), "{facts:?}");
    assert!(facts.entropy.is_none_or(|entropy| entropy <= 8000), "{facts:?}");
}

fn describe(header: &Header, source: &mut Source<'_>) -> Elf {
    let segments = Segments::read(header, source);
    let dynamic = segments.first(elf::PT_DYNAMIC).map(|it| dynamic::read(header.form, it, source));
    let sections = Sections::read(header, source);
    let endian = header.form.endian;
    let build_id = notes::build_id(segments.notes(), endian, source)
        .or_else(|| notes::build_id(sections.notes.into_iter(), endian, source));
    let entropy = packed::entropy(&segments, source);
    let kind = kind(header, &segments, dynamic);
    let is_program = matches!(kind.as_deref(), Some("executable" | "pie"));
    Elf {
        class: Some(header.form.class()),
        machine: Some(header.machine()),
        kind,
        is_static: if is_program { is_static(&segments, dynamic) } else { None },
        interpreter: segments.interpreter(source),
        is_stripped: sections.is_stripped,
        build_id,
        entropy,
        is_packed: packed::is_packed(entropy, source),
        damage: None,
    }
}

/// Position-independent programs are shared objects to the kernel. What tells them apart is the
/// flag of newer linkers, the wish for an interpreter (so `libc.so.6`, which can be run, is one
/// too), or that no linker could load them, as those that UPX made.
fn kind(header: &Header, segments: &Segments, dynamic: Option<dynamic::Facts>) -> Option<String> {
    let name = match header.kind {
        elf::ET_REL => "relocatable",
        elf::ET_EXEC => "executable",
        elf::ET_CORE => "core",
        elf::ET_DYN => {
            let has_flag = dynamic.is_some_and(|dynamic| dynamic.is_pie);
            if has_flag || segments.first(elf::PT_INTERP).is_some() {
                "pie"
            } else if !segments.is_complete || dynamic.is_some_and(|dynamic| !dynamic.is_complete) {
                return None;
            } else if dynamic.is_none() && segments.first(elf::PT_LOAD).is_some() {
                "pie"
            } else {
                "shared-object"
            }
        }
        number => return Some(number.to_string()),
    };
    Some(name.to_owned())
}

fn is_static(segments: &Segments, dynamic: Option<dynamic::Facts>) -> Option<bool> {
    if segments.first(elf::PT_INTERP).is_some()
        || dynamic.is_some_and(|dynamic| dynamic.needs_libraries)
    {
        return Some(false);
    }
    let is_all_known = segments.is_complete && dynamic.is_none_or(|dynamic| dynamic.is_complete);
    is_all_known.then_some(true)
}
