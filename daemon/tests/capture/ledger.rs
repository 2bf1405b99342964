//! What a database holds of each process, event by event, so that two can be compared: what one
//! recorder lost is what another one has of the same time and it has not.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;

use crate::database;

/// Pid, and start on the boot clock in nanoseconds: of one boot only.
pub(crate) type Id = (u32, u64);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Fork,
    Exec,
    Exit,
}

impl Kind {
    pub(crate) const ALL: [Self; 3] = [Self::Fork, Self::Exec, Self::Exit];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Fork => "fork",
            Self::Exec => "exec",
            Self::Exit => "exit",
        }
    }
}

/// What is known of a process. Times are of the boot clock.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) has_fork: bool,
    pub(crate) execs: Vec<u64>,
    pub(crate) exit: Option<u64>,
    rows: usize,
    parent_row: Option<i64>,
}

impl Seen {
    fn times(&self, start: u64, kind: Kind) -> Vec<u64> {
        match kind {
            Kind::Fork => self.has_fork.then_some(start).into_iter().collect(),
            Kind::Exec => self.execs.clone(),
            Kind::Exit => self.exit.into_iter().collect(),
        }
    }
}

/// A row of `gaps`, on the boot clock.
#[derive(Debug)]
pub(crate) struct Gap {
    pub(crate) time: u64,
    pub(crate) cpu: u32,
    pub(crate) kind: String,
    pub(crate) count: u64,
    pub(crate) cause: String,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Missing {
    pub(crate) process: Id,
    pub(crate) kind: Kind,
    pub(crate) time: u64,
}

pub(crate) struct Ledger {
    pub(crate) processes: HashMap<Id, Seen>,
    pub(crate) gaps: Vec<Gap>,
    of_row: HashMap<i64, Id>,
}

impl Ledger {
    /// Of a recorder that has ended. The numbers are those of `store::columns`.
    pub(crate) fn read(path: &Path) -> Self {
        let database = database::open(path);
        let mut processes: HashMap<Id, Seen> = HashMap::new();
        let mut of_row = HashMap::new();
        // Wall time to boot time, as the recorder had it then.
        let mut clock = BTreeMap::new();
        let mut query = database
            .prepare(
                "SELECT id, pid, start_boottime_ns, source, age_ns, time_ns, parent, parent_source,
                        state, run_ns FROM process ORDER BY id",
            )
            .unwrap();
        let mut rows = query.query([]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            let number = |column| row.get::<_, i64>(column).unwrap().cast_unsigned();
            let maybe = |column| row.get::<_, Option<i64>>(column).unwrap();
            let id: Id = (number(1).try_into().unwrap(), number(2));
            let began = id.1 + number(4);
            clock.insert(number(5), began);
            of_row.insert(row.get(0).unwrap(), id);
            let seen = processes.entry(id).or_default();
            seen.rows += 1;
            seen.parent_row = seen.parent_row.or(maybe(6));
            seen.has_fork |= number(3) == 1 || maybe(7) == Some(0);
            if number(3) == 0 {
                seen.execs.push(began);
            }
            if (1..=3).contains(&number(8)) {
                seen.exit = maybe(9).map(|run| id.1 + run.cast_unsigned());
            }
        }
        let gaps = gaps(&database, &clock);
        Self { processes, gaps, of_row }
    }

    pub(crate) fn parent(&self, process: &Id) -> Option<Id> {
        let row = self.processes.get(process)?.parent_row?;
        self.of_row.get(&row).copied()
    }

    /// The process with this pid that has the most children: pids are used again, in a large storm
    /// by its own short-lived processes.
    pub(crate) fn parent_with_pid(&self, pid: u32) -> Id {
        let with_pid = self.processes.keys().filter(|id| id.0 == pid);
        let children = |id: &&Id| self.children(&HashSet::from([**id])).len();
        *with_pid.max_by_key(children).expect("a process with this pid")
    }

    /// Those whose parent is one of these.
    pub(crate) fn children(&self, parents: &HashSet<Id>) -> HashSet<Id> {
        let is_child = |id: &&Id| self.parent(id).is_some_and(|parent| parents.contains(&parent));
        self.processes.keys().filter(is_child).copied().collect()
    }

    /// How many events of this kind were recorded.
    pub(crate) fn count(&self, kind: Kind) -> u64 {
        let times = |(id, seen): (&Id, &Seen)| seen.times(id.1, kind).len() as u64;
        self.processes.iter().map(times).sum()
    }

    /// The events that this one has and `other` has not.
    pub(crate) fn missing_in(&self, other: &Self) -> Vec<Missing> {
        let nothing = Seen::default();
        let mut missing = Vec::new();
        for (process, seen) in &self.processes {
            let theirs = other.processes.get(process).unwrap_or(&nothing);
            for kind in Kind::ALL {
                let ours = seen.times(process.1, kind);
                let count = theirs.times(process.1, kind).len().min(ours.len());
                let lost = ours.iter().skip(count);
                missing.extend(lost.map(|time| Missing { process: *process, kind, time: *time }));
            }
        }
        missing
    }

    /// A process that is forked, executes one program and ends is told of once, in one row, or in
    /// one for its fork and one for its exec.
    pub(crate) fn assert_once(&self, process: &Id) {
        let Some(seen) = self.processes.get(process) else { return };
        assert!(seen.execs.len() <= 1 && seen.rows <= 2, "{process:?} {seen:#?}");
        assert!(seen.rows < 2 || !seen.execs.is_empty(), "{process:?} {seen:#?}");
    }
}

fn gaps(database: &rusqlite::Connection, clock: &BTreeMap<u64, u64>) -> Vec<Gap> {
    let to_boottime = |wall: u64| {
        // A gap is told by a record, which as a rule has a row of the same time.
        let before = clock.range(..=wall).next_back();
        let (then, boottime) = before.or_else(|| clock.first_key_value()).expect("a row");
        (boottime + wall).saturating_sub(*then)
    };
    let mut query = database.prepare("SELECT time_ns, cpu, kind, count, cause FROM gaps").unwrap();
    let gaps = query.query_map([], |row| {
        Ok(Gap {
            time: to_boottime(row.get::<_, i64>(0)?.cast_unsigned()),
            cpu: row.get(1)?,
            kind: row.get(2)?,
            count: row.get::<_, i64>(3)?.cast_unsigned(),
            cause: row.get(4)?,
        })
    });
    gaps.unwrap().map(Result::unwrap).collect()
}
