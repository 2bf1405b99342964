//! Pids that are used again and again. A small range of them belongs to the whole machine, so this
//! is done only where BPF_RECORDER_OWN_MACHINE=1 says that nobody else uses it.

use std::collections::HashSet;
use std::fs;

use crate::hostile::bombs;
use crate::recorder::{LOSSLESS, Recorder};
use crate::scratch::Scratch;
use crate::storm;

pub(crate) fn is_own_machine() -> bool {
    std::env::var("BPF_RECORDER_OWN_MACHINE").is_ok_and(|value| value == "1")
}

/// The highest pid, as it was before when this is dropped.
pub(super) struct HighestPid(String);

impl HighestPid {
    const FILE: &str = "/proc/sys/kernel/pid_max";

    pub(super) fn set(highest: u32) -> Self {
        let before = fs::read_to_string(Self::FILE).unwrap();
        fs::write(Self::FILE, highest.to_string()).unwrap();
        Self(before)
    }
}

impl Drop for HighestPid {
    fn drop(&mut self) {
        let _ = fs::write(Self::FILE, &self.0);
    }
}

/// Arguments, parents and ends are of the right process, whoever had its pid before.
#[test]
fn who_has_the_pid_of_another_one_is_not_taken_for_it() {
    if !is_own_machine() {
        println!("skipped: the pids of this machine are not ours");
        return;
    }
    let scratch = Scratch::new();
    let Some(recorder) = Recorder::start(&scratch, &LOSSLESS) else { return };
    let client = &recorder.client;
    // The kernel gives pids from 300 on when it begins anew, and the rest of the machine needs
    // some as well.
    let highest = HighestPid::set(600);
    let total = storm::size();
    let run = storm::run(total);
    storm::assert_complete(client, &run, total);
    let pids: HashSet<u32> =
        storm::recorded(client, &run, total).iter().map(|child| child.process.pid).collect();
    assert!(pids.len() < 600 && pids.len() < total as usize * 2 / 3, "{} pids", pids.len());
    // Its parents end before their children, which may get their pids.
    bombs::of_another_user(&recorder, "of-few-pids");
    drop(highest);
    println!("{total} processes with {} pids", pids.len());
    recorder.stop();
}
