//! What a latency is asked for: host, hops, inference time, engines.

use std::time::Duration;

use anira_traits::{BlockSize, Error, ErrorKind, HostConfig, MAX_BLOCK, Result};

use super::Rational;

/// Whether every callback brings the same number of samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blocks {
    /// Every callback brings the host block.
    Fixed,
    /// A callback brings anything from `min` samples to the host block, as it likes.
    Varying {
        /// The fewest samples in a callback.
        min: Rational,
    },
}

/// An output stream: its hop, and what the model itself delays it by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamHops {
    /// Samples that one inference yields, per channel; from 1 to 2²⁴.
    pub hop_out: u64,
    /// Samples of this stream by which the model's answer lags behind its input; at most 2⁴⁰.
    pub model_latency: u64,
    /// The whole latency that is told in place of the smallest one, which it may not be below; at most 2⁴⁰.
    pub declared_latency: Option<u64>,
}

impl StreamHops {
    /// An output stream of this hop, from a model without latency, with the smallest latency that holds.
    #[must_use]
    pub fn new(hop_out: u64) -> Self {
        Self { hop_out, model_latency: 0, declared_latency: None }
    }
}

/// What [`latency`](super::latency) is asked: start with [`new`](Self::new) or [`for_host`](Self::for_host), then
/// change what differs from the defaults.
///
/// Fields are checked when the question is answered. Any thread; nothing here blocks.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LatencyQuery {
    /// Samples of the reference input stream that a callback brings, or at most brings; from 0.001 to 2²⁰, with at most
    /// three decimals.
    pub host_block: Rational,
    /// Sample rate of the reference input stream in Hz; from 0.001 to 10⁹.
    pub sample_rate: Rational,
    /// Samples of the reference input stream that one inference consumes; from 1 to 2²⁴.
    pub hop_in: u64,
    /// The output stream.
    pub output: StreamHops,
    /// The longest that one inference takes, in seconds; from 0 to 3600.
    pub max_inference: Rational,
    /// What a worker may need to start, in seconds, added to the inference time; from 0 to 3600. 0 unless set.
    pub scheduling_allowance: Rational,
    /// Inferences that can really run at once; from 1 to 1024. 1 unless set.
    pub engines: u64,
    /// The share of a block's duration that a callback may wait for results; from 0 to 1. 0 unless set.
    pub blocking_ratio: Rational,
    /// Whether blocks vary. Fixed unless set.
    pub blocks: Blocks,
    /// Whether all outputs of [`latencies`](super::latencies) are delayed by the same time. No unless set.
    pub align: bool,
}

impl LatencyQuery {
    /// A host with fixed blocks, one engine that takes at most `max_inference` seconds, one output stream.
    #[must_use]
    pub fn new(
        host_block: impl Into<Rational>,
        sample_rate: impl Into<Rational>,
        hop_in: u64,
        hop_out: u64,
        max_inference: impl Into<Rational>,
    ) -> Self {
        Self {
            host_block: host_block.into(),
            sample_rate: sample_rate.into(),
            hop_in,
            output: StreamHops::new(hop_out),
            max_inference: max_inference.into(),
            scheduling_allowance: Rational::ZERO,
            engines: 1,
            blocking_ratio: Rational::ZERO,
            blocks: Blocks::Fixed,
            align: false,
        }
    }

    /// This host, whose stream is the reference input stream.
    ///
    /// # Errors
    /// [`ErrorKind::Host`] if the host's configuration is not valid.
    pub fn for_host(host: &HostConfig, hop_in: u64, hop_out: u64, max_inference: Duration) -> Result<Self> {
        host.validate()?;
        let samples = |count: usize| Rational::from(u64::try_from(count).unwrap_or(u64::MAX));
        let rate = Rational::try_from(host.sample_rate())
            .map_err(|error| error.of_kind(ErrorKind::Host).at("sample_rate"))?;
        let block = host.block_size();
        let query = Self::new(samples(block.max()), rate, hop_in, hop_out, max_inference);
        Ok(match block {
            BlockSize::Varying { min, .. } => query.blocks(Blocks::Varying { min: samples(min) }),
            BlockSize::Fixed(_) => query,
        })
    }

