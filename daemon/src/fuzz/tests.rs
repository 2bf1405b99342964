//! Each target with its seeds, and with inputs that are made of these.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};

use super::{TARGETS, run};

const INPUTS: usize = 10_000;
const MOST_BYTES: usize = 16 << 10;

fn corpus(target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(target)
}

fn seeds(target: &str) -> Vec<Vec<u8>> {
    let mut files: Vec<PathBuf> =
        corpus(target).read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.iter().map(|file| std::fs::read(file).unwrap()).collect()
}

/// The same numbers each time, so that what fails fails again.
struct Numbers(u64);

impl Numbers {
    /// xorshift64*
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() >> 16) as usize % end.max(1)
    }

    /// A part of the bytes, mostly short.
    fn range(&mut self, bytes: &[u8]) -> std::ops::Range<usize> {
        let start = self.below(bytes.len() + 1);
        let most = if self.below(4) == 0 { bytes.len() - start } else { 16 };
        start..(start + self.below(most + 1)).min(bytes.len())
    }
}

const NUMBERS: [u64; 10] =
    [0, 1, 0x7f, 0xff, 0xffff, 0x7fff_ffff, 0xffff_ffff, u64::MAX >> 1, u64::MAX, 1 << 63];

/// A seed with some changes: bytes, numbers, parts left out, doubled, or taken from another seed.
fn mutated(seeds: &[Vec<u8>], numbers: &mut Numbers) -> Vec<u8> {
    let mut bytes = seeds[numbers.below(seeds.len())].clone();
    for _ in 0..=numbers.below(6) {
        let range = numbers.range(&bytes);
        match numbers.below(7) {
            0 if !bytes.is_empty() => {
                let at = numbers.below(bytes.len());
                bytes[at] ^= 1 << numbers.below(8);
            }
            1 if !bytes.is_empty() => {
                let at = numbers.below(bytes.len());
                bytes[at] = numbers.next().to_le_bytes()[0];
            }
            2 => {
                let number = NUMBERS[numbers.below(NUMBERS.len())].to_le_bytes();
                let size = [1, 2, 4, 8][numbers.below(4)];
                let at = numbers.below((bytes.len() + 1).saturating_sub(size)) & !(size - 1);
                if let Some(place) = bytes.get_mut(at..at + size) {
                    place.copy_from_slice(&number[..size]);
                }
            }
            3 => drop(bytes.drain(range)),
            4 => {
                let part = bytes[range].to_vec();
                let at = numbers.below(bytes.len() + 1);
                bytes.splice(at..at, part);
            }
            5 => {
                let other = &seeds[numbers.below(seeds.len())];
                let part = other[numbers.range(other)].to_vec();
                bytes.splice(range, part);
            }
            _ => {
                let text = NUMBERS[numbers.below(NUMBERS.len())].to_string();
                bytes.splice(range, text.into_bytes());
            }
        }
    }
    bytes.truncate(MOST_BYTES);
    bytes
}

fn play(target: &str) {
    let seeds = seeds(target);
    assert!(!seeds.is_empty());
    let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
    let mutants = std::iter::repeat_with(|| mutated(&seeds, &mut numbers)).take(INPUTS);
    for input in seeds.iter().cloned().chain(mutants) {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| run(target, &input))) {
            let kept = std::env::temp_dir().join(format!("fuzz-{target}"));
            std::fs::write(&kept, &input).unwrap();
            eprintln!("the input that failed is in {}", kept.display());
            resume_unwind(panic);
        }
    }
}

#[test]
fn wire() {
    play("wire");
}

#[test]
fn filter() {
    play("filter");
}

#[test]
fn rule() {
    play("rule");
}

#[test]
fn ecs() {
    play("ecs");
}

#[test]
fn http() {
    play("http");
}

#[test]
fn elf() {
    play("elf");
}

#[test]
fn config() {
    play("config");
}

/// Those that the fuzzer seeks inputs for.
#[test]
fn every_target_has_its_program() {
    let programs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/targets");
    let mut found: Vec<String> = programs
        .read_dir()
        .unwrap()
        .map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    found.sort();
    let mut expected = TARGETS.map(|(name, _)| name);
    expected.sort_unstable();
    assert_eq!(found, expected);
}
