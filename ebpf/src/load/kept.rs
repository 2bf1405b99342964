//! Programs that outlive the process which loaded them: a service manager keeps their descriptors
//! while the service restarts, they go on writing into the ring, and the next process takes over.

use std::fs;
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd};

use aya::Btf;

use super::error::KernelVersion;
use super::{LoadError, Options, Programs, Running, Tracer, in_lanes, load_object, possible_cpus};
use crate::map::page_size_bytes;
use crate::shared::{Shared, Slots};
use crate::wire::{LANES, VERSION};

/// A descriptor with the name it is kept under.
pub type Kept = (String, OwnedFd);

/// Why kept programs cannot be taken over.
#[derive(Debug, thiserror::Error)]
pub enum NotUsable {
    #[error("they are of another version")]
    OtherVersion,
    #[error("not all of them were kept: {0} is missing")]
    Missing(String),
    #[error("one of them is not what its name says: {0}")]
    Odd(&'static str),
    #[error(transparent)]
    Load(#[from] LoadError),
}

/// Names begin with the version of what the programs write, so that a recorder which reads another
/// one loads its own.
fn name_of(what: &str) -> String {
    format!("v{VERSION}-{what}")
}

impl Programs {
    /// What has to be kept for [`Self::take_over`], each with its name.
    pub fn to_keep(&self) -> Vec<(String, BorrowedFd<'_>)> {
        let maps = [("ring", self.ring.as_fd()), ("shared", self.shared.as_fd())];
        let maps = maps.into_iter().map(|(name, fd)| (name_of(name), fd));
        let programs = self.tracers.iter().flat_map(|tracer| {
            let program = (name_of(&format!("program-{}", tracer.name)), tracer.program.as_fd());
            let link = tracer.link.as_ref();
            let link = link.map(|link| (name_of(&format!("link-{}", tracer.name)), link.as_fd()));
            [Some(program), link].into_iter().flatten()
        });
        maps.chain(programs).collect()
    }

    /// Goes on with programs that another process loaded and attached.
    pub fn take_over(mut kept: Vec<Kept>, capture_env: bool) -> Result<Self, NotUsable> {
        let version = name_of("");
        if kept.iter().any(|(name, _)| !name.starts_with(&version)) {
            return Err(NotUsable::OtherVersion);
        }
        let mut take = |what: &str| {
            let name = name_of(what);
            let at = kept.iter().position(|(kept, _)| *kept == name);
            at.map(|at| kept.swap_remove(at).1).ok_or(NotUsable::Missing(name))
        };
        let (ring, shared) = (take("ring")?, take("shared")?);
        let (ring_size_bytes, slots) = (ring_size(&ring)?, slots(&shared)?);
        let mut tracers = Vec::new();
        for (name, tracepoint) in in_lanes(slots.lanes as usize) {
            let program = take(&format!("program-{name}"))?;
            let link = Some(take(&format!("link-{name}"))?);
            tracers.push(Tracer { name, tracepoint, program, link });
        }
        let map = Shared::map(shared.as_fd(), slots).map_err(|_| NotUsable::Odd("shared"))?;
        map.set_capture_env(capture_env);
        let running = load_iterator(capture_env, map.cookie())?;
        Ok(Self { ring, shared, tracers, running, ring_size_bytes, slots })
    }
}

/// The iterator is loaded anew, with maps of its own that are as small as can be.
fn load_iterator(capture_env: bool, cookie: u64) -> Result<Option<Running>, LoadError> {
    let kernel = KernelVersion::running()?;
    let btf = Btf::from_sys_fs().map_err(|error| LoadError::no_btf(&error))?;
    let ring_size_bytes = u32::try_from(page_size_bytes()).unwrap_or(1 << 16);
    let lanes = super::Lanes::AsNeeded;
    let options = Options { ring_size_bytes, capture_env, cookie, lanes };
    let ebpf = load_object(&btf, kernel, &options, Slots { cpus: 1, lanes: 1 })?;
    Running::load(ebpf, &btf, kernel)
}

/// Values of `enum bpf_map_type` in `linux/bpf.h`.
const ARRAY: u32 = 2;
const RING: u32 = 27;

fn ring_size(ring: &OwnedFd) -> Result<u32, NotUsable> {
    match map_facts(ring) {
        Some((RING, size_bytes)) => Ok(size_bytes),
        _ => Err(NotUsable::Odd("ring")),
    }
}

/// There is one element for each CPU and lane, and one more.
fn slots(shared: &OwnedFd) -> Result<Slots, NotUsable> {
    let odd = NotUsable::Odd("shared");
    let Some((ARRAY, elements)) = map_facts(shared) else { return Err(odd) };
    let cpus = possible_cpus()?;
    let slots = Slots { cpus, lanes: elements.saturating_sub(1) / cpus.max(1) };
    let is_whole = slots.count() + 1 == elements && (1..=LANES).contains(&(slots.lanes as usize));
    if is_whole { Ok(slots) } else { Err(odd) }
}

/// Type and number of entries of a map.
fn map_facts(map: &OwnedFd) -> Option<(u32, u32)> {
    let text = fs::read_to_string(format!("/proc/self/fdinfo/{}", map.as_raw_fd())).ok()?;
    let number = |key: &str| -> Option<u32> {
        text.lines().find_map(|line| line.strip_prefix(key)?.trim().parse().ok())
    };
    Some((number("map_type:")?, number("max_entries:")?))
}
