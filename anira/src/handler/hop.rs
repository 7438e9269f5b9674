//! Which hop a session runs at, where the model's length is open: [`HopChoice`].

use std::cmp::Reverse;

use anira_traits::{Backend, HostConfig, PrePostProcessor, Result, Scheduler};

use super::member::{Alignment, Member, Planned};
use super::{EngineOf, InferenceHandler};
use crate::latency::Latency;

/// How a hop was chosen from a [range](crate::HopRange): its `Display` says it in a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct HopChoice {
    /// The hop: of those with the least latency in this host the longest, which runs least often.
    pub hop: usize,
    /// The latency of output stream 0 with it, in samples.
    pub latency: u64,
    /// Hops that were tried.
    pub tried: usize,
    /// Hops at which the model cannot keep up.
    pub too_slow: usize,
    /// Hops with the same latency, the chosen one included.
    pub equals: usize,
    /// The hop of the configuration.
    pub configured: usize,
    /// The latency with that, if the model can keep up.
    pub configured_latency: Option<u64>,
}

impl std::fmt::Display for HopChoice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { hop, latency, tried, too_slow, equals, configured, .. } = self;
        write!(f, "a hop of {hop}: {latency} samples of latency, the least of {tried} hops")?;
        if *equals > 1 {
            write!(f, ", and the longest of {equals} with as much")?;
        }
        if *too_slow > 0 {
            write!(f, "; at {too_slow} of them the model cannot keep up")?;
        }
        match self.configured_latency {
            _ if hop == configured => write!(f, "; it is the configured one"),
            Some(other) => write!(f, "; with the configured {configured} it would be {other}"),
            None => write!(f, "; with the configured {configured} it could not keep up"),
        }
    }
}

impl<B: Backend, P: PrePostProcessor, S: Scheduler<EngineOf<B>>> InferenceHandler<B, P, S> {
    /// The hop with the least latency in this host, if there is a range to choose from. Changes nothing.
    pub(super) fn choose_hop(&self, host: &HostConfig) -> Result<Option<HopChoice>> {
        let Some(range) = self.config.hop_range() else { return Ok(None) };
        let configured = self.config.hop();
        let latency = |hop: usize| {
            let latency = self.sizes_at(host, Some(hop))?.latency();
            // A session without outputs has nothing to be late.
            Ok(latency.first().map_or(0, |l: &Latency| l.samples))
        };
        let tried: Vec<(usize, Result<u64>)> = range.hops().map(|hop| (hop, latency(hop))).collect();
        let possible = || tried.iter().filter_map(|(hop, l)| l.as_ref().ok().map(|l| (*hop, *l)));
        let Some((hop, least)) = possible().min_by_key(|(hop, latency)| (*latency, Reverse(*hop))) else {
            // What is wrong at every hop is wrong at this one.
            return self.sizes_at(host, Some(configured)).map(|_| None);
        };
        Ok(Some(HopChoice {
            hop,
            latency: least,
            tried: tried.len(),
            too_slow: tried.len() - possible().count(),
            equals: possible().filter(|(_, latency)| *latency == least).count(),
            configured,
            configured_latency: possible().find(|(hop, _)| *hop == configured).map(|(_, latency)| latency),
        }))
    }

    /// Brings the model to this hop of its range; if that fails nothing has changed.
    pub(super) fn take_hop(&mut self, hop: usize) -> Result<()> {
        let first = self.first();
        if first.config.hop() == hop {
            return Ok(());
        }
        let stateful = self.processor.is_stateful();
        let member = Member::of(first.model.clone(), self.config.at_hop(hop), stateful);
        let member = member.map_err(|e| e.at(format!("hop_range: at a hop of {hop}")))?;
        self.alignment = Alignment::of(std::iter::once(&member))?;
        self.planned = vec![Planned::of(&member)];
        self.members = vec![member];
        Ok(())
    }
}
