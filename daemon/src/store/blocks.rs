//! What stands in command lines, a block of them at a time, so that a search reads only the blocks
//! that may hold what it seeks.
//!
//! A block is 256 ids of `args`. Its signature has a bit for each group of three bytes that occurs
//! in it, whatever the case of ASCII letters, with NUL taken for the space that it is shown as. Bits
//! are shared: a signature may say yes to what is not there, and never no to what is. Only blocks
//! that get no more values are signed; what is not signed is read.

use std::ops::Range;

use rusqlite::Connection;

#[cfg(feature = "capture")]
use super::dictionary::unpack;

/// Of an id, that tell apart the values of a block. In tests few, so that there are many blocks.
const BLOCK_BITS: u32 = if cfg!(test) { 2 } else { 8 };
/// Ids of a block.
#[cfg(all(test, feature = "capture"))]
pub(super) const VALUES: i64 = 1 << BLOCK_BITS;
/// Groups are told apart by so many bits of a hash.
const GROUP_BITS: u32 = 17;

/// Of three folded bytes.
fn group(bytes: u32) -> u32 {
    (bytes & 0x00ff_ffff).wrapping_mul(0x9e37_79b1) >> (32 - GROUP_BITS)
}

/// The groups of a text; none of one that is too short.
fn groups(text: &[u8]) -> impl Iterator<Item = u32> {
    let mut bytes = 0_u32;
    text.iter().enumerate().filter_map(move |(index, byte)| {
        let folded = if *byte == 0 { b' ' } else { byte.to_ascii_lowercase() };
        bytes = bytes << 8 | u32::from(folded);
        (index >= 2).then(|| group(bytes))
    })
}

/// The place of a group in a signature.
fn place(group: u32, signature: &[u8]) -> (usize, u8) {
    let bits = signature.len() as u64 * 8;
    let bit = (u64::from(group) * bits) >> GROUP_BITS;
    ((bit / 8) as usize, 1 << (bit % 8))
}

/// One without bits stands for a block of too many groups to tell anything of.
fn may_hold(signature: &[u8], groups: &[u32]) -> bool {
    signature.is_empty()
        || groups.iter().all(|group| {
            let (byte, bit) = place(*group, signature);
            signature[byte] & bit != 0
        })
}

/// Ids of command lines among which all are that hold one of the texts.
pub(super) fn candidates(
    connection: &Connection,
    texts: &[&[u8]],
) -> rusqlite::Result<Vec<Range<i64>>> {
    let texts: Vec<Vec<u32>> = texts.iter().map(|text| groups(text).collect()).collect();
    if texts.iter().any(Vec::is_empty) {
        return Ok(std::iter::once(i64::MIN..i64::MAX).collect());
    }
    let mut ranges = Vec::new();
    // Whatever is not signed may hold anything.
    let mut open = i64::MIN;
    let mut statement =
        connection.prepare_cached("SELECT id, signature FROM args_block ORDER BY id")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let signature = row.get_ref(1)?.as_blob()?;
        if texts.iter().any(|groups| may_hold(signature, groups)) {
            continue;
        }
        let block: i64 = row.get(0)?;
        if open < block << BLOCK_BITS {
            ranges.push(open..block << BLOCK_BITS);
        }
        open = (block + 1) << BLOCK_BITS;
    }
    ranges.push(open..i64::MAX);
    Ok(ranges)
}

#[cfg(feature = "capture")]
pub(super) use writing::{forget, is_due, sign};

#[cfg(feature = "capture")]
mod writing {
    use std::collections::BTreeSet;

    use rusqlite::OptionalExtension as _;

    use super::*;

    /// Bits of a signature for each group that occurs: so that a third of them are set; more of them where there are too many groups.
    const BITS_A_GROUP: usize = 3;
    const LEAST_BYTES: usize = 32;
    const MOST_BYTES: usize = 8192;

    pub(super) struct Groups(Vec<u64>);

    impl Groups {
        pub(super) fn new() -> Self {
            Self(vec![0; (1 << GROUP_BITS) / 64])
        }

        pub(super) fn add(&mut self, text: &[u8]) {
            for group in groups(text) {
                self.0[group as usize / 64] |= 1 << (group % 64);
            }
        }

        pub(super) fn signature(&self) -> Vec<u8> {
            let count: usize = self.0.iter().map(|word| word.count_ones() as usize).sum();
            if count > MOST_BYTES * 8 {
                return Vec::new();
            }
            let bytes = (count * BITS_A_GROUP).div_ceil(8).clamp(LEAST_BYTES, MOST_BYTES);
            let mut signature = vec![0; bytes];
            for (index, word) in (0_u32..).zip(&self.0) {
                let mut rest = *word;
                while rest != 0 {
                    let (byte, bit) = place(index * 64 + rest.trailing_zeros(), &signature);
                    signature[byte] |= bit;
                    rest &= rest - 1;
                }
            }
            signature
        }
    }

