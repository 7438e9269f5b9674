//! Latencies above the smallest: declared by the user, or shared by several outputs.

use anira_traits::{Error, Result};

use super::rational::overflow;
use super::{Latency, StreamHops};

/// The most slots that padding adds.
const MOST_SPARE: u64 = 64;

/// The latency that `stream` declares, if it declares one.
pub(super) fn declared(latency: Latency, stream: StreamHops, hop_in: u64) -> Result<Latency> {
    let Some(samples) = stream.declared_latency else { return Ok(latency) };
    if samples < latency.samples {
        let Latency { samples: least, adaptation, inference, model, .. } = latency;
        let right = format!(
            "at least {least}, the smallest latency in this host: adaptation {adaptation} + inference {inference} + model {model}"
        );
        return Err(Error::config("declared_latency", samples, right));
    }
    latency.raised(samples, stream.hop_out, hop_in)
}

/// The outputs, all delayed by the smallest time that is enough for each and a whole number of samples in each.
///
/// Delays of Lᵢ samples are equally long if all Lᵢ/Mᵢ are the same, Mᵢ being hops. With g the greatest common divisor of
/// all hops they are c·Mᵢ/g for a whole c, and no other whole numbers are.
pub(super) fn aligned(
    latencies: Vec<Latency>,
    outputs: &[StreamHops],
    hop_in: u64,
    name: impl Fn(usize) -> String,
) -> Result<Vec<Latency>> {
    let common = outputs.iter().fold(0, |divisor, output| gcd(divisor, output.hop_out)).max(1);
    let step = |output: &StreamHops| output.hop_out / common;
    let steps = latencies.iter().zip(outputs).map(|(l, o)| l.samples.div_ceil(step(o))).max().unwrap_or(0);
    let raise = |(index, (latency, output)): (usize, (Latency, &StreamHops))| {
        let samples = steps.checked_mul(step(output)).ok_or_else(overflow)?;
        match output.declared_latency {
            Some(declared) if declared != samples => {
                let right =
                    format!("{samples}, the smallest that all outputs, which are to be aligned, can share");
                Err(Error::config("declared_latency", declared, right))
            }
            _ => latency.raised(samples, output.hop_out, hop_in),
        }
        .map_err(|error| error.at(name(index)))
    };
    latencies.into_iter().zip(outputs).enumerate().map(raise).collect()
}

impl Latency {
    /// The same latency, padded to `samples`, which are no fewer.
    fn raised(self, samples: u64, hop_out: u64, hop_in: u64) -> Result<Self> {
        let more = samples - self.samples;
        let spare = (self.padding + more).div_ceil(hop_out).min(MOST_SPARE)
            - self.padding.div_ceil(hop_out).min(MOST_SPARE);
        let grown = |size: u64, by: u64| size.checked_add(by).ok_or_else(overflow);
        Ok(Self {
            samples,
            padding: self.padding + more,
            slots: grown(self.slots, spare)?,
            input_ring: grown(self.input_ring, spare * hop_in)?,
            output_ring: grown(self.output_ring, more)?,
            ..self
        })
    }
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}
