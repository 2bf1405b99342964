//! With a file in the kernel's place, so that the ring can be in any state.

use std::fs::File;
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;

use proptest::prelude::*;

use super::*;

struct Fake {
    file: File,
    page: u64,
    size: u64,
}

impl Fake {
    fn new() -> Self {
        let page = page_size_bytes() as u64;
        let file = tempfile::tempfile().unwrap();
        file.set_len(3 * page).unwrap();
        Self { file, page, size: page }
    }

    fn ring(&self) -> Ring {
        Ring::map(self.file.as_fd(), u32::try_from(self.size).unwrap()).unwrap()
    }

    fn set_positions(&self, consumer: u64, producer: u64) {
        self.file.write_all_at(&consumer.to_ne_bytes(), 0).unwrap();
        self.file.write_all_at(&producer.to_ne_bytes(), self.page).unwrap();
    }

    /// Writes at a position of the ring, around its end where need be.
    fn put(&self, position: u64, bytes: &[u8]) {
        for (at, byte) in (position..).zip(bytes) {
            self.file.write_all_at(&[*byte], 2 * self.page + at % self.size).unwrap();
        }
    }

    /// Writes a record; returns the position behind it.
    fn record(&self, position: u64, flags: u32, data: &[u8]) -> u64 {
        let header = u32::try_from(data.len()).unwrap() | flags;
        self.put(position, &header.to_ne_bytes());
        self.put(position + HEADER_BYTES, data);
        position + HEADER_BYTES + (data.len() as u64).next_multiple_of(8)
    }
}

#[test]
fn records_are_read_and_released() {
    let fake = Fake::new();
    let second = fake.record(0, 0, b"first");
    let third = fake.record(second, DISCARDED, b"nothing");
    let end = fake.record(third, 0, b"third");
    fake.set_positions(0, end);
    let mut ring = fake.ring();
    assert_eq!(ring.next(), Some(&b"first"[..]));
    assert_eq!(ring.position(), second);
    assert_eq!(ring.next(), Some(&b"third"[..]));
    assert_eq!(ring.next(), None);
    assert_eq!((ring.position(), ring.produced(), ring.released()), (end, end, 0));

    ring.release(second);
    ring.release(0);
    assert_eq!(ring.released(), second);
    assert_eq!(fake.ring().next(), Some(&b"third"[..]), "a new reader begins there");
    ring.seek(0);
    assert_eq!(ring.position(), second);
    ring.seek(u64::MAX);
    assert_eq!(ring.position(), end);
    ring.release(u64::MAX);
    assert_eq!(ring.released(), end);
    assert!(!ring.is_damaged());
}

#[test]
fn a_busy_record_holds_the_reader_up() {
    let fake = Fake::new();
    let end = fake.record(0, BUSY, b"not yet");
    fake.set_positions(0, end);
    let mut ring = fake.ring();
    assert_eq!(ring.next(), None);
    fake.record(0, 0, b"now it is");
    assert_eq!(ring.position(), 0);
    fake.set_positions(0, 24);
    assert_eq!(ring.next(), Some(&b"now it is"[..]));
}

#[test]
fn a_record_may_wrap() {
    let fake = Fake::new();
    let start = fake.size * 5 - 16;
    let data: Vec<u8> = (0..100).collect();
    let end = fake.record(start, 0, &data);
    fake.set_positions(start, end);
    let mut ring = fake.ring();
    assert_eq!(ring.next(), Some(&*data));
    assert_eq!(ring.next(), None);
    assert_eq!(ring.position(), end);
}

#[test]
fn contradictions_are_damage() {
    let check = |consumer, producer, length: u32| {
        let fake = Fake::new();
        fake.put(consumer, &length.to_ne_bytes());
        fake.set_positions(consumer, producer);
        let mut ring = fake.ring();
        assert_eq!(ring.next(), None);
        assert!(ring.is_damaged(), "{consumer} {producer} {length}");
    };
    check(0, 16, 9);
    check(0, 16, u32::MAX >> 2);
    check(0, 16, (u32::MAX >> 2) | DISCARDED);
    check(0, 4096 * 9, 8);
    check(32, 16, 8);
    check(4, 20, 8);
}

#[test]
fn odd_sizes_are_refused() {
    let fake = Fake::new();
    for size in [0, 1, 4097, 12288] {
        assert!(Ring::map(fake.file.as_fd(), size).is_err());
    }
}

proptest! {
    /// Whatever the memory holds, reading ends and stays inside.
    #[test]
    fn garbage_never_panics(
        consumer in 0u64..20_000,
        ahead in -100i64..9_000,
        words in prop::collection::vec(prop_oneof![0u32..200, any::<u32>()], 64),
    ) {
        let fake = Fake::new();
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
        fake.put(consumer, &bytes);
        fake.set_positions(consumer, consumer.saturating_add_signed(ahead));
        let mut ring = fake.ring();
        let mut steps = 0;
        while ring.next().is_some() {
            steps += 1;
            prop_assert!(steps <= 4096 / 8);
        }
        ring.release(u64::MAX);
        ring.seek(consumer);
    }
}
