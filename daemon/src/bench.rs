//! What the benchmark needs of the inside. No part of any interface.

pub mod growth;
pub mod machine;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use common::id::{BootId, ProcessId};
use common::record::{
    Context, Executable, Parent, ParentSource, PathState, PathText, Record, Source, Strings,
    StringsState,
};
use ebpf::event::{Body, Event, TaskId};

use crate::detect::{self, Tried};
use crate::enrich::environment::Policy;
use crate::recorder::{Assembler, Contents, Detector, Progress, Tracker};
use crate::settings::Environment;
use crate::store::{Committed, Limits, Writer, WriterThread};

/// What a replay did.
#[derive(Debug)]
pub struct Replay {
    pub events: u64,
    pub processes: u64,
    pub elapsed: Duration,
    pub database_bytes: u64,
}

const BATCH: u64 = 4096;

/// Decodes, tracks and stores captured records of `generations` rounds, each with processes of its
/// own, as fast as it can.
pub fn replay(raw: &[Vec<u8>], generations: u64, path: &Path) -> anyhow::Result<Replay> {
    let redacted_words = crate::settings::REDACTED_WORDS.map(str::to_owned).to_vec();
    let environment = Environment { is_recorded: true, only: None, redacted_words };
    let assembler = Assembler::new(BootId::from_bits(1), Policy::new(&environment)?);
    let mut tracker =
        Tracker::new(assembler, Detector::none(), Contents::none(), Progress::default(), 1);
    let (writer, start, limits) = (Writer::open(path)?, Committed::default(), Limits::default());
    let store = WriterThread::start(writer, start, limits, BootId::from_bits(1), Arc::default())?;
    let start = Instant::now();
    let mut events = 0;
    for generation in 0..generations {
        for bytes in raw {
            let mut event = ebpf::wire::decode(bytes).context("decode a captured record")?;
            make_new(&mut event, generation, events + 1);
            tracker.event(&event);
            events += 1;
            if events % BATCH == 0 {
                hand_over(&mut tracker, &store);
            }
        }
    }
    hand_over(&mut tracker, &store);
    let processes = tracker.progress.decoded.exit;
    store.finish(Duration::from_secs(600));
    let elapsed = start.elapsed();
    let size = |suffix: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        std::fs::metadata(name).map_or(0, |meta| meta.len())
    };
    Ok(Replay { events, processes, elapsed, database_bytes: size("") + size("-wal") })
}

fn hand_over(tracker: &mut Tracker, store: &WriterThread) {
    let mut batch = Box::new(tracker.take_batch());
    while let Err(back) = store.try_send(batch) {
        batch = back;
        std::thread::sleep(Duration::from_micros(200));
    }
}

/// The same act again, by other processes at another time.
fn make_new(event: &mut Event<'_>, generation: u64, sequence: u64) {
    let shift_ns = generation * 1_000_000_000;
    event.boottime_ns += shift_ns;
    // All of one stream, so that no number is missing.
    event.cpu = 0;
    event.sequence = sequence;
    let later = |task: &mut TaskId| task.start_boottime_ns += shift_ns;
    match &mut event.body {
        Body::Fork(fork) => {
            later(&mut fork.parent);
            later(&mut fork.child);
        }
        Body::Exec(image) | Body::Running(image) => {
            later(&mut image.process);
            later(&mut image.parent);
        }
        Body::Exit(exit) => later(&mut exit.process),
    }
}

/// What a set of rules costs on events that it does not fire on.
#[derive(Debug)]
pub struct Evaluation {
    pub rules: usize,
    pub events: u64,
    pub fired: u64,
    pub elapsed: Duration,
}

/// Evaluates the rules of a directory on execs such as a machine at work has, `rounds` times.
pub fn evaluation(rules: &Path, rounds: u64) -> Evaluation {
    let sources = crate::rules::sources(rules);
    let mut ruleset = detect::compile(&sources, None, &mut Tried::default()).ruleset;
    let records: Vec<Record> = COMMANDS
        .iter()
        .flat_map(|command| [0, ALL_CAPABILITIES].map(|set| record(command, set)))
        .collect();
    let mut fired = 0;
    let start = Instant::now();
    for _ in 0..rounds {
        for record in &records {
            fired += ruleset.evaluate(record).len() as u64;
        }
    }
    let elapsed = start.elapsed();
    Evaluation { rules: ruleset.len(), events: rounds * records.len() as u64, fired, elapsed }
}

