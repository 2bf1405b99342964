//! The privileged half: loads the programs, holds their descriptors, keeps a recorder running.
//!
//! It parses nothing that a traced process, a rule or a client wrote. It stays single-threaded, so
//! that it can fork at any time. The ring is made before the first fork and outlives every
//! recorder: what happens while one restarts waits in the ring.

mod broker;
mod executable;
mod keeping;
pub(crate) mod opening;
mod privilege;
mod procfs;
pub(crate) mod protocol;
mod reload;
mod startup;
mod user;

pub(crate) use procfs::RawProcess;
pub(crate) use user::RecorderUser;

use std::io::IsTerminal as _;
use std::os::fd::{AsFd as _, OwnedFd};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use ebpf::load::Programs;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, fork};
use sd_notify::NotifyState;

use self::broker::Broker;
use self::keeping::Capturing;
use self::protocol::{ProgramFigures, Reply, Request};
use crate::recorder::{self, Failure};
use crate::settings::Settings;

/// A recorder that lives shorter than this has a fault that a restart does not mend.
const SHORT_LIFE: Duration = Duration::from_secs(2);
const MOST_SHORT_LIVES: u32 = 5;
/// Time for the recorder to drain the ring and commit.
const STOP_PATIENCE: Duration = Duration::from_secs(20);

/// What the configuration says by now.
pub(crate) type Again = Box<dyn Fn() -> anyhow::Result<Settings>>;

pub(crate) fn run(settings: Settings, again: Again) -> anyhow::Result<()> {
    privilege::check_own()?;
    // Before anything that could be left half done.
    let signals = block_signals().context("block signals")?;
    let user = user::choose(&settings)?;
    tracing::info!("the recorder runs as {} ({})", user.name, user.reason);
    let data = startup::DataDir::prepare(&settings.data_dir, &user)?;
    let listener = startup::bind(&settings.bus, &user)?;
    let Capturing { programs, are_kept } = keeping::programs(&settings)?;
    let template = recorder::Inheritance {
        settings,
        data_dir: data.path.clone(),
        listener,
        user,
        restarts: 0,
        are_kept,
        sensor_pid: std::process::id(),
    };
    privilege::limit_sensor().context("drop the privileges that the sensor does not need")?;
    let supervisor =
        Supervisor { programs, signals, template, again, short_lives: 0, is_told_to_stop: false };
    supervisor.run()
}

/// Termination and the death of the child arrive as data, in one loop with everything else.
fn block_signals() -> nix::Result<SignalFd> {
    let mut set = SigSet::empty();
    for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGCHLD] {
        set.add(signal);
    }
    // From a terminal that is closed it means the end, as for any program in the foreground.
    if !std::io::stdin().is_terminal() {
        set.add(Signal::SIGHUP);
    }
    set.thread_block()?;
    SignalFd::with_flags(&set, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)
}

struct Supervisor {
    programs: Programs,
    signals: SignalFd,
    template: recorder::Inheritance,
    again: Again,
    short_lives: u32,
    /// While it was busy with something else.
    is_told_to_stop: bool,
}

/// A recorder that runs.
struct Child {
    pid: Pid,
    socket: OwnedFd,
    since: Instant,
    fatal: Option<String>,
    broker: Broker,
}

enum Outcome {
    /// The recorder ended by itself.
    Died(WaitStatus),
    /// We were told to stop.
    Stop,
    /// Another recorder, with other settings, goes on where this one ended.
    Renew,
}

impl Supervisor {
    fn run(mut self) -> anyhow::Result<()> {
        loop {
            let (ours, theirs) = socket_pair()?;
            let (brokers, askers) = socket_pair()?;
            give_memory_back();
            let Some(pid) = fork_here().context("fork the recorder")? else {
                drop((ours, brokers));
                let code = self.become_recorder(&theirs, askers);
                // Threads that still wait for something must not hold the process.
                std::process::exit(if code == ExitCode::SUCCESS { 0 } else { 1 });
            };
            drop((theirs, askers));
            let broker = Broker::start(brokers, &self.template.user);
            let since = Instant::now();
            let mut child = Child { pid, socket: ours, since, fatal: None, broker };
            match self.watch(&mut child)? {
                Outcome::Stop => return self.stop(&child),
                Outcome::Died(status) => self.after_death(&child, status)?,
                Outcome::Renew => {}
            }
        }
    }

