//! How a worker passes the time between slots: [`IdlePolicy`].

use std::time::{Duration, Instant};

use crate::sync::thread;

/// Exponential backoff: spin with doubling pauses, then yield, then sleep with doubling sleeps up to a cap, then (nothing
/// having come for a while) sleep on a futex until a submission wakes the pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct IdlePolicy {
    /// Rounds of spinning; round r pauses 2^r times.
    pub spins: u32,
    /// Rounds of giving up the processor after that.
    pub yields: u32,
    /// The first timed sleep.
    pub first_sleep: Duration,
    /// The longest timed sleep; also the longest that a submission may wait for a worker that still backs off.
    pub max_sleep: Duration,
    /// How long nothing has to come before a worker sleeps until it is woken.
    pub deep_after: Duration,
}

impl Default for IdlePolicy {
    fn default() -> Self {
        Self {
            spins: 7,
            yields: 2,
            first_sleep: Duration::from_micros(10),
            max_sleep: Duration::from_micros(160),
            deep_after: Duration::from_millis(200),
        }
    }
}

impl IdlePolicy {
    /// Workers sleep at once and every submission wakes them: the least idle cost, one futex call per submission.
    #[must_use]
    pub fn park() -> Self {
        Self { spins: 0, yields: 0, deep_after: Duration::ZERO, ..Self::default() }
    }
}

/// Where a worker stands on the way from spinning to sleeping.
#[derive(Debug)]
pub(super) struct Backoff {
    policy: IdlePolicy,
    round: u32,
    sleep: Duration,
    since: Option<Instant>,
}

/// What a worker shall do that found nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Pause(u32),
    Yield,
    Sleep(Duration),
    Deep,
}

impl Backoff {
    pub(super) fn new(policy: IdlePolicy) -> Self {
        Self { policy, round: 0, sleep: policy.first_sleep, since: None }
    }

    /// There was work: start over.
    pub(super) fn reset(&mut self) {
        *self = Self::new(self.policy);
    }

    pub(super) fn next(&mut self) -> Step {
        let round = self.round;
        self.round = round.saturating_add(1);
        if round < self.policy.spins {
            return Step::Pause(1 << round.min(10));
        }
        if round < self.policy.spins + self.policy.yields {
            return Step::Yield;
        }
        let since = *self.since.get_or_insert_with(Instant::now);
        if since.elapsed() >= self.policy.deep_after {
            return Step::Deep;
        }
        let sleep = self.sleep;
        self.sleep = (sleep * 2).min(self.policy.max_sleep);
        Step::Sleep(sleep)
    }
}

impl Step {
    /// Passes the time, but for [`Step::Deep`], which is the pool's.
    pub(super) fn pass(self) {
        match self {
            Step::Pause(times) => (0..times).for_each(|_| std::hint::spin_loop()),
            Step::Yield => thread::yield_now(),
            Step::Sleep(time) => thread::sleep(time),
            Step::Deep => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backoff_grows_from_spinning_to_capped_sleeps() {
        let policy = IdlePolicy { spins: 3, yields: 1, ..IdlePolicy::default() };
        let mut backoff = Backoff::new(policy);
        let steps: Vec<Step> = (0..12).map(|_| backoff.next()).collect();
        assert_eq!(steps[..4], [Step::Pause(1), Step::Pause(2), Step::Pause(4), Step::Yield]);
        let micros = |n| Step::Sleep(Duration::from_micros(n));
        assert_eq!(steps[4..10], [10, 20, 40, 80, 160, 160].map(micros));
        backoff.reset();
        assert_eq!(backoff.next(), Step::Pause(1));
    }

    #[test]
    fn parking_sleeps_at_once() {
        assert_eq!(Backoff::new(IdlePolicy::park()).next(), Step::Deep);
    }
}
