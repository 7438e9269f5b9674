//! [`Terms`] as bounded integers, so that no arithmetic on them overflows or runs for long.

use std::time::Duration;

use anira_traits::Terms;

/// The longest period or deadline that is told apart from longer ones: 13 days. Cutting either down errs on the safe side.
const LONGEST: u64 = 1 << 50;
/// What an inference time above [`LONGEST`] counts as: more than any deadline.
const ENDLESS: u64 = 1 << 52;

/// One session. Nanoseconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Task {
    /// The declared worst time of a slot.
    pub(super) cost: u64,
    /// The time between slots, on average; at least 1.
    pub(super) period: u64,
    /// The shortest time from submission to need.
    pub(super) deadline: u64,
    /// Slots that one callback submits; at least 1.
    pub(super) burst: u64,
    /// Slots that run at once; at least 1.
    pub(super) engines: usize,
    /// The user's priority.
    pub(super) priority: i32,
}

impl Task {
    pub(super) fn new(terms: &Terms) -> Self {
        let cost = nanos(terms.max_inference);
        Self {
            cost: if cost > LONGEST { ENDLESS } else { cost },
            period: nanos(terms.period).clamp(1, LONGEST),
            deadline: nanos(terms.deadline).min(LONGEST),
            burst: (terms.burst as u64).clamp(1, 1 << 40),
            engines: terms.engines.max(1),
            priority: terms.priority,
        }
    }

    /// The share of one worker that it needs.
    pub(super) fn utilisation(&self) -> f64 {
        self.cost as f64 / self.period as f64
    }

    /// The time between callbacks that bring a whole burst.
    pub(super) fn cycle(&self) -> u64 {
        self.burst.saturating_mul(self.period).min(LONGEST)
    }

    /// What a whole burst costs.
    pub(super) fn burst_cost(&self) -> u64 {
        self.burst.saturating_mul(self.cost).min(ENDLESS)
    }

    /// The same session on a core that gives `share` of itself. Rounded up, with room for the clock's own rounding.
    pub(super) fn slowed(mut self, share: f64) -> Self {
        if share < 1.0 && self.cost > 0 {
            self.cost = ((self.cost as f64 / share).ceil() as u64).saturating_add(2).min(ENDLESS);
        }
        self
    }
}

/// A duration in nanoseconds, at most `u64::MAX`.
pub(super) fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// A response bound as a duration; none where it only says "very long".
pub(super) fn response(nanos: Option<u64>) -> Option<Duration> {
    nanos.filter(|&n| n < 2 * LONGEST).map(Duration::from_nanos)
}
