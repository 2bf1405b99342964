//! A made-up machine at work, as long as one likes: some commands run far more often than others,
//! builds and scripts start each other many deep, people are logged in, services and containers run.
//!
//! Always the same for the same number of processes.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use common::binary::{Elf, Hashes, Storage};
use common::id::{BootId, ProcessId};
use common::record::{
    Container, Content, Context, End, Executable, FileContent, Namespaces, ObservedEnd, Parent,
    ParentSource, PathState, PathText, Record, Source, Strings, StringsState,
};
use common::rule::Level;

use crate::store::{Batch, Finding, NewAlert, Pending, Writer};

/// Rows of one transaction.
const BATCH: u64 = 4096;
/// So many processes a day, whatever their number: a larger database is one of a longer time.
pub const PROCESSES_A_DAY: u64 = 300_000;
const STEP_NS: u64 = 86_400_000_000_000 / PROCESSES_A_DAY;
const COMMANDS: usize = 400;
/// Processes that may still start others.
const ALIVE: usize = 300;
/// One in so many command lines has it.
pub const NEEDLE: &str = "needle-in-the-hay";
const NEEDLE_EVERY: u64 = 250_000;
/// One in so many raises an alert.
const ALERT_EVERY: u64 = 2_000;

/// xorshift64*: the same numbers each time.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 11
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }

    /// Zipf's law with exponent 1, from its continuous form.
    fn zipf(&mut self, end: usize) -> usize {
        let part = self.next() as f64 / (1_u64 << 53) as f64;
        #[expect(clippy::cast_sign_loss, reason = "a power of a positive number")]
        let place = (end as f64).powf(part) as usize;
        place.saturating_sub(1).min(end - 1)
    }
}

/// Where a process runs, and as whom.
struct Home {
    context: Arc<Context>,
    tty: Option<String>,
    session: u32,
    directories: Vec<PathText>,
    variables: Vec<u8>,
}

#[derive(Clone)]
struct Alive {
    row: i64,
    process: ProcessId,
    home: usize,
    depth: u32,
    executable: Arc<Executable>,
    args: Arc<[u8]>,
}

struct Machine {
    numbers: Numbers,
    commands: Vec<(Arc<Executable>, String)>,
    homes: Vec<Home>,
    alive: VecDeque<Alive>,
    first_ns: i64,
}

/// Makes a database of so many processes, the last of which ended just now.
pub fn database(path: &Path, processes: u64) -> anyhow::Result<()> {
    let mut writer = Writer::open(path)?;
    let now_ns = i64::try_from(jiff::Timestamp::now().as_nanosecond()).context("read the clock")?;
    let mut machine = Machine::new(now_ns - (processes * STEP_NS).cast_signed());
    for from in (0..processes).step_by(BATCH as usize) {
        let numbers = from..(from + BATCH).min(processes);
        let records: Vec<Pending> = numbers.map(|number| machine.process(number)).collect();
        let alerts = records.iter().filter_map(|pending| alert(&pending.record)).collect();
        writer.write(&Batch { records, alerts, ..Batch::default() })?;
        while writer.prepare_searches()? {}
        if from == 0 {
            writer.write(&Batch { findings: machine.contents(), ..Batch::default() })?;
        }
    }
    Ok(())
}

impl Machine {
    fn new(first_ns: i64) -> Self {
        let numbers = Numbers(0x9e37_79b9_7f4a_7c15);
        Self {
            numbers,
            commands: (0..COMMANDS).map(command).collect(),
            homes: homes(),
            alive: VecDeque::new(),
            first_ns,
        }
    }

