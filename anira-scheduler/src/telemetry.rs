//! Counters and histograms of one session: written wait-free by audio thread and workers, read by anyone at any time.

#![deny(clippy::indexing_slicing, clippy::panic, clippy::unreachable)]

use anira_traits::Head;
use crossbeam_utils::CachePadded;

use crate::sync::{AtomicU64, Ordering};

/// Sub-buckets per octave: a bucket's bounds differ by at most an eighth.
const STEPS: u64 = 8;
/// Loom, to which every atomic is a burden, has one bucket for all.
const BUCKETS: usize = if cfg!(loom) { 1 } else { 8 * 42 };

/// Times in logarithmic buckets, from 1 ns to an hour.
#[derive(Debug)]
pub struct Histogram {
    buckets: Box<[AtomicU64]>,
    max: AtomicU64,
}

/// A histogram's contents at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct HistogramSnapshot {
    counts: Vec<u64>,
    /// The largest time, in nanoseconds, exactly.
    pub max: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { buckets: (0..BUCKETS).map(|_| AtomicU64::new(0)).collect(), max: AtomicU64::new(0) }
    }
}

fn bucket(nanos: u64) -> usize {
    if nanos < STEPS {
        return nanos as usize;
    }
    let octave = u64::from(nanos.ilog2());
    let step = (nanos >> (octave - 3)) - STEPS;
    (((octave - 2) * STEPS + step) as usize).min(BUCKETS - 1)
}

/// The largest time that falls into a bucket.
fn upper(bucket: usize) -> u64 {
    let (octave, step) = (bucket as u64 / STEPS, bucket as u64 % STEPS);
    match octave {
        0 => step,
        _ => ((STEPS + step + 1) << (octave - 1)) - 1,
    }
}

impl Histogram {
    /// Counts one time, in nanoseconds. Any thread; wait-free.
    pub fn record(&self, nanos: u64) {
        if let Some(bucket) = self.buckets.get(bucket(nanos)) {
            bucket.fetch_add(1, Ordering::Relaxed);
        }
        self.max.fetch_max(nanos, Ordering::Relaxed);
    }

    /// A copy. Any thread; allocates.
    #[must_use]
    pub fn snapshot(&self) -> HistogramSnapshot {
        HistogramSnapshot {
            counts: self.buckets.iter().map(|b| b.load(Ordering::Relaxed)).collect(),
            max: self.max.load(Ordering::Relaxed),
        }
    }
}

impl HistogramSnapshot {
    /// Times counted.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// The time in nanoseconds that the share `p` (0 to 1) of all times does not exceed, to an eighth; 0 if there are none.
    #[must_use]
    pub fn percentile(&self, p: f64) -> u64 {
        let rank = ((self.count() as f64 * p.clamp(0.0, 1.0)).ceil() as u64).max(1);
        let mut seen = 0;
        for (bucket, count) in self.counts.iter().enumerate() {
            seen += count;
            if *count > 0 && seen >= rank {
                return upper(bucket).min(self.max);
            }
        }
        0
    }
}

impl HistogramSnapshot {
    /// What was counted after `earlier`, a snapshot of the same histogram. Its `max` is that of the last bucket with anything in it.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let before = earlier.counts.iter().copied().chain(std::iter::repeat(0));
        let counts: Vec<u64> =
            self.counts.iter().zip(before).map(|(now, then)| now.saturating_sub(then)).collect();
        let max = counts.iter().rposition(|count| *count > 0).map_or(0, |last| upper(last).min(self.max));
        Self { counts, max }
    }

    /// How many times are longer than `nanos` for certain: those of the buckets that begin above it.
    #[must_use]
    pub fn above(&self, nanos: u64) -> u64 {
        self.counts.iter().skip(bucket(nanos) + 1).sum()
    }
}

