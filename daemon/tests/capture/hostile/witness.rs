//! A second recorder, whose ring is large enough for everything: what it has and the first one has
//! not was lost by the first one, whoever did it. So the count of losses can be checked one by one
//! also on a machine where other processes come and go.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::rc::Rc;

use crate::ledger::{Gap, Id, Kind, Ledger, Missing};
use crate::recorder::{LOSSLESS, Recorder};
use crate::scratch::Scratch;
use crate::workload::Run;

pub(crate) struct Pair {
    scratches: [Rc<Scratch>; 2],
    pub(crate) recorder: Recorder,
    pub(super) witness: Recorder,
}

impl Pair {
    pub(super) fn start(options: &[&str], witness_ring_bytes: u64) -> Option<Self> {
        Self::start_in(Rc::new(Scratch::new()), options, witness_ring_bytes)
    }

    /// As [`Self::start`], where something is prepared for the one that may lose something.
    pub(crate) fn start_in(
        scratch: Rc<Scratch>,
        options: &[&str],
        witness_ring_bytes: u64,
    ) -> Option<Self> {
        let scratches = [scratch, Rc::new(Scratch::new())];
        let recorder = Recorder::start(&scratches[0], options)?;
        let ring = witness_ring_bytes.max(64 << 20).next_power_of_two().to_string();
        let ring = ["--ring-size", &ring];
        let witness = Recorder::start(&scratches[1], &[&ring[..], &LOSSLESS[2..]].concat())?;
        assert_eq!(recorder.client.balanced_health().store.lost, 0, "before there was a witness");
        Some(Self { scratches, recorder, witness })
    }

    /// Ends both when all is told.
    pub(crate) fn settle(self) -> Books {
        self.witness.client.assert_lossless();
        let health = self.recorder.client.balanced_health();
        // Last begun, first ended: what the witness saw, the other one could see.
        self.witness.stop();
        self.recorder.stop();
        let [recorded, all] = self.scratches.map(|scratch| {
            crate::database::assert_sound(&scratch.database());
            Ledger::read(&scratch.database())
        });
        let books = Books { missing: all.missing_in(&recorded), all, recorded };
        books.assert_add_up();
        assert_eq!(books.lost(), health.store.lost, "{health:#?}");
        books
    }
}

pub(crate) struct Books {
    pub(super) all: Ledger,
    pub(crate) recorded: Ledger,
    pub(super) missing: Vec<Missing>,
}

impl Books {
    /// What is missing is what the gaps say, of each kind.
    fn assert_add_up(&self) {
        let gaps = &self.recorded.gaps;
        assert!(self.all.gaps.is_empty(), "{:#?}", self.all.gaps);
        assert!(gaps.iter().all(|gap| gap.count > 0), "{gaps:#?}");
        let told = |kind: &str| count(gaps.iter().filter(|gap| gap.kind == kind));
        let missing = |kind| self.missing.iter().filter(|lost| lost.kind == kind).count() as u64;
        let figures = Kind::ALL.map(|kind| (kind, missing(kind), told(kind.name())));
        assert!(figures.iter().all(|(_, missing, told)| missing >= told), "{figures:?}");
        // What the kernel skipped has no kind.
        let of_no_kind: u64 = figures.iter().map(|(_, missing, told)| missing - told).sum();
        assert_eq!(of_no_kind, told("any"), "{figures:?}");
        println!("missing and told, by kind: {figures:?}, of no kind: {of_no_kind}");
    }

    pub(super) fn lost(&self) -> u64 {
        count(self.recorded.gaps.iter())
    }

    /// The children of a storm, by the processor that they ran on, after a look at what it counted.
    pub(crate) fn children(&self, run: &Run, total: u32) -> HashMap<Id, u32> {
        let ran: u32 = run.facts("ran").iter().map(|ran| ran.parse::<u32>().unwrap()).sum();
        assert_eq!(ran, total);
        let mut children = HashMap::new();
        for pinned in run.facts("pinned") {
            let (worker, cpu) = pinned.split_once(' ').unwrap();
            let worker = self.all.parent_with_pid(worker.parse().unwrap());
            let own = self.all.children(&HashSet::from([worker]));
            children.extend(own.into_iter().map(|child| (child, cpu.parse::<u32>().unwrap())));
        }
        // Of each the witness knows fork, exec and exit, once.
        for child in children.keys() {
            let seen = &self.all.processes[child];
            assert!(seen.has_fork && seen.execs.len() == 1 && seen.exit.is_some(), "{seen:#?}");
            self.all.assert_once(child);
            self.recorded.assert_once(child);
        }
        assert_eq!(children.len(), total as usize);
        children
    }

