//! The reader's side of the kernel's ring buffer.
//!
//! Not aya's: here reading and releasing are two things. Records are read at once, and their space
//! is released when the database has them, so that a reader that dies loses nothing: the next one
//! begins at the released position.
//!
//! Two consequences. The kernel's own rule for waking a reader does not work (see `bpf/send.h` and
//! [`crate::shared::Shared::set_waiting`]). And `poll(2)` reports the ring readable as long as
//! anything is unreleased, so wait for it edge-triggered (epoll with `EPOLLET`, as tokio's
//! `AsyncFd` does), with a time limit.
//!
//! Needs no privilege: a process that inherited the descriptor can map it (tried on 5.10 to 7.2).
//! The format is the kernel's `include/uapi/linux/bpf.h` and `kernel/bpf/ringbuf.c`, Linux 5.8.

#![allow(unsafe_code, reason = "hands out slices of the ring that the kernel writes to")]

use std::io;
use std::os::fd::BorrowedFd;
use std::sync::atomic::{Ordering, fence};

use crate::map::{Mapping, page_size_bytes};

const BUSY: u32 = 1 << 31;
const DISCARDED: u32 = 1 << 30;
/// In front of each record: its length with the two flags, and a page number for the kernel.
const HEADER_BYTES: u64 = 8;

pub struct Ring {
    /// The page that holds the position up to which space is released.
    consumer: Mapping,
    /// The page that holds the position up to which records are written, then the data. Mapped
    /// once: the kernel offers the data twice in a row, so that no record wraps, but the second
    /// copy would count again as resident memory.
    producer: Mapping,
    data_offset: usize,
    size_bytes: u64,
    cursor: u64,
    /// A record that wraps around the end, in one piece.
    wrapped: Vec<u8>,
    is_damaged: bool,
}

impl Ring {
    /// Maps a ring of `size_bytes`, the size it was created with. Reading begins where the last
    /// reader released.
    pub fn map(fd: BorrowedFd<'_>, size_bytes: u32) -> io::Result<Self> {
        let page = page_size_bytes();
        let size = size_bytes as usize;
        if !size.is_power_of_two() || !size.is_multiple_of(page) {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let mut ring = Self {
            consumer: Mapping::read_write(fd, page, 0)?,
            producer: Mapping::read_only(fd, page + size, page)?,
            data_offset: page,
            size_bytes: size_bytes.into(),
            cursor: 0,
            wrapped: Vec::new(),
            is_damaged: false,
        };
        ring.cursor = ring.released();
        Ok(ring)
    }

    /// The next record. `None` at the end, and in front of a record that is still being written.
    #[expect(clippy::should_implement_trait, reason = "a lending iterator")]
    pub fn next(&mut self) -> Option<&[u8]> {
        let length = self.skip_to_record()?;
        let start = self.cursor + HEADER_BYTES;
        self.cursor = start + u64::from(length).next_multiple_of(8);
        Some(self.record(start, length as usize))
    }

    /// Behind the last record returned: what to release once it is stored.
    pub fn position(&self) -> u64 {
        self.cursor
    }

    /// Behind the last record written or being written.
    pub fn produced(&self) -> u64 {
        let position = self.producer.u64(0).load(Ordering::Relaxed);
        fence(Ordering::Acquire);
        position
    }

    /// Up to here the kernel may write again.
    pub fn released(&self) -> u64 {
        self.consumer.u64(0).load(Ordering::Relaxed)
    }

    /// Lets the kernel write over what lies in front of `position`. Never goes back, nor beyond
    /// what has been read.
    pub fn release(&mut self, position: u64) {
        let position = position.min(self.cursor);
        if position > self.released() {
            self.consumer.u64(0).store(position, Ordering::Release);
        }
    }

    /// Continues reading at `position`: the beginning of a record that is not yet released.
    pub fn seek(&mut self, position: u64) {
        let produced = self.produced();
        self.cursor = position.min(produced).max(self.released().min(produced));
        self.is_damaged = false;
    }

    /// The ring's own bookkeeping contradicts itself; no further record can be found.
    pub fn is_damaged(&self) -> bool {
        self.is_damaged
    }

    /// Moves the cursor over discarded records; returns the length of the one it stops at.
    fn skip_to_record(&mut self) -> Option<u32> {
        let produced = self.produced();
        loop {
            if self.is_damaged || self.cursor == produced {
                return None;
            }
            // The consumer page is writable for every process that has the descriptor.
            let available = produced.checked_sub(self.cursor).filter(|n| *n <= self.size_bytes);
            let Some(available) = available.filter(|_| self.cursor.is_multiple_of(8)) else {
                self.is_damaged = true;
                return None;
            };
            let header = self.producer.u32(self.offset(self.cursor)).load(Ordering::Relaxed);
            fence(Ordering::Acquire);
            if header & BUSY != 0 {
                return None;
            }
            let length = header & !(BUSY | DISCARDED);
            let size = HEADER_BYTES + u64::from(length).next_multiple_of(8);
            if size > available {
                self.is_damaged = true;
                return None;
            }
            if header & DISCARDED == 0 {
                return Some(length);
            }
            self.cursor += size;
        }
    }

    /// Where in the mapping the ring's `position` lies.
    fn offset(&self, position: u64) -> usize {
        // The remainder is below a u32's range.
        self.data_offset + (position % self.size_bytes) as usize
    }

    fn record(&mut self, start: u64, length: usize) -> &[u8] {
        let offset = self.offset(start);
        let until_end = self.data_offset + self.size_bytes as usize - offset;
        if length <= until_end {
            // SAFETY: the record is complete, and the kernel does not touch it before it is
            // released, for which `self` must be borrowed again.
            return unsafe { self.producer.bytes(offset, length) };
        }
        self.wrapped.clear();
        // SAFETY: as above.
        self.wrapped.extend_from_slice(unsafe { self.producer.bytes(offset, until_end) });
        let rest = length - until_end;
        // SAFETY: as above; the rest begins at the front of the data.
        self.wrapped.extend_from_slice(unsafe { self.producer.bytes(self.data_offset, rest) });
        &self.wrapped
    }
}

#[cfg(test)]
mod tests;
