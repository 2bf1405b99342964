//! The web page as people use it: a recorder that records this machine, the page's own process, and
//! a browser. Also what it bears, and that it needs no recorder to show a recorded database.
//!
//! Needs what the tests of capture need, and is skipped as they are; and Chromium with its driver.
//! Pictures of the pages are kept in `screenshots/page` of the target directory.

#![allow(clippy::unwrap_used, clippy::panic, reason = "part of the tests")]

mod browser;
mod hostile;
mod http;
mod live;
mod load;
mod recorded;
mod site;
mod triage;
mod views;

#[path = "../capture/client.rs"]
#[allow(dead_code, reason = "shared with the tests of capture")]
mod client;
#[path = "../capture/programs.rs"]
#[allow(dead_code, reason = "shared with the tests of capture")]
mod programs;
#[path = "../capture/recorder.rs"]
#[allow(dead_code, reason = "shared with the tests of capture")]
mod recorder;
#[path = "../capture/scratch.rs"]
#[allow(dead_code, reason = "shared with the tests of capture")]
mod scratch;
#[path = "../capture/workload.rs"]
#[allow(dead_code, reason = "shared with the tests of capture")]
mod workload;
