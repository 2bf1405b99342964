//! What was read so far: stored with each batch, so that a recorder that takes over a ring goes on
//! counting where the one before committed last.

use common::health::Kinds;

use super::sequence::Sequences;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Progress {
    pub(crate) decoded: Kinds,
    pub(crate) duplicate_exits: u64,
    pub(crate) undecodable: u64,
    /// Times the kernel skipped a program, as far as gaps tell of them.
    pub(crate) not_run: u64,
    pub(crate) sequences: Sequences,
}

impl Progress {
    /// Form for the database: little-endian numbers.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let Kinds { fork, exec, exit } = self.decoded;
        let counts = [fork, exec, exit, self.duplicate_exits, self.undecodable, self.not_run];
        let mut bytes: Vec<u8> = counts.iter().flat_map(|number| number.to_le_bytes()).collect();
        bytes.extend(self.sequences.to_bytes());
        bytes
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Self {
        let Some((counts, sequences)) = bytes.split_at_checked(6 * 8) else {
            return Self::default();
        };
        let mut numbers = counts.as_chunks::<8>().0.iter().map(|chunk| u64::from_le_bytes(*chunk));
        let mut next = || numbers.next().unwrap_or(0);
        Self {
            decoded: Kinds { fork: next(), exec: next(), exit: next() },
            duplicate_exits: next(),
            undecodable: next(),
            not_run: next(),
            sequences: Sequences::from_bytes(sequences),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::sequence::{Kind, Slot};
    use super::*;

    #[test]
    fn the_stored_form_round_trips() {
        let mut progress = Progress {
            decoded: Kinds { fork: 1, exec: 2, exit: 3 },
            duplicate_exits: 4,
            undecodable: 5,
            not_run: 6,
            sequences: Sequences::default(),
        };
        progress.sequences.note(Slot { cpu: 1, lane: 2 }, Kind::Exit, 9);
        assert_eq!(Progress::from_bytes(&progress.to_bytes()), progress);
        assert_eq!(Progress::from_bytes(b"short"), Progress::default());
    }
}
