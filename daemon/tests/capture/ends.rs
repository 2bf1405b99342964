//! How processes end.

use std::os::unix::process::ExitStatusExt as _;

use crate::recorder::shared;
use crate::scratch::Scratch;
use crate::workload::{finish, start, workload};

/// Arguments, and the state that the end is.
const ENDS: [(&[&str], &str); 11] = [
    (&["exit", "0"], "ended"),
    (&["exit", "1"], "failed"),
    (&["exit", "255"], "failed"),
    (&["kill", "9"], "killed"),
    (&["kill", "11"], "killed"),
    (&["kill", "15"], "killed"),
    (&["kill", "6", "core"], "killed"),
    (&["kill", "34"], "killed"),
    (&["thread-exits", "40"], "failed"),
    (&["failed-exec", "4"], "failed"),
    (&["leader-exits-first", "1", "2"], "failed"),
];

/// One record, however many threads ended and however many execs failed, with the end that wait(2)
/// tells.
#[test]
fn ends_are_those_of_wait() {
    let Some(recorder) = shared() else { return };
    let scratch = Scratch::new();
    for (arguments, state) in ENDS {
        let run = finish(start(workload(arguments).current_dir(scratch.path())));
        let event = recorder.client.image(run.pid);
        let code = run.status.code().map(|code| u8::try_from(code).unwrap());
        let signal = run.status.signal().map(|signal| u8::try_from(signal).unwrap());
        let process = &event.process;
        assert_eq!((process.exit_code, process.exit_signal), (code, signal), "{arguments:?}");
        assert_eq!(event.recorder.state, state, "{arguments:?}");
        let has_core = event.recorder.resources.as_ref().unwrap().core_dump;
        assert_eq!(has_core, run.status.core_dumped(), "{arguments:?}");
        assert!(process.end.is_some(), "{arguments:?}");
        assert_eq!(recorder.client.children(process.entity_id), [], "{arguments:?}: threads");
    }
}

#[test]
fn the_expected_ends_were_tried() {
    let Some(recorder) = shared() else { return };
    let run = finish(start(&mut workload(&["thread-exits", "40"])));
    assert_eq!(recorder.client.image(run.pid).process.exit_code, Some(7));
    let run = finish(start(&mut workload(&["kill", "11"])));
    assert_eq!(recorder.client.image(run.pid).process.exit_signal, Some(11));
    let shown = recorder.client.print(&["events", &format!("pid = {}", run.pid)]);
    assert!(shown.contains("SIGSEGV"), "{shown}");
}
