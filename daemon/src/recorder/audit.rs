//! After a loss: which processes have ended without a word.
//!
//! The end of a process may be among the records that were lost, and then it would be shown as
//! running for ever. So, some time after a loss, each process of the table is asked for.

use std::time::{Duration, Instant};

use ebpf::event::TaskId;
use nix::errno::Errno;
use nix::sys::signal::kill;
use nix::unistd::Pid;

use super::procfs::{start_ticks, tick_ns};
use super::table::Table;

/// Losses come in bursts; and a process that is no longer there may still be on its way through
/// the ring.
const DELAY: Duration = Duration::from_secs(2);

#[derive(Debug, Default)]
pub(crate) struct Audit {
    due: Option<Instant>,
}

impl Audit {
    pub(crate) fn ask(&mut self) {
        self.due.get_or_insert_with(|| Instant::now() + DELAY);
    }

    pub(crate) fn due(&self) -> Option<Instant> {
        self.due
    }

    pub(crate) fn is_due(&mut self) -> bool {
        if self.due.is_none_or(|due| Instant::now() < due) {
            return false;
        }
        self.due = None;
        true
    }
}

/// The processes of the table that do not exist any more. Needs no right over them.
pub(crate) fn gone(table: &Table) -> Vec<TaskId> {
    table.tasks().filter(|task| is_gone(*task)).collect()
}

fn is_gone(task: TaskId) -> bool {
    let Ok(pid) = i32::try_from(task.pid) else { return false };
    if kill(Pid::from_raw(pid), None) == Err(Errno::ESRCH) {
        return true;
    }
    // The pid is in use, maybe by another. Where /proc is hidden, that cannot be told.
    let Some(ticks) = start_ticks(task.pid) else { return false };
    let started = ticks.saturating_mul(tick_ns());
    // Both are cut to ticks, so that a start known to the tick only agrees too.
    task.start_boottime_ns / tick_ns() != started / tick_ns()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_lives_is_not_gone_and_who_reused_the_pid_is_another() {
        let pid = std::process::id();
        let start_boottime_ns = start_ticks(pid).unwrap() * tick_ns() + 5;
        assert!(!is_gone(TaskId { pid, start_boottime_ns }));
        assert!(is_gone(TaskId { pid, start_boottime_ns: start_boottime_ns + 1_000_000_000 }));
        assert!(is_gone(TaskId { pid: 4_194_304, start_boottime_ns: 1 }), "beyond pid_max");
    }
}
