//! Values stored once by content.

use std::borrow::Cow;

#[cfg(feature = "capture")]
pub(super) use writing::Dictionary;

/// Undoes the compression of a stored value.
pub(super) fn unpack(value: &[u8], raw_bytes: Option<i64>) -> std::io::Result<Cow<'_, [u8]>> {
    match raw_bytes {
        None => Ok(Cow::Borrowed(value)),
        Some(raw) => {
            // A damaged length must not allocate the machine away: no value is larger than this.
            let raw = usize::try_from(raw).unwrap_or(0).min(MOST_BYTES);
            zstd::bulk::decompress(value, raw).map(Cow::Owned)
        }
    }
}

const MOST_BYTES: usize = 16 << 20;

/// Appends `value` in LEB128.
#[cfg(feature = "capture")]
pub(super) fn push_varint(out: &mut Vec<u8>, value: i64) {
    let mut rest = value.cast_unsigned();
    while rest >= 0x80 {
        out.push((rest & 0x7f) as u8 | 0x80);
        rest >>= 7;
    }
    out.push((rest & 0x7f) as u8);
}

/// The LEB128 numbers of `bytes`; a damaged end is left out.
pub(super) fn varints(mut bytes: &[u8]) -> impl Iterator<Item = i64> {
    std::iter::from_fn(move || {
        let mut value = 0_u64;
        for (index, byte) in bytes.iter().enumerate().take(10) {
            value |= u64::from(byte & 0x7f) << (7 * index);
            if byte & 0x80 == 0 {
                bytes = &bytes[index + 1..];
                return Some(value.cast_signed());
            }
        }
        bytes = &[];
        None
    })
}

#[cfg(feature = "capture")]
mod writing {
    use std::cell::Cell;

    use quick_cache::unsync::Cache;
    use rusqlite::{Connection, OptionalExtension as _, params};
    use sha2::{Digest as _, Sha256};

    use crate::store::retention::Era;

    /// Longer values are looked up in the database: the cache stays small whatever comes.
    const MOST_CACHED_BYTES: usize = 4096;
    const MOST_CACHED: usize = 4096;
    /// Shorter values do not repay compression.
    const LEAST_COMPRESSED_BYTES: usize = 1024;

    /// Where a value is, and the segment in which it was used last.
    #[derive(Clone, Copy)]
    pub(in crate::store) struct Place {
        pub(in crate::store) id: i64,
        pub(in crate::store) used: i64,
    }

    /// Writes one dictionary table.
    pub(in crate::store) struct Dictionary {
        select: String,
        insert: String,
        mark: String,
        cache:
            Cache<Box<[u8]>, Cell<Place>, quick_cache::UnitWeighter, foldhash::fast::RandomState>,
        is_compressed: bool,
    }

    impl Dictionary {
        /// Of values that processes use.
        pub(in crate::store) fn new(table: &str, is_compressed: bool) -> Self {
            let insert = format!(
                "INSERT INTO {table} (hash, raw_bytes, value, used) VALUES (?1, ?2, ?3, ?4)"
            );
            Self::with(table, "used", insert, is_compressed)
        }

        /// Of values that are found by those who refer to them: nobody has to know when they were
        /// used.
        pub(in crate::store) fn without_use(table: &str, is_compressed: bool) -> Self {
            let insert =
                format!("INSERT INTO {table} (hash, raw_bytes, value) VALUES (?1, ?2, ?3)");
            Self::with(table, &i64::MAX.to_string(), insert, is_compressed)
        }

        fn with(table: &str, used: &str, insert: String, is_compressed: bool) -> Self {
            Self {
                select: format!("SELECT id, {used}, raw_bytes, value FROM {table} WHERE hash = ?1"),
                insert,
                mark: mark_sql(table),
                cache: Cache::with(
                    MOST_CACHED,
                    MOST_CACHED as u64,
                    quick_cache::UnitWeighter,
                    foldhash::fast::RandomState::default(),
                    Default::default(),
                ),
                is_compressed,
            }
        }

        /// The id of `value`, which is stored if it is new, and marked as used now.
        pub(in crate::store) fn id(
            &mut self,
            connection: &Connection,
            era: &Era,
            value: &[u8],
        ) -> rusqlite::Result<i64> {
            if let Some(cell) = self.cache.get(value)
                && let Some(place) = refresh(connection, &self.mark, era, cell.get())?
            {
                cell.set(place);
                return Ok(place.id);
            }
            let hash = content_hash(value);
            let place = match self.find(connection, hash, value)? {
                Some(place) => mark(connection, &self.mark, era, place)?,
                None => self.insert(connection, era, hash, value)?,
            };
            if value.len() <= MOST_CACHED_BYTES {
                self.cache.insert(value.into(), Cell::new(place));
            }
            Ok(place.id)
        }

        fn find(
            &self,
            connection: &Connection,
            hash: i64,
            value: &[u8],
        ) -> rusqlite::Result<Option<Place>> {
            let mut statement = connection.prepare_cached(&self.select)?;
            let mut rows = statement.query([hash])?;
            while let Some(row) = rows.next()? {
                let stored = row.get_ref(3)?.as_blob()?;
                let is_same = super::unpack(stored, row.get(2)?).is_ok_and(|raw| *raw == *value);
                if is_same {
                    return Ok(Some(Place { id: row.get(0)?, used: row.get(1)? }));
                }
            }
            Ok(None)
        }

