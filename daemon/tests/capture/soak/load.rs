//! What a busy machine and its people do, round after round.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc::Receiver;

use common::ecs::Line;

use crate::client::{Client, only};
use crate::recorder::wait_for;
use crate::storm::size;
use crate::subscriptions::Follower;
use crate::workload::{self, Job, finish, path, run, sleeper, workload};

/// In each round, of as many as a storm has elsewhere.
const SHORT_PART: u32 = 50;
const LARGE_PART: u32 = 200;
/// Rounds from one change of the rules to the next.
const ROUNDS_OF_A_RULE: u32 = 5;
const LONG_LIVED: usize = 10;

pub(super) struct Load<'a> {
    client: &'a Client,
    rule: PathBuf,
    _follower: Follower,
    lines: Receiver<Line<'static>>,
    sleepers: Vec<Job>,
    rounds: u32,
    /// Programs of storms, by the count of the workload.
    ran: u64,
    execs: u64,
    ends: u64,
    missed: u64,
    /// Of any process.
    gaps: u64,
    alerts: usize,
}

impl<'a> Load<'a> {
    pub(super) fn new(client: &'a Client, rules: &Path) -> Self {
        let filter = format!("cmd ~ storm-child and exe = {}", path());
        let mut follower = Follower::start(client, &["-n", "0", &filter]);
        let lines = follower.lines();
        Self {
            client,
            rule: rules.join("soak.yml"),
            _follower: follower,
            lines,
            sleepers: (0..LONG_LIVED).map(|_| sleeper()).collect(),
            rounds: 0,
            ran: 0,
            execs: 0,
            ends: 0,
            missed: 0,
            gaps: 0,
            alerts: 0,
        }
    }

    /// Calls `look` in the middle of it.
    pub(super) fn round(&mut self, look: impl FnOnce()) {
        self.change_rule();
        let [short, large] = [SHORT_PART, LARGE_PART].map(|part| (size() / part).to_string());
        let short = storm(&["-j", "2", &short]);
        let large = storm(&["-j", "2", "-a", "32768", &large]);
        look();
        self.count(short);
        self.count(large);
        self.sleepers.remove(0);
        self.sleepers.push(sleeper());
        // Each of another program, as it were: a repeat would be counted with the first.
        run(&["exit", "0", &format!("soak-{}", self.rounds)]);
        self.alerts += 1;
        self.ask();
        self.listen();
        self.rounds += 1;
    }

    /// A new text is compiled, and takes over.
    fn change_rule(&mut self) {
        if !self.rounds.is_multiple_of(ROUNDS_OF_A_RULE) {
            return;
        }
        let title = format!("Soak {}", self.rounds);
        let text = format!(
            "title: {title}\nid: 11111111-1111-4111-8111-111111111111\nlevel: high\n\
             logsource: {{category: process_creation, product: linux}}\n\
             detection: {{word: {{CommandLine|contains: ' exit 0 soak-'}}, condition: word}}\n"
        );
        fs::write(&self.rule, text).unwrap();
        wait_for("the rule", || {
            self.client.print(&["rules", "list", "--json"]).contains(&title).then_some(())
        });
    }

    fn count(&mut self, storm: Job) {
        let storm = finish(storm);
        assert!(storm.status.success());
        self.ran += storm.facts("ran").iter().map(|ran| ran.parse::<u64>().unwrap()).sum::<u64>();
    }

    fn ask(&self) {
        // Its pid may have been that of an earlier one, too.
        let filter = format!("pid = {} and state = running", self.sleepers[0].pid());
        let living = only(self.client.events(&filter)).process.entity_id.to_string();
        for arguments in [
            &["status"][..],
            &["events", "-n", "200"],
            &["events", "-n", "50", "cmd ~ storm-child and exit_code = 7"],
            &["top", "exe"],
            &["tree", &living],
            &["alerts", "-n", "20"],
        ] {
            self.client.print(arguments);
        }
    }

    /// Counts what the subscriber was told.
    fn listen(&mut self) {
        for line in self.lines.try_iter() {
            match line {
                Line::Event(event) if event.event.action == "exec" => self.execs += 1,
                Line::Event(event) if event.event.action == "end" => self.ends += 1,
                Line::Missed(missed) => self.missed += missed,
                Line::Gap(gap) => self.gaps += gap.count,
                other => panic!("{other:?}"),
            }
        }
    }

    fn told(&self) -> u64 {
        self.execs + self.ends + self.missed
    }

    /// Ends what is left of it.
    pub(super) fn finish(&mut self) {
        self.sleepers.clear();
        wait_for("the last lines of the subscriber", || {
            self.listen();
            (self.told() + self.gaps >= 2 * self.ran).then_some(())
        });
    }

    /// Each program of the storms was told of once when it began and once when it ended, or is
    /// among those of which was told that they are missing; others are among these, too.
    pub(super) fn assert_accounted(&self) {
        assert!(self.execs <= self.ran && self.ends <= self.ran, "{self}");
        assert!(self.told() + self.gaps >= 2 * self.ran, "{self}");
        if self.missed == 0 && self.gaps == 0 {
            assert_eq!((self.execs, self.ends), (self.ran, self.ran));
        }
    }
}

fn storm(arguments: &[&str]) -> Job {
    workload::start(&mut workload(&[&["storm"][..], arguments].concat()))
}

impl fmt::Display for Load<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} rounds, {} alerts; {} programs ran in storms; the subscriber was told of {} execs and \
             {} ends, missed {}, and of {} lost events",
            self.rounds, self.alerts, self.ran, self.execs, self.ends, self.missed, self.gaps
        )
    }
}
