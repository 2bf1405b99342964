//! auditd, alone or with laurel, with the settings of their packages but for where they write.

use std::fs;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, bail};

use crate::audit::{self, Audit};
use crate::load::program;
use crate::process::{self, Process, installed};
use crate::subject::{Left, Recording};

const AUDITD_SETTINGS: &str = "/etc/audit/auditd.conf";
const LAUREL_SETTINGS: &str = "/etc/laurel/config.toml";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Plugin {
    None,
    /// auditd then keeps no log of its own: nothing is to be written twice.
    Laurel,
}

#[derive(Debug)]
pub(crate) struct Auditd<'a> {
    audit: &'a Audit,
    child: Child,
    laurel: Option<u32>,
    /// Directory of what is counted.
    log: PathBuf,
    lost_before: u64,
    is_stopped: bool,
}

impl<'a> Auditd<'a> {
    pub(crate) fn start(audit: &'a Audit, dir: &Path, plugin: Plugin) -> anyhow::Result<Self> {
        let (own_log, laurel_log) = (dir.join("auditd"), dir.join("laurel"));
        for made in [dir, &own_log, &laurel_log, &dir.join("plugins")] {
            fs::create_dir(made)?;
        }
        write_settings(dir, &own_log.join("audit.log"), plugin)?;
        if plugin == Plugin::Laurel {
            write_laurel_settings(dir, &laurel_log)?;
        }
        let log = if plugin == Plugin::None { own_log } else { laurel_log };
        let output = dir.join("output");
        let child = Command::new(installed("auditd").context("auditd is not installed")?)
            .args(["-n", "-c"])
            .arg(dir)
            .stdin(Stdio::null())
            .stdout(fs::File::create(&output)?)
            .stderr(fs::OpenOptions::new().append(true).open(&output)?)
            // Ctrl-C is for the benchmark, which ends it in its own order.
            .process_group(0)
            .spawn()
            .context("start auditd")?;
        let lost_before = 0;
        let mut auditd = Self { audit, child, laurel: None, log, lost_before, is_stopped: false };
        auditd.wait_until_ready(plugin, &output)?;
        auditd.lost_before = audit::status()?.lost;
        audit.report_execs()?;
        Ok(auditd)
    }

    fn wait_until_ready(&mut self, plugin: Plugin, output: &Path) -> anyhow::Result<()> {
        for _ in 0..100 {
            if let Some(status) = self.child.try_wait()? {
                let output = fs::read_to_string(output).unwrap_or_default();
                bail!("auditd ended ({status}): {}", output.trim());
            }
            if plugin == Plugin::Laurel {
                self.laurel = process::child_named(self.child.id(), "laurel");
            }
            let has_plugin = plugin == Plugin::None || self.laurel.is_some();
            if has_plugin && audit::status()?.pid == self.child.id() {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        bail!("auditd does not get ready, or does not start its plugin")
    }

    /// The rules go first, so that nothing is reported to nobody.
    fn end(&mut self) -> anyhow::Result<()> {
        if self.is_stopped {
            return Ok(());
        }
        self.is_stopped = true;
        let rested = self.audit.rest();
        let status = process::end(&mut self.child)?;
        if !status.success() {
            self.audit.forget_daemon()?;
            bail!("auditd did not end well: {status}");
        }
        rested
    }
}

impl Drop for Auditd<'_> {
    fn drop(&mut self) {
        if let Err(error) = self.end() {
            eprintln!("{error:#}");
        }
    }
}

impl Recording for Auditd<'_> {
    fn processes(&self) -> Vec<Process> {
        let auditd = Process { name: "auditd", pid: self.child.id() };
        let laurel = self.laurel.map(|pid| Process { name: "laurel", pid });
        std::iter::once(auditd).chain(laurel).collect()
    }

    fn stop(mut self: Box<Self>, workload_execs: u64) -> anyhow::Result<Left> {
        let lost = audit::status()?.lost.saturating_sub(self.lost_before);
        self.end()?;
        let workload = fs::canonicalize(program("BPF_WORKLOAD", "target/workload"))?;
        let log = fs::read(self.log.join("audit.log")).context("read the log")?;
        let found = if self.laurel.is_some() {
            execs_of_laurel(&log, &workload)?
        } else {
            execs_of_auditd(&log, &workload)
        };
        let mut bytes = 0;
        for entry in fs::read_dir(&self.log)? {
            bytes += entry?.metadata()?.len();
        }
        Ok(Left {
            bytes,
            execs: found.all,
            expected: workload_execs,
            missing: workload_execs.saturating_sub(found.of_workload),
            kernel_lost: lost,
        })
    }
}