    /// The same question with blocks that vary or don't.
    #[must_use]
    pub fn blocks(mut self, blocks: Blocks) -> Self {
        self.blocks = blocks;
        self
    }

    /// The same question with this many engines at once.
    #[must_use]
    pub fn engines(mut self, count: u64) -> Self {
        self.engines = count;
        self
    }

    /// The same question with this blocking ratio.
    #[must_use]
    pub fn blocking_ratio(mut self, ratio: impl Into<Rational>) -> Self {
        self.blocking_ratio = ratio.into();
        self
    }

    /// The same question with this scheduling allowance in seconds.
    #[must_use]
    pub fn scheduling_allowance(mut self, seconds: impl Into<Rational>) -> Self {
        self.scheduling_allowance = seconds.into();
        self
    }

    /// The same question with a model that delays its output by this many samples.
    #[must_use]
    pub fn model_latency(mut self, samples: u64) -> Self {
        self.output.model_latency = samples;
        self
    }

    /// The same question with this latency in place of the smallest one.
    #[must_use]
    pub fn declared_latency(mut self, samples: u64) -> Self {
        self.output.declared_latency = Some(samples);
        self
    }

    /// The same question with outputs that are all delayed by the same time, or each by its own smallest.
    #[must_use]
    pub fn align(mut self, align: bool) -> Self {
        self.align = align;
        self
    }

    /// Checks every field but the output's.
    ///
    /// # Errors
    /// [`ErrorKind::Config`], naming the field, its value and what would be right.
    pub(super) fn validate(&self) -> Result<()> {
        let longest = i128::try_from(MAX_BLOCK).unwrap_or(i128::MAX);
        block("host_block", self.host_block, longest)?;
        between("sample_rate", self.sample_rate, Rational::new(1, 1000)?, 1_000_000_000)?;
        count("hop_in", self.hop_in, 1, MAX_HOP)?;
        between("max_inference", self.max_inference, Rational::ZERO, 3600)?;
        between("scheduling_allowance", self.scheduling_allowance, Rational::ZERO, 3600)?;
        count("engines", self.engines, 1, 1024)?;
        between("blocking_ratio", self.blocking_ratio, Rational::ZERO, 1)?;
        match self.blocks {
            Blocks::Varying { min } if min > self.host_block => {
                Err(Error::config("min_block", min, format!("at most the host block, {}", self.host_block)))
            }
            Blocks::Varying { min } => block("min_block", min, longest),
            Blocks::Fixed => Ok(()),
        }
    }
}

const MAX_HOP: u64 = 1 << 24;

impl StreamHops {
    pub(super) fn validate(&self) -> Result<()> {
        count("hop_out", self.hop_out, 1, MAX_HOP)?;
        count("model_latency", self.model_latency, 0, 1 << 40)?;
        count("declared_latency", self.declared_latency.unwrap_or(0), 0, 1 << 40)
    }
}

fn count(field: &'static str, value: u64, least: u64, most: u64) -> Result<()> {
    if (least..=most).contains(&value) {
        return Ok(());
    }
    Err(Error::config(field, value, format!("an integer from {least} to {most}")))
}

fn between(field: &'static str, value: Rational, least: Rational, most: u32) -> Result<()> {
    if (least..=Rational::from(most)).contains(&value) {
        return Ok(());
    }
    Err(Error::config(field, value, format!("from {least} to {most}")))
}

fn block(field: &'static str, value: Rational, longest: i128) -> Result<()> {
    let in_range = value >= Rational::new(1, 1000)? && value <= Rational::new(longest, 1)?;
    if in_range && 1000 % value.den() == 0 {
        return Ok(());
    }
    Err(Error::config(field, value, format!("from 0.001 to {longest} samples, with at most three decimals")))
}
