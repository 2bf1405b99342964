//! The map that kernel and reader share: a control block and counters for each CPU.
//!
//! Read through a memory map, because on old kernels (5.10) an unprivileged process may not look
//! up a map even with its descriptor. The layout is that of `bpf/wire.h`; a test compares the two.

use std::io;
use std::mem::offset_of;
use std::os::fd::BorrowedFd;
use std::sync::atomic::{Ordering, fence};

use crate::map::{Mapping, page_size_bytes};

/// What was sent and lost of one kind of record, since load.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct KindCounters {
    /// Records meant to be sent: the last sequence number given.
    pub sequence: u64,
    pub sent: u64,
    pub dropped_ring_full: u64,
}

/// How many records had something missing, by what it was.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CauseCounters {
    pub args: u64,
    pub env: u64,
    pub executable: u64,
    pub cwd: u64,
    pub cgroup: u64,
    pub other: u64,
}

#[repr(C, align(64))]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CpuCounters {
    pub fork: KindCounters,
    pub exec: KindCounters,
    pub exit: KindCounters,
    /// Could not be read.
    pub faults: CauseCounters,
    /// Were longer than what is captured.
    pub cuts: CauseCounters,
    /// Events that a copy of a program handled in place of one that the kernel had skipped.
    pub taken_over: u64,
    /// Events that a copy of a program left to the next one.
    pub passed_on: u64,
    reserved: [u64; 1],
}

/// First element of the map. The counters of CPU c in lane l are element 1 + l * cpus + c.
#[repr(C, align(64))]
pub(crate) struct Control {
    pub(crate) cookie: u64,
    pub(crate) waiting: u32,
    pub(crate) capture_env: u32,
    pub(crate) page_size_bytes: u32,
    pub(crate) cpus: u32,
    pub(crate) last_lane: u32,
    pub(crate) reserved: [u32; 41],
}

pub(crate) const ELEMENT_BYTES: usize = size_of::<CpuCounters>();
const _: () = assert!(size_of::<Control>() == ELEMENT_BYTES, "elements of one map");

/// How many elements there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slots {
    /// Possible CPUs.
    pub cpus: u32,
    /// Copies of each program.
    pub lanes: u32,
}

pub struct Shared {
    mapping: Mapping,
    slots: Slots,
}

/// The counters of one lane on one CPU.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SlotCounters {
    pub cpu: u32,
    pub lane: u32,
    pub counters: CpuCounters,
}

impl Shared {
    /// `slots` as of [`crate::load::Programs::slots`].
    pub fn map(fd: BorrowedFd<'_>, slots: Slots) -> io::Result<Self> {
        let size = (slots.count() as usize + 1) * ELEMENT_BYTES;
        let size = size.next_multiple_of(page_size_bytes());
        Ok(Self { mapping: Mapping::read_write(fd, size, 0)?, slots })
    }

    /// Tells this ring from others: a random number chosen by who loaded the programs.
    pub fn cookie(&self) -> u64 {
        self.mapping.u64(offset_of!(Control, cookie)).load(Ordering::Relaxed)
    }

    /// Says whether the reader is about to sleep and wants to be woken by the next record.
    ///
    /// To sleep: set it, look at the ring once more, and only then wait. Kernel and reader each
    /// write one thing (a record, this flag) and then read the other's, with a full barrier in
    /// between (here the fence; there committing the record), so at least one sees the other. The
    /// kernel clears the flag when it wakes the reader. With the ring full there may be no room to
    /// wake with, so wait with a time limit.
    pub fn set_waiting(&self, is_waiting: bool) {
        let flag = self.mapping.u32(offset_of!(Control, waiting));
        flag.store(is_waiting.into(), Ordering::SeqCst);
        fence(Ordering::SeqCst);
    }

    /// Switches the capture of environments, from the next exec on.
    pub fn set_capture_env(&self, is_captured: bool) {
        let switch = self.mapping.u32(offset_of!(Control, capture_env));
        switch.store(is_captured.into(), Ordering::Relaxed);
    }

    /// A snapshot of each slot. Counters of one slot may be a record apart.
    pub fn counters(&self) -> Vec<SlotCounters> {
        let cpus = self.slots.cpus;
        (0..self.slots.count())
            .map(|slot| SlotCounters {
                cpu: slot % cpus,
                lane: slot / cpus,
                counters: self.read((slot as usize + 1) * ELEMENT_BYTES),
            })
            .collect()
    }

    /// The sum over all CPUs.
    pub fn totals(&self) -> CpuCounters {
        let all = self.counters().into_iter().map(|slot| slot.counters);
        all.fold(CpuCounters::default(), CpuCounters::plus)
    }

    fn read(&self, start: usize) -> CpuCounters {
        let number = |offset| self.mapping.u64(start + offset).load(Ordering::Relaxed);
        let kind = |offset| KindCounters {
            sequence: number(offset + offset_of!(KindCounters, sequence)),
            sent: number(offset + offset_of!(KindCounters, sent)),
            dropped_ring_full: number(offset + offset_of!(KindCounters, dropped_ring_full)),
        };
        let causes = |offset| CauseCounters {
            args: number(offset + offset_of!(CauseCounters, args)),
            env: number(offset + offset_of!(CauseCounters, env)),
            executable: number(offset + offset_of!(CauseCounters, executable)),
            cwd: number(offset + offset_of!(CauseCounters, cwd)),
            cgroup: number(offset + offset_of!(CauseCounters, cgroup)),
            other: number(offset + offset_of!(CauseCounters, other)),
        };
        CpuCounters {
            fork: kind(offset_of!(CpuCounters, fork)),
            exec: kind(offset_of!(CpuCounters, exec)),
            exit: kind(offset_of!(CpuCounters, exit)),
            faults: causes(offset_of!(CpuCounters, faults)),
            cuts: causes(offset_of!(CpuCounters, cuts)),
            taken_over: number(offset_of!(CpuCounters, taken_over)),
            passed_on: number(offset_of!(CpuCounters, passed_on)),
            reserved: [0; 1],
        }
    }
}

impl Slots {
    pub(crate) fn count(self) -> u32 {
        self.cpus * self.lanes
    }
}

impl CpuCounters {
    fn plus(self, other: Self) -> Self {
        Self {
            fork: self.fork.plus(other.fork),
            exec: self.exec.plus(other.exec),
            exit: self.exit.plus(other.exit),
            faults: self.faults.plus(other.faults),
            cuts: self.cuts.plus(other.cuts),
            taken_over: self.taken_over + other.taken_over,
            passed_on: self.passed_on + other.passed_on,
            reserved: [0; 1],
        }
    }

    /// Records of every kind that found the ring full.
    pub fn dropped(&self) -> u64 {
        self.fork.dropped_ring_full + self.exec.dropped_ring_full + self.exit.dropped_ring_full
    }
}

impl KindCounters {
    fn plus(self, other: Self) -> Self {
        Self {
            sequence: self.sequence.wrapping_add(other.sequence),
            sent: self.sent.wrapping_add(other.sent),
            dropped_ring_full: self.dropped_ring_full.wrapping_add(other.dropped_ring_full),
        }
    }
}

impl CauseCounters {
    fn plus(self, other: Self) -> Self {
        Self {
            args: self.args.wrapping_add(other.args),
            env: self.env.wrapping_add(other.env),
            executable: self.executable.wrapping_add(other.executable),
            cwd: self.cwd.wrapping_add(other.cwd),
            cgroup: self.cgroup.wrapping_add(other.cgroup),
            other: self.other.wrapping_add(other.other),
        }
    }
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod waking;
