//! The machine that is measured.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use nix::sys::statfs;

use crate::process::installed;
use crate::table::row;

/// `dir` is where all that is measured writes.
pub(crate) fn describe(dir: &Path) -> anyhow::Result<()> {
    let system = nix::sys::utsname::uname()?;
    let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let meminfo = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let flags = value(&cpuinfo, "flags", ':').unwrap_or_default();
    let is_virtual = flags.split(' ').any(|flag| flag == "hypervisor");
    let cores = std::thread::available_parallelism()?;
    let memory_kib: u64 = value(&meminfo, "MemTotal", ':')
        .and_then(|text| text.split(' ').next()?.parse().ok())
        .unwrap_or_default();
    let governor = fs::read_to_string("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor");
    let load = fs::read_to_string("/proc/loadavg")?;
    row("kernel", &system.release().to_string_lossy());
    let distribution = value(&release, "PRETTY_NAME", '=').unwrap_or("?");
    row("distribution", distribution.trim_matches('"'));
    row("processor", value(&cpuinfo, "model name", ':').unwrap_or("?"));
    let where_it_is = if is_virtual { ", of a virtual machine" } else { "" };
    row("cores", &format!("{cores}{where_it_is}"));
    row("frequency governor", governor.as_deref().map_or("none", str::trim));
    row("memory", &format!("{:.1} GiB", memory_kib as f64 / f64::from(1 << 20)));
    row("file system of what is written", &file_system(dir)?);
    row("load average before", load.split(' ').next().unwrap_or("?"));
    row("busy before, for two seconds", &format!("{:.0} %", busy_percent()?));
    row("auditd", &version("auditctl", "-v"));
    row("laurel", &version("laurel", "--version"));
    if cfg!(debug_assertions) {
        row("built", "for debugging: the figures say nothing");
    }
    Ok(())
}

/// The load average still remembers the build that came before.
fn busy_percent() -> anyhow::Result<f64> {
    let [idle_before, all_before] = ticks()?;
    std::thread::sleep(Duration::from_secs(2));
    let [idle, all] = ticks()?;
    let part =
        idle.saturating_sub(idle_before) as f64 / all.saturating_sub(all_before).max(1) as f64;
    Ok(100.0 * (1.0 - part))
}

/// Idle, waiting for a disk or not, and all: the first line of `/proc/stat`.
fn ticks() -> anyhow::Result<[u64; 2]> {
    let text = fs::read_to_string("/proc/stat")?;
    let line = text.lines().next().unwrap_or_default();
    let ticks: Vec<u64> = line.split(' ').filter_map(|ticks| ticks.parse().ok()).collect();
    Ok([ticks.iter().skip(3).take(2).sum(), ticks.iter().take(8).sum()])
}

fn value<'a>(text: &'a str, key: &str, separator: char) -> Option<&'a str> {
    let mut pairs = text.lines().filter_map(|line| line.split_once(separator));
    pairs.find(|(name, _)| name.trim() == key).map(|(_, value)| value.trim())
}

/// In memory, writing costs nothing, and the figures are of another world.
fn file_system(dir: &Path) -> anyhow::Result<String> {
    let kind = statfs::statfs(dir)?.filesystem_type();
    let names = [
        (statfs::EXT4_SUPER_MAGIC, "ext4"),
        (statfs::BTRFS_SUPER_MAGIC, "btrfs"),
        (statfs::XFS_SUPER_MAGIC, "xfs"),
        (statfs::OVERLAYFS_SUPER_MAGIC, "overlay"),
        (statfs::TMPFS_MAGIC, "tmpfs, which is memory (set TMPDIR to another directory)"),
    ];
    let name = names.iter().find(|(magic, _)| *magic == kind);
    Ok(name.map_or_else(|| format!("{:#x}", kind.0), |(_, name)| (*name).to_owned()))
}

fn version(program: &str, argument: &str) -> String {
    let Some(path) = installed(program) else {
        return "not installed".to_owned();
    };
    match Command::new(path).arg(argument).output() {
        Ok(output) => String::from_utf8_lossy(&output.stdout).trim().to_owned(),
        Err(error) => format!("? ({error})"),
    }
}
