//! The latency of a session: exact, as small as it can be, known before the first block.
//!
//! [`latency`] answers a [`LatencyQuery`]. All arithmetic is on integers and [fractions](Rational) of 128 bits; no float
//! decides anything. `docs/latency.md` in the repository has the model, the formulas and their proofs.
//!
//! ```
//! use anira::latency::{LatencyQuery, Rational, latency};
//!
//! // Blocks of 480 at 48 kHz into hops of 512, and a network that takes 5 ms.
//! let five_ms = Rational::new(5, 1000)?;
//! let latency = latency(&LatencyQuery::new(480u32, 48_000u32, 512, 512, five_ms))?;
//! assert_eq!((latency.samples, latency.adaptation, latency.inference), (960, 480, 480));
//! # Ok::<(), anira_traits::Error>(())
//! ```
//!
//! Any thread may ask; an answer takes microseconds, allocates next to nothing and never blocks.

mod backlog;
mod decimal;
mod declare;
mod lag;
mod peak;
mod query;
mod rational;

use anira_traits::{Error, ErrorKind, Result};

pub use query::{Blocks, LatencyQuery, StreamHops};
pub use rational::Rational;

use lag::{Lag, lag};
use rational::overflow;

/// The latency of one output stream, in samples of that stream, and the sizes that a session needs to keep it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Latency {
    /// What the host is told: the sum of the four parts.
    pub samples: u64,
    /// The part that comes from blocks and hops that don't fit each other: the zero-fill if inferences took no time.
    pub adaptation: u64,
    /// The part that comes from inferences that take time: the rest of the zero-fill.
    pub inference: u64,
    /// The model's own latency.
    pub model: u64,
    /// The part that was asked for: what a declared latency, or that of an output to be aligned with, is above the sum of the
    /// other parts.
    pub padding: u64,
    /// Whether one sample less would be too few, but for the padding. Otherwise it may be: the figure is a proven upper bound.
    pub exact: bool,
    /// Inferences that may be submitted and not collected at once. A session that marks slots void at a reset needs as
    /// many more as it has engines. Padding adds a slot for each hop of it, up to 64: an inference that takes longer than
    /// declared delays those behind it, which then wait in slots.
    pub slots: u64,
    /// Samples per channel that the input history of the reference stream must hold, besides the context:
    /// `(slots + engines)·hop_in + ⌈host_block⌉`.
    pub input_ring: u64,
    /// Samples per channel that an output ring must hold: the zero-fill and one callback's share,
    /// `⌈host_block·hop_out/hop_in⌉`.
    pub output_ring: u64,
    /// Sample rate of the output stream in Hz.
    pub sample_rate: Rational,
}

impl Latency {
    /// The zeros at the start of the output stream, all but the model's own latency: adaptation, inference and padding.
    #[must_use]
    pub fn zero_fill(&self) -> u64 {
        self.adaptation + self.inference + self.padding
    }

    /// The whole latency in milliseconds, for people to read.
    #[must_use]
    pub fn milliseconds(&self) -> f64 {
        Rational::from(self.samples).to_f64() * 1000.0 / self.sample_rate.to_f64()
    }
}

/// The smallest latency with which no callback ever comes up short, as `docs/latency.md` defines it.
///
/// Exact for fixed blocks, and for varying blocks of whole samples but for a few ranges with a declared minimum; else
/// an upper bound, and [`Latency::exact`] is `false`.
///
/// # Errors
/// [`ErrorKind::Config`] names a field that cannot be. [`ErrorKind::Overload`]: the engines cannot keep up, whatever the
/// latency; with the figures, and what would help.
pub fn latency(query: &LatencyQuery) -> Result<Latency> {
    let plan = Plan::new(query)?;
    declare::declared(plan.output(query.output)?, query.output, query.hop_in)
}

/// [`latency`] of several output streams of one session, each its own minimum unless declared or
/// [aligned](LatencyQuery::align); the query's own output is ignored.
///
/// # Errors
/// Those of [`latency`]; an output's error names its index.
pub fn latencies(query: &LatencyQuery, outputs: &[StreamHops]) -> Result<Vec<Latency>> {
    latencies_of(query, outputs, |index| format!("outputs[{index}]"))
}

