//! The unprivileged half: decode, enrich, store, serve.
//!
//! The pipeline thread reads the ring and owns the table of processes; the store's thread owns the
//! database; a small runtime serves D-Bus; one more thread listens to the sensor.

mod assemble;
mod audit;
mod clock;
mod contents;
mod detector;
mod handle;
mod intern;
mod journal;
mod judge;
pub(crate) mod link;
pub(crate) mod live;
mod misses;
pub(crate) mod pipeline;
mod procfs;
mod progress;
mod rows;
mod sequence;
mod snapshot;
mod table;
mod tracker;
#[cfg(test)]
mod tracker_tests;

use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use anyhow::Context as _;
use common::id::BootId;
use ebpf::ring::Ring;
use ebpf::shared::{Shared, Slots};
use nix::sys::resource::{Resource, getrlimit, setrlimit};

pub(crate) use self::assemble::Assembler;
use self::clock::Clock;
pub(crate) use self::clock::boottime_ns;
pub(crate) use self::contents::{Contents, is_fresh};
pub(crate) use self::detector::Detector;
use self::handle::End;
use self::link::Link;
use self::pipeline::Pipeline;
pub(crate) use self::progress::Progress;
use self::sequence::Sequences;
pub(crate) use self::tracker::Tracker;
use crate::binaries::{Binaries, Figures, Present, Vault};
use crate::bus;
use crate::enrich::environment::Policy;
use crate::rules::Rules;
use crate::sensor::RawProcess;
use crate::sensor::protocol::Request;
use crate::settings::{self, Settings};
use crate::store::{
    self, Batch, Committed, GapRow, Limits, Reader, RecentAlert, RingPosition, StoreError,
    StoredRunning, Writer, WriterThread,
};

/// What the sensor hands to each recorder it starts.
pub(crate) struct Inheritance {
    pub(crate) settings: Settings,
    pub(crate) data_dir: PathBuf,
    pub(crate) listener: Option<UnixListener>,
    pub(crate) user: crate::sensor::RecorderUser,
    pub(crate) restarts: u32,
    /// The programs outlive the sensor.
    pub(crate) are_kept: bool,
    pub(crate) sensor_pid: u32,
}

/// What the recorder reads.
pub(crate) struct Sources {
    pub(crate) ring: OwnedFd,
    pub(crate) ring_size_bytes: u32,
    pub(crate) shared: OwnedFd,
    pub(crate) slots: Slots,
    pub(crate) running: Running,
}

/// How the processes that already run are told.
pub(crate) enum Running {
    /// The kernel's task iterator (5.18+).
    Iterator(OwnedFd),
    /// What `/proc` said, as bytes.
    Proc(Vec<RawProcess>),
}

/// For the last batch, when the disk is slow or full.
const LAST_WRITE_PATIENCE: Duration = Duration::from_secs(10);

/// Why a recorder ended early.
pub(crate) enum Failure {
    /// It could not begin; starting it again would not help.
    Start(anyhow::Error),
    /// It had begun.
    Run(anyhow::Error),
}

/// Runs until the sensor says stop, or is gone.
pub(crate) fn run(
    from: &Inheritance,
    sources: Sources,
    socket: &OwnedFd,
    broker: OwnedFd,
) -> Result<(), Failure> {
    let mut has_begun = false;
    record(from, sources, socket, broker, &mut has_begun)
        .map_err(|error| if has_begun { Failure::Run(error) } else { Failure::Start(error) })
}

