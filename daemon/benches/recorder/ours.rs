//! The recorder, in a directory of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use common::health::Health;

use crate::load::program;
use crate::process::cpu_ns;

/// Rules, from where the benchmark runs; those of SigmaHQ need not be there.
pub(crate) const RULES: [(&str, &str); 2] =
    [("shipped", "../rules"), ("SigmaHQ's", "../../shared/sigma/process_creation")];

pub(crate) struct Recorder {
    child: Child,
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
        let recorder = Self { child, dir: dir.to_owned() };
        for _ in 0..200 {
            if recorder.health().is_ok() {
                return Ok(recorder);
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        bail!("the recorder does not answer")
    }

    pub(crate) fn health(&self) -> anyhow::Result<Health> {
        let output = Command::new(program("BPFCTL", "target/release/bpfctl"))
            .arg("--address")
            .arg(format!("unix:path={}", self.dir.join("bus").display()))
            .args(["--json", "health"])
            .output()
            .context("run bpfctl")?;
        ensure!(output.status.success(), "bpfctl failed");
        let line = output.stdout.split(|byte| *byte == b'\n').next().unwrap_or_default();
        serde_json::from_slice(line).context("understand the health document")
    }

    /// Of sensor and recorder so far, from the scheduler's own clock.
    pub(crate) fn cpu_ns(&self) -> anyhow::Result<u64> {
        let recorder = self.health()?.capture.context("figures of the capture")?.recorder_pid;
        Ok(cpu_ns(self.child.id())? + cpu_ns(recorder)?)
    }

    /// Ends it; the bytes it leaves on disk.
    pub(crate) fn stop(mut self) -> anyhow::Result<u64> {
        let pid = nix::unistd::Pid::from_raw(i32::try_from(self.child.id())?);
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM)?;
        ensure!(self.child.wait()?.success(), "the recorder did not end well");
        let mut bytes = 0;
        for entry in fs::read_dir(self.dir.join("data"))? {
            bytes += entry?.metadata()?.len();
        }
        Ok(bytes)
    }
}
