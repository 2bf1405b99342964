//! Environments that were written of late: most processes have that of another one, whole.

use std::collections::HashMap;

/// Longer ones are taken apart each time, so that what is kept stays small.
const MOST_BYTES: usize = 16 << 10;
const MOST: usize = 128;

/// Environments that the segment which is written to has already: neither they nor their variables
/// have to be looked up, or marked as used.
#[derive(Default)]
pub(super) struct Environments {
    segment: i64,
    ids: HashMap<Box<[u8]>, i64, foldhash::fast::RandomState>,
}

impl Environments {
    /// The id of an environment that `segment` has.
    pub(super) fn id(&mut self, segment: i64, bytes: &[u8]) -> Option<i64> {
        if self.segment != segment {
            self.clear();
            self.segment = segment;
        }
        self.ids.get(bytes).copied()
    }

    /// Remembers one that was written to the segment last asked for.
    pub(super) fn keep(&mut self, bytes: &[u8], id: i64) {
        if bytes.len() <= MOST_BYTES && self.ids.len() < MOST {
            self.ids.insert(bytes.into(), id);
        }
    }

    /// What was written was rolled back.
    pub(super) fn clear(&mut self) {
        self.ids.clear();
    }
}