        fn insert(
            &self,
            connection: &Connection,
            era: &Era,
            hash: i64,
            value: &[u8],
        ) -> rusqlite::Result<Place> {
            let mut statement = connection.prepare_cached(&self.insert)?;
            let packed = if self.is_compressed && value.len() >= LEAST_COMPRESSED_BYTES {
                zstd::bulk::compress(value, 3).unwrap_or_default()
            } else {
                Vec::new()
            };
            let is_packed = !packed.is_empty() && packed.len() < value.len() / 4 * 3;
            let raw_bytes = is_packed.then(|| i64::try_from(value.len()).ok()).flatten();
            let stored = if raw_bytes.is_some() { &packed[..] } else { value };
            let has_use = statement.parameter_count() == 4;
            let id = if has_use {
                statement.insert(params![hash, raw_bytes, stored, era.current])?
            } else {
                statement.insert(params![hash, raw_bytes, stored])?
            };
            Ok(Place { id, used: if has_use { era.current } else { i64::MAX } })
        }

        /// After a rollback, ids handed out since the last commit mean nothing.
        pub(in crate::store) fn forget(&mut self) {
            self.cache.clear();
        }
    }

    pub(in crate::store) fn content_hash(value: &[u8]) -> i64 {
        let digest = Sha256::digest(value);
        let mut first = [0; 8];
        first.copy_from_slice(&digest[..8]);
        i64::from_le_bytes(first)
    }

    pub(in crate::store) fn mark_sql(table: &str) -> String {
        format!("UPDATE {table} SET used = ?2 WHERE id = ?1")
    }

    /// A place that was remembered, marked as used now; `None` where retention may have deleted it.
    pub(in crate::store) fn refresh(
        connection: &Connection,
        sql: &str,
        era: &Era,
        place: Place,
    ) -> rusqlite::Result<Option<Place>> {
        if place.used < era.floor {
            return Ok(None);
        }
        mark(connection, sql, era, place).map(Some)
    }

    /// Marks a value that is stored as used now: once in each segment.
    pub(in crate::store) fn mark(
        connection: &Connection,
        sql: &str,
        era: &Era,
        place: Place,
    ) -> rusqlite::Result<Place> {
        if place.used >= era.current {
            return Ok(place);
        }
        connection.prepare_cached(sql)?.execute([place.id, era.current])?;
        Ok(Place { used: era.current, ..place })
    }

    /// The row of `table` that equals `columns` in full, inserted if there is none.
    ///
    /// For tuples instead of single values; the caller caches.
    pub(in crate::store) fn tuple_place(
        connection: &Connection,
        era: &Era,
        sql: &TupleSql,
        hash: i64,
        columns: &[&dyn rusqlite::ToSql],
    ) -> rusqlite::Result<Place> {
        let mut params: Vec<&dyn rusqlite::ToSql> = Vec::with_capacity(columns.len() + 2);
        params.push(&hash);
        params.extend_from_slice(columns);
        let found = connection
            .prepare_cached(&sql.select)?
            .query_row(&*params, |row| Ok(Place { id: row.get(0)?, used: row.get(1)? }))
            .optional()?;
        if let Some(place) = found {
            return mark(connection, &sql.mark, era, place);
        }
        params.push(&era.current);
        let id = connection.prepare_cached(&sql.insert)?.insert(&*params)?;
        Ok(Place { id, used: era.current })
    }

    pub(in crate::store) struct TupleSql {
        select: String,
        insert: String,
        pub(in crate::store) mark: String,
    }

    impl TupleSql {
        pub(in crate::store) fn new(table: &str, columns: &[&str]) -> Self {
            let (mut test, mut marks) = (String::new(), String::new());
            for (index, column) in columns.iter().enumerate() {
                test.push_str(&format!(" AND {column} IS ?{}", index + 2));
                marks.push_str(&format!(", ?{}", index + 2));
            }
            Self {
                select: format!("SELECT id, used FROM {table} WHERE hash = ?1{test}"),
                insert: format!(
                    "INSERT INTO {table} (hash, {}, used) VALUES (?1{marks}, ?{})",
                    columns.join(", "),
                    columns.len() + 2
                ),
                mark: mark_sql(table),
            }
        }
    }
}
#[cfg(feature = "capture")]
pub(super) use writing::{Place, TupleSql, content_hash, refresh, tuple_place};

#[cfg(test)]
#[cfg(feature = "capture")]
mod tests {
    use super::*;

    #[test]
    fn numbers_round_trip() {
        let numbers = [0, 1, 127, 128, 300, i64::from(u32::MAX), i64::MAX];
        let mut bytes = Vec::new();
        for number in numbers {
            push_varint(&mut bytes, number);
        }
        assert_eq!(varints(&bytes).collect::<Vec<_>>(), numbers);
        assert_eq!(varints(&[0xff; 30]).count(), 0);
    }

    #[test]
    fn equal_values_get_one_id_and_large_ones_shrink() {
        let connection = rusqlite::Connection::open_in_memory().unwrap();
        connection
            .execute_batch("CREATE TABLE t (id INTEGER PRIMARY KEY, hash, raw_bytes, value, used)")
            .unwrap();
        let mut dictionary = Dictionary::new("t", true);
        let era = crate::store::retention::Era::default();
        let large = b"x".repeat(5000);
        let first = dictionary.id(&connection, &era, &large).unwrap();
        let other = dictionary.id(&connection, &era, b"other").unwrap();
        dictionary.forget();
        assert_eq!(dictionary.id(&connection, &era, &large).unwrap(), first);
        assert_ne!(first, other);
        let (raw, value): (Option<i64>, Vec<u8>) = connection
            .query_row("SELECT raw_bytes, value FROM t WHERE id = ?1", [first], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })
            .unwrap();
        assert!(value.len() < 100);
        assert_eq!(*unpack(&value, raw).unwrap(), *large);
    }
}
