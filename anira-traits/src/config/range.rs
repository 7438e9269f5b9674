//! The hops of a model whose length is open: [`HopRange`].

use std::time::Duration;

use super::{Axis, InferenceConfig, InputRole, Layout, MAX_EXTENT, OutputRole};
use crate::{Error, Result};

/// The most hops that a range may leave to choose from.
const MOST: usize = 4096;

/// The hops at which a model of open length may be run: a session takes the one that gives the least latency in its host.
///
/// Hops are those of the reference stream (input stream 0, or output stream 0 of a model without one); the hops of all other streams
/// follow in proportion, contexts stay as they are. The configured hop is one of them.
///
/// A worst inference time belongs to a hop: that of the configuration to the longest, and with [`shortest_takes`](Self::shortest_takes)
/// another to the shortest; in between it is taken to grow evenly. Without that it is the same at every hop, which is safe, and
/// makes short hops look worse than they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HopRange {
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) multiple: usize,
    pub(super) shortest_takes: Option<Duration>,
}

impl HopRange {
    /// From one hop to another, in samples, both included.
    #[must_use]
    pub fn new(from: usize, to: usize) -> Self {
        Self { from, to, multiple: 1, shortest_takes: None }
    }

    /// The same range, of which only multiples of so many samples can be.
    #[must_use]
    pub fn multiple(mut self, samples: usize) -> Self {
        self.multiple = samples;
        self
    }

    /// The same range with this worst inference time at its shortest hop.
    #[must_use]
    pub fn shortest_takes(mut self, time: Duration) -> Self {
        self.shortest_takes = Some(time);
        self
    }

    /// The shortest hop.
    #[must_use]
    pub fn from(&self) -> usize {
        self.from
    }

    /// The longest hop.
    #[must_use]
    pub fn to(&self) -> usize {
        self.to
    }

    /// What every hop is a multiple of.
    #[must_use]
    pub fn step(&self) -> usize {
        self.multiple
    }

    /// The worst inference time at the shortest hop, if it is another than at the longest.
    #[must_use]
    pub fn time_at_from(&self) -> Option<Duration> {
        self.shortest_takes
    }

    /// The hops, the shortest first.
    pub fn hops(&self) -> impl Iterator<Item = usize> + Clone + use<> {
        let step = self.multiple.max(1);
        (self.from.next_multiple_of(step)..=self.to).step_by(step)
    }

    fn contains(&self, hop: usize) -> bool {
        (self.from..=self.to).contains(&hop) && hop.is_multiple_of(self.multiple)
    }