/// One session's counters. All are monotonic.
#[derive(Debug, Default)]
pub struct Telemetry {
    /// On lines of their own: the audio thread need not fetch what a worker has just counted.
    audio: CachePadded<AudioCounters>,
    done: AtomicU64,
    failed: AtomicU64,
    returned: AtomicU64,
    overdue: AtomicU64,
    inference: Histogram,
    wake_up: Histogram,
    slack: Histogram,
}

/// What the audio thread counts.
#[derive(Debug, Default)]
struct AudioCounters {
    submitted: AtomicU64,
    dropped: AtomicU64,
    late_samples: AtomicU64,
    late_blocks: AtomicU64,
    late_after_reset: AtomicU64,
    stood_in: AtomicU64,
    stand_in_failed: AtomicU64,
    skipped: AtomicU64,
}

/// One session's counters at one moment: `submitted >= done + failed + dropped`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct TelemetrySnapshot {
    /// Hops that became complete, but for those that were skipped.
    pub submitted: u64,
    /// Hops that an engine answered.
    pub done: u64,
    /// Hops whose engine failed, or answered with something that is no number.
    pub failed: u64,
    /// Hops that no engine was given: dropped for want of time or room, or taken back by a reset.
    pub dropped: u64,
    /// Hops whose answer was known, because input and state were at rest: no engine ran for them. Not among `submitted`.
    pub skipped: u64,
    /// Hops, done or failed, that their worker has handed back: the audio thread's next call finds them. A hop is counted as
    /// done before that, so that what was heard has always been counted.
    pub returned: u64,
    /// Samples per channel that the audio thread needed and did not have.
    pub late_samples: u64,
    /// Callbacks that lacked at least one sample.
    pub late_blocks: u64,
    /// Samples that were wanting because an inference of before a reset still held an engine; not among `late_samples`.
    pub late_after_reset: u64,
    /// Hops that the fallback engine answered.
    pub stood_in: u64,
    /// Hops that the fallback engine failed to answer: they were silent.
    pub stand_in_failed: u64,
    /// Slots that ended after the moment when their output was needed.
    pub overdue: u64,
    /// How long slots ran: preparation, inference and finish, all lanes.
    pub inference: HistogramSnapshot,
    /// From a slot's submission to its start: waiting for a worker to wake up, and for slots in front.
    pub wake_up: HistogramSnapshot,
    /// From a slot's end to the moment when its output was needed, for slots that were not overdue.
    pub slack: HistogramSnapshot,
}

impl Telemetry {
    /// A hop was submitted. Audio thread; wait-free.
    pub fn count_submitted(&self) {
        // Relaxed: who counts its end has seen the submission through the slot.
        self.audio.submitted.fetch_add(1, Ordering::Relaxed);
    }

    /// A slot ran from `started` to `ended`, with results or without. Worker; wait-free.
    pub fn count_run(&self, ok: bool, times: Head, started: u64, ended: u64) {
        self.inference.record(ended.saturating_sub(started));
        self.wake_up.record(started.saturating_sub(times.submitted));
        match times.deadline.checked_sub(ended) {
            Some(slack) => self.slack.record(slack),
            None => {
                self.overdue.fetch_add(1, Ordering::Relaxed);
            }
        }
        let counter = if ok { &self.done } else { &self.failed };
        counter.fetch_add(1, Ordering::Release);
    }

    /// The slot just counted was handed back. Worker; wait-free.
    pub fn count_returned(&self) {
        self.returned.fetch_add(1, Ordering::Release);
    }

    /// `hops` were given up before an engine saw them. Audio thread; wait-free.
    pub fn count_dropped(&self, hops: u64) {
        self.audio.dropped.fetch_add(hops, Ordering::Release);
    }

    /// A hop's answer was known without an inference. Audio thread; wait-free.
    pub fn count_skipped(&self) {
        self.audio.skipped.fetch_add(1, Ordering::Relaxed);
    }

    /// A callback lacked `samples` per channel. Audio thread; wait-free.
    pub fn count_late(&self, samples: u64) {
        self.audio.late_samples.fetch_add(samples, Ordering::Relaxed);
        self.audio.late_blocks.fetch_add(1, Ordering::Relaxed);
    }