/// As root has them, with Linux 5.9 and later.
const ALL_CAPABILITIES: u64 = (1 << 41) - 1;

const COMMANDS: [(&str, &[&str]); 8] = [
    ("/usr/bin/ls", &["ls", "-la", "--color=auto", "/home/alice/projects"]),
    ("/usr/bin/git", &["git", "status", "--porcelain=v2", "--branch"]),
    ("/usr/bin/sed", &["sed", "-n", "s/^version = \"\\(.*\\)\"/\\1/p", "Cargo.toml"]),
    ("/usr/bin/gcc", &["gcc", "-O2", "-Wall", "-c", "-o", "build/main.o", "src/main.c"]),
    ("/usr/bin/dash", &["sh", "/usr/bin/ldd", "/usr/bin/ssh"]),
    ("/usr/bin/python3.11", &["python3", "-m", "pytest", "-q", "tests/unit"]),
    ("/usr/sbin/cron", &["/usr/sbin/CRON", "-f"]),
    ("/usr/bin/grep", &["grep", "-rn", "--include=*.rs", "fn main", "src", "tests", "benches"]),
];

/// What a login shell hands on, and a little more.
const ENVIRONMENT: [&str; 24] = [
    "SHELL=/bin/bash",
    "COLORTERM=truecolor",
    "HISTCONTROL=ignoreboth",
    "LESS=-R",
    "LANGUAGE=en_GB:en",
    "EDITOR=vim",
    "SSH_AUTH_SOCK=/run/user/1000/openssh_agent",
    "PWD=/home/alice/projects",
    "LOGNAME=alice",
    "XDG_SESSION_TYPE=tty",
    "HOME=/home/alice",
    "LANG=en_GB.UTF-8",
    "LS_COLORS=rs=0:di=01;34:ln=01;36:mh=00:pi=40;33:so=01;35:do=01;35:bd=40;33;01:cd=40;33;01",
    "SSH_CONNECTION=192.0.2.10 52814 192.0.2.20 22",
    "LESSCLOSE=/usr/bin/lesspipe %s %s",
    "XDG_SESSION_CLASS=user",
    "TERM=xterm-256color",
    "USER=alice",
    "SHLVL=2",
    "XDG_SESSION_ID=34",
    "XDG_RUNTIME_DIR=/run/user/1000",
    "PATH=/home/alice/.local/bin:/usr/local/bin:/usr/bin:/bin:/usr/local/games:/usr/games",
    "DBUS_SESSION_BUS_ADDRESS=unix:path=/run/user/1000/bus",
    "_=/usr/bin/env",
];

fn record((exe, args): &(&str, &[&str]), capabilities: u64) -> Record {
    let process =
        |pid| ProcessId { boot: BootId::from_bits(1), pid, start_boottime_ns: u64::from(pid) };
    let strings = |strings: &[&str]| Strings {
        bytes: strings.iter().flat_map(|text| [text.as_bytes(), b"\0"].concat()).collect(),
        state: StringsState::Complete,
        total_bytes: 0,
    };
    let path = |text: &str| PathText { bytes: text.as_bytes().into(), state: PathState::Complete };
    let context = Arc::new(Context {
        user_name: Some("alice".to_owned()),
        cap_effective: capabilities,
        ..Context::default()
    });
    Record {
        row: 1,
        process: process(2),
        ordinal: 1,
        source: Source::Exec,
        time_ns: 0,
        boottime_ns: 2,
        start_ns: 0,
        parent: Some(Parent {
            process: process(1),
            executable: b"/usr/bin/bash"[..].into(),
            args: strings(&["-bash"]).bytes,
            context: Some(context.clone()),
            source: ParentSource::Fork,
        }),
        namespace_pid: 2,
        process_group: 2,
        session: 1,
        tty: Some("pts/0".to_owned()),
        comm: b"x"[..].into(),
        executable: Arc::new(Executable { path: path(exe), ..Executable::absent() }),
        content: common::record::Content::Unknown,
        script: None,
        script_content: common::record::Content::Unknown,
        working_directory: path("/home/alice/projects"),
        args: strings(args),
        args_count: args.len() as u32,
        env: strings(&ENVIRONMENT),
        context,
        end: None,
    }
}