    fn process(&mut self, number: u64) -> Pending {
        let parent = self.parent();
        let (home, depth) = match &parent {
            Some(parent) => (parent.home, parent.depth + 1),
            None => (self.numbers.below(self.homes.len()), 0),
        };
        let (executable, name) = self.commands[self.numbers.zipf(COMMANDS)].clone();
        let args = self.args(number, &name);
        let env = self.env(home, number);
        let row = number.cast_signed() + 1;
        let boottime_ns = number * STEP_NS;
        let time_ns = self.first_ns + boottime_ns.cast_signed();
        let pid = 1000 + (number % 4_000_000) as u32;
        let process = ProcessId { boot: BootId::from_bits(1), pid, start_boottime_ns: boottime_ns };
        let of = &self.homes[home];
        let record = Record {
            row,
            process,
            ordinal: 1,
            source: Source::Exec,
            time_ns,
            boottime_ns,
            start_ns: time_ns,
            parent: parent.as_ref().map(|parent| Parent {
                process: parent.process,
                executable: parent.executable.path.bytes.clone(),
                args: parent.args.clone(),
                context: Some(self.homes[parent.home].context.clone()),
                source: ParentSource::Fork,
            }),
            namespace_pid: pid,
            process_group: pid,
            session: of.session,
            tty: of.tty.clone(),
            comm: name.as_bytes()[..name.len().min(15)].into(),
            executable: executable.clone(),
            content: Content::Unknown,
            script: None,
            script_content: Content::Unknown,
            working_directory: of.directories[number as usize % of.directories.len()].clone(),
            args_count: 4,
            args: strings(args.clone()),
            env: strings(env),
            context: of.context.clone(),
            end: Some(self.end(time_ns, boottime_ns)),
        };
        let parent_row = parent.map(|parent| parent.row);
        self.alive.push_back(Alive { row, process, home, depth, executable, args: args.into() });
        if self.alive.len() > ALIVE {
            self.alive.pop_front();
        }
        Pending { record: Arc::new(record), first: None, parent_row, is_run: true }
    }

    /// Mostly one of the last that began, so that builds and scripts become deep; now and then a
    /// service or a login, which nobody here started.
    fn parent(&mut self) -> Option<Alive> {
        if self.alive.is_empty() || self.numbers.below(200) == 0 {
            return None;
        }
        let back = self.numbers.zipf(self.alive.len());
        let parent = self.alive[self.alive.len() - 1 - back].clone();
        (parent.depth < 40).then_some(parent)
    }

    /// Of a third, nobody else's; the others say what was said before.
    fn args(&mut self, number: u64, name: &str) -> Vec<u8> {
        let object = match self.numbers.below(3) {
            0 => format!("/home/alice/src/project/target/build/unit-{number:09}.o"),
            _ => format!("/usr/share/data/item-{}", self.numbers.zipf(5000)),
        };
        let option = ["-c", "--verbose", "-n", "--color=auto"][self.numbers.below(4)];
        let mut args = format!("{name}\0{option}\0{object}\0").into_bytes();
        if number % NEEDLE_EVERY == NEEDLE_EVERY / 2 {
            args.extend_from_slice(format!("--{NEEDLE}={number}\0").as_bytes());
        }
        args
    }

    /// As it is inherited, but for what shells change.
    fn env(&mut self, home: usize, number: u64) -> Vec<u8> {
        let of = &self.homes[home];
        let mut env = of.variables.clone();
        env.extend_from_slice(b"PWD=");
        env.extend_from_slice(&of.directories[number as usize % of.directories.len()].bytes);
        env.push(0);
        env.extend_from_slice(format!("SHLVL={}\0", self.numbers.below(4)).as_bytes());
        env
    }

    fn end(&mut self, time_ns: i64, boottime_ns: u64) -> End {
        let ran_ns = 1_000_000 * (1 + self.numbers.zipf(60_000) as u64);
        let (exit_code, signal) = match self.numbers.below(100) {
            0 => (None, Some(9)),
            1..5 => (Some(1), None),
            _ => (Some(0), None),
        };
        let observed = ObservedEnd {
            time_ns: time_ns + ran_ns.cast_signed(),
            boottime_ns: boottime_ns + ran_ns,
            exit_code,
            signal,
            has_core_dump: false,
            user_cpu_ns: ran_ns / 2,
            system_cpu_ns: ran_ns / 4,
            cpu_ns: ran_ns / 4 * 3,
            max_rss_bytes: 3 << 20,
            io: None,
        };
        End { observed: Some(observed) }
    }

    fn contents(&self) -> Vec<Finding> {
        let finding = |(number, (executable, _)): (usize, &(Arc<Executable>, String))| {
            let digits = |length: usize| format!("{number:0length$x}");
            let hashes = Hashes { sha256: digits(64), sha1: digits(40), md5: digits(32) };
            let content = FileContent {
                hashes,
                elf: Some(Elf::default()),
                storage: Storage::Kept,
                ..FileContent::default()
            };
            Some(Finding::File {
                identity: executable.identity()?,
                content: Content::Read(Arc::new(content)),
                stored_bytes: executable.size_bytes / 2,
                is_doubtful: false,
            })
        };
        self.commands.iter().enumerate().filter_map(finding).collect()
    }
}