    /// In the child: keeps the maps and a view of what runs, gives everything else away.
    fn become_recorder(mut self, socket: &OwnedFd, broker: OwnedFd) -> ExitCode {
        let sources = self.sources();
        // The copies of programs and links that fork made.
        drop(self.programs);
        let unprivileged = sources.and_then(|sources| {
            privilege::become_recorder(&self.template.user, &self.template.data_dir)
                .context("drop all privileges")?;
            Ok(sources)
        });
        let result = unprivileged
            .map_err(Failure::Start)
            .and_then(|sources| recorder::run(&self.template, sources, socket, broker));
        match result {
            Ok(()) => ExitCode::SUCCESS,
            Err(Failure::Start(error)) => {
                let _ = protocol::send_request(socket, &Request::Fatal(format!("{error:#}")));
                ExitCode::FAILURE
            }
            Err(Failure::Run(error)) => {
                tracing::error!("{error:#}");
                ExitCode::FAILURE
            }
        }
    }

    fn sources(&mut self) -> anyhow::Result<recorder::Sources> {
        let iterator = self.programs.snapshot().unwrap_or_else(|error| {
            tracing::warn!("no task iterator, /proc will serve: {error}");
            None
        });
        Ok(recorder::Sources {
            ring: self.programs.ring_fd().try_clone_to_owned().context("keep the ring")?,
            ring_size_bytes: self.programs.ring_size_bytes(),
            shared: self.programs.shared_fd().try_clone_to_owned().context("keep the counters")?,
            slots: self.programs.slots(),
            running: match iterator {
                Some(iterator) => recorder::Running::Iterator(iterator),
                None => recorder::Running::Proc(procfs::collect(
                    self.template.settings.environment.is_recorded,
                )),
            },
        })
    }

    fn watch(&mut self, child: &mut Child) -> anyhow::Result<Outcome> {
        let mut is_open = true;
        loop {
            if self.is_told_to_stop {
                return Ok(Outcome::Stop);
            }
            let mut fds = vec![PollFd::new(self.signals.as_fd(), PollFlags::POLLIN)];
            if is_open {
                fds.push(PollFd::new(child.socket.as_fd(), PollFlags::POLLIN));
            }
            match poll(&mut fds, PollTimeout::NONE) {
                Err(Errno::EINTR) => continue,
                result => result.context("wait for the recorder")?,
            };
            // What the recorder said last is read before its death is looked at.
            if fds.get(1).is_some_and(|fd| fd.any().unwrap_or(false)) {
                is_open = self.answer(child);
                continue;
            }
            while let Some(signal) = self.signals.read_signal().context("read a signal")? {
                match Signal::try_from(signal.ssi_signo.cast_signed()) {
                    Ok(Signal::SIGTERM | Signal::SIGINT) => return Ok(Outcome::Stop),
                    Ok(Signal::SIGHUP) => {
                        if self.reload(child)? {
                            return Ok(Outcome::Renew);
                        }
                    }
                    _ => {
                        if let Some(status) = reap(child.pid)? {
                            return Ok(Outcome::Died(status));
                        }
                        child.broker.look_after(&self.template.user)?;
                    }
                }
            }
        }
    }

    /// False when the recorder has closed its end or spoken nonsense.
    fn answer(&mut self, child: &mut Child) -> bool {
        let request = match protocol::receive_request(&child.socket) {
            Ok(Some(request)) => request,
            Ok(None) => return false,
            Err(error) => {
                tracing::error!("the recorder sent what is no request ({error}): not listening on");
                return false;
            }
        };
        let reply = match request {
            Request::Ready => {
                notify(&[NotifyState::Ready, NotifyState::Status("Recording")]);
                None
            }
            Request::Progress => {
                notify(&[NotifyState::Watchdog]);
                None
            }
            Request::Status(text) => {
                notify(&[NotifyState::Status(&text)]);
                None
            }
            Request::Statistics => Some(Reply::Statistics(self.statistics())),
            Request::Fatal(text) => {
                child.fatal = Some(text);
                None
            }
            Request::LogLevel(level) => {
                // What is no level is none of the recorder's.
                if crate::log::LEVELS.contains(&&*level) {
                    crate::log::set_level(&level);
                }
                None
            }
            // Nobody asked: see `stop`.
            Request::Ending => None,
        };
        // A recorder that is gone shows as an end of file next.
        if let Some(reply) = reply {
            let _ = protocol::send_reply(&child.socket, &reply);
        }
        true
    }

    fn statistics(&self) -> Vec<ProgramFigures> {
        let programs = self.programs.statistics().unwrap_or_else(|error| {
            tracing::warn!("no figures of the programs: {error}");
            Vec::new()
        });
        programs
            .into_iter()
            .map(|program| ProgramFigures {
                name: program.name.to_owned(),
                run_count: program.run_count,
                run_time_ns: program.run_time_ns,
                recursion_misses: program.recursion_misses,
            })
            .collect()
    }

