//! Very many processes that live at one time, and were there before the recorder.

use std::collections::HashMap;
use std::process::Stdio;

use common::ecs::Event;

use crate::client::{Client, capture, only};
use crate::hostile::pids::{HighestPid, is_own_machine};
use crate::recorder::{LOSSLESS, Recorder, wait_for};
use crate::running::expected_source;
use crate::scratch::Scratch;
use crate::storm;
use crate::workload::{finish, start, workload};

/// More than a process takes in the recorder's memory, a debug build and its allocator included.
const BYTES_EACH: u64 = 4 << 10;

fn members(client: &Client, pid: u32) -> Vec<Event<'static>> {
    client.events(&format!("ppid = {pid} and cmd ~ crowd"))
}

#[test]
fn a_crowd_that_was_there_before_is_found_and_followed_to_its_end() {
    let scratch = [Scratch::new(), Scratch::new()];
    let Some(earlier) = Recorder::start(&scratch[0], &LOSSLESS) else { return };
    let without = capture(&earlier.client.health()).resident_bytes;
    earlier.stop();

    let total = storm::size() / 4;
    let _pids = (is_own_machine() && total > 20_000).then(|| HighestPid::set(4 * total));
    let mut crowd = start(workload(&["crowd", &total.to_string()]).stdin(Stdio::piped()));
    crowd.read_until("ready");
    let recorder = Recorder::start(&scratch[1], &LOSSLESS).unwrap();
    let client = &recorder.client;
    let health = client.balanced_health();
    let figures = capture(&health);
    assert!(figures.running >= u64::from(total), "{health:#?}");
    assert_eq!(figures.snapshot, expected_source());
    let more = figures.resident_bytes.saturating_sub(without);
    println!("{total} live processes: {more} bytes more in the recorder, {without} before");
    assert!(more < (16 << 20) + u64::from(total) * BYTES_EACH, "{more}");

    // What is behind answers with what it has stored.
    wait_for("the crowd in the database", || {
        (client.health().store.records >= u64::from(total)).then_some(())
    });
    let pid = crowd.pid();
    let root = only(client.images(pid));
    let before = members(client, pid);
    assert_eq!(before.len(), total as usize);
    let ids: HashMap<u32, _> = before
        .iter()
        .map(|member| {
            assert_eq!(
                (&*member.recorder.source, &*member.recorder.state),
                (expected_source(), "running")
            );
            assert_eq!(member.process.parent.as_ref().unwrap().entity_id.pid, root.process.pid);
            (member.process.pid, member.process.entity_id)
        })
        .collect();
    assert_eq!(ids.len(), before.len());

    // All end at once.
    drop(crowd.input());
    let run = finish(crowd);
    assert!(run.status.success());
    client.balanced_health();
    let rest = format!("ppid = {pid} and cmd ~ crowd and state = running");
    wait_for("all ends in the database", || {
        client.print(&["events", "--json", "-n", "1", &rest]).is_empty().then_some(())
    });
    let after = members(client, pid);
    let ends: HashMap<u32, _> =
        after.iter().map(|member| (member.process.pid, member.process.exit_code)).collect();
    assert_eq!((after.len(), ends.len()), (before.len(), before.len()));
    for (child, index) in run.facts("child").iter().zip(0_u32..) {
        let end = ends[&child.parse().unwrap()];
        assert_eq!(end, u8::try_from(index % 256).ok(), "{child}");
    }
    if expected_source() == "iterator" {
        assert!(after.iter().all(|member| ids[&member.process.pid] == member.process.entity_id));
    }
    client.assert_lossless();
    recorder.stop();
}
