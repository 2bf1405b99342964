//! Fork and exit.

use std::process::Command;

use ebpf::event::Body;

use crate::fixture::{finish, recorder, run_true, shell, true_program};

#[test]
fn a_life_has_one_id() {
    let Some(mut recorder) = recorder() else { return };
    let pid = run_true(&true_program(), |_| ());
    let exit = recorder.wait_for_exit(pid);
    let forks: Vec<_> = recorder
        .events()
        .filter_map(|event| match event.body {
            Body::Fork(fork) if fork.child.pid == pid => Some(fork),
            _ => None,
        })
        .collect();
    assert_eq!(forks.len(), 1);
    let fork = forks[0].clone();
    assert_eq!(fork.parent.pid, std::process::id());
    let image = recorder.wait_for_exec(pid);
    assert_eq!((image.process, image.parent), (fork.child, fork.parent));
    assert_eq!((exit.process, exit.wait_status), (fork.child, 0));
    assert_eq!(image.namespace_pid, fork.namespace_pid);
    assert!(exit.max_rss_bytes > 4096, "{exit:?}");
}

#[test]
fn exit_code_is_reported() {
    let Some(mut recorder) = recorder() else { return };
    let pid = finish(shell("exit 7"));
    assert_eq!(recorder.wait_for_exit(pid).wait_status, 7 << 8);
}

#[test]
fn a_signal_is_reported() {
    let Some(mut recorder) = recorder() else { return };
    let pid = finish(shell("kill -KILL $$; sleep 1"));
    assert_eq!(recorder.wait_for_exit(pid).wait_status, 9);
}

#[test]
fn a_failed_exec_is_no_exec() {
    let Some(mut recorder) = recorder() else { return };
    Command::new("/nonexistent/program").spawn().unwrap_err();
    let pid = run_true(&true_program(), |_| ());
    recorder.wait_for_exec(pid);
    let all = |event: ebpf::event::Event<'_>| match event.body {
        Body::Exec(image) => image.filename != b"/nonexistent/program",
        _ => true,
    };
    assert!(recorder.events().all(all));
}

#[test]
fn a_thread_is_no_process() {
    let Some(mut recorder) = recorder() else { return };
    let thread = std::thread::spawn(nix::unistd::gettid).join().unwrap();
    let thread = u32::try_from(thread.as_raw()).unwrap();
    let pid = run_true(&true_program(), |_| ());
    recorder.wait_for_exit(pid);
    for event in recorder.events() {
        match event.body {
            Body::Fork(fork) => assert_ne!(fork.child.pid, thread),
            Body::Exit(exit) => {
                assert_ne!(exit.process.pid, thread);
                assert_ne!(exit.process.pid, std::process::id());
            }
            _ => (),
        }
    }
}

#[test]
fn time_is_counted() {
    let Some(mut recorder) = recorder() else { return };
    let pid = finish(shell("i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done"));
    let exit = recorder.wait_for_exit(pid);
    assert!(exit.cpu_ns > 1_000_000, "{exit:?}");
    assert!(exit.user_ns + exit.system_ns > 0, "{exit:?}");
}
