//! Rows of gaps, which retention deletes with the records around them: followed from round to round,
//! so that at the end they can be added up none the less.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use common::health::Kinds;

use crate::client::{Client, capture};
use crate::database::{books, open};
use crate::losses::plus;
use crate::recorder::wait_for;

struct Row {
    kind: String,
    cause: String,
    count: u64,
}

pub(super) struct Gaps {
    database: PathBuf,
    /// All that there ever were, by number and time: once the last row is deleted, its number may be
    /// given again.
    seen: BTreeMap<(i64, i64), Row>,
    /// Rows that there are now, and what they stand for.
    kept: (u64, u64),
}

impl Gaps {
    pub(super) fn new(database: &Path) -> Self {
        Self { database: database.to_owned(), seen: BTreeMap::new(), kept: (0, 0) }
    }

    /// A round takes far less time than what is kept goes back.
    pub(super) fn follow(&mut self) {
        let database = open(&self.database);
        let mut query =
            database.prepare("SELECT id, time_ns, kind, cause, count FROM gaps").unwrap();
        let mut rows = query.query([]).unwrap();
        self.kept = (0, 0);
        while let Some(row) = rows.next().unwrap() {
            let count = row.get::<_, i64>(4).unwrap().cast_unsigned();
            self.kept = (self.kept.0 + 1, self.kept.1 + count);
            let value = Row { kind: row.get(2).unwrap(), cause: row.get(3).unwrap(), count };
            self.seen.insert((row.get(0).unwrap(), row.get(1).unwrap()), value);
        }
    }

    fn lost(&self) -> u64 {
        self.seen.values().map(|row| row.count).sum()
    }

    /// What programs meant to send was read, or the kernel counted it as dropped and a row tells of
    /// it; of the rows each is still there, or was counted as deleted.
    pub(super) fn assert_accounted(&mut self, client: &Client) {
        let mut last = String::new();
        // Other processes of the machine come between two counters.
        let settle = std::panic::AssertUnwindSafe(|| {
            wait_for("figures that add up", || {
                self.follow();
                let health = client.health();
                let figures = capture(&health);
                let read = figures.decoded.total() + figures.undecodable;
                let dropped = figures.dropped_ring_full.total();
                let lost = dropped + figures.not_run + figures.undecodable;
                let deleted = health.store.retention.as_ref().unwrap().deleted_gaps;
                last = format!("sent {}, lost {lost}, {self}", figures.meant.total());
                let is_right = figures.meant.total() == read + dropped
                    && self.lost() == lost
                    && self.kept == (health.store.gaps, health.store.lost)
                    && self.seen.len() as u64 == self.kept.0 + deleted;
                if !is_right {
                    last = format!("{last}\n{health:#?}");
                }
                is_right.then_some(())
            });
        });
        let settled = std::panic::catch_unwind(settle);
        assert!(settled.is_ok(), "does not add up: {last}");
        println!("{last}");
    }

    /// The same by the recorder's own books, which it closed when it ended.
    pub(super) fn assert_books(&mut self) {
        self.follow();
        let of = |kind: &str| {
            let rows = self.seen.values().filter(|row| row.cause == "ring-full");
            rows.filter(|row| row.kind == kind).map(|row| row.count).sum()
        };
        let lost = Kinds { fork: of("fork"), exec: of("exec"), exit: of("exit") };
        let (decoded, meant) = books(&open(&self.database));
        assert_eq!(plus(decoded, lost), meant, "{self}");
    }
}

impl fmt::Display for Gaps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} gaps for {} events, {} still kept", self.seen.len(), self.lost(), self.kept.0)
    }
}
