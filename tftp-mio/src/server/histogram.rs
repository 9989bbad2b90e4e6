//! How often a quantity was how large.

use std::sync::atomic::{AtomicU64, Ordering};

/// Bounds of a histogram, and what lies between them.
const BUCKETS: usize = 12;

/// Counts values by size. Many threads may write to it, and others read.
#[derive(Debug)]
pub(crate) struct Histogram {
    bounds: [u64; BUCKETS],
    /// Values up to each bound and above the one before it; the last has no bound.
    counts: [AtomicU64; BUCKETS + 1],
    sum: AtomicU64,
}

/// What a histogram says at one moment, in the unit of its values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Distribution {
    /// For each upper bound, which belongs to it, how many values do not exceed it.
    pub up_to: Vec<(u64, u64)>,
    /// How many values there are.
    pub count: u64,
    /// What they add up to.
    pub sum: u64,
}

impl Histogram {
    pub(crate) fn new(bounds: [u64; BUCKETS]) -> Self {
        Self { bounds, counts: Default::default(), sum: AtomicU64::new(0) }
    }

    pub(crate) fn add(&self, value: u64) {
        let bucket = self.bounds.partition_point(|&bound| bound < value);
        self.counts[bucket].fetch_add(1, Ordering::Relaxed);
        self.sum.fetch_add(value, Ordering::Relaxed);
    }

    pub(crate) fn read(&self) -> Distribution {
        let mut count = 0;
        let mut running = self.counts.iter().map(|bucket| {
            count += bucket.load(Ordering::Relaxed);
            count
        });
        let up_to = self.bounds.into_iter().zip(running.by_ref()).collect();
        let count = running.next().unwrap_or_default();
        Distribution { up_to, count, sum: self.sum.load(Ordering::Relaxed) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_counts_up_to_every_bound_that_it_does_not_exceed() {
        let histogram = Histogram::new(std::array::from_fn(|index| 10 * (index as u64 + 1)));
        for value in [0, 10, 11, 120, 121] {
            histogram.add(value);
        }
        let read = histogram.read();
        assert_eq!(read.up_to[..3], [(10, 2), (20, 3), (30, 3)]);
        assert_eq!(read.up_to[11], (120, 4));
        assert_eq!((read.count, read.sum), (5, 262));
    }
}
