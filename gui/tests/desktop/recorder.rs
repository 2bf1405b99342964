//! A recorder that records this machine.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, Uid};
use serde_json::Value;

use crate::display::wait_for;

/// Ended when it is dropped.
pub(crate) struct Recorder {
    child: Child,
    log: PathBuf,
    pub(crate) address: String,
}

/// A program of the variable, else the one that was built beside the viewer.
pub(crate) fn program(variable: &str, name: &str) -> PathBuf {
    let built = Path::new(env!("CARGO_BIN_EXE_bpf-recorder-viewer")).with_file_name(name);
    let path = std::env::var_os(variable).map_or(built, PathBuf::from);
    path.canonicalize().unwrap_or_else(|error| {
        panic!("{}: {error}: run `cargo build --workspace --bins`", path.display())
    })
}

impl Recorder {
    /// Records into `dir`; `None`, with the reason printed, where this machine does not permit it.
    pub(crate) fn start(dir: &Path) -> Option<Self> {
        if !Uid::effective().is_root() {
            return skip("not root");
        }
        let (log, address) = (dir.join("log"), format!("unix:path={}/bus", dir.display()));
        let rules = Path::new(env!("CARGO_MANIFEST_DIR")).join("../rules");
        let child = Command::new(program("BPF_RECORDERD", "bpf-recorderd"))
            .arg("run")
            .args(["--bus", &address, "--user", "nobody"])
            .arg("--data-dir")
            .arg(dir.join("data"))
            .arg("--shipped-rules")
            .arg(rules)
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("NO_COLOR", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&log).unwrap())
            .spawn()
            .unwrap();
        let mut recorder = Self { child, log, address };
        let end =
            wait_for("an answer of the recorder", || match recorder.child.try_wait().unwrap() {
                Some(status) => Some(Some(status)),
                None => recorder.ask(&["status"]).map(|_| None),
            });
        let Some(status) = end else { return Some(recorder) };
        let log = fs::read_to_string(&recorder.log).unwrap();
        let refusals = ["not permitted to load eBPF", "no type information", "is too old"];
        assert!(
            refusals.iter().any(|refusal| log.contains(refusal)),
            "the recorder ended ({status}):\n{log}"
        );
        skip(&log)
    }

    /// What bpfctl says when all goes well.
    fn ask(&self, arguments: &[&str]) -> Option<String> {
        let output = Command::new(program("BPFCTL", "bpfctl"))
            .args(["--address", &self.address])
            .args(arguments)
            .env_clear()
            .stdin(Stdio::null())
            .output()
            .unwrap();
        output.status.success().then(|| String::from_utf8(output.stdout).unwrap())
    }

    /// All that is known of an alert, its history too.
    pub(crate) fn alert(&self, id: &str) -> String {
        self.ask(&["alerts", "show", "--json", id]).unwrap()
    }

    /// What is known of all alerts on processes that match.
    pub(crate) fn alerts(&self, filter: &str) -> Vec<Value> {
        let answer = self.ask(&["alerts", "--json", "--status", "all", filter]).unwrap();
        answer.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        let _ = kill(Pid::from_raw(self.child.id().cast_signed()), Signal::SIGTERM);
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!(
                "---- the recorder's messages\n{}----",
                fs::read_to_string(&self.log).unwrap()
            );
        }
    }
}

fn skip<T>(reason: &str) -> Option<T> {
    let is_required = std::env::var_os("BPF_RECORDER_REQUIRE_KERNEL").is_some();
    assert!(!is_required, "cannot skip: {reason}");
    println!("skipped: {reason}");
    None
}
