//! Latencies above the smallest: declared ones are kept to the sample, aligned outputs are delayed by the same time.

#![allow(clippy::unwrap_used, reason = "a test's helpers fail the test")]

mod align;
mod kept;
mod refused;
mod slack;

use std::time::Duration;

use anira::prelude::*;

/// One stream in, one out, of the same hop; offline, 48 kHz; an inference may take as long as one engine keeps up with.
fn config(hop: usize, output: OutputTensor) -> InferenceConfig {
    InferenceConfig::builder()
        .input(InputTensor::stream("x", hop))
        .output(output)
        .max_inference(Duration::from_micros(15 * hop as u64))
        .build()
        .unwrap()
}

/// 1, 2, 3, …: no sample is like another, and none like a zero.
fn ramp(len: usize) -> Vec<f32> {
    (1..=len).map(|n| n as f32).collect()
}

/// `latency` zeros, then the input.
fn delayed(input: &[f32], latency: usize) -> Vec<f32> {
    std::iter::repeat_n(0.0, latency).chain(input.iter().copied()).take(input.len()).collect()
}

/// Sends the input through, in blocks that repeat `pattern`. Nothing may be late.
fn sent<S: Scheduler<anira::EngineOf<Bypass>>>(
    audio: &mut Audio<Bypass, HopProcessor, S>,
    input: &[f32],
    pattern: &[usize],
) -> Vec<f32> {
    let mut output = input.to_vec();
    let (mut start, mut sizes) = (0, pattern.iter().cycle());
    while start < output.len() {
        let end = output.len().min(start + sizes.next().unwrap());
        let status = audio.process(&mut [&mut output[start..end]]);
        assert!(status.is_ok() && status.late_samples == 0, "{status:?} at {start}");
        start = end;
    }
    output
}
