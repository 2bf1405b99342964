//! Puts the programs into the kernel. Needs CAP_BPF and CAP_PERFMON (CAP_SYS_ADMIN in 5.8's sense
//! where those are not enough); what it makes can be used by a process that has neither, and
//! outlives this one where somebody keeps the descriptors.

mod error;
mod iterator;
mod kept;
mod link;
mod statistics;

use std::io::ErrorKind;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};

use aya::maps::{Array, Map};
use aya::programs::{BtfTracePoint, ProgramError, ProgramFd};
use aya::{Btf, Ebpf, EbpfLoader};
use nix::sys::resource::{Resource, setrlimit};

use crate::map::page_size_bytes;
use crate::shared::{ELEMENT_BYTES, Shared, Slots};
use crate::wire::LANES;

pub use error::LoadError;
pub use kept::{Kept, NotUsable};
pub use statistics::ProgramStatistics;

use error::KernelVersion;
use iterator::Iterator as Running;

/// The compiled kernel half.
pub(crate) static OBJECT: &[u8] =
    aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/recorder.bpf.o"));

macro_rules! lanes {
    ($name:literal) => {
        [
            concat!($name, "_0"),
            concat!($name, "_1"),
            concat!($name, "_2"),
            concat!($name, "_3"),
            concat!($name, "_4"),
        ]
    };
}

/// Programs, one for each lane, and their tracepoint, in the order of attaching.
const TRACEPOINTS: [([&str; LANES], &str); 3] = [
    (lanes!("recorder_exit"), "sched_process_exit"),
    (lanes!("recorder_exec"), "sched_process_exec"),
    (lanes!("recorder_fork"), "sched_process_fork"),
];
/// From here on tracepoints run with preemption on (`bpf/lane.h`).
const PREEMPTIBLE_SINCE: KernelVersion = KernelVersion { major: 7, minor: 0 };

pub struct Options {
    /// A power of two, at least a page.
    pub ring_size_bytes: u32,
    /// Can be switched later with [`crate::shared::Shared::set_capture_env`].
    pub capture_env: bool,
    /// A random number that tells this ring from others.
    pub cookie: u64,
    pub lanes: Lanes,
}

/// How many copies of each program there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lanes {
    /// As many as the running kernel needs.
    AsNeeded,
    /// As many as the newest kernels need, whatever runs.
    All,
}

impl Lanes {
    fn count(self, kernel: KernelVersion) -> usize {
        match self {
            Lanes::AsNeeded if kernel < PREEMPTIBLE_SINCE => 1,
            _ => LANES,
        }
    }
}

/// The programs and maps in the kernel. Dropping it detaches and removes them, unless another
/// process (a fork, a service manager) still holds their descriptors.
pub struct Programs {
    ring: OwnedFd,
    shared: OwnedFd,
    tracers: Vec<Tracer>,
    running: Option<Running>,
    ring_size_bytes: u32,
    slots: Slots,
}

/// A program that waits for a tracepoint.
struct Tracer {
    name: &'static str,
    tracepoint: &'static str,
    program: OwnedFd,
    /// As long as it is attached.
    link: Option<OwnedFd>,
}

impl Programs {
    /// Loads maps and programs, without attaching them.
    pub fn load(options: &Options) -> Result<Self, LoadError> {
        let kernel = KernelVersion::running()?;
        check_ring_size(options.ring_size_bytes)?;
        let btf = Btf::from_sys_fs().map_err(|error| LoadError::no_btf(&error))?;
        raise_memory_limit();

        let slots = Slots { cpus: possible_cpus()?, lanes: options.lanes.count(kernel) as u32 };
        let mut ebpf = load_object(&btf, kernel, options, slots)?;
        let mut tracers = Vec::new();
        for (name, tracepoint) in in_lanes(slots.lanes as usize) {
            let program: &mut BtfTracePoint = program(&mut ebpf, name)?;
            let result = verified(|| program.load(tracepoint, &btf));
            result.map_err(|error| LoadError::from_program(name, error, kernel))?;
            let program = descriptor(program.fd())?;
            tracers.push(Tracer { name, tracepoint, program, link: None });
        }
        let map = |name| match ebpf.map(name) {
            Some(Map::RingBuf(map) | Map::Array(map)) => owned(map.fd().as_fd()),
            _ => Err(LoadError::Incomplete(name)),
        };
        Ok(Self {
            ring: map("events")?,
            shared: map("shared")?,
            tracers,
            running: Running::load(ebpf, &btf, kernel)?,
            ring_size_bytes: options.ring_size_bytes,
            slots,
        })
    }

    /// Begins to capture. Nothing happens to what is already attached.
    pub fn attach(&mut self) -> Result<(), LoadError> {
        for tracer in self.tracers.iter_mut().filter(|tracer| tracer.link.is_none()) {
            let link = link::attach(tracer.program.as_fd());
            tracer.link = Some(link.map_err(|error| LoadError::attach(tracer.tracepoint, error))?);
        }
        Ok(())
    }

    /// Stops capturing; what is in the ring stays there.
    pub fn detach(&mut self) {
        // The last lane first: without its mark an event of a later lane would be taken twice.
        for tracer in self.tracers.iter_mut().rev() {
            tracer.link = None;
        }
    }

