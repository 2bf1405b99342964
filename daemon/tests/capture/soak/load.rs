//! What a busy machine and its people do, round after round.

use std::fmt;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::Receiver;

use common::ecs::Line;

use crate::client::{Client, capture};
use crate::programs::WORKLOAD;
use crate::recorder::wait_for;
use crate::scratch::Scratch;
use crate::storm::size;
use crate::subscriptions::Follower;
use crate::workload::{self, Job, finish, sleeper};

/// In each round, of as many as a storm has elsewhere.
const SHORT_PART: u32 = 50;
const LARGE_PART: u32 = 200;
/// Rounds from one change of the rules to the next.
const ROUNDS_OF_A_RULE: u32 = 5;
const LONG_LIVED: usize = 10;
/// As many lie around, for whoever still reads one.
const PROGRAMS: u32 = 16;

pub(super) struct Load<'a> {
    client: &'a Client,
    scratch: &'a Scratch,
    /// Of the storms, and of no other test's.
    program: PathBuf,
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
    pub(super) fn new(client: &'a Client, scratch: &'a Scratch, rules: &Path) -> Self {
        let program = scratch.copy(&WORKLOAD, "storms");
        let filter = format!("cmd ~ storm-child and exe = {}", program.display());
        let mut follower = Follower::start(client, &["-n", "0", &filter]);
        let lines = follower.lines();
        Self {
            client,
            scratch,
            program,
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
        let short = self.storm(&["-j", "2", &short]);
        let large = self.storm(&["-j", "2", "-a", "32768", &large]);
        look();
        self.count(short);
        self.count(large);
        self.sleepers.remove(0);
        self.sleepers.push(sleeper());
        self.run_new_program();
        self.alerts += 1;
        self.ask();
        self.listen();
        self.rounds += 1;
    }

    /// One that is copied and, as it has words of its own, alerted of: a repeat would be counted with
    /// the first.
    fn run_new_program(&self) {
        let program = self.scratch.copy(&WORKLOAD, &format!("program-{}", self.rounds % PROGRAMS));
        // What comes after its end is no part of a program, but of its hash.
        let mut file = File::options().append(true).open(&program).unwrap();
        file.write_all(&self.rounds.to_le_bytes()).unwrap();
        drop(file);
        let mut command = Command::new(&program);
        command.args(["exit", "0", &format!("soak-{}", self.rounds)]);
        let run = finish(workload::start(command.env_clear().stdin(Stdio::null())));
        assert!(run.status.success());
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

    fn storm(&self, arguments: &[&str]) -> Job {
        let mut command = Command::new(&self.program);
        workload::start(command.arg("storm").args(arguments).env_clear().stdin(Stdio::null()))
    }

    fn count(&mut self, storm: Job) {
        let storm = finish(storm);
        assert!(storm.status.success());
        self.ran += storm.facts("ran").iter().map(|ran| ran.parse::<u64>().unwrap()).sum::<u64>();
    }

    fn ask(&self) {
        // Its pid may have been that of an earlier one, too.
        let filter = format!("pid = {} and state = running", self.sleepers[0].pid());
        let living = self.client.events(&filter);
        // Its exec may be among what was lost.
        let is_lossy = || capture(&self.client.health()).dropped_ring_full.total() > 0;
        assert!(living.len() == 1 || is_lossy(), "{filter}: {living:#?}");
        if let [living] = &*living {
            self.client.print(&["tree", &living.process.entity_id.to_string()]);
        }
        for arguments in [
            &["status"][..],
            &["events", "-n", "200"],
            &["events", "-n", "50", "cmd ~ storm-child and exit_code = 7"],
            &["top", "exe"],
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