/// [`latencies`], whose errors call an output by its name.
pub(crate) fn latencies_of(
    query: &LatencyQuery,
    outputs: &[StreamHops],
    name: impl Fn(usize) -> String,
) -> Result<Vec<Latency>> {
    let plan = Plan::new(query)?;
    let output = |(index, &stream): (usize, &StreamHops)| {
        plan.output(stream)
            .and_then(|latency| declare::declared(latency, stream, query.hop_in))
            .map_err(|error| error.at(name(index)))
    };
    let latencies: Vec<Latency> = outputs.iter().enumerate().map(output).collect::<Result<_>>()?;
    if query.align { declare::aligned(latencies, outputs, query.hop_in, name) } else { Ok(latencies) }
}

/// What all outputs of a session share.
struct Plan<'a> {
    query: &'a LatencyQuery,
    lag: Lag,
    lag_without_inference: Lag,
}

impl<'a> Plan<'a> {
    fn new(query: &'a LatencyQuery) -> Result<Self> {
        query.validate()?;
        let inference = query.max_inference.plus(query.scheduling_allowance)?;
        refuse_overload(query)?;
        let lag_without_inference = lag(query, Rational::ZERO)?;
        Ok(Self { query, lag: lag(query, inference)?, lag_without_inference })
    }

    fn output(&self, stream: StreamHops) -> Result<Latency> {
        stream.validate()?;
        let query = self.query;
        let (hop_in, hop_out) = (Rational::from(query.hop_in), Rational::from(stream.hop_out));
        let zero_fill = self.lag.whole(hop_out, Rational::ZERO)?;
        let adaptation = self.lag_without_inference.whole(hop_out, Rational::ZERO)?.min(zero_fill);
        let slots = self.lag.whole(Rational::ONE, query.host_block.over(hop_in)?)?.max(1);
        let hops_of_input = (slots + i128::from(query.engines)) * i128::from(query.hop_in);
        let share = query.host_block.times(hop_out)?.over(hop_in)?;
        let size = |samples: i128| u64::try_from(samples).map_err(|_| overflow());
        Ok(Latency {
            samples: size(zero_fill + i128::from(stream.model_latency))?,
            adaptation: size(adaptation)?,
            inference: size(zero_fill - adaptation)?,
            model: stream.model_latency,
            padding: 0,
            exact: self.lag.exact,
            slots: size(slots)?,
            input_ring: size(hops_of_input + query.host_block.ceil())?,
            output_ring: size(zero_fill + share.ceil())?,
            sample_rate: query.sample_rate.times(hop_out)?.over(hop_in)?,
        })
    }
}

/// Refuses inferences that come faster than the engines serve them: I·fs/M above n.
fn refuse_overload(query: &LatencyQuery) -> Result<()> {
    let allowance = query.scheduling_allowance;
    let inference = query.max_inference.plus(allowance)?;
    let capacity = i128::from(query.engines) * i128::from(query.hop_in);
    let longest = Rational::new(capacity, 1)?.over(query.sample_rate)?;
    if inference <= longest {
        return Ok(());
    }
    // What would help is rounded to the side on which it does help.
    let samples = lag::samples_during(inference, query.sample_rate)?.0;
    let busy = samples.over(Rational::from(query.hop_in))?;
    let hop = samples.over(Rational::from(query.engines))?.ceil();
    let milliseconds = |seconds: Rational| seconds.times(Rational::from(1000u32));
    // Of the longest time, to the nanosecond, the allowance takes its part.
    let nanoseconds = |seconds: Rational| seconds.times(Rational::from(1_000_000_000u32));
    let whole = nanoseconds(longest).or_else(|_| nanoseconds(longest.rounded_down(60)?))?.floor();
    let left = Rational::new(whole, 1_000_000)?.minus(milliseconds(allowance)?)?;
    let (to_start, shorter) = match allowance.is_zero() {
        true => (String::new(), format!("inferences of at most {left} ms")),
        false if left > Rational::ZERO => (
            format!(" and {} ms before it can start,", milliseconds(allowance)?),
            format!("inferences of at most {left} ms"),
        ),
        false => (
            format!(" and {} ms before it can start,", milliseconds(allowance)?),
            "a smaller scheduling allowance, which takes all of it".to_owned(),
        ),
    };
    Err(Error::new(
        ErrorKind::Overload,
        format!(
            "the model cannot keep up: an inference of {} ms{to_start} for every hop of {} samples at {} Hz keeps {:.3} \
             engines busy, and there are {}; it would take {} engines, or a hop of {hop} samples, or {shorter}",
            milliseconds(query.max_inference)?,
            query.hop_in,
            query.sample_rate,
            busy.to_f64(),
            query.engines,
            busy.ceil(),
        ),
    )
    .at("max_inference"))
}
