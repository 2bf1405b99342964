//! Every order in which the steps of a reader and two senders can come, to see that the reader never
//! sleeps while a record waits: the handshake of [`super::Shared::set_waiting`] and `bpf/send.h`, with
//! room in the ring. (Without, the reader's time limit wakes it.)
//!
//! Senders are programs on two CPUs. What a thread stores stays in its store buffer until it comes to
//! a full barrier, or at any time before; others load what has left the buffers. That is what x86
//! does, and what both sides' barriers are for.

use std::collections::HashSet;

const SENDERS: usize = 2;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Sending {
    /// `wake_now`
    AskNow,
    Reserve {
        wakes: bool,
    },
    Commit {
        wakes: bool,
        place: usize,
    },
    /// `wake_late`
    AskLate,
    WakeLate,
    Done,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Reading {
    SayWaiting,
    Barrier,
    Look,
    Sleep,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct State {
    waiting: bool,
    /// Of each thread, the reader's last: the values of `waiting` that nobody else sees yet.
    buffers: [Vec<bool>; SENDERS + 1],
    /// In the ring's order, whether it is complete.
    records: Vec<bool>,
    read: usize,
    /// Wake-ups that the reader has not met: it waits for an edge.
    is_woken: bool,
    senders: [Sending; SENDERS],
    reader: Reading,
}

const READER: usize = SENDERS;

impl State {
    fn new() -> Self {
        Self {
            waiting: false,
            buffers: Default::default(),
            records: Vec::new(),
            read: 0,
            is_woken: false,
            senders: [Sending::AskNow; SENDERS],
            reader: Reading::SayWaiting,
        }
    }

    fn store(&mut self, thread: usize, value: bool) {
        let buffer = &mut self.buffers[thread];
        buffer.push(value);
        // None is endless.
        if buffer.len() > 3 {
            self.waiting = buffer.remove(0);
        }
    }

    fn load(&self, thread: usize) -> bool {
        self.buffers[thread].last().copied().unwrap_or(self.waiting)
    }

    fn barrier(&mut self, thread: usize) {
        if let Some(last) = std::mem::take(&mut self.buffers[thread]).pop() {
            self.waiting = last;
        }
    }

    /// What another thread may do next, and what the buffers may.
    fn next(&self, has_barrier: bool) -> Vec<Self> {
        let mut all: Vec<_> = (0..SENDERS).filter_map(|sender| self.send(sender)).collect();
        all.extend(self.read(has_barrier));
        for thread in 0..=SENDERS {
            if !self.buffers[thread].is_empty() {
                let mut state = self.clone();
                state.waiting = state.buffers[thread].remove(0);
                all.push(state);
            }
        }
        all
    }

    fn send(&self, sender: usize) -> Option<Self> {
        let mut state = self.clone();
        let next = match self.senders[sender] {
            Sending::AskNow => {
                let wakes = state.load(sender);
                if wakes {
                    state.store(sender, false);
                }
                Sending::Reserve { wakes }
            }
            Sending::Reserve { wakes } => {
                // A lock of the kernel, which is a barrier.
                state.barrier(sender);
                state.records.push(false);
                Sending::Commit { wakes, place: state.records.len() - 1 }
            }
            Sending::Commit { wakes, place } => {
                state.barrier(sender);
                state.records[place] = true;
                state.is_woken |= wakes;
                Sending::AskLate
            }
            Sending::AskLate if state.load(sender) => {
                state.store(sender, false);
                Sending::WakeLate
            }
            Sending::AskLate => Sending::Done,
            Sending::WakeLate => {
                state.barrier(sender);
                state.is_woken = true;
                Sending::Done
            }
            Sending::Done => return None,
        };
        state.senders[sender] = next;
        Some(state)
    }

    fn read(&self, has_barrier: bool) -> Option<Self> {
        let mut state = self.clone();
        state.reader = match self.reader {
            Reading::SayWaiting => {
                state.store(READER, true);
                if has_barrier { Reading::Barrier } else { Reading::Look }
            }
            Reading::Barrier => {
                state.barrier(READER);
                Reading::Look
            }
            // One that is being written counts too.
            Reading::Look if state.records.len() > state.read => {
                state.store(READER, false);
                state.read = state.complete();
                Reading::SayWaiting
            }
            Reading::Look => Reading::Sleep,
            Reading::Sleep if state.is_woken => {
                state.is_woken = false;
                state.store(READER, false);
                state.read = state.complete();
                Reading::SayWaiting
            }
            Reading::Sleep => return None,
        };
        Some(state)
    }

    /// Records that can be read: a later one is hidden behind one that is being written.
    fn complete(&self) -> usize {
        self.records.iter().take_while(|is_complete| **is_complete).count()
    }
}

/// All states in which nothing can happen any more.
fn ends(has_barrier: bool) -> Vec<State> {
    let mut seen = HashSet::from([State::new()]);
    let mut rest = vec![State::new()];
    let mut ends = Vec::new();
    while let Some(state) = rest.pop() {
        let next = state.next(has_barrier);
        if next.is_empty() {
            ends.push(state);
            continue;
        }
        rest.extend(next.into_iter().filter(|state| seen.insert(state.clone())));
    }
    ends
}

#[test]
fn no_reader_sleeps_while_a_record_waits() {
    let ends = ends(true);
    assert!(!ends.is_empty());
    for end in ends {
        assert_eq!((end.read, end.complete()), (SENDERS, SENDERS), "{end:?}");
    }
}

/// What it takes to be told apart from a handshake that does not work.
#[test]
fn without_its_barrier_a_reader_may_sleep_for_good() {
    assert!(ends(false).iter().any(|end| end.read < SENDERS));
}
