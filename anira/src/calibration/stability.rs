//! Whether times are stable: when the warm-up is over, and whether what follows holds: [`Judge`].

use super::times::{Times, median, quantile};

/// Slots whose median is looked at.
const GROUP: usize = 32;
/// So many medians in a row that agree end the warm-up.
const AGREE: usize = 4;
/// Stable times differ by at most this share, and these nanoseconds, which are the clock's and the system's.
const MEDIAN: f64 = 0.15;
const MIDDLE: f64 = 1.0;
const TAIL: f64 = 3.0;
const GRAIN: u64 = 2_000;
const TAIL_GRAIN: u64 = 50_000;
/// So many drifts one after the other, each further up: a time that grows.
const LEVELS: usize = 4;

/// Why times are not stable. Nanoseconds.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unstable {
    /// The medians of groups of 32 slots never agreed: the least and the largest of the last ones.
    NeverSettled {
        /// The least.
        least: u64,
        /// The largest.
        largest: u64,
    },
    /// The median went from here to there.
    Drifts {
        /// The earlier one.
        from: u64,
        /// The later one.
        to: u64,
    },
    /// Half of all times lie in a wide range: they are of more than one kind.
    Scattered {
        /// A quarter of all are no longer.
        p25: u64,
        /// Three quarters of all are no longer.
        p75: u64,
    },
    /// A percentile may be anywhere in a wide interval.
    Wide {
        /// `p50` or `p99`.
        percentile: &'static str,
        /// Where the interval begins.
        low: u64,
        /// Where it ends.
        high: u64,
    },
    /// There was no time for as many slots as it takes.
    TooFew {
        /// Those that were measured, after the warm-up if it came to its end.
        slots: usize,
        /// As many as it takes.
        least: usize,
    },
}

impl std::fmt::Display for Unstable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ms = |nanos: u64| nanos as f64 / 1e6;
        match *self {
            Self::NeverSettled { least, largest } => write!(
                f,
                "medians of {GROUP} slots go on to differ, from {:.3} to {:.3} ms",
                ms(least),
                ms(largest)
            ),
            Self::Drifts { from, to } => {
                write!(f, "the median drifts from {:.3} to {:.3} ms", ms(from), ms(to))
            }
            Self::Scattered { p25, p75 } => {
                write!(f, "the middle half of all slots scatters from {:.3} to {:.3} ms", ms(p25), ms(p75))
            }
            Self::Wide { percentile, low, high } => {
                write!(f, "the {percentile} may be anything from {:.3} to {:.3} ms", ms(low), ms(high))
            }
            Self::TooFew { slots, least } => write!(f, "time for {slots} slots of the {least} that it takes"),
        }
    }
}

/// Whether two times are nearly the same.
fn near(a: u64, b: u64, share: f64, grain: u64) -> bool {
    let (low, high) = (a.min(b), a.max(b));
    high - low <= grain + (low as f64 * share) as u64
}

/// Follows the times of slots as they come.
#[derive(Debug)]
pub(super) struct Judge {
    least: usize,
    times: Vec<u64>,
    /// Slots before the times settled; all of them until they do.
    warm_up: Option<usize>,
    /// As many slots have been looked at, since the warm-up.
    looked: usize,
    /// The medians at which the times settled, one after the other.
    levels: Vec<u64>,
    verdict: Unstable,
}

impl Judge {
    pub(super) fn new(least: usize) -> Self {
        let verdict = Unstable::TooFew { slots: 0, least };
        Self { least, times: Vec::new(), warm_up: None, looked: 0, levels: Vec::new(), verdict }
    }

    /// Takes in a slot's time. Whether enough is known: it is stable, or it is sure that it won't be.
    pub(super) fn take(&mut self, nanos: u64) -> bool {
        self.times.push(nanos);
        let Some(warm_up) = self.warm_up else {
            self.settle();
            return false;
        };
        let measured = self.times.len() - warm_up;
        if measured < self.enough(warm_up) || measured < 2 * self.looked {
            return false;
        }
        self.looked = measured;
        match judge(&self.times[warm_up..]) {
            None => true,
            Some(Unstable::Drifts { from, to }) => {
                self.verdict = Unstable::Drifts { from, to };
                // Perhaps the warm-up was longer than it seemed; but not again and again.
                self.levels.push(from);
                self.levels.push(to);
                let grows = self.levels.windows(2).rev().take_while(|pair| pair[0] <= pair[1]).count();
                (self.warm_up, self.looked) = (None, 0);
                grows + 1 >= 2 * LEVELS
            }
            Some(other) => {
                self.verdict = other;
                false
            }
        }
    }

    /// Slots that it takes: as many as were not stable before, or a time that grows ever more slowly would seem stable in the end.
    fn enough(&self, warm_up: usize) -> usize {
        self.least.max(warm_up)
    }

    /// Looks whether the last groups agree. The first of them may still hold some slots of the warm-up.
    fn settle(&mut self) {
        let since = self.times.len();
        if !since.is_multiple_of(GROUP) || since < AGREE * GROUP {
            return;
        }
        let medians: Vec<u64> = self.times[since - AGREE * GROUP..].chunks(GROUP).map(median).collect();
        let (Some(least), Some(largest)) = (medians.iter().min(), medians.iter().max()) else { return };
        if near(*least, *largest, MEDIAN, GRAIN) {
            self.warm_up = Some(since - (AGREE - 1) * GROUP);
        } else if !matches!(self.verdict, Unstable::Drifts { .. }) {
            self.verdict = Unstable::NeverSettled { least: *least, largest: *largest };
        }
    }

    /// Slots of the warm-up, and what is wrong with the rest.
    pub(super) fn verdict(&self) -> (usize, Option<Unstable>) {
        let Some(warm_up) = self.warm_up else {
            let too_few = Unstable::TooFew { slots: self.times.len(), least: self.least };
            let known = Some(self.verdict.clone()).filter(|v| !matches!(v, Unstable::TooFew { .. }));
            return (0, Some(known.unwrap_or(too_few)));
        };
        let measured = &self.times[warm_up..];
        let least = self.enough(warm_up);
        match measured.len() < least {
            true if matches!(self.verdict, Unstable::Drifts { .. }) => (warm_up, Some(self.verdict.clone())),
            true => (warm_up, Some(Unstable::TooFew { slots: measured.len(), least })),
            false => (warm_up, judge(measured)),
        }
    }
}

/// What is wrong with these times, if anything.
fn judge(times: &[u64]) -> Option<Unstable> {
    let quarter = times.len().div_ceil(4);
    let (from, to) = (median(&times[..quarter]), median(&times[times.len() - quarter..]));
    if !near(from, to, MEDIAN, GRAIN) {
        return Some(Unstable::Drifts { from, to });
    }
    let (p25, p75) = (quantile(times, 1), quantile(times, 3));
    if !near(p25, p75, MIDDLE, GRAIN) {
        return Some(Unstable::Scattered { p25, p75 });
    }
    let all = Times::of(times);
    let wide = |percentile, figure: super::Figure, share, grain| {
        let (low, high) = (figure.low, figure.high);
        (!near(low, high, share, grain)).then_some(Unstable::Wide { percentile, low, high })
    };
    wide("p50", all.p50, MEDIAN, GRAIN).or_else(|| wide("p99", all.p99, TAIL, TAIL_GRAIN))
}
