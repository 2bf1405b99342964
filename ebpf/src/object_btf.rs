//! For tests: the layout of the C structs, from the BTF of the compiled object.
//!
//! The format is the kernel's Documentation/bpf/btf.rst.

#![allow(clippy::unwrap_used, clippy::panic, reason = "part of the tests")]

use std::collections::HashMap;

use object::{Object, ObjectSection};

pub(crate) struct Struct {
    pub(crate) size_bytes: usize,
    /// Name and offset.
    pub(crate) members: Vec<(String, usize)>,
}

const KIND_INT: u32 = 1;
const KIND_ARRAY: u32 = 3;
const KIND_STRUCT: u32 = 4;
const KIND_UNION: u32 = 5;
const KIND_ENUM: u32 = 6;
const KIND_FUNC_PROTO: u32 = 13;
const KIND_VAR: u32 = 14;
const KIND_DATASEC: u32 = 15;
const KIND_DECL_TAG: u32 = 17;
const KIND_ENUM64: u32 = 19;

/// All named structs of the object.
pub(crate) fn structs() -> HashMap<String, Struct> {
    let file = object::File::parse(crate::load::OBJECT).unwrap();
    parse(file.section_by_name(".BTF").unwrap().data().unwrap())
}

/// Asserts that the struct called `name` in C has this size and these members.
pub(crate) fn check(
    structs: &HashMap<String, Struct>,
    name: &str,
    size_bytes: usize,
    members: &[(&str, usize)],
) {
    let c = structs.get(name).unwrap_or_else(|| panic!("no struct {name} in the object"));
    let c_members: Vec<_> = c.members.iter().map(|(n, offset)| (n.as_str(), *offset)).collect();
    assert_eq!((c.size_bytes, &*c_members), (size_bytes, members), "struct {name}");
}

fn parse(btf: &[u8]) -> HashMap<String, Struct> {
    let word = |at: usize| u32::from_ne_bytes(btf[at..at + 4].try_into().unwrap());
    let header = word(4) as usize;
    let (types, types_size) = (header + word(8) as usize, word(12) as usize);
    let strings = header + word(16) as usize;
    let string = |offset: u32| {
        let bytes = &btf[strings + offset as usize..];
        let end = bytes.iter().position(|byte| *byte == 0).unwrap();
        String::from_utf8(bytes[..end].to_vec()).unwrap()
    };

    let mut structs = HashMap::new();
    let mut at = types;
    while at < types + types_size {
        let (name, info, size) = (word(at), word(at + 4), word(at + 8));
        let (kind, count) = (info >> 24 & 0x1f, (info & 0xffff) as usize);
        at += 12;
        if kind == KIND_STRUCT && name != 0 {
            let member = |index: usize| {
                let at = at + index * 12;
                // Without bit fields (the kind flag) the offset is a plain number of bits.
                assert_eq!(word(at + 8) % 8, 0);
                (string(word(at)), word(at + 8) as usize / 8)
            };
            let members = (0..count).map(member).collect();
            structs.insert(string(name), Struct { size_bytes: size as usize, members });
        }
        at += match kind {
            KIND_INT | KIND_VAR | KIND_DECL_TAG => 4,
            KIND_ARRAY => 12,
            KIND_STRUCT | KIND_UNION | KIND_DATASEC | KIND_ENUM64 => count * 12,
            KIND_ENUM | KIND_FUNC_PROTO => count * 8,
            _ => 0,
        };
    }
    structs
}
