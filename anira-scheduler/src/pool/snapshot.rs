//! What a pool and its workers did so far.

use std::time::Duration;

use super::Granted;

/// A pool at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct PoolSnapshot {
    /// Sessions that are attached.
    pub sessions: usize,
    /// Workers that run.
    pub workers: Vec<WorkerSnapshot>,
    /// Workers that were told to end and are still inside an engine.
    pub leaving: usize,
    /// Workers that were replaced because their slot took far longer than declared.
    pub replaced: u64,
}

/// A worker at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct WorkerSnapshot {
    /// The band that it serves; 0 is the most urgent.
    pub band: usize,
    /// Its place in the band.
    pub seat: usize,
    /// What the system granted it; `None` while it starts.
    pub granted: Option<Granted>,
    /// The time since it was started.
    pub age: Duration,
    /// The time that it spent on slots.
    pub busy: Duration,
    /// Slots that it ran.
    pub slots: u64,
    /// How often it came out of a sleep.
    pub wake_ups: u64,
    /// How long the slot that it runs now has been running.
    pub running: Option<Duration>,
}

impl WorkerSnapshot {
    /// The share of its life that it spent on slots, 0 to 1.
    #[must_use]
    pub fn busy_share(&self) -> f64 {
        if self.age.is_zero() { 0.0 } else { self.busy.as_secs_f64() / self.age.as_secs_f64() }
    }
}
