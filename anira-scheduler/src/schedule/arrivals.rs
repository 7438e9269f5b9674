//! Where a simulation's slots come from: [`Arrival`], [`Callbacks`] that make them, [`Spread`] for their durations.

use std::time::Duration;

use anira_traits::Terms;

use super::task::nanos;

/// One slot: what a recorded trace holds of it. Nanoseconds on the virtual clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Arrival {
    /// The index of its session.
    pub session: usize,
    /// When it is submitted.
    pub at: u64,
    /// When its output is needed.
    pub deadline: u64,
    /// How long it runs on a core of its own.
    pub work: u64,
}

/// A session's callbacks: every block brings `block` samples, every `hop` samples submit a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Callbacks {
    session: usize,
    rate: u64,
    block: u64,
    hop: u64,
    start: u64,
    deadline: u64,
}

impl Callbacks {
    /// The callbacks of session number `session` at `rate` samples per second; a figure of 0 counts as 1. Outputs are needed one
    /// hop after their submission unless [`Self::deadline`] says otherwise.
    #[must_use]
    pub fn new(session: usize, rate: u32, block: u32, hop: u32) -> Self {
        let (rate, block, hop) = (u64::from(rate.max(1)), u64::from(block.max(1)), u64::from(hop.max(1)));
        let mut callbacks = Self { session, rate, block, hop, start: 0, deadline: 0 };
        callbacks.deadline = callbacks.nanos(hop);
        callbacks
    }

    /// The shortest time from a submission to its need.
    #[must_use]
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = nanos(deadline);
        self
    }

    /// When the first callback comes.
    #[must_use]
    pub fn start(mut self, start: Duration) -> Self {
        self.start = nanos(start);
        self
    }

    /// What such a session declares, for one engine.
    #[must_use]
    pub fn terms(&self, name: impl Into<String>, max_inference: Duration) -> Terms {
        let mut terms = Terms::new(name, Duration::from_nanos(self.nanos(self.hop)));
        terms.burst = self.block.div_ceil(self.hop) as usize;
        terms.deadline = Duration::from_nanos(self.deadline);
        terms.max_inference = max_inference;
        terms
    }

    /// The slots submitted before `until`, in order; `work` tells how long slot n runs.
    ///
    /// Where neither of block and hop divides the other, submissions are uneven and needs are even: a slot that is
    /// submitted early has that much more time.
    pub fn arrivals(self, until: u64, mut work: impl FnMut(u64) -> u64) -> impl Iterator<Item = Arrival> {
        let even = self.hop.is_multiple_of(self.block) || self.block.is_multiple_of(self.hop);
        let shared = gcd(self.hop, self.block);
        let slot = move |n: u64| {
            let complete = n.saturating_add(1).saturating_mul(self.hop);
            let callback = complete.div_ceil(self.block) - 1;
            let at = self.start.saturating_add(self.nanos(callback.saturating_mul(self.block)));
            let latest = if even { at } else { self.start.saturating_add(self.nanos(complete - shared)) };
            (at, latest.saturating_add(self.deadline))
        };
        (0..)
            .map(move |n| (n, slot(n)))
            .take_while(move |(_, (at, _))| *at < until)
            .map(move |(n, (at, deadline))| Arrival { session: self.session, at, deadline, work: work(n) })
    }

    fn nanos(&self, samples: u64) -> u64 {
        u64::try_from(u128::from(samples) * 1_000_000_000 / u128::from(self.rate)).unwrap_or(u64::MAX)
    }
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// Durations spread evenly between two bounds, the same for the same seed (splitmix64).
#[derive(Clone, Debug)]
pub struct Spread {
    state: u64,
    low: u64,
    high: u64,
}

impl Spread {
    /// Durations from `low` to `high`, both included.
    #[must_use]
    pub fn new(seed: u64, low: u64, high: u64) -> Self {
        Self { state: seed, low: low.min(high), high: low.max(high) }
    }

    /// The next one.
    pub fn next_work(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        // The high half of a product of 64 bits each is below the second factor.
        let span = u128::from(self.high - self.low) + 1;
        self.low + ((u128::from(z) * span) >> 64) as u64
    }
}