fn record(
    from: &Inheritance,
    sources: Sources,
    socket: &OwnedFd,
    broker: OwnedFd,
    has_begun: &mut bool,
) -> anyhow::Result<()> {
    raise_descriptor_limit();
    let boot = boot_id()?;
    let path = from.data_dir.join(store::FILE_NAME);
    let clock = Clock::sample();
    let kept = limits_of(&from.settings.retention);
    let mut ring =
        Ring::map(sources.ring.as_fd(), sources.ring_size_bytes).context("map the ring")?;
    let shared = Shared::map(sources.shared.as_fd(), sources.slots).context("map the counters")?;

    let cookie = shared.cookie();
    let now_ns = clock.wall(clock::boottime_ns());
    let repeat_ns = from.settings.detection.repeat_ns;
    let since = Since { boot, cookie, now_ns, age_ns: kept.age_ns, repeat_ns };
    let (writer, Before { resumed, running, alerts, next_alert, next_row }) =
        open_or_replace(&path, &since)?;
    let progress = match &resumed {
        Some(resumed) => {
            ring.seek(resumed.position);
            Progress::from_bytes(&resumed.progress)
        }
        None if ring.released() > 0 => {
            Progress { sequences: Sequences::joined_late(), ..Progress::default() }
        }
        None => Progress::default(),
    };
    let policy = Policy::new(&from.settings.environment).context("the words of `redact`")?;
    let mut detector = Detector::new(next_alert, alerts, repeat_ns);
    let reader = Reader::new(&path)?;
    let is_damaged = Arc::new(AtomicBool::new(false));
    reader.tell_of_damage(is_damaged.clone());
    let (rules, compiled) = Rules::load(&from.settings.detection, &from.data_dir, reader.clone());
    detector.replace(compiled);
    let assembler = Assembler::new(boot, policy);
    let (questions, binaries) = Binaries::new();
    let figures = binaries.figures();
    let limits = &from.settings.binaries;
    let contents = Contents::new(Some(questions), limits, figures.clone());
    let mut tracker = Tracker::new(assembler, detector, contents, progress, next_row);
    for running in running {
        tracker.adopt(running);
    }
    let start =
        Committed { ring_position: ring.position(), row: tracker.next_row() - 1, batches: 0 };
    let writer = WriterThread::start(writer, start, kept, boot, is_damaged)
        .context("start the store's thread")?;

    let link = Link::start(socket).context("listen to the sensor")?;
    let (mut pipeline, handle) =
        Pipeline::new(ring, shared, tracker, writer, link.clone(), &sources.ring, from)?;
    let copies = from.data_dir.join(crate::binaries::DIRECTORY);
    let vault = Present::new(open_vault(&copies, limits, &figures));
    binaries
        .start(broker, limits, vault.clone(), copies, reader.clone(), handle.clone())
        .context("start the threads that read executed files")?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .max_blocking_threads(bus::MOST_QUERIES + 2)
        .thread_name("bus")
        .enable_all()
        .build()
        .context("start the runtime")?;
    let (ended, has_ended) = tokio::sync::oneshot::channel();
    let thread = std::thread::Builder::new()
        .name("pipeline".to_owned())
        .spawn(move || {
            // Dropped when the thread ends, however it does.
            let _ended: tokio::sync::oneshot::Sender<()> = ended;
            let result = pipeline.run(sources.running);
            let ended = match &result {
                Ok(End::Recorder) => pipeline.leave(LAST_WRITE_PATIENCE),
                Ok(End::Capture) | Err(_) => pipeline.finish(LAST_WRITE_PATIENCE),
            };
            result.and(ended)
        })
        .context("start the pipeline")?;

    let (rules, rules_thread) = rules.start(handle.clone()).context("start the thread of rules")?;
    if let Some(least) = from.settings.detection.journal_alerts {
        runtime.spawn(journal::tell_alerts(handle.alerts(), least));
    }
    let retiring = reader.clone();
    let (web, rules_handle) = (from.settings.web, rules.clone());
    let service = bus::Service::recording(
        reader,
        handle.clone(),
        rules_handle,
        link.clone(),
        &path,
        vault,
        web,
    );
    let listener = match &from.listener {
        Some(listener) => Some(listener.try_clone().context("keep the socket")?),
        None => None,
    };
    let served = runtime.block_on(async {
        let _serving =
            bus::serve(service, &from.settings.bus, listener, from.user.uid.as_raw()).await?;
        link.send(&Request::Ready);
        *has_begun = true;
        tracing::info!(message_id = crate::log::kind::STARTED, "recording into {}", path.display());
        tokio::select! {
            end = end_of(&link, &rules, from) => Ok(end),
            // By itself, and with an error.
            _ = has_ended => Ok(End::Capture),
        }
    });
    retiring.retire();
    rules.stop();
    handle.end(*served.as_ref().unwrap_or(&End::Capture));
    let recorded = thread.join().map_err(|_| anyhow::anyhow!("the pipeline panicked"))?;
    if rules_thread.join().is_err() {
        tracing::error!("the thread of rules panicked");
    }
    // Queries and subscriptions that still run end with their pipes.
    runtime.shutdown_timeout(Duration::from_millis(200));
    served.and(recorded)
}