    pub fn ring_fd(&self) -> BorrowedFd<'_> {
        self.ring.as_fd()
    }

    pub fn shared_fd(&self) -> BorrowedFd<'_> {
        self.shared.as_fd()
    }

    pub fn ring_size_bytes(&self) -> u32 {
        self.ring_size_bytes
    }

    /// Switches the capture of environments, from the next exec on.
    pub fn set_capture_env(&self, is_captured: bool) -> std::io::Result<()> {
        Shared::map(self.shared_fd(), self.slots)?.set_capture_env(is_captured);
        Ok(())
    }

    /// What the shared map has counters for.
    pub fn slots(&self) -> Slots {
        self.slots
    }

    /// A new descriptor to read the processes that run now from, with [`crate::wire::records`].
    /// `None` before Linux 5.18. Read one to its end (or close it) before asking for another: they
    /// share a buffer in the kernel. Reading it needs no privilege but must be done in large
    /// pieces (64 KiB): a record is never split by the kernel unless the piece is too small.
    pub fn snapshot(&mut self) -> Result<Option<OwnedFd>, LoadError> {
        self.running.as_mut().map(Running::open).transpose()
    }

    /// How often the programs ran, and were skipped.
    pub fn statistics(&self) -> Result<Vec<ProgramStatistics>, LoadError> {
        let tracers = self.tracers.iter().map(|tracer| (tracer.name, tracer.program.as_fd()));
        let mut all = Vec::new();
        for (name, program) in tracers {
            all.push(statistics::read(name, program)?);
        }
        if let Some(running) = &self.running {
            all.push(statistics::read(iterator::NAME, running.descriptor()?.as_fd())?);
        }
        Ok(all)
    }
}

/// The object with its maps in the kernel, and none of its programs yet.
fn load_object(
    btf: &Btf,
    kernel: KernelVersion,
    options: &Options,
    slots: Slots,
) -> Result<Ebpf, LoadError> {
    let mut ebpf = EbpfLoader::new()
        .btf(Some(btf))
        .map_max_entries("events", options.ring_size_bytes)
        .map_max_entries("exec_scratch", slots.count())
        .map_max_entries("shared", slots.count() + 1)
        .load(OBJECT)
        .map_err(|error| LoadError::from_object(error, kernel))?;
    write_control(&mut ebpf, options, slots)?;
    Ok(ebpf)
}

/// A signal to this thread makes the verifier give up, with EAGAIN, since Linux 5.0.
fn verified(mut load: impl FnMut() -> Result<(), ProgramError>) -> Result<(), ProgramError> {
    const TRIES: u32 = 10;
    for _ in 1..TRIES {
        match load() {
            Err(ProgramError::LoadError { io_error, .. })
                if io_error.kind() == ErrorKind::WouldBlock => {}
            result => return result,
        }
    }
    load()
}

fn descriptor(program: Result<&ProgramFd, ProgramError>) -> Result<OwnedFd, LoadError> {
    owned(program.map_err(|error| LoadError::Other(Box::new(error)))?.as_fd())
}

fn owned(descriptor: BorrowedFd<'_>) -> Result<OwnedFd, LoadError> {
    descriptor.try_clone_to_owned().map_err(|error| LoadError::Other(Box::new(error)))
}

/// Name and tracepoint of each program that is needed; of one tracepoint the first lane first.
fn in_lanes(lanes: usize) -> impl Iterator<Item = (&'static str, &'static str)> {
    TRACEPOINTS
        .iter()
        .flat_map(move |(names, tracepoint)| names[..lanes].iter().map(|name| (*name, *tracepoint)))
}

fn program<'a, P>(ebpf: &'a mut Ebpf, name: &'static str) -> Result<&'a mut P, LoadError>
where
    &'a mut P: TryFrom<&'a mut aya::programs::Program, Error = aya::programs::ProgramError>,
{
    let program = ebpf.program_mut(name).ok_or(LoadError::Incomplete(name))?;
    program.try_into().map_err(|error| LoadError::Other(Box::new(error)))
}

fn check_ring_size(size_bytes: u32) -> Result<(), LoadError> {
    let page_size_bytes = page_size_bytes();
    if size_bytes.is_power_of_two() && size_bytes as usize >= page_size_bytes {
        Ok(())
    } else {
        Err(LoadError::BadRingSize { size_bytes, page_size_bytes })
    }
}

/// Until 5.11 the memory of maps and programs counts as locked memory of the process. Where this
/// is not allowed, loading fails and says so.
fn raise_memory_limit() {
    let all = nix::libc::RLIM_INFINITY;
    let _ = setrlimit(Resource::RLIMIT_MEMLOCK, all, all);
}

fn possible_cpus() -> Result<u32, LoadError> {
    let cpus = aya::util::nr_cpus()
        .map_err(|(_, error)| LoadError::Other(Box::new(error)))
        .map(u32::try_from)?;
    cpus.map_err(|error| LoadError::Other(Box::new(error)))
}

fn write_control(ebpf: &mut Ebpf, options: &Options, slots: Slots) -> Result<(), LoadError> {
    use crate::shared::Control;
    use std::mem::offset_of;

    let mut control = [0u8; ELEMENT_BYTES];
    let mut put = |offset: usize, bytes: &[u8]| {
        control[offset..offset + bytes.len()].copy_from_slice(bytes);
    };
    let page_size_bytes = u32::try_from(page_size_bytes()).unwrap_or_default();
    put(offset_of!(Control, cookie), &options.cookie.to_ne_bytes());
    put(offset_of!(Control, capture_env), &u32::from(options.capture_env).to_ne_bytes());
    put(offset_of!(Control, page_size_bytes), &page_size_bytes.to_ne_bytes());
    put(offset_of!(Control, cpus), &slots.cpus.to_ne_bytes());
    put(offset_of!(Control, last_lane), &(slots.lanes - 1).to_ne_bytes());

    let map = ebpf.map_mut("shared").ok_or(LoadError::Incomplete("shared"))?;
    let mut elements: Array<_, [u8; ELEMENT_BYTES]> =
        map.try_into().map_err(|error| LoadError::Other(Box::<aya::maps::MapError>::new(error)))?;
    elements.set(0, control, 0).map_err(|error| LoadError::Other(Box::new(error)))
}
