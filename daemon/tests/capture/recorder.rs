//! A daemon that records, for a test.

use std::fs::{self, File};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, Uid};

use crate::client::Client;
use crate::programs::RECORDERD;
use crate::scratch::Scratch;

/// For what comes soon or never. Long enough for emulation on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Holds whatever a test can do without a loss. What the tests themselves execute, with all that is
/// for debugging, is too large to be read again in each of them.
pub(crate) const LOSSLESS: [&str; 4] = ["--ring-size", "67108864", "--binary-file-limit", "12MiB"];

/// Waits until `probe` gives a value, and gives up when it is hopeless.
pub(crate) fn wait_for<T>(what: &str, mut probe: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(value) = probe() {
            return value;
        }
        assert!(Instant::now() < deadline, "in vain waited for: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Ended when it is dropped.
pub(crate) struct Recorder {
    child: Mutex<Child>,
    log: PathBuf,
    pub(crate) client: Client,
}

impl Recorder {
    /// Records into `scratch`; `None`, with the reason printed, where this machine does not
    /// permit it.
    pub(crate) fn start(scratch: &Scratch, options: &[&str]) -> Option<Self> {
        Self::start_prepared(scratch, options, |_| {})
    }

    /// As [`Self::start`], with something done to the command before.
    pub(crate) fn start_prepared(
        scratch: &Scratch,
        options: &[&str],
        prepare: impl FnOnce(&mut Command),
    ) -> Option<Self> {
        if !Uid::effective().is_root() {
            return skip("not root");
        }
        let recorder = Self::launch(scratch, options, prepare);
        match recorder.wait_until_it_answers() {
            Ok(()) => Some(recorder),
            Err(status) => {
                let log = recorder.log();
                let refusals = ["not permitted to load eBPF", "no type information", "is too old"];
                match refusals.iter().any(|refusal| log.contains(refusal)) {
                    true => skip(&log),
                    false => panic!("the daemon ended ({status}):\n{log}"),
                }
            }
        }
    }

    fn launch(scratch: &Scratch, options: &[&str], prepare: impl FnOnce(&mut Command)) -> Self {
        let log = scratch.path().join("log");
        let file = File::options().create(true).append(true).open(&log).unwrap();
        let mut command = command(&scratch.data(), &scratch.bus());
        command.args(options).stderr(file);
        prepare(&mut command);
        let child =
            command.spawn().unwrap_or_else(|error| panic!("{}: {error}", RECORDERD.display()));
        Self { child: Mutex::new(child), log, client: Client::new(&scratch.bus()) }
    }

    fn wait_until_it_answers(&self) -> Result<(), ExitStatus> {
        let answer = |client: &Client| client.run(&["status", "--json"]).status.success();
        wait_for("an answer of the recorder", || match self.try_wait() {
            Some(status) => Some(Err(status)),
            None => answer(&self.client).then_some(Ok(())),
        })
    }

    fn try_wait(&self) -> Option<ExitStatus> {
        self.child.lock().unwrap().try_wait().unwrap()
    }

    pub(crate) fn sensor(&self) -> Pid {
        Pid::from_raw(self.child.lock().unwrap().id().cast_signed())
    }

    /// Recorder and broker, and what is left of earlier ones.
    pub(crate) fn children(&self) -> Vec<Pid> {
        let sensor = self.sensor();
        let all = fs::read_to_string(format!("/proc/{sensor}/task/{sensor}/children")).unwrap();
        all.split_whitespace().map(|pid| Pid::from_raw(pid.parse().unwrap())).collect()
    }

    /// What the daemon said on standard error.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Ends it as an admin would; it must end well.
    pub(crate) fn stop(self) {
        self.stop_by(Signal::SIGTERM);
    }

    pub(crate) fn stop_by(&self, signal: Signal) {
        kill(self.sensor(), signal).unwrap();
        let status = self.wait();
        assert!(status.success(), "{signal}: {status}\n{}", self.log());
    }

    pub(crate) fn wait(&self) -> ExitStatus {
        wait_for("the end of the daemon", || self.try_wait())
    }

    /// Ends both halves as a crash would.
    pub(crate) fn crash(&self) {
        let recorder = self.client.recorder_pid();
        kill(self.sensor(), Signal::SIGKILL).unwrap();
        // It may have noticed already.
        let _ = kill(recorder, Signal::SIGKILL);
        assert_eq!(self.wait().signal(), Some(9));
        wait_for("the end of the recorder", || kill(recorder, None).err());
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        if self.try_wait().is_none() {
            let _ = kill(self.sensor(), Signal::SIGTERM);
            let deadline = Instant::now() + Duration::from_secs(5);
            while self.try_wait().is_none() && Instant::now() < deadline {
                std::thread::sleep(Duration::from_millis(10));
            }
            // The recorder notices that the sensor is gone.
            let _ = self.child.lock().unwrap().kill();
            let _ = self.child.lock().unwrap().wait();
        }
        if std::thread::panicking() {
            eprintln!("---- the daemon's messages\n{}----", self.log());
        }
    }
}

/// `bpf-recorderd run`, with an environment of its own.
pub(crate) fn command(data: &Path, bus: &Path) -> Command {
    let mut command = Command::new(&*RECORDERD);
    command.arg("run").arg("--data-dir").arg(data);
    command.arg("--bus").arg(format!("unix:path={}", bus.display()));
    command.env_clear().env("PATH", "/usr/bin:/bin").env("NO_COLOR", "1");
    command.stdin(Stdio::null()).stdout(Stdio::null());
    command
}

fn skip<T>(reason: &str) -> Option<T> {
    let is_required = std::env::var_os("BPF_RECORDER_REQUIRE_KERNEL").is_some();
    assert!(!is_required, "cannot skip: {reason}");
    println!("skipped: {reason}");
    None
}

struct Shared {
    recorder: Recorder,
    _scratch: Scratch,
}

static SHARED: OnceLock<Option<Shared>> = OnceLock::new();

/// One for all tests that only look at their own processes: a start takes long under emulation.
pub(crate) fn shared() -> Option<&'static Recorder> {
    let shared = SHARED.get_or_init(|| {
        let scratch = Scratch::new();
        let recorder = Recorder::start(&scratch, &LOSSLESS)?;
        end_with_this_program();
        Some(Shared { recorder, _scratch: scratch })
    });
    match shared {
        Some(shared) => Some(&shared.recorder),
        None => skip("see the first test"),
    }
}

/// A static is never dropped.
#[allow(unsafe_code, reason = "atexit")]
fn end_with_this_program() {
    extern "C" fn end() {
        if let Some(Some(shared)) = SHARED.get() {
            let _ = kill(shared.recorder.sensor(), Signal::SIGTERM);
            let _ = shared.recorder.child.lock().map(|mut child| child.wait());
            let _ = fs::remove_dir_all(shared._scratch.path());
        }
    }
    // SAFETY: the function neither unwinds nor uses what is gone at exit.
    unsafe { nix::libc::atexit(end) };
}
