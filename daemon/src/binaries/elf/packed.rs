//! Whether the code looks compressed or encrypted.
//!
//! Machine code has an entropy of some 6 bits a byte, what is compressed or encrypted nearly 8. The
//! limit between them is taken from the 4,307 programs and libraries of a Debian 12 with LLVM, Java,
//! Go, Rust and qemu: the median is 5.99, one in a hundred has more than 6.50, and none more than
//! 6.79 (hand-written vector code, `libdav1d.so`; of programs for Linux, `rustup` with 6.55). 148 of
//! them as a packer might leave them, compressed by deflate or LZMA behind 1800 bytes of ordinary
//! code, have 7.8 in the middle; only where less than 2300 bytes were left was it below 7.2 (7.07 at
//! least), and from 4 KiB on it is above 7.5.
//!
//! Not noticed: code that something without entropy coding compressed (LZ4: 6.1 to 7.5), that lies
//! in a segment which becomes executable later, or that was diluted on purpose.

use std::ops::Range;

use memchr::memmem;

use super::segments::Segments;
use super::source::Source;

/// In thousandths of a bit a byte.
const PACKED: u16 = 7200;

/// What is read for the entropy at most: all of most programs.
const MOST_BYTES: u64 = 4 << 20;
const BLOCK_BYTES: u64 = 64 << 10;

/// UPX puts its mark behind the program headers and 36 bytes before the end (`l_info` and
/// `PackHeader`, `src/p_unix.cpp`), and takes a file for packed if the last 256 bytes have it.
const UPX_MARK: &[u8] = b"UPX!";
const UPX_START_BYTES: usize = 4096;
const UPX_END_BYTES: usize = 256;

/// Shannon entropy of what can be executed, in thousandths of a bit a byte. `None` where that is
/// nothing. Of more than 4 MiB, blocks at equal distances are looked at.
pub(super) fn entropy(segments: &Segments, source: &mut Source<'_>) -> Option<u16> {
    let ranges = executable(segments, source);
    let total: u64 = ranges.iter().map(|range| range.end - range.start).sum();
    let mut histogram = Histogram::default();
    let blocks = total.min(MOST_BYTES).div_ceil(BLOCK_BYTES);
    let distance =
        if total <= MOST_BYTES { BLOCK_BYTES } else { (total - BLOCK_BYTES) / (blocks - 1) };
    for block in 0..blocks {
        histogram.add_block(&ranges, block * distance, source);
    }
    histogram.entropy()
}

/// `None` where there is neither code nor a mark.
pub(super) fn is_packed(entropy: Option<u16>, source: &mut Source<'_>) -> Option<bool> {
    if has_upx_mark(source) {
        return Some(true);
    }
    entropy.map(|entropy| entropy >= PACKED)
}

fn has_upx_mark(source: &mut Source<'_>) -> bool {
    let end = source.size_bytes.saturating_sub(UPX_END_BYTES as u64);
    let start = source.read(0, UPX_START_BYTES);
    let end = source.read(end, UPX_END_BYTES);
    [start, end].iter().any(|bytes| memmem::find(bytes, UPX_MARK).is_some())
}

/// The parts of the file, in order and each byte once.
fn executable(segments: &Segments, source: &mut Source<'_>) -> Vec<Range<u64>> {
    let mut all: Vec<Range<u64>> = segments
        .executable()
        .map(|segment| segment.offset..segment.end().min(source.size_bytes))
        .filter(|range| !range.is_empty())
        .collect();
    all.sort_unstable_by_key(|range| range.start);
    let mut ranges: Vec<Range<u64>> = Vec::with_capacity(all.len());
    for range in all {
        match ranges.last_mut() {
            Some(last) if range.start < last.end => {
                source.damaged("its executable segments overlap");
                last.end = last.end.max(range.end);
            }
            _ => ranges.push(range),
        }
    }
    ranges
}

/// How often each byte occurs.
struct Histogram {
    counts: [u64; 256],
    buffer: Vec<u8>,
}

impl Default for Histogram {
    fn default() -> Histogram {
        Histogram { counts: [0; 256], buffer: vec![0; BLOCK_BYTES as usize] }
    }
}

impl Histogram {
    /// Counts a block at a position in the ranges put together.
    fn add_block(&mut self, ranges: &[Range<u64>], position: u64, source: &mut Source<'_>) {
        let mut skip = position;
        let mut left = BLOCK_BYTES;
        for range in ranges {
            let length = range.end - range.start;
            if skip >= length {
                skip -= length;
                continue;
            }
            let take = (length - skip).min(left);
            let buffer = &mut self.buffer[..usize::try_from(take).unwrap_or(0)];
            let filled = source.fill(range.start + skip, buffer);
            for &byte in &buffer[..filled] {
                self.counts[usize::from(byte)] += 1;
            }
            skip = 0;
            left -= take;
            if left == 0 {
                break;
            }
        }
    }

    /// At most 4 Mi bytes are counted, which floating point represents exactly.
    #[expect(clippy::cast_sign_loss, reason = "between 0 and 8000")]
    fn entropy(&self) -> Option<u16> {
        let total: u64 = self.counts.iter().sum();
        if total == 0 {
            return None;
        }
        let bits: f64 = self
            .counts
            .iter()
            .filter(|&&count| count > 0)
            .map(|&count| {
                let share = count as f64 / total as f64;
                -share * share.log2()
            })
            .sum();
        Some((bits * 1000.0).round() as u16)
    }
}