/// Execs in a log.
#[derive(Default)]
struct Found {
    all: u64,
    of_workload: u64,
}

fn execs_of_auditd(log: &[u8], workload: &Path) -> Found {
    let exe = format!(" exe={} ", as_audit_writes(workload));
    let has = |line: &[u8], part: &str| memchr::memmem::find(line, part.as_bytes()).is_some();
    let mut found = Found::default();
    for line in log.split(|byte| *byte == b'\n') {
        if line.starts_with(b"type=SYSCALL ") && has(line, " key=\"exec\"") {
            found.all += 1;
            found.of_workload += u64::from(has(line, &exe));
        }
    }
    found
}

/// In quotes, or in hexadecimal if it has a quote, a blank, or what is not ASCII.
fn as_audit_writes(path: &Path) -> String {
    let bytes = path.as_os_str().as_encoded_bytes();
    if bytes.iter().all(|byte| byte.is_ascii_graphic() && *byte != b'"') {
        return format!("\"{}\"", path.display());
    }
    bytes.iter().map(|byte| format!("{byte:02X}")).collect()
}

fn execs_of_laurel(log: &[u8], workload: &Path) -> anyhow::Result<Found> {
    let mut found = Found::default();
    for line in log.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let event: serde_json::Value = serde_json::from_slice(line).context("read laurel's log")?;
        let call = &event["SYSCALL"];
        if call["key"] == "exec" {
            found.all += 1;
            found.of_workload += u64::from(call["exe"].as_str().map(Path::new) == Some(workload));
        }
    }
    Ok(found)
}

fn write_settings(dir: &Path, log: &Path, plugin: Plugin) -> anyhow::Result<()> {
    let packaged =
        fs::read_to_string(AUDITD_SETTINGS).with_context(|| format!("read {AUDITD_SETTINGS}"))?;
    let log = log.display().to_string();
    let plugins = dir.join("plugins").display().to_string();
    let write_logs = if plugin == Plugin::None { "yes" } else { "no" };
    let ours = [
        ("log_file", log.as_str()),
        ("log_group", "root"),
        ("write_logs", write_logs),
        ("plugin_dir", &plugins),
        // What is to be counted must not be moved away, and nobody be told of a full disk.
        ("max_log_file_action", "IGNORE"),
        ("space_left_action", "IGNORE"),
        ("admin_space_left_action", "IGNORE"),
        ("disk_full_action", "IGNORE"),
        ("disk_error_action", "IGNORE"),
    ];
    let key = |line: &str| line.split('=').next().unwrap_or_default().trim().to_lowercase();
    let mut settings: String = packaged
        .lines()
        .filter(|line| ours.iter().all(|(name, _)| key(line) != *name))
        .flat_map(|line| [line, "\n"])
        .collect();
    settings.extend(ours.iter().map(|(name, value)| format!("{name} = {value}\n")));
    fs::write(dir.join("auditd.conf"), settings)?;
    Ok(())
}

fn write_laurel_settings(dir: &Path, log: &Path) -> anyhow::Result<()> {
    let laurel = installed("laurel").context("laurel is not installed (apt-get install laurel)")?;
    let packaged =
        fs::read_to_string(LAUREL_SETTINGS).with_context(|| format!("read {LAUREL_SETTINGS}"))?;
    let mut settings: toml::Table = packaged.parse().context("understand laurel's settings")?;
    settings.insert("directory".to_owned(), log.display().to_string().into());
    let log_settings = settings
        .entry("auditlog")
        .or_insert_with(|| toml::Table::new().into())
        .as_table_mut()
        .context("understand laurel's settings of its log")?;
    log_settings.insert("file".to_owned(), "audit.log".into());
    log_settings.insert("size".to_owned(), 10_000_000_000_i64.into());
    if let Some(name) = settings.get("user").and_then(toml::Value::as_str) {
        let user =
            nix::unistd::User::from_name(name)?.with_context(|| format!("find user {name}"))?;
        nix::unistd::chown(log, Some(user.uid), Some(user.gid))?;
    }
    let path = dir.join("laurel.toml");
    fs::write(&path, settings.to_string())?;
    let plugin = format!(
        "active = yes\ndirection = out\ntype = always\nformat = string\npath = {}\nargs = --config {}\n",
        laurel.display(),
        path.display()
    );
    fs::write(dir.join("plugins/laurel.conf"), plugin)?;
    Ok(())
}
