//! How a worker passes the time between slots: [`IdlePolicy`].

use std::time::Duration;

/// What workers do while there is no slot. All numbers are open; the constructors are starting points.
///
/// A worker that has found nothing first spins, with pauses that double up to a cap. With a [`Prediction`] it then sleeps until
/// shortly before the next submission is due, and spins again until it comes. What is not foretold, or comes at another
/// time, is left to the wake-up, or else to exponential backoff: yields, then sleeps that double up to a cap, then the
/// deep sleep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct IdlePolicy {
    /// Rounds of spinning after a slot; round r pauses 2^r times.
    pub spins: u32,
    /// The most pauses in one round of spinning.
    pub max_pause: u32,
    /// Rounds of giving up the processor after that.
    pub yields: u32,
    /// The first sleep by time.
    pub first_sleep: Duration,
    /// The longest sleep by time before the deep sleep.
    pub max_sleep: Duration,
    /// How long nothing has to come before the deep sleep, which ends by a wake-up only.
    pub deep_after: Duration,
    /// Whether to wake up for submissions that are foretold, and how.
    pub predict: Option<Prediction>,
    /// Which sleeps a submission ends.
    pub wake: Wake,
}

/// How a worker wakes up ahead of a submission that it expects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Prediction {
    /// The least time to be awake before a submission is due.
    pub min_lead: Duration,
    /// The most. In between, a worker follows how much the system oversleeps.
    pub max_lead: Duration,
}

/// Which sleeps of a worker a submission ends, by one futex call on the audio thread.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Wake {
    /// All of them, if no worker is awake and looking: with prediction that is after a gap, or when a block comes at an odd time.
    #[default]
    WhenAsleep,
    /// The deep sleep alone: a block at an odd time waits for up to [`IdlePolicy::max_sleep`].
    AfterGap,
    /// None: the audio thread never makes a system call. Instead of the deep sleep workers look every 10 ms, so that the
    /// first blocks after a gap may be late.
    Never,
}

/// In place of the deep sleep where nobody would end it.
const DOZE: Duration = Duration::from_millis(10);

impl Default for IdlePolicy {
    fn default() -> Self {
        Self::predictive()
    }
}

impl Default for Prediction {
    fn default() -> Self {
        Self { min_lead: Duration::from_micros(8), max_lead: Duration::from_micros(60) }
    }
}

impl IdlePolicy {
    /// Awake just before each submission is due, asleep otherwise: the default.
    #[must_use]
    pub fn predictive() -> Self {
        Self { predict: Some(Prediction::default()), ..Self::backoff() }
    }

    /// Exponential backoff without prediction.
    #[must_use]
    pub fn backoff() -> Self {
        Self {
            spins: 6,
            max_pause: 32,
            yields: 2,
            first_sleep: Duration::from_micros(10),
            max_sleep: Duration::from_micros(160),
            deep_after: Duration::from_millis(200),
            predict: None,
            wake: Wake::WhenAsleep,
        }
    }

    /// Workers sleep at once and every submission wakes one: the least idle cost, one futex call per submission.
    #[must_use]
    pub fn park() -> Self {
        Self { spins: 0, yields: 0, deep_after: Duration::ZERO, ..Self::backoff() }
    }

    /// Never sleeps: a core per worker, burnt. A lower bound to measure others against.
    #[must_use]
    pub fn spin() -> Self {
        Self { spins: u32::MAX, max_pause: 1, wake: Wake::Never, ..Self::backoff() }
    }

    /// Sleeps of one length for ever, and nobody is woken: 36 looks, then one every `interval`. What the C++ library does
    /// with 100 µs; for comparison.
    #[must_use]
    pub fn polling(interval: Duration) -> Self {
        Self {
            spins: 36,
            max_pause: 1,
            yields: 0,
            first_sleep: interval,
            max_sleep: interval,
            deep_after: Duration::MAX,
            predict: None,
            wake: Wake::Never,
        }
    }

