//! Writes that fail for another reason than a full disk.

use std::os::unix::process::CommandExt as _;

use nix::sys::signal::{SigHandler, Signal, signal};

use super::limits::{RLIMIT_FSIZE, limit, unlimit};
use super::*;

/// Large enough for what is not the database, and smaller than that.
const SMALL_FILE_BYTES: u64 = 64 << 10;

/// Where a file may not grow, writing fails with an error that means nothing to SQLite, as that of a
/// disk that breaks does.
#[test]
#[allow(unsafe_code, reason = "ignoring a signal between fork and exec")]
fn writes_that_fail_are_tried_again() {
    let scratch = Scratch::new();
    let recorder = Recorder::start_prepared(&scratch, &LOSSLESS, |command| {
        let ignore = || {
            // It would end whoever writes too much.
            // SAFETY: no handler is installed.
            unsafe { signal(Signal::SIGXFSZ, SigHandler::SigIgn) }?;
            Ok(())
        };
        // SAFETY: the closure calls nothing but sigaction.
        unsafe { command.pre_exec(ignore) };
    });
    let Some(recorder) = recorder else { return };
    let client = &recorder.client;
    let before = run(&["exit", "1"]);
    assert_eq!(client.image(before.pid).process.exit_code, Some(1));
    let pid = client.recorder_pid();
    limit(pid, RLIMIT_FSIZE, SMALL_FILE_BYTES);
    let runs: Vec<_> = (1..=200)
        .map(|number: u32| run(&["exit", "2", &number.to_string(), &"x".repeat(500)]))
        .collect();
    wait_for("a warning", || {
        let health = client.health();
        let warning =
            health.warnings.iter().find(|warning| warning.contains("nothing can be written"))?;
        assert!(warning.contains("kernel's log"), "{warning}");
        Some(())
    });
    let stored = client.stored_while_behind(before.pid);
    assert!(stored.contains("\"exit_code\":1"), "what is stored is served: {stored}");
    assert!(recorder.log().contains("recording waits in the ring"), "{}", recorder.log());

    unlimit(pid, RLIMIT_FSIZE);
    wait_for("the end of the warning", || {
        let health = client.health();
        (!health.warnings.iter().any(|warning| warning.contains("nothing can be written")))
            .then_some(())
    });
    for (run, number) in runs.iter().zip(1_u32..) {
        let process = client.image(run.pid).process;
        assert_eq!(process.exit_code, Some(2));
        assert_eq!(process.args.unwrap()[3], number.to_string());
    }
    assert_eq!(client.recorder_pid(), pid, "it went on");
    client.assert_lossless();
    recorder.stop();
    assert_sound(&scratch.database());
}
