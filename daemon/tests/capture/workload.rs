//! Processes to record, and what they say of themselves.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::io::Read as _;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};

use crate::programs::WORKLOAD;

/// A finished run.
pub(crate) struct Run {
    pub(crate) pid: u32,
    pub(crate) status: ExitStatus,
    facts: HashMap<String, Vec<String>>,
}

impl Run {
    /// The last value told for `key`.
    #[track_caller]
    pub(crate) fn fact(&self, key: &str) -> &str {
        self.facts(key).last().unwrap_or_else(|| panic!("no {key} in {:?}", self.facts))
    }

    #[track_caller]
    pub(crate) fn number(&self, key: &str) -> u32 {
        self.fact(key).parse().unwrap()
    }

    pub(crate) fn facts(&self, key: &str) -> &[String] {
        self.facts.get(key).map_or(&[], Vec::as_slice)
    }
}

/// The workload, with an empty environment.
pub(crate) fn workload<S: AsRef<OsStr>>(arguments: &[S]) -> Command {
    let mut command = Command::new(&*WORKLOAD);
    command.args(arguments).env_clear().stdin(Stdio::null());
    command
}

/// Its path, as an argument.
pub(crate) fn path() -> &'static str {
    WORKLOAD.to_str().unwrap()
}

pub(crate) fn run<S: AsRef<OsStr>>(arguments: &[S]) -> Run {
    finish(start(&mut workload(arguments)))
}

/// A process that runs; ended when it is dropped.
pub(crate) struct Job {
    child: Child,
    /// What it said so far.
    said: String,
}

impl Job {
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn input(&mut self) -> ChildStdin {
        self.child.stdin.take().unwrap()
    }

    /// Returns when it has told the next fact of this key.
    pub(crate) fn read_until(&mut self, key: &str) {
        let out = self.child.stdout.as_mut().unwrap();
        let start = format!("{key}=");
        loop {
            let line = self.said.len();
            // Byte by byte: nothing must be taken of what comes behind.
            while !self.said[line..].ends_with('\n') {
                let mut byte = [0];
                out.read_exact(&mut byte).unwrap();
                self.said.push(byte[0].into());
            }
            if self.said[line..].starts_with(&start) {
                return;
            }
        }
    }

    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        self.kill();
    }
}

pub(crate) fn start(command: &mut Command) -> Job {
    let child = command.stdout(Stdio::piped()).spawn();
    let child = child.unwrap_or_else(|error| panic!("{command:?}: {error}"));
    Job { child, said: String::new() }
}

pub(crate) fn finish(mut job: Job) -> Run {
    let mut out = std::mem::take(&mut job.said);
    job.child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
    let status = job.child.wait().unwrap();
    // What the workload itself could not do.
    assert_ne!(status.code(), Some(125), "{out}");
    let mut facts: HashMap<String, Vec<String>> = HashMap::new();
    for (key, value) in out.lines().filter_map(|line| line.split_once('=')) {
        facts.entry(key.to_owned()).or_default().push(value.to_owned());
    }
    Run { pid: job.pid(), status, facts }
}

/// As [`start`], for a workload that stays; returns when it runs.
pub(crate) fn start_sleeper(command: &mut Command) -> Job {
    let mut job = start(command);
    // The beginning of its first fact.
    let mut byte = [0];
    job.child.stdout.as_mut().unwrap().read_exact(&mut byte).unwrap();
    job
}

pub(crate) fn sleeper() -> Job {
    start_sleeper(&mut workload(&["sleep", "600000"]))
}