    fn after_death(&mut self, child: &Child, status: WaitStatus) -> anyhow::Result<()> {
        if let Some(reason) = &child.fatal {
            bail!("{reason}");
        }
        let is_short = child.since.elapsed() < SHORT_LIFE;
        self.short_lives = if is_short { self.short_lives + 1 } else { 0 };
        if self.short_lives >= MOST_SHORT_LIVES {
            bail!(
                "the recorder ended {MOST_SHORT_LIVES} times in a row right after its start \
                 (last: {}): see its messages above",
                describe(status)
            );
        }
        self.template.restarts += 1;
        tracing::warn!(
            message_id = crate::log::kind::RECORDER_RESTARTED,
            "the recorder ended ({}): starting it again",
            describe(status)
        );
        notify(&[NotifyState::Status("Restarting the recorder")]);
        Ok(())
    }

    /// No new events, then the recorder drains and commits; unless the service starts again at
    /// once, with the same programs.
    fn stop(mut self, child: &Child) -> anyhow::Result<()> {
        tracing::info!("stopping");
        notify(&[NotifyState::Stopping, NotifyState::Status("Writing what is left")]);
        if self.template.are_kept {
            let _ = protocol::send_reply(&child.socket, &Reply::Terminating);
        } else {
            self.end_capture(child);
        }
        self.wait_for_end(child)
    }

    /// The recorder was told to end. Fails if it does not, or not well.
    fn wait_for_end(&mut self, child: &Child) -> anyhow::Result<()> {
        let deadline = Instant::now() + STOP_PATIENCE;
        let mut is_open = true;
        loop {
            match reap(child.pid)? {
                Some(WaitStatus::Exited(_, 0)) => return Ok(()),
                Some(status) => bail!("the recorder did not end well: {}", describe(status)),
                None if Instant::now() > deadline => {
                    let _ = kill(child.pid, Signal::SIGKILL);
                    // Two must never read one ring.
                    let _ = waitpid(child.pid, None);
                    bail!("the recorder did not end within {} s", STOP_PATIENCE.as_secs());
                }
                None => {}
            }
            let mut fds = vec![PollFd::new(self.signals.as_fd(), PollFlags::POLLIN)];
            if is_open {
                fds.push(PollFd::new(child.socket.as_fd(), PollFlags::POLLIN));
            }
            let _ = poll(&mut fds, 100_u16);
            let has_spoken = fds.get(1).is_some_and(|fd| fd.any().unwrap_or(false));
            while let Ok(Some(signal)) = self.signals.read_signal() {
                let signal = Signal::try_from(signal.ssi_signo.cast_signed());
                self.is_told_to_stop |= matches!(signal, Ok(Signal::SIGTERM | Signal::SIGINT));
            }
            if has_spoken {
                match protocol::receive_request(&child.socket) {
                    Ok(Some(Request::Ending)) => self.end_capture(child),
                    Ok(Some(_)) => {}
                    Ok(None) | Err(_) => is_open = false,
                }
            }
        }
    }

    fn end_capture(&mut self, child: &Child) {
        // While they still have their links, which are kept too.
        if self.template.are_kept {
            keeping::forget_all(&self.programs);
        }
        self.programs.detach();
        // The last figures: what the kernel skipped until now is told too.
        let _ = protocol::send_reply(&child.socket, &Reply::Statistics(self.statistics()));
        let _ = protocol::send_reply(&child.socket, &Reply::Stop);
    }
}

fn socket_pair() -> anyhow::Result<(OwnedFd, OwnedFd)> {
    socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC)
        .context("make a socket pair")
}

/// `None` in the child.
/// To load programs takes megabytes for the types of the kernel; each child would inherit what is
/// left of them.
#[expect(unsafe_code, reason = "malloc_trim")]
fn give_memory_back() {
    #[cfg(target_env = "gnu")]
    // SAFETY: it only returns to the kernel what nobody has.
    unsafe {
        nix::libc::malloc_trim(0);
    }
}

#[expect(unsafe_code, reason = "fork")]
fn fork_here() -> nix::Result<Option<Pid>> {
    // SAFETY: the sensor has one thread, so the child may use the heap and take any lock.
    match unsafe { fork() }? {
        ForkResult::Parent { child } => Ok(Some(child)),
        ForkResult::Child => Ok(None),
    }
}

fn reap(pid: Pid) -> anyhow::Result<Option<WaitStatus>> {
    match waitpid(pid, Some(WaitPidFlag::WNOHANG)).context("wait for the recorder")? {
        WaitStatus::StillAlive => Ok(None),
        status => Ok(Some(status)),
    }
}

fn describe(status: WaitStatus) -> String {
    match status {
        WaitStatus::Exited(_, code) => format!("exit code {code}"),
        WaitStatus::Signaled(_, signal, _) => format!("killed by {signal}"),
        other => format!("{other:?}"),
    }
}

/// Silent where no service manager listens.
fn notify(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!("service manager not told: {error}");
    }
}