fn alert(record: &Record) -> Option<Arc<NewAlert>> {
    let number = record.row.cast_unsigned();
    number.is_multiple_of(ALERT_EVERY).then(|| {
        Arc::new(NewAlert {
            id: record.row / ALERT_EVERY.cast_signed(),
            time_ns: record.time_ns,
            rule_id: format!("rule-{}", number / ALERT_EVERY % 40),
            title: "A rule of the made-up machine".to_owned(),
            level: Level::Medium,
            row: record.row,
            likeness: record.row,
            rule: b"{}".to_vec(),
            snapshot: format!("{{\"n\":{number},\"padding\":\"{}\"}}", "x".repeat(3000))
                .into_bytes(),
        })
    })
}

fn strings(bytes: Vec<u8>) -> Strings {
    let total_bytes = bytes.len() as u64;
    Strings { bytes: bytes.into(), state: StringsState::Complete, total_bytes }
}

fn path(text: &str) -> PathText {
    PathText { bytes: text.as_bytes().into(), state: PathState::Complete }
}

fn command(number: usize) -> (Arc<Executable>, String) {
    const NAMES: [&str; 12] =
        ["sh", "sed", "grep", "cat", "gcc", "cc1", "as", "git", "python3", "ls", "rm", "systemctl"];
    let name = NAMES.get(number).map_or_else(|| format!("tool-{number}"), |name| (*name).into());
    let executable = Executable {
        path: path(&format!("/usr/bin/{name}")),
        device_major: 8,
        device_minor: 1,
        inode: 1000 + number as u64,
        size_bytes: 100_000 + 1000 * number as u64,
        mtime_ns: 1_700_000_000_000_000_000,
        ctime_ns: 1_700_000_000_000_000_000,
        mode: 0o100_755,
        ..Executable::absent()
    };
    (Arc::new(executable), name)
}

/// Services as root, people at terminals, and containers.
fn homes() -> Vec<Home> {
    let service = |number: usize| {
        let unit = format!("service-{number}.service");
        let cgroup = format!("/system.slice/{unit}");
        (0, "root", None, cgroup, unit, None)
    };
    let person = |number: usize| {
        let unit = format!("session-{number}.scope");
        let uid = 1000 + (number % 8) as u32;
        let names = ["alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi"];
        let cgroup = format!("/user.slice/user-{uid}.slice/{unit}");
        (uid, names[number % 8], Some(format!("pts/{number}")), cgroup, unit, None)
    };
    let container = |number: usize| {
        let id = format!("{:064x}", number + 1);
        let unit = format!("docker-{id}.scope");
        let container = Container { id, runtime: "docker".to_owned() };
        (33, "www-data", None, format!("/system.slice/{unit}"), unit, Some(container))
    };
    let all =
        (0..20).map(service).chain((0..24).map(person)).chain((0..12).map(container)).enumerate();
    all.map(|(number, (uid, user, tty, cgroup, unit, container))| {
        let number = number as u32;
        let is_in_container = container.is_some();
        let context = Context {
            uid,
            euid: uid,
            gid: uid,
            egid: uid,
            user_name: Some(user.to_owned()),
            group_name: Some(user.to_owned()),
            login_uid: tty.is_some().then_some(uid),
            audit_session: tty.is_some().then_some(number),
            cap_effective: if uid == 0 { 0x1ff_ffff_ffff } else { 0 },
            namespaces: Namespaces {
                mount: if is_in_container { 4_026_532_000 + number } else { 4_026_531_832 },
                ..Namespaces::default()
            },
            cgroup,
            container,
            unit: Some(unit),
            slice: Some("system.slice".to_owned()),
            ..Context::default()
        };
        let directory = |part: usize| path(&format!("/home/{user}/src/project/part-{part}"));
        let mut variables = Vec::new();
        for variable in 0..30 {
            let text = format!("VARIABLE_{variable}=/usr/local/share/{user}/value-{variable}\0");
            variables.extend_from_slice(text.as_bytes());
        }
        Home {
            context: Arc::new(context),
            tty,
            session: 100 + number,
            directories: (0..10).map(directory).collect(),
            variables,
        }
    })
    .collect()
}
