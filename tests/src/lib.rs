#![doc = include_str!("../README.md")]

use std::time::Duration;

use anira::prelude::*;
use anira::traits::{DType, Signature, TensorInfo};

/// A configuration of one stream in, one out, same hop, with a declared worst time.
#[must_use]
pub fn plain(hop: usize, max_inference: Duration) -> InferenceConfig {
    valid(
        InferenceConfig::builder()
            .input(InputTensor::stream("input", hop))
            .output(OutputTensor::stream("output", hop))
            .max_inference(max_inference)
            .build(),
    )
}

/// The value, or a test failure that prints the error.
///
/// # Panics
/// On an error.
#[track_caller]
#[allow(clippy::panic, reason = "a test's failure")]
pub fn valid<T>(result: Result<T, Error>) -> T {
    match result {
        Ok(value) => value,
        Err(error) => panic!("{:?}: {error}", error.kind()),
    }
}

/// A signature of float32 tensors whose extents are all known.
#[must_use]
pub fn signature(inputs: &[(&str, &[usize])], outputs: &[(&str, &[usize])]) -> Signature {
    let tensors = |list: &[(&str, &[usize])]| {
        list.iter()
            .map(|(name, shape)| {
                TensorInfo::new(*name, DType::F32, shape.iter().copied().map(Some).collect::<Vec<_>>())
            })
            .collect()
    };
    Signature { inputs: tensors(inputs), outputs: tensors(outputs) }
}

/// The ramp 1, 2, 3, …: every sample says where it belongs.
#[must_use]
pub fn ramp(len: usize) -> Vec<f32> {
    (1..=len).map(|n| n as f32).collect()
}

/// A list of block sizes that repeats, as a host might call.
pub fn blocks(pattern: &[usize], total: usize) -> Vec<usize> {
    let mut left = total;
    let mut sizes = Vec::new();
    for &size in pattern.iter().cycle() {
        if left == 0 {
            break;
        }
        sizes.push(size.min(left));
        left -= size.min(left);
        assert!(sizes.len() < 10_000_000, "a pattern of empty blocks");
    }
    sizes
}

/// A small generator for tests that want the same randomness every time.
#[derive(Clone, Copy, Debug)]
pub struct Random(pub u64);

impl Random {
    /// A number below `bound`.
    pub fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % bound.max(1)
    }
}

/// Sends mono samples through an audio half in blocks of these sizes; what comes out, and how many samples were late.
pub fn send<B, P, S>(audio: &mut Audio<B, P, S>, input: &[f32], sizes: &[usize]) -> (Vec<f32>, u64)
where
    B: Backend,
    P: PrePostProcessor,
    S: Scheduler<anira::EngineOf<B>>,
{
    let mut output = input.to_vec();
    let (mut at, mut late) = (0, 0);
    for &size in sizes {
        let end = (at + size).min(output.len());
        let status = audio.process(&mut [&mut output[at..end]]);
        assert_eq!(status.fault, None);
        late += status.late_samples;
        at = end;
    }
    output.truncate(at);
    (output, late)
}