/// What the recorder that starts is to know of the time before.
struct Since {
    boot: BootId,
    cookie: u64,
    now_ns: i64,
    age_ns: Option<i64>,
    repeat_ns: i64,
}

/// What the database knows of the time before.
struct Before {
    resumed: Option<RingPosition>,
    running: Vec<StoredRunning>,
    alerts: Vec<RecentAlert>,
    next_alert: i64,
    next_row: i64,
}

/// Damage shows when the database is opened, or not before something is read: either way it is set
/// aside. Where it stayed, no recorder could start any more.
fn open_or_replace(path: &Path, since: &Since) -> Result<(Writer, Before), StoreError> {
    let mut writer = Writer::open_or_replace(path, since.now_ns)?;
    let before = match Before::read(&mut writer, since) {
        Err(StoreError::Corrupt { detail, .. }) => {
            tracing::error!("database {} is damaged: {detail}", path.display());
            // Closed after it is renamed, so that its log is not put into it.
            writer = Writer::replace(path, since.now_ns)?;
            Before::read(&mut writer, since)
        }
        before => before,
    };
    Ok((writer, before?))
}

impl Before {
    fn read(writer: &mut Writer, since: &Since) -> Result<Self, StoreError> {
        writer.set_age(since.age_ns)?;
        let resumed = writer.ring_position(since.cookie)?;
        if writer.has_unfinished_ring(since.cookie)? {
            tracing::warn!("the recorder before did not end well: its last events may be missing");
            let (time_ns, cause) = (since.now_ns, "not-finished");
            let gap = GapRow { time_ns, cpu: 0, kind: "any", count: 0, cause };
            writer.write(&Batch { gaps: vec![gap], ..Batch::default() })?;
        }
        let running = writer.take_over(since.boot)?;
        let alerts = writer.recent_alerts(since.now_ns.saturating_sub(since.repeat_ns))?;
        let (next_alert, next_row) = (writer.next_alert()?, writer.next_row()?);
        Ok(Self { resumed, running, alerts, next_alert, next_row })
    }
}

/// Serves until the recorder has to end, and says how.
async fn end_of(link: &Link, rules: &crate::rules::Handle, from: &Inheritance) -> End {
    let mut order = link::Order::Record;
    loop {
        tokio::select! {
            next = link.order_after(order) => order = next,
            () = link.reload() => {
                // Blocks for the compilation; answers to people go on meanwhile.
                rules.accept().await;
                continue;
            }
        }
        match order {
            link::Order::Record => {}
            // Programs that the service manager keeps go on.
            link::Order::Gone if from.are_kept => return End::Recorder,
            link::Order::Stop | link::Order::Gone => return End::Capture,
            link::Order::Leave => return End::Recorder,
            link::Order::Terminating => {
                if bus::service_manager::starts_again(from.sensor_pid).await {
                    return End::Recorder;
                }
                link.send(&Request::Ending);
            }
        }
    }
}

fn limits_of(settings: &settings::Retention) -> Limits {
    let settings::Retention { age_ns, size_bytes, alert_age_ns } = *settings;
    Limits { age_ns, size_bytes, alert_age_ns }
}

/// Clients, their pipes and executed files take more than the usual 1,024.
fn raise_descriptor_limit() {
    const ENOUGH: u64 = 4096;
    if let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE)
        && soft < ENOUGH
        && let Err(error) = setrlimit(Resource::RLIMIT_NOFILE, hard.min(ENOUGH), hard)
    {
        tracing::warn!("the limit of open files stays at {soft}: {error}");
    }
}

/// `None` where no copy can be, or shall be, kept; health says why.
fn open_vault(directory: &Path, limits: &settings::Binaries, figures: &Figures) -> Option<Vault> {
    if limits.total_limit_bytes == 0 {
        return None;
    }
    match Vault::create(directory) {
        Ok(vault) => Some(vault),
        Err(error) => {
            tracing::error!("executed files are not kept: {error}");
            if let Ok(mut figures) = figures.lock() {
                figures.trouble = Some(error.to_string());
            }
            None
        }
    }
}

fn boot_id() -> anyhow::Result<BootId> {
    let path = "/proc/sys/kernel/random/boot_id";
    let uuid = std::fs::read_to_string(path).with_context(|| format!("read {path}"))?;
    BootId::from_uuid(&uuid).with_context(|| format!("understand {path}"))
}
