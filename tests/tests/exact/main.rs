//! The reported latency, kept to the sample: in virtual time, where engines take exactly what was declared, and on the clock.

mod allowance;
mod clock;
mod fixed;
mod host;
mod recovery;
mod streams;
mod varying;

use std::time::Duration;

use anira::traits::{InferenceConfig, InferenceConfigBuilder, InputTensor, OutputTensor};
use anira_tests::{cut, valid};

/// A rate at which a sample is a microsecond.
const RATE: f64 = 1e6;

/// A mono session of these hops.
fn mono(hop_in: usize, hop_out: usize, inference: Duration) -> InferenceConfigBuilder {
    cut()
        .input(InputTensor::stream("x", hop_in))
        .output(OutputTensor::stream("y", hop_out))
        .max_inference(inference)
}

fn built(builder: InferenceConfigBuilder) -> InferenceConfig {
    valid(builder.build())
}

/// A duration in microseconds: in samples at [`RATE`].
fn samples(count: usize) -> Duration {
    Duration::from_micros(count as u64)
}

/// Callbacks of `block` after which everything has happened that can happen with these hops.
fn rounds(block: usize, hop: usize) -> usize {
    let (mut a, mut b) = (block, hop);
    while b > 0 {
        (a, b) = (b, a % b);
    }
    4 * hop / a + 2 * block / a + 12
}