    fn is_deep_at_once(&self) -> bool {
        self.deep_after.is_zero() && self.wake != Wake::Never
    }
}

/// What a worker shall do that found nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Pause(u32),
    Yield,
    /// Until this time, in nanoseconds of the clock; foretold, so that the oversleep tells something.
    Until(u64),
    Sleep(Duration),
    Deep,
}

/// Where a worker stands on the way from spinning to sleeping.
#[derive(Debug)]
pub(super) struct Backoff {
    policy: IdlePolicy,
    round: u32,
    rests: u32,
    sleep: Duration,
    since: Option<u64>,
    /// How much the system oversleeps of late, nanoseconds.
    oversleep: u64,
}

impl Backoff {
    pub(super) fn new(policy: IdlePolicy) -> Self {
        Self { policy, round: 0, rests: 0, sleep: policy.first_sleep, since: None, oversleep: 0 }
    }

    /// There was work: start over.
    pub(super) fn reset(&mut self) {
        self.round = 0;
        self.rests = 0;
        self.sleep = self.policy.first_sleep;
        self.since = None;
    }

    /// Whether the next step needs the clock and the outlook.
    pub(super) fn is_spinning(&self) -> bool {
        self.round < self.policy.spins
    }

    /// The next step of spinning.
    pub(super) fn spin(&mut self) -> Step {
        let round = self.round;
        self.round = round.saturating_add(1);
        Step::Pause((1u32 << round.min(16)).min(self.policy.max_pause))
    }

    /// The next step after spinning. `outlook`: from when and until when the next submission is likely; `minds_clock`: whether
    /// this worker is the one that wakes up for it.
    pub(super) fn rest(
        &mut self,
        now: u64,
        outlook: Option<(u64, u64)>,
        minds_clock: impl FnOnce() -> bool,
    ) -> Step {
        let IdlePolicy { yields, max_sleep, deep_after, wake, max_pause, .. } = self.policy;
        if let (Some(predict), Some((from, _))) = (self.policy.predict, outlook) {
            if !minds_clock() {
                return Step::Deep;
            }
            let lead = self.lead(predict);
            // Worth a sleep only if it is longer than what sleeping costs.
            return match from.saturating_sub(lead).checked_sub(now) {
                Some(left) if left > lead / 2 => Step::Until(now + left),
                _ => Step::Pause(max_pause.min(8)),
            };
        }
        self.rests = self.rests.saturating_add(1);
        if self.rests <= yields {
            return Step::Yield;
        }
        let since = *self.since.get_or_insert(now);
        let deep = u128::from(now - since.min(now)) >= deep_after.as_nanos();
        let foretold_and_missed = self.policy.predict.is_some() && wake == Wake::WhenAsleep;
        if self.policy.is_deep_at_once() || foretold_and_missed {
            return Step::Deep;
        }
        if deep {
            return if wake == Wake::Never { Step::Sleep(DOZE.max(max_sleep)) } else { Step::Deep };
        }
        let sleep = self.sleep;
        self.sleep = (sleep * 2).min(max_sleep);
        Step::Sleep(sleep)
    }

    fn lead(&self, predict: Prediction) -> u64 {
        (self.oversleep + self.oversleep / 4)
            .clamp(nanos(predict.min_lead), nanos(predict.max_lead.max(predict.min_lead)))
    }

    /// A foretold sleep until `target` ended at `now`, by itself or by a wake-up.
    pub(super) fn woke(&mut self, target: u64, now: u64) {
        // Woken before its time: that tells nothing of the system's clock.
        let most = self.policy.predict.map_or(0, |predict| nanos(predict.max_lead));
        if let Some(over) = now.checked_sub(target).map(|over| over.min(most)) {
            self.oversleep = if over > self.oversleep {
                self.oversleep + (over - self.oversleep) / 2
            } else {
                self.oversleep - (self.oversleep - over) / 512
            };
        }
    }
}

