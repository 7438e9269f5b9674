//! Scheduling as arithmetic: which band serves a session, whether a set of sessions fits, and a simulation to hold both against.
//!
//! Nothing here has a thread, a clock or an atomic. Times are nanoseconds. Everything may be called from the control
//! thread; it allocates. The reasons and the measured tables are in `docs/scheduling.md`.
//!
//! - [`assign`]: which deadline band serves each session.
//! - [`admission`]: whether all slots are in time, from declared figures alone, and by how much.
//! - [`Simulation`]: cores, workers and sessions on a virtual clock; replays recorded arrivals.
//!
//! # What a session promises
//! Terms are read as follows; T is the period, B the burst, D the deadline, C the declared worst inference time. Every slot has
//! a submission s and an absolute deadline d. For r = d - D:
//!
//! 1. s lies in (r - B·T, r]: never later than D before its deadline, and early by less than one callback;
//! 2. at most B·(⌊x / (B·T)⌋ + 1) of the r lie in any closed interval of length x: B at once, B·T apart, or one every T;
//! 3. at most B + ⌈x / T⌉ submissions lie in any interval of length x;
//! 4. slots of a session are submitted, needed and claimed in the same order, and none takes longer than C.
//!
//! A host block that divides the hop, or that the hop divides, keeps this with s = r. Blocks of varying length keep it with
//! D = zero-fill + 2 - hop - block (in samples); fixed blocks that share only the divisor g with the hop, with
//! D = zero-fill + 1 + g - hop - block.

mod admission;
mod arrivals;
mod bands;
mod one_worker;
mod several;
mod simulate;
mod task;

#[cfg(all(test, not(loom)))]
mod tests;

pub use admission::{admission, blocking};
pub use arrivals::{Arrival, Callbacks, Spread};
pub use bands::assign;
pub use simulate::{Finished, Outcome, SessionOutcome, Simulation, simulate};

/// Which of the slots that wait in a band is run first. A user's priority stands above either.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// The one that is needed first.
    #[default]
    EarliestDeadline,
    /// The one that was submitted first.
    Fifo,
}

/// What the operating system does with workers of different bands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Preemption {
    /// A worker of a more urgent band interrupts one of a less urgent band at once.
    #[default]
    Priority,
    /// No priority was granted: all workers that have a slot share the cores equally.
    FairShare,
}

/// The machine that sessions are scheduled on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct System {
    /// Cores that run workers, and nothing else.
    pub cores: usize,
    /// Workers of each band.
    pub workers: usize,
    /// Bands that may be used.
    pub bands: usize,
    /// The order within a band.
    pub order: Order,
    /// What happens between bands.
    pub preemption: Preemption,
}

impl System {
    /// Cores, workers of each band, and bands; 0 counts as 1. Earliest deadline first, priorities granted.
    #[must_use]
    pub fn new(cores: usize, workers: usize, bands: usize) -> Self {
        Self {
            cores: cores.max(1),
            workers: workers.max(1),
            bands: bands.max(1),
            order: Order::default(),
            preemption: Preemption::default(),
        }
    }

    /// With this order within a band.
    #[must_use]
    pub fn order(mut self, order: Order) -> Self {
        self.order = order;
        self
    }

    /// With this behaviour between bands.
    #[must_use]
    pub fn preemption(mut self, preemption: Preemption) -> Self {
        self.preemption = preemption;
        self
    }
}
