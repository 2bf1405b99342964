//! The recorder that the tests share (loading takes long under emulation), and processes to see.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, OnceLock};
use std::time::{Duration, Instant};

use ebpf::event::{Body, Event, Image};
use ebpf::load::{Lanes, LoadError, Options, Programs};
use ebpf::ring::Ring;
use ebpf::shared::Shared;
use ebpf::wire;
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, fork};

/// Long enough for emulation on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);
pub(crate) const COOKIE: u64 = 0x1234_5678_9abc_def0;

pub(crate) struct Recorder {
    pub(crate) programs: Programs,
    pub(crate) ring: Ring,
    pub(crate) shared: Shared,
    /// Records seen since the test began.
    seen: Vec<Vec<u8>>,
}

impl Recorder {
    pub(crate) fn load(ring_size_bytes: u32, lanes: Lanes) -> Result<Self, LoadError> {
        let options = Options { ring_size_bytes, capture_env: true, cookie: COOKIE, lanes };
        let mut programs = Programs::load(&options)?;
        programs.attach()?;
        Ok(Self::of(programs))
    }

    pub(crate) fn of(programs: Programs) -> Self {
        let ring = Ring::map(programs.ring_fd(), programs.ring_size_bytes()).unwrap();
        let shared = Shared::map(programs.shared_fd(), programs.slots()).unwrap();
        Self { programs, ring, shared, seen: Vec::new() }
    }

    /// Takes what is in the ring.
    pub(crate) fn drain(&mut self) {
        while let Some(record) = self.ring.next() {
            self.seen.push(record.to_vec());
        }
        assert!(!self.ring.is_damaged());
        self.ring.release(self.ring.position());
    }

    pub(crate) fn events(&self) -> impl Iterator<Item = Event<'_>> {
        self.seen.iter().map(|record| wire::decode(record).unwrap())
    }

    /// Waits until there is an event of this kind.
    pub(crate) fn wait_for(&mut self, is_it: impl Fn(&Body<'_>) -> bool) -> Event<'_> {
        let start = Instant::now();
        loop {
            self.drain();
            if let Some(at) = self.events().position(|event| is_it(&event.body)) {
                return wire::decode(&self.seen[at]).unwrap();
            }
            assert!(start.elapsed() < PATIENCE, "the event did not come");
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    pub(crate) fn wait_for_exec(&mut self, pid: u32) -> Box<Image<'_>> {
        let event =
            self.wait_for(|body| matches!(body, Body::Exec(image) if image.process.pid == pid));
        match event.body {
            Body::Exec(image) => image,
            _ => unreachable!(),
        }
    }

    pub(crate) fn wait_for_exit(&mut self, pid: u32) -> ebpf::event::Exit {
        let event =
            self.wait_for(|body| matches!(body, Body::Exit(exit) if exit.process.pid == pid));
        match event.body {
            Body::Exit(exit) => exit,
            _ => unreachable!(),
        }
    }

    pub(crate) fn execs_of(&self, pid: u32) -> usize {
        let is_it = |event: &Event<'_>| matches!(&event.body, Body::Exec(image) if image.process.pid == pid);
        self.events().filter(is_it).count()
    }

    pub(crate) fn exits_of(&self, pid: u32) -> usize {
        let is_it =
            |event: &Event<'_>| matches!(&event.body, Body::Exit(exit) if exit.process.pid == pid);
        self.events().filter(is_it).count()
    }
}

/// The one recorder, cleared; `None` if this machine does not allow it.
pub(crate) fn recorder() -> Option<MutexGuard<'static, Recorder>> {
    static RECORDER: OnceLock<Option<Mutex<Recorder>>> = OnceLock::new();
    let recorder = RECORDER.get_or_init(|| loaded(8 << 20).map(Mutex::new)).as_ref();
    let Some(recorder) = recorder else {
        println!("skipped: see the first test");
        return None;
    };
    let mut recorder = recorder.lock().unwrap_or_else(|poisoned| {
        recorder.clear_poison();
        poisoned.into_inner()
    });
    recorder.drain();
    recorder.seen.clear();
    Some(recorder)
}

/// A recorder of its own for a test; `None` if this machine does not allow it.
pub(crate) fn loaded(ring_size_bytes: u32) -> Option<Recorder> {
    loaded_with(ring_size_bytes, Lanes::AsNeeded)
}

pub(crate) fn loaded_with(ring_size_bytes: u32, lanes: Lanes) -> Option<Recorder> {
    match Recorder::load(ring_size_bytes, lanes) {
        Ok(recorder) => Some(recorder),
        Err(error @ (LoadError::NotPermitted(_) | LoadError::NoBtf(_))) => {
            let is_required = std::env::var_os("BPF_RECORDER_REQUIRE_KERNEL").is_some();
            assert!(!is_required, "cannot skip: {error}");
            println!("skipped: {error}");
            None
        }
        Err(error) => panic!("{error}: {error:?}"),
    }
}

/// A program that does nothing, whatever its arguments. Under busybox it is the name that counts.
pub(crate) fn true_program() -> PathBuf {
    std::fs::canonicalize("/bin/true").unwrap()
}

/// Runs a program under the name `true`, to its end.
pub(crate) fn run_true(program: &Path, with: impl FnOnce(&mut Command)) -> u32 {
    let mut command = Command::new(program);
    command.arg0("true").stdin(Stdio::null()).stdout(Stdio::null());
    with(&mut command);
    finish(command.spawn().unwrap())
}

pub(crate) fn shell(script: &str) -> Child {
    Command::new("/bin/sh").args(["-c", script]).stdin(Stdio::null()).spawn().unwrap()
}

pub(crate) fn finish(mut child: Child) -> u32 {
    child.wait().unwrap();
    child.id()
}

/// NUL-terminated components, leaf first, as a path.
pub(crate) fn joined(path: &ebpf::event::Path<'_>) -> String {
    let components: Vec<_> = path
        .components
        .split(|byte| *byte == 0)
        .filter(|component| !component.is_empty())
        .map(String::from_utf8_lossy)
        .collect();
    components.iter().rev().fold(String::new(), |path, component| path + "/" + component)
}

/// A child that does `work` and ends, waited for: its pid, and its exit code or 128 + signal.
pub(crate) fn forked(work: impl FnOnce()) -> (u32, i32) {
    // SAFETY: the parent's other threads may hold locks in the child for ever. It takes none but
    // the allocator's and the standard output's, of which glibc frees the one at a fork, and the
    // other is held by tests that print only.
    match unsafe { fork() }.unwrap() {
        ForkResult::Child => {
            work();
            // SAFETY: ends the child without running what belongs to the parent.
            unsafe { nix::libc::_exit(111) }
        }
        ForkResult::Parent { child } => {
            let status = match waitpid(child, None).unwrap() {
                WaitStatus::Exited(_, code) => code,
                WaitStatus::Signaled(_, signal, _) => 128 + signal as i32,
                other => panic!("unexpected {other:?}"),
            };
            (u32::try_from(child.as_raw()).unwrap(), status)
        }
    }
}
