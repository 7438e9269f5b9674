//! Sessions whose model runs at another rate than the host: the delay is the reported one, exactly, whatever the blocks.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod clock;
mod delay;
mod life;
mod refusals;

use std::time::Duration;

use anira::prelude::*;
use anira::realtime::CountingAllocator;
use anira::{ResampleReport, Resampled};
use anira_tests::{Random, cut, mono, valid};

#[global_allocator]
static COUNTING: CountingAllocator = CountingAllocator;

const HOP: usize = 64;

/// Host and model.
const RATES: [(f64, f64); 8] = [
    (44_100.0, 48_000.0),
    (48_000.0, 44_100.0),
    (96_000.0, 48_000.0),
    (48_000.0, 16_000.0),
    (16_000.0, 48_000.0),
    (44_100.0, 16_000.0),
    (48_000.0, 47_900.0),
    (11_025.0, 48_000.0),
];

/// A model at this rate that copies, whose inferences take so many microseconds.
fn config(rate: f64, micros: u64) -> InferenceConfig {
    let config = cut()
        .input(InputTensor::stream("input", HOP))
        .output(OutputTensor::stream("output", HOP))
        .max_inference(Duration::from_micros(micros))
        .sample_rate(rate);
    valid(config.build())
}

fn copy() -> impl Backend {
    mono(HOP, |x, y| {
        y.copy_from_slice(x);
        Ok(())
    })
}

fn offline(config: InferenceConfig) -> InferenceHandler<impl Backend, HopProcessor, Offline> {
    valid(InferenceHandler::builder(config).backend(copy()).scheduler(Offline).build())
}

type Offlined<B> =
    (InferenceHandler<B, HopProcessor, Offline>, Resampled<B, HopProcessor, Offline>, ResampleReport);

fn prepared(config: InferenceConfig, host: &HostConfig) -> Offlined<impl Backend> {
    let mut handler = offline(config);
    let (audio, report) = valid(handler.prepare_resampled(&host.mode(Mode::Offline)));
    (handler, audio, report)
}

/// Sends channels of samples, of a whole number of blocks where the host's are of one length, in blocks of these sizes, in place; what comes out.
fn send<B: Backend, S: Scheduler<anira::EngineOf<B>>>(
    audio: &mut Resampled<B, HopProcessor, S>,
    input: &[Vec<f32>],
    sizes: impl IntoIterator<Item = usize>,
) -> Vec<Vec<f32>> {
    let mut output = input.to_vec();
    let (mut at, len) = (0, input[0].len());
    for size in sizes {
        let end = (at + size).min(len);
        let mut block: Vec<&mut [f32]> = output.iter_mut().map(|c| &mut c[at..end]).collect();
        let status = audio.process(&mut block[..]);
        assert!(status.is_ok(), "{status:?} at {at}");
        at = end;
        if at == len {
            return output;
        }
    }
    unreachable!("too few blocks")
}

/// Block sizes without an end: one, or random ones up to it.
fn sizes(largest: usize, seed: Option<u64>) -> impl Iterator<Item = usize> {
    let mut random = seed.map(Random);
    std::iter::repeat_with(move || random.as_mut().map_or(largest, |random| random.below(largest + 1)))
}

fn noise(seed: u64, len: usize) -> Vec<f32> {
    let mut random = Random(seed);
    (0..len).map(|_| random.below(2001) as f32 / 1000.0 - 1.0).collect()
}
