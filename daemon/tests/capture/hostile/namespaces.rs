//! Hundreds of processes, each the first one in namespaces of its own.

use std::collections::HashSet;
use std::process::Stdio;

use common::ecs::Namespaces;

use crate::client::only;
use crate::recorder::shared;
use crate::storm;
use crate::workload::{finish, start, workload};

/// Of all kinds that are recorded.
fn numbers(of: &Namespaces) -> [u32; 7] {
    [of.mount, of.pid, of.network, of.user, of.uts, of.ipc, of.cgroup]
}

#[test]
fn each_of_hundreds_has_the_namespaces_that_it_sees() {
    let Some(recorder) = shared() else { return };
    let client = &recorder.client;
    // Fewer under emulation, where one takes long.
    let total = (storm::size() / 100).max(20);
    let mut command = workload(&["all-ns", &total.to_string()]);
    let mut job = start(command.stdin(Stdio::piped()));
    for _ in 0..total {
        // All are there before one ends, or a number could come twice.
        job.read_until("pid");
    }
    job.read_until("pid");
    drop(job.input());
    let run = finish(job);
    assert!(run.status.success());
    let root = client.image(run.pid);
    let hosts = numbers(root.recorder.namespaces.as_ref().unwrap());
    let filter = "nspid = 1 and cmd ~ \"workload await\"";
    let all = client.events(filter);
    let mut seen = HashSet::new();
    for index in 0..total {
        let pid = run.number(&format!("first.{index}"));
        let own: Vec<_> = all.iter().filter(|event| event.process.pid == pid).collect();
        let event = only(own);
        let namespaces = event.recorder.namespaces.as_ref().unwrap();
        let told: Vec<u32> = run
            .fact(&format!("namespaces.{index}"))
            .split(' ')
            .map(|number| number.parse().unwrap())
            .collect();
        assert_eq!(numbers(namespaces)[..], told);
        assert_eq!(namespaces.process_pid, 1);
        assert_eq!(event.process.exit_code, u8::try_from(index % 256).ok());
        // The one between made them, and stayed in those of the host but for its children.
        let parent = event.process.parent.as_ref().unwrap();
        let made_by = only(client.events(&format!("id = {}", parent.entity_id)));
        assert_eq!(made_by.process.parent.unwrap().entity_id, root.process.entity_id);
        for number in told {
            assert!(!hosts.contains(&number) && seen.insert(number), "{number} twice");
        }
    }
    println!("{total} processes in {} namespaces", seen.len());
    client.assert_lossless();
}
