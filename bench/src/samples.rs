//! Times, all of them kept: percentiles are exact.

use serde::Serialize;

/// Times in nanoseconds, in the order in which they were taken.
#[derive(Clone, Debug, Default)]
pub(crate) struct Samples(Vec<u64>);

/// What is told of [`Samples`], in nanoseconds.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Summary {
    pub(crate) count: usize,
    pub(crate) p50: u64,
    pub(crate) p99: u64,
    pub(crate) p999: u64,
    pub(crate) max: u64,
}

impl Samples {
    /// Room for `count` times: pushing as many allocates nothing.
    pub(crate) fn with_capacity(count: usize) -> Self {
        // Written once, so that no push meets a page fault.
        let mut times = vec![1; count];
        times.clear();
        Self(times)
    }

    pub(crate) fn push(&mut self, nanos: u64) {
        self.0.push(nanos);
    }

    /// Takes another thread's or round's times as well.
    pub(crate) fn append(&mut self, mut other: Samples) {
        self.0.append(&mut other.0);
    }

    /// How many took longer than `nanos`.
    pub(crate) fn above(&self, nanos: u64) -> usize {
        self.0.iter().filter(|time| **time > nanos).count()
    }

    /// Percentiles, each less `overhead`.
    pub(crate) fn summary(&self, overhead: u64) -> Summary {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        let at = |p: f64| {
            let rank = (sorted.len() as f64 * p).ceil() as usize;
            let time = sorted.get(rank.saturating_sub(1)).or(sorted.last()).copied().unwrap_or(0);
            time.saturating_sub(overhead)
        };
        Summary { count: sorted.len(), p50: at(0.5), p99: at(0.99), p999: at(0.999), max: at(1.0) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_ranks_less_the_overhead() {
        let mut samples = Samples::default();
        (1..=1000).rev().for_each(|n| samples.push(n));
        let summary = samples.summary(1);
        assert_eq!((summary.count, summary.p50, summary.p99), (1000, 499, 989));
        assert_eq!((summary.p999, summary.max), (998, 999));
        assert_eq!(Samples::default().summary(1).max, 0);
    }
}
