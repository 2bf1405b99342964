//! The kernel's audit: taken for the time of a measurement, and put back as it was.

use std::process::Command;
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context as _, ensure};

use crate::process::installed;

/// What `auditctl -s` tells.
#[derive(Debug)]
pub(crate) struct Status {
    enabled: u32,
    /// Of the daemon that gets the events, 0 for none.
    pub(crate) pid: u32,
    /// Records, since the machine started.
    pub(crate) lost: u64,
    backlog_limit: u64,
    backlog_wait_time: u64,
}

#[derive(Debug)]
pub(crate) struct Audit {
    before: Status,
}

impl Audit {
    /// Fails with the reason where it is not there, not permitted, or used by somebody.
    pub(crate) fn take() -> anyhow::Result<Self> {
        installed("auditd").context("auditd is not installed (apt-get install auditd laurel)")?;
        let before = status()?;
        ensure!(before.enabled < 2, "the rules of audit are locked until this machine restarts");
        ensure!(before.pid == 0, "a daemon of audit runs here, with the pid {}", before.pid);
        let rules = auditctl(&["-l"])?;
        let rules = rules.trim();
        ensure!(rules == "No rules", "there are rules of audit already: {rules}");
        let audit = Self { before };
        // More than will ever wait: a full queue would have the load wait, and then lose.
        auditctl(&["-b", "65536"])?;
        auditctl(&["--backlog_wait_time", "60000"])?;
        audit.rest()?;
        Ok(audit)
    }

    /// Has each exec reported.
    pub(crate) fn report_execs(&self) -> anyhow::Result<()> {
        auditctl(&["-D"])?;
        auditctl(&["-a", "always,exit", "-F", "arch=b64", "-S", "execve,execveat", "-k", "exec"])?;
        Ok(())
    }

    /// As if there were no audit. Once it was on, the kernel follows the system calls of each process
    /// started from then on, on or off: only this rule spares new ones (`audit_alloc` in
    /// kernel/auditsc.c). Without it, audit would weigh on what others are compared with.
    pub(crate) fn rest(&self) -> anyhow::Result<()> {
        auditctl(&["-D"])?;
        auditctl(&["-e", "0"])?;
        auditctl(&["-a", "never,task"])?;
        Ok(())
    }

    /// The kernel only learns that a daemon was killed when it next has something to tell it: that
    /// audit is switched on.
    pub(crate) fn forget_daemon(&self) -> anyhow::Result<()> {
        auditctl(&["-e", "1"])?;
        std::thread::sleep(Duration::from_millis(500));
        auditctl(&["-e", "0"])?;
        Ok(())
    }
}

impl Drop for Audit {
    fn drop(&mut self) {
        let before = &self.before;
        for arguments in [
            &["-D"][..],
            &["-b", &before.backlog_limit.to_string()],
            &["--backlog_wait_time", &before.backlog_wait_time.to_string()],
            &["-e", &before.enabled.to_string()],
        ] {
            if let Err(error) = auditctl(arguments) {
                eprintln!("audit is not as it was: {error:#}");
            }
        }
    }
}

pub(crate) fn status() -> anyhow::Result<Status> {
    let text = auditctl(&["-s"])?;
    Ok(Status {
        enabled: field(&text, "enabled")?,
        pid: field(&text, "pid")?,
        lost: field(&text, "lost")?,
        backlog_limit: field(&text, "backlog_limit")?,
        backlog_wait_time: field(&text, "backlog_wait_time")?,
    })
}

fn field<T: FromStr>(status: &str, name: &str) -> anyhow::Result<T> {
    let mut lines = status.lines().filter_map(|line| line.split_once(' '));
    let value = lines.find(|line| line.0 == name).and_then(|line| line.1.trim().parse().ok());
    value.with_context(|| format!("find {name} in what auditctl tells:\n{status}"))
}

fn auditctl(arguments: &[&str]) -> anyhow::Result<String> {
    let program = installed("auditctl").context("auditctl is not installed")?;
    let output = Command::new(program).args(arguments).output().context("run auditctl")?;
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "auditctl {}: {}", arguments.join(" "), errors.trim());
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
