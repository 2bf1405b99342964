//! Capabilities that a file gives to whoever executes it.

use std::fs::File;

use common::ecs::capability_names;

/// As `getcap` prints them, such as `cap_net_raw=ep`; `None` where the file has none.
pub(super) fn of(file: &File) -> Option<String> {
    // Longer than any form there is.
    let mut value = [0; 64];
    let length = rustix::fs::fgetxattr(file, "security.capability", &mut value).ok()?;
    text(&value[..length])
}

/// The forms of `struct vfs_cap_data` in `linux/capability.h`: a magic number with the flag of the
/// effective set, then permitted and inheritable bits, 32 at a time; the last form adds a user.
fn text(value: &[u8]) -> Option<String> {
    const REVISION_1: u32 = 0x0100_0000;
    let word = |index: usize| {
        value.get(index * 4..)?.first_chunk().map(|bytes| u32::from_le_bytes(*bytes))
    };
    let magic = word(0)?;
    let is_effective = magic & 1 != 0;
    let (mut permitted, mut inheritable) = (u64::from(word(1)?), u64::from(word(2)?));
    if magic & 0xff00_0000 != REVISION_1 {
        permitted |= u64::from(word(3)?) << 32;
        inheritable |= u64::from(word(4)?) << 32;
    }
    let mut parts = Vec::new();
    for (set, letters) in [
        (permitted & inheritable, "ip"),
        (permitted & !inheritable, "p"),
        (inheritable & !permitted, "i"),
    ] {
        if set != 0 {
            let names = capability_names(set).join(",").to_lowercase();
            let effective = if is_effective { "e" } else { "" };
            parts.push(format!("{names}={effective}{letters}"));
        }
    }
    if let Some(root) = word(5).filter(|_| magic & 0xff00_0000 == 0x0300_0000) {
        parts.push(format!("[rootid={root}]"));
    }
    (!parts.is_empty()).then(|| parts.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_are_written_as_getcap_does() {
        let check = |words: &[u32], expected: Option<&str>| {
            let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
            assert_eq!(text(&bytes).as_deref(), expected);
        };
        check(&[0x0200_0001, 1 << 13, 0, 0, 0], Some("cap_net_raw=ep"));
        check(&[0x0200_0000, 1 << 13 | 1, 0, 1 << 7, 0], Some("cap_chown,cap_net_raw,cap_bpf=p"));
        check(&[0x0200_0001, 3, 1, 0, 0], Some("cap_chown=eip cap_dac_override=ep"));
        check(&[0x0100_0000, 1, 0], Some("cap_chown=p"));
        check(&[0x0300_0001, 1, 0, 0, 0, 1000], Some("cap_chown=ep [rootid=1000]"));
        check(&[0x0200_0001, 0, 0, 0, 0], None);
        check(&[0x0200_0001, 1], None);
        check(&[], None);
    }
}
