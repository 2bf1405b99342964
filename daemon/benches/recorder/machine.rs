//! The machine that is measured.

use std::fs;

use crate::table::row;

pub(crate) fn describe() -> anyhow::Result<()> {
    let system = nix::sys::utsname::uname()?;
    let cpus = std::thread::available_parallelism()?;
    let load = fs::read_to_string("/proc/loadavg")?;
    row("kernel", &system.release().to_string_lossy());
    row("processors", &cpus.to_string());
    row("load average before", load.split(' ').next().unwrap_or("?"));
    Ok(())
}
