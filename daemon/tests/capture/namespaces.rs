//! Processes that see themselves otherwise than the host does.

use crate::recorder::shared;
use crate::workload::run;

#[test]
fn the_first_process_of_a_pid_namespace_has_two_numbers() {
    let Some(recorder) = shared() else { return };
    let run = run(&["pid-ns", "exit", "11"]);
    assert_eq!(run.fact("inner"), "1");
    let root = recorder.client.image(run.pid);
    let inner = recorder.client.children(root.process.entity_id);
    let inner = inner.last().unwrap();
    assert_eq!(inner.process.pid, run.number("outer"));
    assert_eq!(inner.process.exit_code, Some(11));
    let of = |event: &common::ecs::Event<'_>| event.recorder.namespaces.clone().unwrap();
    assert_eq!(of(inner).process_pid, 1);
    assert_ne!(of(inner).pid, of(&root).pid);
    assert_eq!(of(inner).mount, of(&root).mount);
    let found = recorder.client.events(&format!("nspid = 1 and pid = {}", inner.process.pid));
    assert!(found.contains(inner));
}
