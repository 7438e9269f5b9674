//! [`SchedulingAllowance`]: what a worker may need before it begins.

use std::time::Duration;

/// The time from a hop's submission to the start of its inference, where no inference of the same session is in its way. The
/// latency counts on it as if every inference took that much longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SchedulingAllowance {
    /// This long; nothing unless set.
    Time(Duration),
    /// As long as inferences of other sessions, which nobody can interrupt, may stand in the way: by what the sessions declared
    /// that are attached to the scheduler when this one is prepared. Who comes later is not foreseen.
    Auto,
}

impl Default for SchedulingAllowance {
    fn default() -> Self {
        Self::Time(Duration::ZERO)
    }
}

impl From<Duration> for SchedulingAllowance {
    fn from(time: Duration) -> Self {
        Self::Time(time)
    }
}
