//! What is known of the content of a file, as columns of `executable e` and `binary b`.

use std::sync::Arc;

use common::binary::{Elf, Hashes, Package, PackageState, Storage, Unread};
use common::record::{Content, FileContent};
use rusqlite::Row;

use super::select::decode;

/// Columns of `binary b` that [`content_of`] reads beside all of `executable e`.
pub(super) const CONTENT_COLUMNS: &str = "b.sha256, b.sha1, b.md5, b.storage, b.is_elf, \
    b.elf_class, b.elf_machine, b.elf_type, b.elf_static, b.elf_interpreter, b.elf_stripped, \
    b.elf_build_id, b.elf_entropy, b.elf_packed, b.elf_damage";

/// Of a row of `executable` joined with the binary it had, if any.
pub(super) fn content_of(row: &Row<'_>) -> rusqlite::Result<Content> {
    if row.get::<_, Option<i64>>("binary")?.is_none() {
        let reason: Option<i64> = row.get("unread")?;
        return Ok(
            reason.map_or(Content::Unknown, |code| Content::Unread(decode(&Unread::ALL, code)))
        );
    }
    Ok(Content::Read(Arc::new(FileContent {
        hashes: hashes_of(row)?,
        elf: elf_of(row)?,
        package: package_of(row)?,
        capabilities: row.get("capabilities")?,
        storage: decode(&Storage::ALL, row.get("storage")?),
        is_uncertain: row.get("is_uncertain")?,
    })))
}

pub(super) fn hashes_of(row: &Row<'_>) -> rusqlite::Result<Hashes> {
    let digits = |column| Ok::<_, rusqlite::Error>(hex(row.get_ref(column)?.as_blob()?));
    Ok(Hashes { sha256: digits("sha256")?, sha1: digits("sha1")?, md5: digits("md5")? })
}

pub(super) fn elf_of(row: &Row<'_>) -> rusqlite::Result<Option<Elf>> {
    if !row.get::<_, bool>("is_elf")? {
        return Ok(None);
    }
    Ok(Some(Elf {
        class: row.get("elf_class")?,
        machine: row.get("elf_machine")?,
        kind: row.get("elf_type")?,
        is_static: row.get("elf_static")?,
        interpreter: row.get("elf_interpreter")?,
        is_stripped: row.get("elf_stripped")?,
        build_id: row.get("elf_build_id")?,
        entropy: row.get("elf_entropy")?,
        is_packed: row.get("elf_packed")?,
        damage: row.get("elf_damage")?,
    }))
}

pub(super) fn package_of(row: &Row<'_>) -> rusqlite::Result<Option<Package>> {
    let Some(name) = row.get::<_, Option<String>>("package")? else { return Ok(None) };
    Ok(Some(Package {
        name,
        version: row.get("package_version")?,
        manager: row.get::<_, Option<String>>("package_manager")?.unwrap_or_default(),
        state: decode(&PackageState::ALL, row.get::<_, Option<i64>>("package_state")?.unwrap_or(2)),
    }))
}

pub(super) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;

    let mut digits = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        // Writing to a string does not fail.
        let _ = write!(digits, "{byte:02x}");
    }
    digits
}

/// Two digits a byte; what is no digit ends it.
#[cfg(any(test, feature = "capture"))]
pub(super) fn unhex(digits: &str) -> Vec<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    digits
        .as_bytes()
        .chunks_exact(2)
        .map_while(|pair| Some(digit(pair[0])? << 4 | digit(pair[1])?))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_round_trip() {
        assert_eq!(hex(&[0, 0x9f, 0xff]), "009fff");
        assert_eq!(unhex("009fFF"), [0, 0x9f, 0xff]);
        assert_eq!(unhex("00zz11"), [0]);
    }
}