    /// A callback lacked `samples` per channel because of an inference of before a reset. Audio thread; wait-free.
    pub fn count_late_after_reset(&self, samples: u64) {
        self.audio.late_after_reset.fetch_add(samples, Ordering::Relaxed);
    }

    /// The fallback engine ran for a hop. Audio thread; wait-free.
    pub fn count_stood_in(&self, ok: bool) {
        let counter = if ok { &self.audio.stood_in } else { &self.audio.stand_in_failed };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// A copy. Any thread; allocates. What ends is read before what begins, so that the sum never exceeds `submitted`.
    #[must_use]
    pub fn snapshot(&self) -> TelemetrySnapshot {
        // Acquire pairs with the releases above: a hop seen as ended was submitted before, so `submitted`, read last, counts it;
        // and one seen as handed back has been counted as ended.
        let returned = self.returned.load(Ordering::Acquire);
        let done = self.done.load(Ordering::Acquire);
        let failed = self.failed.load(Ordering::Acquire);
        let dropped = self.audio.dropped.load(Ordering::Acquire);
        TelemetrySnapshot {
            done,
            failed,
            dropped,
            returned,
            skipped: self.audio.skipped.load(Ordering::Relaxed),
            late_samples: self.audio.late_samples.load(Ordering::Relaxed),
            late_blocks: self.audio.late_blocks.load(Ordering::Relaxed),
            late_after_reset: self.audio.late_after_reset.load(Ordering::Relaxed),
            stood_in: self.audio.stood_in.load(Ordering::Relaxed),
            stand_in_failed: self.audio.stand_in_failed.load(Ordering::Relaxed),
            overdue: self.overdue.load(Ordering::Relaxed),
            inference: self.inference.snapshot(),
            wake_up: self.wake_up.snapshot(),
            slack: self.slack.snapshot(),
            submitted: self.audio.submitted.load(Ordering::Relaxed),
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_in_order_and_no_wider_than_an_eighth() {
        let mut last = 0;
        for nanos in (0..100_000).chain((17..42).map(|e| 1 << e)) {
            let at = bucket(nanos);
            assert!(upper(at) >= nanos, "{nanos}");
            assert!(upper(at) as f64 <= nanos as f64 * 1.125 + 1.0, "{nanos} in {}", upper(at));
            if nanos < 100_000 {
                assert!(at >= last);
                last = at;
            }
        }
        assert_eq!(bucket(u64::MAX), BUCKETS - 1);
    }

    #[test]
    fn percentiles_of_a_known_set() {
        let histogram = Histogram::default();
        (1..=1000).for_each(|n| histogram.record(n * 1000));
        let snapshot = histogram.snapshot();
        assert_eq!((snapshot.count(), snapshot.max), (1000, 1_000_000));
        for (p, right) in [(0.5, 500e3), (0.99, 990e3), (1.0, 1000e3)] {
            let got = snapshot.percentile(p) as f64;
            assert!((right..=right * 1.13).contains(&got), "{p}: {got}");
        }
        assert_eq!(Histogram::default().snapshot().percentile(0.5), 0);
    }

    #[test]
    fn what_came_since_is_told_apart_from_what_was() {
        let histogram = Histogram::default();
        histogram.record(5_000_000);
        let earlier = histogram.snapshot();
        [1000, 1000, 3000].iter().for_each(|n| histogram.record(*n));
        let since = histogram.snapshot().since(&earlier);
        assert_eq!(since.count(), 3);
        assert!((3000..3400).contains(&since.max), "{}", since.max);
        // To an eighth, and never one that may have been shorter.
        assert_eq!((since.above(900), since.above(1000), since.above(2000), since.above(3000)), (3, 1, 1, 0));
        assert_eq!(earlier.since(&earlier), HistogramSnapshot { max: 0, ..Histogram::default().snapshot() });
    }
}
