//! The latency that measured times lead to, host by host: [`Row`].

use std::cmp::Reverse;
use std::time::Duration;

use anira_traits::{ErrorKind, HostConfig, InferenceConfig, Result, SessionPlan};

use super::settings::Settings;
use crate::latency::{Latency, LatencyQuery, Rational, StreamHops, latencies};

/// The least latency in one host, and what it takes.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Row {
    /// Samples of every callback.
    pub block: usize,
    /// The hop: of those with the least latency the longest, which runs least often.
    pub hop: usize,
    /// Engines at once: the fewest with the least latency.
    pub engines: usize,
    /// The worst inference time at this hop.
    pub max_inference: Duration,
    /// The share of its time that each engine is busy for, at worst.
    pub load: f64,
    /// The latency of output stream 0; `None` where the model cannot keep up, with any number of engines.
    pub latency: Option<Latency>,
}

/// What a table is computed from.
pub(super) struct Facts {
    pub(super) plan: SessionPlan,
    pub(super) config: InferenceConfig,
    pub(super) max_inference: Duration,
    pub(super) shortest_takes: Option<Duration>,
    pub(super) scheduling_allowance: Duration,
    pub(super) max_engines: usize,
}

impl Facts {
    fn hops(&self) -> Vec<usize> {
        self.config.hop_range().map_or_else(|| vec![self.config.hop()], |range| range.hops().collect())
    }

    /// As a configuration with these times would have it.
    fn time_at(&self, hop: usize) -> Duration {
        let (Some(range), Some(least)) = (self.config.hop_range(), self.shortest_takes) else {
            return self.max_inference;
        };
        let (above, from) = (self.max_inference.saturating_sub(least).as_nanos(), range.from());
        let nanos = (above * hop.saturating_sub(from) as u128).div_ceil((range.to() - from).max(1) as u128);
        least + Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    fn latency(&self, host: &HostConfig, hop: usize, engines: usize) -> Result<Option<Latency>> {
        // The plan may be at another hop of the range.
        let reference =
            self.plan.inputs.first().or(self.plan.outputs.first()).map_or(1, |s| s.hop.max(1)) as u128;
        let hop_in = hop as u64;
        let query = LatencyQuery::for_host(host, hop_in, hop_in, self.time_at(hop))?
            .engines(engines as u64)
            .scheduling_allowance(self.scheduling_allowance)
            .blocking_ratio(Rational::new(i128::from(self.config.blocking_ppm()), 1_000_000)?)
            .align(self.config.align_outputs());
        let outputs: Vec<StreamHops> = match self.plan.outputs.as_slice() {
            [] => vec![StreamHops::new(hop_in)],
            outputs => outputs
                .iter()
                .map(|o| {
                    let mut stream = StreamHops::new((o.hop as u128 * hop as u128 / reference) as u64);
                    (stream.model_latency, stream.declared_latency) = (o.latency, o.declared_latency);
                    stream
                })
                .collect(),
        };
        match latencies(&query, &outputs) {
            Ok(latencies) => Ok(latencies.into_iter().next()),
            Err(error) if error.kind() == ErrorKind::Overload => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// A row for every block.
pub(super) fn rows(facts: &Facts, settings: &Settings) -> Result<Vec<Row>> {
    settings.blocks.iter().map(|block| row(facts, settings, *block)).collect()
}

fn row(facts: &Facts, settings: &Settings, block: usize) -> Result<Row> {
    let host = HostConfig::fixed(settings.sample_rate, block);
    let load = |hop: usize, engines: usize| {
        let time = (facts.time_at(hop) + facts.scheduling_allowance).as_secs_f64();
        time * settings.sample_rate / (hop * engines) as f64
    };
    let mut best: Option<Row> = None;
    for hop in facts.hops() {
        for engines in 1..=facts.max_engines {
            let Some(latency) = facts.latency(&host, hop, engines)? else { continue };
            let is_better = |best: &Row| {
                let of_best = best.latency.as_ref().map_or(u64::MAX, |l| l.samples);
                (latency.samples, engines, Reverse(hop)) < (of_best, best.engines, Reverse(best.hop))
            };
            if best.as_ref().is_none_or(is_better) {
                let max_inference = facts.time_at(hop);
                let (load, latency) = (load(hop, engines), Some(latency));
                best = Some(Row { block, hop, engines, max_inference, load, latency });
            }
        }
    }
    let (hop, engines) = (facts.hops().last().copied().unwrap_or(1), facts.max_engines);
    let none = || Row {
        block,
        hop,
        engines,
        max_inference: facts.time_at(hop),
        load: load(hop, engines),
        latency: None,
    };
    Ok(best.unwrap_or_else(none))
}
