//! What never arrived: jumps in the sequence numbers of each CPU, lane and kind.

use ebpf::shared::{CpuCounters, KindCounters};
use ebpf::wire::LANES;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Fork = 0,
    Exec = 1,
    Exit = 2,
}

impl Kind {
    pub(crate) const ALL: [Kind; 3] = [Kind::Fork, Kind::Exec, Kind::Exit];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Kind::Fork => "fork",
            Kind::Exec => "exec",
            Kind::Exit => "exit",
        }
    }

    pub(crate) fn counters(self, cpu: &CpuCounters) -> &KindCounters {
        match self {
            Kind::Fork => &cpu.fork,
            Kind::Exec => &cpu.exec,
            Kind::Exit => &cpu.exit,
        }
    }
}

/// Where a sequence runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Slot {
    pub(crate) cpu: u32,
    pub(crate) lane: u32,
}

/// The last sequence number seen of each slot and kind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Sequences {
    last: Vec<[[u64; 3]; LANES]>,
    /// The numbers before the first one seen are not known to be lost.
    is_joined_late: bool,
}

impl Sequences {
    /// Notes a record; returns how many of its kind were lost in its slot just before it.
    pub(crate) fn note(&mut self, slot: Slot, kind: Kind, sequence: u64) -> u64 {
        let is_joined_late = self.is_joined_late;
        let last = self.last(slot, kind);
        if sequence <= *last {
            // Already given up as lost, or damaged: never counted backwards.
            return 0;
        }
        let lost = if *last == 0 && is_joined_late { 0 } else { sequence - *last - 1 };
        *last = sequence;
        lost
    }

    /// For a ring that others have read before, and nothing tells how far.
    pub(crate) fn joined_late() -> Self {
        Self { last: Vec::new(), is_joined_late: true }
    }

    /// Gives up on everything up to `meant`, when the ring is empty; returns how many that are.
    pub(crate) fn give_up(&mut self, slot: Slot, kind: Kind, meant: u64) -> u64 {
        let is_joined_late = self.is_joined_late;
        let last = self.last(slot, kind);
        if *last == 0 && is_joined_late {
            return 0;
        }
        let lost = meant.saturating_sub(*last);
        *last = (*last).max(meant);
        lost
    }

    fn last(&mut self, slot: Slot, kind: Kind) -> &mut u64 {
        // A damaged record must not make this grow without bound: Linux has at most 8,192 CPUs.
        let cpu = (slot.cpu as usize).min(8191);
        if cpu >= self.last.len() {
            self.last.resize(cpu + 1, [[0; 3]; LANES]);
        }
        &mut self.last[cpu][(slot.lane as usize).min(LANES - 1)][kind as usize]
    }

    /// Form for the database: little-endian numbers, first how many lanes there are of each CPU.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let numbers = self.last.iter().flatten().flatten().copied();
        std::iter::once(LANES as u64).chain(numbers).flat_map(u64::to_le_bytes).collect()
    }

    /// With what another version wrote, which had other lanes; what it cannot be is as not seen.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Self {
        let (numbers, rest) = bytes.as_chunks::<8>();
        let numbers: Vec<u64> = numbers.iter().map(|bytes| u64::from_le_bytes(*bytes)).collect();
        let Some((&lanes, numbers)) = numbers.split_first() else { return Self::default() };
        let (slots, odd) = numbers.as_chunks::<3>();
        let lanes = usize::try_from(lanes).unwrap_or(0);
        if lanes == 0 || !(rest.is_empty() && odd.is_empty() && slots.len().is_multiple_of(lanes)) {
            return Self::joined_late();
        }
        let cpu = |slots: &[[u64; 3]]| {
            let mut last = [[0; 3]; LANES];
            for (to, from) in last.iter_mut().zip(slots) {
                *to = *from;
            }
            last
        };
        Self { last: slots.chunks(lanes).map(cpu).collect(), is_joined_late: false }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cpu(cpu: u32) -> Slot {
        Slot { cpu, lane: 0 }
    }

    #[test]
    fn jumps_are_counted_once() {
        let mut sequences = Sequences::default();
        assert_eq!(sequences.note(cpu(1), Kind::Exec, 1), 0);
        assert_eq!(sequences.note(cpu(1), Kind::Exec, 5), 3);
        assert_eq!(sequences.note(cpu(0), Kind::Exec, 3), 2);
        assert_eq!(sequences.note(cpu(1), Kind::Exit, 1), 0);
        assert_eq!(sequences.give_up(cpu(1), Kind::Exec, 9), 4);
        assert_eq!(sequences.give_up(cpu(1), Kind::Exec, 9), 0);
        assert_eq!(sequences.note(cpu(1), Kind::Exec, 8), 0);
        assert_eq!(sequences.note(cpu(1), Kind::Exec, 10), 0);
        assert_eq!(sequences.note(Slot { cpu: 1, lane: 2 }, Kind::Exec, 2), 1);
    }

    #[test]
    fn what_came_before_joining_is_no_loss() {
        let mut sequences = Sequences::joined_late();
        assert_eq!(sequences.note(cpu(0), Kind::Fork, 900), 0);
        assert_eq!(sequences.note(cpu(0), Kind::Fork, 902), 1);
        assert_eq!(sequences.give_up(cpu(0), Kind::Exit, 700), 0);
    }

    #[test]
    fn the_stored_form_round_trips() {
        let mut sequences = Sequences::default();
        sequences.note(cpu(2), Kind::Fork, 7);
        assert_eq!(Sequences::from_bytes(&sequences.to_bytes()), sequences);
        assert_eq!(Sequences::from_bytes(&[1, 2, 3]), Sequences::default());
    }

    #[test]
    fn the_form_of_a_version_with_other_lanes_is_read() {
        let numbers = |numbers: &[u64]| -> Vec<u8> {
            numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
        };
        let mut read = Sequences::from_bytes(&numbers(&[2, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]));
        assert_eq!(read.note(Slot { cpu: 1, lane: 1 }, Kind::Fork, 13), 13 - 10 - 1);
        assert_eq!(read.note(Slot { cpu: 1, lane: 2 }, Kind::Fork, 2), 1);
        for damaged in [&[0, 1, 2, 3][..], &[2, 1, 2, 3], &[1, 1, 2], &[u64::MAX, 1, 2, 3]] {
            assert_eq!(Sequences::from_bytes(&numbers(damaged)), Sequences::joined_late());
        }
    }
}