    /// The next block that gets no more values and is not signed yet.
    fn next(connection: &Connection) -> rusqlite::Result<Option<i64>> {
        let first: Option<i64> = connection
            .prepare_cached(
                "SELECT id FROM args WHERE id >= (SELECT ifnull(max(id) + 1, 0) FROM args_block) << ?1 \
                 ORDER BY id LIMIT 1",
            )?
            .query_row([BLOCK_BITS], |row| row.get(0))
            .optional()?;
        let newest: Option<i64> = connection
            .prepare_cached("SELECT max(id) FROM args")?
            .query_row([], |row| row.get(0))?;
        let block = |id: i64| id >> BLOCK_BITS;
        Ok(first.map(block).filter(|next| newest.is_some_and(|newest| *next < block(newest))))
    }

    /// Whether there is one.
    pub(in crate::store) fn is_due(connection: &Connection) -> rusqlite::Result<bool> {
        next(connection).map(|block| block.is_some())
    }

    /// Signs some, until so many bytes have been read; false if there is none left.
    pub(in crate::store) fn sign(connection: &Connection, bytes: usize) -> rusqlite::Result<bool> {
        let mut read = 0;
        while read < bytes {
            let Some(block) = next(connection)? else { return Ok(false) };
            let signature = signature(connection, block, &mut read)?;
            connection
                .prepare_cached("INSERT INTO args_block (id, signature) VALUES (?1, ?2)")?
                .execute((block, signature))?;
        }
        Ok(true)
    }

    /// Adds the bytes of the block to `read`.
    fn signature(
        connection: &Connection,
        block: i64,
        read: &mut usize,
    ) -> rusqlite::Result<Vec<u8>> {
        let mut groups = Groups::new();
        let mut statement = connection
            .prepare_cached("SELECT raw_bytes, value FROM args WHERE id >= ?1 AND id < ?2")?;
        let mut rows = statement.query([block << BLOCK_BITS, (block + 1) << BLOCK_BITS])?;
        // So that it comes to an end with empty ones, too.
        *read += 1;
        while let Some(row) = rows.next()? {
            let Ok(value) = unpack(row.get_ref(1)?.as_blob()?, row.get(0)?) else {
                // Whoever searches is to meet it.
                return Ok(Vec::new());
            };
            groups.add(&value);
            *read += value.len();
        }
        Ok(groups.signature())
    }

    /// After command lines were deleted: signatures of blocks that have none any more go, and so does
    /// that of the newest, because the next value gets the id after the last one that is there.
    pub(in crate::store) fn forget(
        connection: &Connection,
        deleted: &[i64],
    ) -> rusqlite::Result<()> {
        let blocks: BTreeSet<i64> = deleted.iter().map(|id| id >> BLOCK_BITS).collect();
        let mut delete = connection.prepare_cached(
            "DELETE FROM args_block WHERE id = ?1 \
             AND NOT EXISTS (SELECT 1 FROM args WHERE id >= ?2 AND id < ?3)",
        )?;
        for block in &blocks {
            delete.execute([*block, block << BLOCK_BITS, (block + 1) << BLOCK_BITS])?;
        }
        if !blocks.is_empty() {
            connection
                .prepare_cached(
                    "DELETE FROM args_block WHERE id >= (SELECT ifnull(max(id), 0) FROM args) >> ?1",
                )?
                .execute([BLOCK_BITS])?;
        }
        Ok(())
    }
}

#[cfg(test)]
#[cfg(feature = "capture")]
mod tests {
    use proptest::prelude::*;

    use super::writing::Groups;
    use super::*;

    fn signature(values: &[Vec<u8>]) -> Vec<u8> {
        let mut groups = Groups::new();
        values.iter().for_each(|value| groups.add(value));
        groups.signature()
    }

    fn may_have(signature: &[u8], text: &[u8]) -> bool {
        may_hold(signature, &groups(text).collect::<Vec<_>>())
    }

    proptest! {
        #[test]
        fn what_is_there_is_never_denied(
            values in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..60), 1..40),
            (value, start, length) in (any::<prop::sample::Index>(), any::<prop::sample::Index>(), 0..9_usize),
        ) {
            let signature = signature(&values);
            let value = value.get(&values);
            let start = start.index(value.len() + 1);
            let part = &value[start..(start + length).min(value.len())];
            prop_assert!(may_have(&signature, part));
            prop_assert!(may_have(&signature, &part.to_ascii_uppercase()));
        }
    }

    #[test]
    fn what_is_not_there_is_mostly_denied() {
        let values: Vec<_> =
            (0..256).map(|n| format!("gcc\0-c\0/src/unit-{n}.c\0").into_bytes()).collect();
        let signature = signature(&values);
        for there in ["GCC -c", "-c /src/unit-9", "unit-255.c"] {
            assert!(may_have(&signature, there.as_bytes()), "{there}");
        }
        let denied = (0..1000).filter(|n| !may_have(&signature, format!("wget{n}").as_bytes()));
        assert!(denied.count() > 990);
        assert!(may_have(&signature, b"wg"), "too short to tell");
    }

    #[test]
    fn a_block_of_too_many_groups_denies_nothing() {
        let all: Vec<u8> =
            (0..400_000_u32).flat_map(|n| n.wrapping_mul(0x9e37_79b1).to_be_bytes()).collect();
        let signature = signature(&[all]);
        assert!(signature.is_empty());
        assert!(may_have(&signature, b"anything"));
    }
}
