//! The recorder, in a directory of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use common::health::{Capture, Health};

use crate::load::program;
use crate::process::{self, Process};
use crate::subject::{Left, Recording};

/// Rules, from where the benchmark runs; those of SigmaHQ need not be there.
pub(crate) const RULES: [(&str, &str); 2] =
    [("shipped", "../rules"), ("SigmaHQ's", "../../shared/sigma/process_creation")];

#[derive(Debug)]
pub(crate) struct Recorder {
    child: Child,
    /// The unprivileged half.
    recorder_pid: u32,
    pub(crate) dir: PathBuf,
}

impl Recorder {
    /// With all rules there are.
    pub(crate) fn start(dir: &Path) -> anyhow::Result<Self> {
        Self::start_with(dir, Path::new(RULES[0].1))
    }

    pub(crate) fn start_with(dir: &Path, rules: &Path) -> anyhow::Result<Self> {
        fs::create_dir(dir)?;
        let child = Command::new(program("BPF_RECORDERD", "target/release/bpf-recorderd"))
            .arg("run")
            .args(["--log", "error", "--data-dir"])
            .arg(dir.join("data"))
            .arg("--bus")
            .arg(format!("unix:path={}", dir.join("bus").display()))
            .args(["--alert-repeat", "0s", "--admin-rules", RULES[1].1, "--shipped-rules"])
            .arg(rules)
            .spawn()
            .context("start the recorder")?;
        let mut recorder = Self { child, recorder_pid: 0, dir: dir.to_owned() };
        for _ in 0..1200 {
            if let Ok(capture) = recorder.ask() {
                recorder.recorder_pid = capture.recorder_pid;
                return Ok(recorder);
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        bail!("the recorder does not answer")
    }

    /// A recorder with its hands full answers without these figures, so it is asked again.
    pub(crate) fn capture(&self) -> anyhow::Result<Capture> {
        for _ in 0..100 {
            if let Ok(capture) = self.ask() {
                return Ok(capture);
            }
            std::thread::sleep(Duration::from_millis(200));
        }
        self.ask()
    }

    fn ask(&self) -> anyhow::Result<Capture> {
        let output = Command::new(program("BPFCTL", "target/release/bpfctl"))
            .arg("--address")
            .arg(format!("unix:path={}", self.dir.join("bus").display()))
            .args(["--json", "health"])
            .output()
            .context("run bpfctl")?;
        ensure!(output.status.success(), "bpfctl failed");
        let line = output.stdout.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let health: Health =
            serde_json::from_slice(line).context("understand the health document")?;
        health.capture.context("figures of the capture")
    }

    /// Ends it; the bytes of its database. Copies of executed files lie below and are not in it:
    /// there is one of each, whatever the number of execs.
    pub(crate) fn end(&mut self) -> anyhow::Result<u64> {
        ensure!(process::end(&mut self.child)?.success(), "the recorder did not end well");
        let mut bytes = 0;
        for entry in fs::read_dir(self.dir.join("data"))? {
            bytes += entry?.metadata()?.len();
        }
        Ok(bytes)
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        if let Err(error) = process::end(&mut self.child) {
            eprintln!("{error:#}");
        }
    }
}

impl Recording for Recorder {
    fn processes(&self) -> Vec<Process> {
        let [sensor, recorder] = [self.child.id(), self.recorder_pid];
        let mut processes = vec![
            Process { name: "sensor", pid: sensor },
            Process { name: "recorder", pid: recorder },
        ];
        let others = process::children(sensor).into_iter().filter(|pid| *pid != recorder);
        processes.extend(others.map(|pid| Process { name: "broker", pid }));
        processes
    }

    fn stop(mut self: Box<Self>, _workload_execs: u64) -> anyhow::Result<Left> {
        let capture = self.capture()?;
        let bytes = self.end()?;
        Ok(Left {
            bytes,
            execs: capture.decoded.exec,
            expected: capture.meant.total(),
            missing: capture.meant.total().saturating_sub(capture.decoded.total()),
            kernel_lost: capture.dropped_ring_full.total() + capture.not_run,
        })
    }
}