    /// The worst time at a hop, where that at the longest is known; rounded up.
    fn time_at(&self, hop: usize, longest: Duration) -> Duration {
        let (Some(least), true) = (self.shortest_takes, self.to > self.from) else { return longest };
        let above = longest.saturating_sub(least).as_nanos();
        let nanos = (above * (hop.saturating_sub(self.from)) as u128).div_ceil((self.to - self.from) as u128);
        least + Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

impl InferenceConfig {
    /// The hops that a session may choose from, if the model's length is open.
    #[must_use]
    pub fn hop_range(&self) -> Option<HopRange> {
        self.hop_range
    }

    /// The hop of the reference stream: input stream 0, or output stream 0 where there is none.
    #[must_use]
    pub fn hop(&self) -> usize {
        let of_input = self.inputs.iter().find_map(|t| match t.role {
            InputRole::Stream { hop, .. } => Some(hop),
            _ => None,
        });
        let mut outputs = self.outputs.iter().filter_map(|t| match t.role {
            OutputRole::Stream { hop, .. } => Some(hop),
            _ => None,
        });
        of_input.or_else(|| outputs.next()).unwrap_or(1)
    }

    /// The worst inference time at this hop of the reference stream, if one was declared.
    #[must_use]
    pub fn max_inference_at(&self, hop: usize) -> Option<Duration> {
        let longest = self.max_inference?;
        Some(self.hop_range.map_or(longest, |range| range.time_at(hop, longest)))
    }

    /// The same configuration at another hop of its [range](Self::hop_range), and without a range: every stream in proportion.
    #[must_use]
    pub fn at_hop(&self, hop: usize) -> Self {
        let (mut config, reference) = (self.clone(), self.hop().max(1));
        let scaled = |own: usize| (own as u128 * hop as u128 / reference as u128) as usize;
        for tensor in &mut config.inputs {
            if let InputRole::Stream { hop, .. } = &mut tensor.role {
                let new = scaled(*hop);
                stretch(&mut tensor.shape, &mut tensor.layout, *hop, new);
                *hop = new;
            }
        }
        for tensor in &mut config.outputs {
            if let OutputRole::Stream { hop, .. } = &mut tensor.role {
                let new = scaled(*hop);
                stretch(&mut tensor.shape, &mut tensor.layout, *hop, new);
                *hop = new;
            }
        }
        config.max_inference = self.max_inference_at(hop);
        config.hop_range = None;
        config
    }

    pub(super) fn check_hop_range(&self) -> Result<()> {
        let Some(range) = self.hop_range else { return Ok(()) };
        let HopRange { from, to, multiple, shortest_takes } = range;
        let bad = |field, value: &dyn std::fmt::Display, right: String| {
            Err(Error::config(field, value, right).at("hop_range"))
        };
        if !(1..=MAX_EXTENT).contains(&from) {
            return bad("from", &from, format!("from 1 to {MAX_EXTENT} samples"));
        }
        if !(from..=MAX_EXTENT).contains(&to) {
            return bad("to", &to, format!("from {from}, where the range begins, to {MAX_EXTENT} samples"));
        }
        if !(1..=to).contains(&multiple) {
            return bad("multiple", &multiple, format!("from 1 to {to}, where the range ends"));
        }
        let count = (to / multiple + 1).saturating_sub(from.div_ceil(multiple));
        if count == 0 {
            return bad("multiple", &multiple, format!("such that a multiple lies between {from} and {to}"));
        }
        if count > MOST {
            let right =
                format!("at least {}: it leaves {count} hops to choose from", (to - from).div_ceil(MOST - 1));
            return bad("multiple", &multiple, right);
        }
        let hop = self.hop();
        if !range.contains(hop) {
            let right = format!("such that the configured hop, {hop}, is one of them");
            let value = format!("{from} to {to} in multiples of {multiple}");
            return Err(Error::config("hop_range", value, right));
        }
        for (what, name, own) in self.stream_hops() {
            let step = hop / gcd(hop, own);
            if !multiple.is_multiple_of(step) {
                let right = format!("a multiple of {step}, or {what} `{name}` would not have whole hops");
                return bad("multiple", &multiple, right);
            }
        }
        match (shortest_takes, self.max_inference) {
            (Some(_), None) => bad(
                "shortest_takes",
                &"set",
                "together with max_inference, the time at the longest hop".to_owned(),
            ),
            (Some(least), Some(most)) if least > most => {
                let right = format!("at most {most:?}, the time at the longest hop");
                bad("shortest_takes", &format_args!("{least:?}"), right)
            }
            _ => Ok(()),
        }
    }

    fn stream_hops(&self) -> impl Iterator<Item = (&'static str, &str, usize)> {
        let inputs = self.inputs.iter().filter_map(|t| match t.role {
            InputRole::Stream { hop, .. } => Some(("input", t.name.as_str(), hop)),
            _ => None,
        });
        inputs.chain(self.outputs.iter().filter_map(|t| match t.role {
            OutputRole::Stream { hop, .. } => Some(("output", t.name.as_str(), hop)),
            _ => None,
        }))
    }
}

/// A shape that the configuration gives, for another hop: its time axis is longer or shorter by as much, row by row.
fn stretch(shape: &mut Option<Vec<usize>>, layout: &mut Option<Layout>, old: usize, new: usize) {
    let Some(shape) = shape else { return };
    let open: Vec<Option<usize>> = shape.iter().copied().map(Some).collect();
    // Guessed from the shape that was meant: at another hop another axis may be the longest.
    let Some(axes) = layout.clone().or_else(|| Layout::guess(&open)) else { return };
    let rows = axes.position(Axis::Row).and_then(|row| open.get(row).copied().flatten()).unwrap_or(1).max(1);
    if let Some(time) = axes.position(Axis::Time).and_then(|time| shape.get_mut(time)) {
        *time = (*time + new / rows).saturating_sub(old / rows);
    }
    *layout = Some(axes);
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a.max(1) } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{InputTensor, OutputTensor};

    fn config(range: HopRange) -> Result<InferenceConfig> {
        InferenceConfig::builder()
            .input(InputTensor::stream("x", 64).context(5))
            .output(OutputTensor::stream("y", 96))
            .max_inference(Duration::from_nanos(1000))
            .hop_range(range)
            .build()
    }

    #[track_caller]
    fn refused(range: HopRange, words: &[&str]) {
        let error = config(range).unwrap_err().to_string();
        words.iter().for_each(|word| assert!(error.contains(word), "`{error}` lacks `{word}`"));
    }

    #[test]
    fn nonsense_is_named() {
        let range = |from, to, multiple| HopRange::new(from, to).multiple(multiple);
        refused(range(0, 128, 2), &["hop_range", "from", "is 0", "from 1"]);
        refused(range(64, 32, 2), &["hop_range", "to", "is 32", "from 64"]);
        refused(range(64, MAX_EXTENT + 1, 64), &["to", "16777217"]);
        refused(range(64, 128, 0), &["multiple", "is 0", "from 1 to 128"]);
        refused(range(64, 128, 200), &["multiple", "200", "128"]);
        refused(range(65, 127, 64), &["multiple", "between 65 and 127"]);
        refused(range(2, 1 << 20, 2), &["multiple", "524288 hops", "at least 257"]);
        refused(range(66, 128, 2), &["hop_range", "66 to 128", "the configured hop, 64"]);
        refused(range(32, 128, 48), &["the configured hop, 64"]);
        refused(range(32, 128, 1), &["multiple", "is 1", "a multiple of 2", "output `y`"]);
        refused(
            range(32, 128, 2).shortest_takes(Duration::from_nanos(1001)),
            &["shortest_takes", "1.001", "at most 1µs"],
        );
        let without = InferenceConfig::builder().input(InputTensor::stream("x", 64));
        let range = HopRange::new(64, 128).shortest_takes(Duration::ZERO);
        let error = without.hop_range(range).build().unwrap_err().to_string();
        assert!(error.contains("max_inference"), "{error}");
    }

    #[test]
    fn shapes_that_were_given_are_stretched_along_time() {
        let config = InferenceConfig::builder()
            .input(InputTensor::stream("x", 64).shape([2, 3, 40]).layout("NCT".parse().unwrap()))
            .output(OutputTensor::stream("y", 64).shape([1, 64, 2]))
            .hop_range(HopRange::new(2, 128).multiple(2))
            .build()
            .unwrap()
            .at_hop(2);
        assert_eq!(config.inputs()[0].shape.as_deref(), Some(&[2, 3, 9][..]), "a row has 8 of context");
        assert_eq!(config.outputs()[0].shape.as_deref(), Some(&[1, 2, 2][..]));
        assert_eq!(config.outputs()[0].layout.as_ref().unwrap().to_string(), "NTC", "not guessed anew");
    }

    #[test]
    fn streams_follow_in_proportion_and_times_evenly() {
        let range = HopRange::new(20, 120).multiple(4).shortest_takes(Duration::from_nanos(501));
        let config = config(range).unwrap();
        let time = |hop| config.max_inference_at(hop).unwrap().as_nanos();
        assert_eq!((time(20), time(24), time(120)), (501, 501 + 20, 1000), "rounded up");
        let other = config.at_hop(100);
        assert_eq!((other.hop(), other.hop_range()), (100, None));
        let InputRole::Stream { context, .. } = other.inputs()[0].role else { panic!() };
        let OutputRole::Stream { hop, .. } = other.outputs()[0].role else { panic!() };
        assert_eq!((context, hop), (Some(5), 150));
        assert_eq!(other.max_inference(), config.max_inference_at(100));
        assert_eq!(range.hops().collect::<Vec<_>>()[..3], [20, 24, 28]);
        assert_eq!((range.hops().count(), range.hops().last()), (26, Some(120)));
    }
}