    /// Each event of these processes was recorded once, or lost and counted on its processor.
    pub(crate) fn assert_accounted(&self, children: &HashMap<Id, u32>) {
        let known: HashSet<Id> = children.keys().copied().collect();
        let lost: Vec<&Missing> = self.of(children).collect();
        let recorded: usize = known
            .iter()
            .filter_map(|child| self.recorded.processes.get(child))
            .map(|seen| {
                usize::from(seen.has_fork) + seen.execs.len() + usize::from(seen.exit.is_some())
            })
            .sum();
        assert_eq!(recorded + lost.len(), 3 * children.len());
        for (cpu, kind) in cpus(children).into_iter().flat_map(|cpu| Kind::ALL.map(|k| (cpu, k))) {
            let own = lost
                .iter()
                .filter(|lost| lost.kind == kind && children[&lost.process] == cpu)
                .count() as u64;
            let told = count(self.recorded.gaps.iter().filter(|gap| {
                gap.cpu == cpu && gap.kind == kind.name() && gap.cause == "ring-full"
            }));
            // The rest are others' of the same processor.
            assert!(
                own <= told + self.lost_of_no_kind(),
                "processor {cpu}, {kind:?}: {own}, {told}"
            );
        }
        // Nobody is recorded that never was.
        let parents: HashSet<Id> =
            known.iter().filter_map(|child| self.all.parent(child)).collect();
        let invented: Vec<Id> =
            self.recorded.children(&parents).difference(&known).copied().collect();
        assert!(invented.is_empty(), "{invented:?}");
    }

    fn lost_of_no_kind(&self) -> u64 {
        count(self.recorded.gaps.iter().filter(|gap| gap.kind == "any"))
    }

    /// What is missing of these processes.
    pub(crate) fn of(&self, children: &HashMap<Id, u32>) -> impl Iterator<Item = &Missing> {
        self.missing.iter().filter(|lost| children.contains_key(&lost.process))
    }

    /// A row covers the time of each loss: one of the same kind and processor comes after it, and
    /// between the two nothing of that kind was recorded there. Of a fork the time is not known
    /// that closely. All that ran in storms is in `children`, the losses may be of a few of them.
    pub(crate) fn assert_covered(&self, lost: &[&Missing], children: &HashMap<Id, u32>) {
        for (cpu, kind) in cpus(children).into_iter().flat_map(|cpu| Kind::ALL.map(|k| (cpu, k))) {
            let is_same = |gap: &&Gap| gap.cpu == cpu && gap.kind == kind.name();
            let gaps: BTreeSet<u64> =
                self.recorded.gaps.iter().filter(is_same).map(|gap| gap.time).collect();
            let of_cpu = children.iter().filter(|(_, on)| **on == cpu).map(|(child, _)| child);
            let recorded: BTreeSet<u64> = of_cpu
                .filter_map(|child| self.recorded.processes.get(child))
                .flat_map(|seen| match kind {
                    Kind::Fork => Vec::new(),
                    Kind::Exec => seen.execs.clone(),
                    Kind::Exit => seen.exit.into_iter().collect(),
                })
                .collect();
            for lost in lost.iter().filter(|l| l.kind == kind && children[&l.process] == cpu) {
                let gap = gaps.range(lost.time..).next();
                let gap = gap.unwrap_or_else(|| panic!("{lost:?} on {cpu}: {gaps:?}"));
                let between = recorded.range(lost.time + 1..).next().filter(|next| *next < gap);
                assert_eq!(between, None, "{lost:?} on {cpu}: recorded before the gap at {gap}");
            }
        }
    }
}

fn count<'a>(gaps: impl Iterator<Item = &'a Gap>) -> u64 {
    gaps.map(|gap| gap.count).sum()
}

pub(super) fn cpus(children: &HashMap<Id, u32>) -> HashSet<u32> {
    children.values().copied().collect()
}