/// A time in nanoseconds, the largest there are if it is longer.
pub(super) fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOBODY: Option<(u64, u64)> = None;

    fn steps(policy: IdlePolicy, count: usize) -> Vec<Step> {
        let mut backoff = Backoff::new(policy);
        (0..count)
            .map(|_| if backoff.is_spinning() { backoff.spin() } else { backoff.rest(0, NOBODY, || true) })
            .collect()
    }

    #[test]
    fn backoff_grows_from_spinning_to_capped_sleeps_and_starts_over() {
        let policy = IdlePolicy { spins: 4, max_pause: 4, yields: 1, ..IdlePolicy::backoff() };
        let seen = steps(policy, 11);
        assert_eq!(seen[..5], [Step::Pause(1), Step::Pause(2), Step::Pause(4), Step::Pause(4), Step::Yield]);
        assert_eq!(seen[5..], [10, 20, 40, 80, 160, 160].map(|n| Step::Sleep(Duration::from_micros(n))));
        let mut backoff = Backoff::new(policy);
        (0..4).for_each(|_| assert!(matches!(backoff.spin(), Step::Pause(_))));
        assert!(!backoff.is_spinning());
        backoff.reset();
        assert!(backoff.is_spinning());
    }

    #[test]
    fn after_a_while_the_sleep_is_deep_but_where_nobody_would_end_it() {
        for (wake, right) in [
            (Wake::WhenAsleep, Step::Deep),
            (Wake::AfterGap, Step::Deep),
            (Wake::Never, Step::Sleep(Duration::from_millis(10))),
        ] {
            let mut backoff = Backoff::new(IdlePolicy { spins: 0, yields: 0, wake, ..IdlePolicy::backoff() });
            assert_eq!(backoff.rest(5, NOBODY, || true), Step::Sleep(Duration::from_micros(10)));
            assert_eq!(backoff.rest(200_000_005, NOBODY, || true), right);
        }
        assert_eq!(steps(IdlePolicy::park(), 1), [Step::Deep]);
        assert!(!steps(IdlePolicy::polling(DOZE), 200).contains(&Step::Deep));
        assert!(steps(IdlePolicy::spin(), 200).iter().all(|step| *step == Step::Pause(1)));
    }

    #[test]
    fn what_is_foretold_is_slept_up_to_and_awaited() {
        let mut backoff = Backoff::new(IdlePolicy::predictive());
        let outlook = Some((1_000_000, 1_010_000));
        assert_eq!(backoff.rest(0, outlook, || true), Step::Until(992_000), "the least lead is 8 µs");
        assert_eq!(backoff.rest(0, outlook, || false), Step::Deep, "one worker minds the clock");
        assert_eq!(backoff.rest(995_000, outlook, || true), Step::Pause(8));
        assert_eq!(backoff.rest(1_005_000, outlook, || true), Step::Pause(8), "not yet given up");
        // Missed: no outlook any more. Two yields, then whoever comes has to wake this worker.
        (0..2).for_each(|_| assert_eq!(backoff.rest(1_010_001, NOBODY, || true), Step::Yield));
        assert_eq!(backoff.rest(1_010_002, NOBODY, || true), Step::Deep);
    }

    #[test]
    fn the_lead_follows_how_much_the_system_oversleeps_within_its_bounds() {
        let mut backoff = Backoff::new(IdlePolicy::predictive());
        let start = |b: &mut Backoff| match b.rest(0, Some((1_000_000, 1_000_001)), || true) {
            Step::Until(start) => 1_000_000 - start,
            step => panic!("{step:?}"),
        };
        (0..20).for_each(|_| backoff.woke(0, 30_000));
        assert!((30_000..40_000).contains(&start(&mut backoff)), "{}", start(&mut backoff));
        (0..20).for_each(|_| backoff.woke(0, 3_000_000));
        assert_eq!(start(&mut backoff), 60_000);
        (0..2000).for_each(|_| backoff.woke(0, 0));
        assert_eq!(start(&mut backoff), 8_000);
        backoff.woke(500, 400);
        assert_eq!(start(&mut backoff), 8_000, "woken early");
    }
}
