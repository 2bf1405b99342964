//! The counts under the time histogram, kept up to date without asking again.

use std::collections::VecDeque;

use super::outline::part_width;

#[derive(Debug, Default)]
pub struct Strip {
    from_ns: i64,
    width_ns: i64,
    counts: VecDeque<u64>,
    /// The range keeps its length: what is older than that goes.
    is_sliding: bool,
}

impl Strip {
    /// Of a range that was counted in equal parts.
    pub fn new(from_ns: i64, to_ns: i64, counts: Vec<u64>, is_sliding: bool) -> Self {
        let width_ns = part_width(from_ns, to_ns, counts.len());
        Self { from_ns, width_ns, counts: counts.into(), is_sliding }
    }

    pub fn from_ns(&self) -> i64 {
        self.from_ns
    }

    pub fn to_ns(&self) -> i64 {
        let length = i64::try_from(self.counts.len()).unwrap_or(0);
        self.from_ns.saturating_add(self.width_ns.saturating_mul(length))
    }

    pub fn counts(&mut self) -> &[u64] {
        self.counts.make_contiguous()
    }

    pub fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    /// Time passed.
    pub fn advance(&mut self, now_ns: i64) {
        if self.counts.is_empty() {
            return;
        }
        let parts = self.counts.len();
        let missing = (now_ns.saturating_sub(self.to_ns())) / self.width_ns.max(1) + 1;
        if now_ns < self.to_ns() {
            return;
        }
        if missing > 10 * i64::try_from(parts).unwrap_or(i64::MAX) {
            // The machine slept: nothing here is in sight any more.
            self.counts.iter_mut().for_each(|count| *count = 0);
            self.from_ns = now_ns - self.width_ns * i64::try_from(parts).unwrap_or(0);
            return;
        }
        for _ in 0..missing {
            self.counts.push_back(0);
            if self.is_sliding {
                self.counts.pop_front();
                self.from_ns += self.width_ns;
            }
        }
    }

    /// Something began.
    pub fn add(&mut self, time_ns: i64) {
        self.advance(time_ns);
        let part = time_ns.saturating_sub(self.from_ns).div_euclid(self.width_ns.max(1));
        if let Some(count) = usize::try_from(part).ok().and_then(|at| self.counts.get_mut(at)) {
            *count += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_happens_is_counted_where_it_belongs() {
        let mut strip = Strip::new(0, 100, vec![1; 10], true);
        strip.add(99);
        assert_eq!(strip.counts(), [1, 1, 1, 1, 1, 1, 1, 1, 1, 2]);
        strip.add(115);
        assert_eq!((strip.from_ns(), strip.to_ns()), (20, 120));
        assert_eq!(strip.counts(), [1, 1, 1, 1, 1, 1, 1, 2, 0, 1]);
        strip.add(5);
        assert_eq!(strip.counts().iter().sum::<u64>(), 10, "it is too old");
    }

    #[test]
    fn a_range_from_a_fixed_time_grows() {
        let mut strip = Strip::new(0, 100, vec![0; 10], false);
        strip.add(105);
        assert_eq!((strip.from_ns(), strip.to_ns(), strip.counts().len()), (0, 110, 11));
    }

    #[test]
    fn a_long_sleep_is_no_loop() {
        let mut strip = Strip::new(0, 100, vec![1; 10], true);
        strip.advance(i64::MAX / 2);
        assert_eq!(strip.counts(), [0; 10]);
    }
}
