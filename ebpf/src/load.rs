//! Puts the programs into the kernel. Needs CAP_BPF and CAP_PERFMON (CAP_SYS_ADMIN in 5.8's sense
//! where those are not enough); what it makes can be used by a process that has neither.

mod error;
mod statistics;

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use aya::maps::{Array, Map};
use aya::programs::tp_btf::BtfTracePointLinkId;
use aya::programs::{BtfTracePoint, Iter};
use aya::{Btf, Ebpf, EbpfLoader};
use nix::sys::resource::{Resource, setrlimit};

use crate::map::page_size_bytes;
use crate::shared::{ELEMENT_BYTES, Slots};
use crate::wire::LANES;

pub use error::LoadError;
pub use statistics::ProgramStatistics;

use error::KernelVersion;

/// The compiled kernel half.
pub(crate) static OBJECT: &[u8] =
    aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/recorder.bpf.o"));

/// Programs, one for each lane, and their tracepoint, in the order of attaching.
const TRACEPOINTS: [([&str; LANES], &str); 3] = [
    (["recorder_exit_0", "recorder_exit_1", "recorder_exit_2"], "sched_process_exit"),
    (["recorder_exec_0", "recorder_exec_1", "recorder_exec_2"], "sched_process_exec"),
    (["recorder_fork_0", "recorder_fork_1", "recorder_fork_2"], "sched_process_fork"),
];
/// From here on tracepoints run with preemption on (`bpf/lane.h`).
const PREEMPTIBLE_SINCE: KernelVersion = KernelVersion { major: 7, minor: 0 };
const ITERATOR: &str = "recorder_running";
/// Brought `bpf_copy_from_user_task`.
const ITERATOR_SINCE: KernelVersion = KernelVersion { major: 5, minor: 18 };

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
/// process (a fork) still holds their descriptors.
pub struct Programs {
    ebpf: Ebpf,
    links: Vec<(&'static str, BtfTracePointLinkId)>,
    has_iterator: bool,
    ring_size_bytes: u32,
    slots: Slots,
}

impl Programs {
    /// Loads maps and programs, without attaching them.
    pub fn load(options: &Options) -> Result<Self, LoadError> {
        let kernel = KernelVersion::running()?;
        check_ring_size(options.ring_size_bytes)?;
        let btf = Btf::from_sys_fs().map_err(|error| LoadError::no_btf(&error))?;
        raise_memory_limit();

        let lanes = options.lanes.count(kernel);
        let slots = Slots { cpus: possible_cpus()?, lanes: lanes as u32 };
        let mut ebpf = EbpfLoader::new()
            .btf(Some(&btf))
            .map_max_entries("events", options.ring_size_bytes)
            .map_max_entries("exec_scratch", slots.count())
            .map_max_entries("shared", slots.count() + 1)
            .load(OBJECT)
            .map_err(|error| LoadError::from_object(error, kernel))?;
        write_control(&mut ebpf, options, slots)?;
        for (name, tracepoint) in in_lanes(lanes) {
            let program: &mut BtfTracePoint = program(&mut ebpf, name)?;
            let result = program.load(tracepoint, &btf);
            result.map_err(|error| LoadError::from_program(name, error, kernel))?;
        }
        let has_iterator = load_iterator(&mut ebpf, &btf, kernel)?;
        let ring_size_bytes = options.ring_size_bytes;
        Ok(Self { ebpf, links: Vec::new(), has_iterator, ring_size_bytes, slots })
    }

    /// Begins to capture. Nothing happens to what is already attached.
    pub fn attach(&mut self) -> Result<(), LoadError> {
        for (name, tracepoint) in in_lanes(self.slots.lanes as usize) {
            if self.links.iter().any(|(attached, _)| *attached == name) {
                continue;
            }
            let program: &mut BtfTracePoint = program(&mut self.ebpf, name)?;
            let link = program.attach().map_err(|error| LoadError::attach(tracepoint, error))?;
            self.links.push((name, link));
        }
        Ok(())
    }

    /// Stops capturing; what is in the ring stays there.
    pub fn detach(&mut self) {
        // The last lane first: without its mark an event of a later lane would be taken twice.
        for (name, link) in self.links.drain(..).rev() {
            if let Ok(program) = program::<BtfTracePoint>(&mut self.ebpf, name) {
                // Fails only for a link that is not there.
                let _ = program.detach(link);
            }
        }
    }

    pub fn ring_fd(&self) -> BorrowedFd<'_> {
        self.map_fd("events")
    }

    pub fn shared_fd(&self) -> BorrowedFd<'_> {
        self.map_fd("shared")
    }

    pub fn ring_size_bytes(&self) -> u32 {
        self.ring_size_bytes
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
        if !self.has_iterator {
            return Ok(None);
        }
        let iterator: &mut Iter = program(&mut self.ebpf, ITERATOR)?;
        let failed = |error| LoadError::attach("task iterator", error);
        let link = iterator.attach().and_then(|id| iterator.take_link(id)).map_err(failed)?;
        let file = link.into_file().map_err(|error| LoadError::Other(Box::new(error)))?;
        Ok(Some(file.into()))
    }

    /// How often the programs ran, and were skipped.
    pub fn statistics(&self) -> Result<Vec<ProgramStatistics>, LoadError> {
        let names = in_lanes(self.slots.lanes as usize).map(|(name, _)| name);
        let iterator = self.has_iterator.then_some(ITERATOR);
        names.chain(iterator).map(|name| statistics::read(&self.ebpf, name)).collect()
    }

    fn map_fd(&self, name: &str) -> BorrowedFd<'_> {
        match self.ebpf.map(name) {
            Some(Map::RingBuf(map) | Map::Array(map)) => map.fd().as_fd(),
            _ => unreachable!("the object has this map"),
        }
    }
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

fn load_iterator(ebpf: &mut Ebpf, btf: &Btf, kernel: KernelVersion) -> Result<bool, LoadError> {
    if kernel < ITERATOR_SINCE {
        return Ok(false);
    }
    let iterator: &mut Iter = program(ebpf, ITERATOR)?;
    let result = iterator.load("task", btf);
    result.map_err(|error| LoadError::from_program(ITERATOR, error, kernel))?;
    Ok(true)
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
