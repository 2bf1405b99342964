//! How large the database is, and giving back what it does not need.

use rusqlite::Connection;

/// Given back in one step.
const MOST_PAGES: u32 = 128;
/// Free pages that stay for what comes next, whatever the size.
const FEWEST_FREE: u64 = 64;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Space {
    page_bytes: u64,
    pages: u64,
    free: u64,
    can_shrink: bool,
}

impl Space {
    pub(super) fn of(connection: &Connection) -> rusqlite::Result<Self> {
        let pragma = |name| {
            let value = connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0))?;
            Ok::<_, rusqlite::Error>(value.cast_unsigned())
        };
        Ok(Self {
            page_bytes: pragma("page_size")?,
            pages: pragma("page_count")?,
            free: pragma("freelist_count")?,
            // 2 is incremental. It can be chosen only before the first table.
            can_shrink: pragma("auto_vacuum")? == 2,
        })
    }

    pub(super) fn used_bytes(self) -> u64 {
        self.pages.saturating_sub(self.free) * self.page_bytes
    }

    pub(super) fn free_bytes(self) -> u64 {
        self.free * self.page_bytes
    }

    /// More is free than will be needed soon, or than there may be.
    pub(super) fn is_wasteful(self, limit_bytes: Option<u64>) -> bool {
        let is_too_large = limit_bytes.is_some_and(|limit| self.pages * self.page_bytes > limit);
        let spare = if is_too_large { 0 } else { (self.pages / 8).max(FEWEST_FREE) };
        self.can_shrink && self.free > spare
    }
}

/// Cuts some free pages off the file.
pub(super) fn shrink(connection: &Connection) -> rusqlite::Result<()> {
    let mut statement =
        connection.prepare_cached(&format!("PRAGMA incremental_vacuum({MOST_PAGES})"))?;
    // One page for each row that is asked for.
    let mut rows = statement.query([])?;
    while rows.next()?.is_some() {}
    Ok(())
}
