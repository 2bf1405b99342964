//! The daemon as people run it, with real processes on the running kernel: what is recorded is
//! compared with what the processes themselves, or `/proc`, tell.
//!
//! Needs root and a kernel that permits eBPF; elsewhere each test says why it is skipped, which is
//! a failure where BPF_RECORDER_REQUIRE_KERNEL=1. BPF_STORM sets the number of processes of a storm,
//! BPF_SEED the moments of what happens at random, BPF_SOAK the seconds of a soak.
//! BPF_RECORDER_OWN_MACHINE=1 says that nobody else uses the machine: then tests set its clock and its
//! limits.

#![allow(clippy::unwrap_used, clippy::panic, reason = "part of the tests")]

mod arguments;
mod binaries;
mod client;
mod clock;
mod database;
mod detection;
mod disk_full;
mod ends;
mod faults;
mod fields;
mod hostile;
mod images;
mod instances;
mod ledger;
mod lineage;
mod losses;
mod namespaces;
mod paused;
mod privileges;
mod programs;
mod recorded;
mod recorder;
mod refusals;
mod restart;
mod retention;
mod running;
mod scratch;
mod secrets;
mod shutdown;
mod soak;
mod storm;
mod subscriptions;
mod workload;
