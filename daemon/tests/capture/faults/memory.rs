//! A recorder that gets no memory ends, and the next one goes on where it ended.

use std::path::{Path, PathBuf};

use nix::unistd::Pid;

use super::limits::{RLIMIT_DATA, limit};
use super::*;
use crate::storm;
use crate::workload::finish;

/// Takes memory away from the recorder, in its own way, under load. The log has the `reason`.
fn check(take_away: impl FnOnce(Pid), reason: &str) {
    let scratch = Scratch::new();
    let Some(recorder) = Recorder::start(&scratch, &LOSSLESS) else { return };
    let client = &recorder.client;
    let before: Vec<_> = (1..=20).map(|code| run(&["exit", &code.to_string()])).collect();
    assert_eq!(client.image(before[19].pid).process.exit_code, Some(20));
    let killed = client.recorder_pid();
    take_away(killed);
    let total = storm::size();
    let storm = storm::start(total);
    let large = scratch.path().join("large.yml");
    fs::write(&large, "# large\n".repeat(500_000)).unwrap();
    wait_for("the next recorder", || {
        // What is in use already may do for recording; this takes more.
        client.ask(&["rules", "upload", large.to_str().unwrap()]);
        let answer = client.ask(&["health", "--json"]);
        let line = answer.out.lines().next()?.to_owned();
        let health: common::health::Health = serde_json::from_str(&line).ok()?;
        (health.capture.as_ref()?.recorder_restarts > 0).then_some(())
    });
    let run = finish(storm);
    assert_ne!(client.recorder_pid(), killed);
    let log = recorder.log();
    assert!(log.contains(reason), "{log}");
    assert!(log.contains("the recorder ended (killed by SIG"), "{log}");
    for (run, code) in before.iter().zip(1..) {
        assert_eq!(client.image(run.pid).process.exit_code, Some(code));
    }
    storm::assert_complete(client, &run, total);
    let health = client.health();
    assert!(health.warnings.iter().any(|warning| warning.contains("restarted")), "{health:#?}");
    client.assert_lossless();
    recorder.stop();
    assert_sound(&scratch.database());
}

/// What it has already stays; it gets nothing more. That of the address space would not do: the
/// allocator has reserved enough of it.
#[test]
fn one_that_is_refused_memory_is_replaced() {
    check(|pid| limit(pid, RLIMIT_DATA, 1 << 20), "memory allocation of");
}

/// A control group for memory, where this machine lets one be made.
struct Group {
    path: PathBuf,
    limit: &'static str,
}

impl Group {
    fn new() -> Result<Self, String> {
        let roots = [
            ("/sys/fs/cgroup/memory", "memory.limit_in_bytes"),
            ("/sys/fs/cgroup", "memory.max"),
            ("/sys/fs/cgroup/unified", "memory.max"),
        ];
        let mut reason = "no control groups for memory".to_owned();
        for (root, limit) in roots {
            let path = Path::new(root).join(format!("bpf-capture-{}", std::process::id()));
            if let Err(error) = fs::create_dir(&path) {
                reason = format!("{}: {error}", path.display());
                continue;
            }
            let group = Self { path, limit };
            if group.path.join(limit).exists() {
                return Ok(group);
            }
            // Made in a hierarchy that has no such limits.
        }
        Err(reason)
    }

    fn put(&self, pid: Pid, bytes: u64) {
        fs::write(self.path.join(self.limit), bytes.to_string()).unwrap();
        fs::write(self.path.join("cgroup.procs"), pid.to_string()).unwrap();
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.path);
    }
}

/// As a service with MemoryMax= would be.
#[test]
fn one_that_the_kernel_kills_for_memory_is_replaced() {
    let group = match Group::new() {
        Ok(group) => group,
        // Not a matter of the kernel: in a container it is not permitted.
        Err(reason) => return println!("skipped: {reason}"),
    };
    // What it has already is not counted, but what it takes from now on.
    check(|pid| group.put(pid, 256 << 10), "killed by SIGKILL");
}
