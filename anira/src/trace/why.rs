//! Why samples were late: [`Cause`].

use super::Header;
use super::replay::{Fate, Played};

/// Samples of one hop that one callback lacked.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LateRun {
    /// The stream.
    pub stream: u64,
    /// The hop; where hops were not yet complete, the first of them.
    pub hop: u64,
    /// Its place in [`Replayed::hops`](super::Replayed::hops); `None` if it was not yet complete.
    pub place: Option<usize>,
    /// The first sample, counted from the begin of the stream.
    pub first: u64,
    /// How many.
    pub samples: u64,
    /// The place of the first hop of the stream that the callback lacked, which may be one in front of this.
    pub(super) lacks: Option<usize>,
    /// The callback that lacked them, counted from 0 over the whole trace.
    pub callback: u64,
    /// When it last looked for results, in nanoseconds since the prepare.
    pub at: u64,
    /// Why.
    pub cause: Cause,
}

impl LateRun {
    pub(super) fn new(
        stream: u64,
        hop: u64,
        (first, samples): (u64, u64),
        callback: u64,
        at: u64,
        (place, lacks): (Option<usize>, Option<usize>),
    ) -> Self {
        Self { stream, hop, place, first, samples, lacks, callback, at, cause: Cause::Latency }
    }
}

/// Why samples were late: of all that took longer than was declared, what cost most. Nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cause {
    /// An inference took longer than declared: that of the hop itself, or of one before it, which kept the engine.
    Inference {
        /// Whose.
        hop: u64,
        /// How long.
        took: u64,
        /// The declared time.
        declared: u64,
    },
    /// A worker began later than it could, and than the scheduling allowance allows.
    Start {
        /// Whose hop.
        hop: u64,
        /// From the moment when it could begin.
        waited: u64,
        /// The declared allowance.
        allowance: u64,
    },
    /// The hop was submitted late: its callback came that much later, by the clock of the samples, than the one that lacked it.
    Jitter {
        /// The callback that submitted it.
        callback: u64,
        /// How much.
        by: u64,
    },
    /// Nothing took longer than declared: hops in front of it had the engines.
    Backlog {
        /// How many.
        hops: u64,
    },
    /// The engine failed.
    Failed,
    /// A hop was submitted, and neither answered nor given up before the trace or its stream ended.
    NotAnswered {
        /// Which, the hop itself or one in front of it.
        hop: u64,
    },
    /// It was not complete yet: blocks or submissions are not what the latency counts on.
    Latency,
}

impl Cause {
    /// Its name in documents.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Inference { .. } => "inference",
            Self::Start { .. } => "start",
            Self::Jitter { .. } => "jitter",
            Self::Backlog { .. } => "backlog",
            Self::Failed => "failed",
            Self::NotAnswered { .. } => "not answered",
            Self::Latency => "latency",
        }
    }
}

impl std::fmt::Display for Cause {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ms = |nanos: u64| nanos as f64 / 1e6;
        match *self {
            Self::Inference { hop, took, declared } => write!(
                f,
                "the inference of hop {hop} took {:.3} ms, longer than the declared {:.3} ms",
                ms(took),
                ms(declared)
            ),
            Self::Start { hop, waited, allowance } => write!(
                f,
                "hop {hop} was begun {:.3} ms after it could be, later than the allowed {:.3} ms",
                ms(waited),
                ms(allowance)
            ),
            Self::Jitter { callback, by } => {
                write!(f, "callback {callback}, which submitted the hop, came {:.3} ms late", ms(by))
            }
            Self::Backlog { hops } => write!(f, "{hops} hops in front of it had the engines"),
            Self::Failed => write!(f, "the engine gave no answer"),
            Self::NotAnswered { hop } => write!(f, "hop {hop} was never answered, as far as was recorded"),
            Self::Latency => write!(f, "the hop was not complete yet: not what the latency counts on"),
        }
    }
}

/// What explains are made from.
pub(super) struct Why<'p> {
    pub(super) header: &'p Header,
    pub(super) hops: &'p [Played],
    /// How much later than the earliest of all each callback came, by the clock of the samples.
    lateness: Vec<u64>,
    /// For each hop the last in front of it that was begun.
    begun_before: Vec<Option<usize>>,
}

/// Hops in front of a late one that are looked at.
const FAR: u64 = 4096;

impl<'p> Why<'p> {
    pub(super) fn new(header: &'p Header, hops: &'p [Played], callbacks: &[u64], brought: &[u64]) -> Self {
        let after = |(at, brought): (&u64, &u64)| i128::from(*at) - i128::from(header.time_of(*brought));
        let all = || callbacks.iter().zip(brought).map(after);
        let earliest = all().min().unwrap_or(0);
        let lateness = all().map(|own| u64::try_from(own - earliest).unwrap_or(u64::MAX)).collect();
        let ran = |(place, hop): (usize, &Played)| matches!(hop.fate, Fate::Ran { .. }).then_some(place);
        let begun_before = hops.iter().enumerate().scan(None, |last, hop| {
            let before = *last;
            *last = ran(hop).or(before);
            Some(before)
        });
        Self { header, hops, lateness, begun_before: begun_before.collect() }
    }

    pub(super) fn of(&self, late: &LateRun) -> Cause {
        let Some(played) = late.place.and_then(|place| self.hops.get(place)) else { return Cause::Latency };
        // It was there, but results count in order.
        let is_there = |end: u64| end <= late.at;
        let (played, from) = match (played.fate, late.lacks.and_then(|place| self.hops.get(place))) {
            (Fate::Ran { end, ok: true, .. }, Some(front)) if is_there(end) => (front, late.lacks),
            (Fate::Skipped { .. }, Some(front)) => (front, late.lacks),
            _ => (played, late.place),
        };
        match played.fate {
            Fate::Ran { ok: false, end, .. } if is_there(end) => return Cause::Failed,
            Fate::Waits => return Cause::NotAnswered { hop: played.hop },
            _ => {}
        }
        let mut worst: (u64, Cause) = (0, Cause::Latency);
        let mut take = |excess: u64, cause: Cause| {
            if excess > worst.0 {
                worst = (excess, cause);
            }
        };
        let by = self.lateness(played.callback).saturating_sub(self.lateness(late.callback));
        take(by, Cause::Jitter { callback: played.callback, by });
        // From the hop back to the one that found its engine free.
        let (mut place, mut in_front) = (from, 0);
        while let Some(hop) = place.and_then(|place| self.hops.get(place)).filter(|_| in_front < FAR) {
            place = match hop.fate {
                Fate::Ran { free, after, start, end, .. } => {
                    let (took, declared) = (end - start, self.header.max_inference);
                    take(took.saturating_sub(declared), Cause::Inference { hop: hop.hop, took, declared });
                    let (could, allowance) = (hop.submitted.max(free), self.header.scheduling_allowance);
                    let waited = start - could;
                    take(waited.saturating_sub(allowance), Cause::Start { hop: hop.hop, waited, allowance });
                    after.filter(|_| free > hop.submitted)
                }
                // What was given up never found an engine: the last that was begun before had it.
                Fate::Dropped { .. } | Fate::Skipped { .. } | Fate::Waits => {
                    place.and_then(|place| self.begun_before.get(place).copied().flatten())
                }
            };
            in_front += u64::from(place.is_some());
        }
        match worst {
            (0, _) if in_front > 0 => Cause::Backlog { hops: in_front },
            (_, cause) => cause,
        }
    }

    fn lateness(&self, callback: u64) -> u64 {
        self.lateness.get(callback as usize).copied().unwrap_or(0)
    }
}
