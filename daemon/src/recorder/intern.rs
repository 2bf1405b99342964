//! Equal byte strings share one allocation while they are in use somewhere near in time.

use std::sync::Arc;

use quick_cache::UnitWeighter;
use quick_cache::unsync::Cache;

const MOST_CACHED: usize = 2048;
/// Longer strings are rarely the same and would hold too much memory.
const MOST_CACHED_BYTES: usize = 8192;

pub(crate) struct Interner {
    cache: Cache<Arc<[u8]>, Arc<[u8]>, UnitWeighter, foldhash::fast::RandomState>,
    empty: Arc<[u8]>,
}

impl Default for Interner {
    fn default() -> Self {
        Self {
            cache: Cache::with(
                MOST_CACHED,
                MOST_CACHED as u64,
                UnitWeighter,
                foldhash::fast::RandomState::default(),
                Default::default(),
            ),
            empty: Arc::from([]),
        }
    }
}

impl Interner {
    pub(crate) fn get(&mut self, bytes: &[u8]) -> Arc<[u8]> {
        if bytes.is_empty() {
            return self.empty.clone();
        }
        if bytes.len() > MOST_CACHED_BYTES {
            return Arc::from(bytes);
        }
        if let Some(known) = self.cache.get(bytes) {
            return known.clone();
        }
        let fresh: Arc<[u8]> = Arc::from(bytes);
        self.cache.insert(fresh.clone(), fresh.clone());
        fresh
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_strings_are_one() {
        let mut interner = Interner::default();
        let first = interner.get(b"PATH=/bin");
        assert!(Arc::ptr_eq(&first, &interner.get(b"PATH=/bin")));
        assert!(!Arc::ptr_eq(&first, &interner.get(b"PATH=/sbin")));
    }
}
