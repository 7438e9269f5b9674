//! Sessions that leave out inferences at rest: what is heard is what would have been heard, and what is left out is counted.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod edges;
mod same;

use std::time::Duration;

use anira::prelude::*;
use anira::realtime::CountingAllocator;
use anira::traits::InternalState;
use anira_tests::{backend, cut, signature, valid};

#[global_allocator]
static COUNTING: CountingAllocator = CountingAllocator;

const HOP: usize = 16;
/// No whole number of hops.
const CONTEXT: usize = 37;

/// What goes on from hop to hop.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Memory {
    /// The window's context alone.
    Context,
    /// A state tensor, which is at rest some hops after the input is.
    Tensor,
    /// A state tensor that never is.
    Counter,
    /// What the engine keeps for itself.
    Inside,
}

impl Memory {
    fn next(self, z: f32, sum: f32, gain: f32) -> f32 {
        match self {
            Self::Context => z,
            Self::Counter => (z + 1.0) % 1000.0,
            Self::Tensor | Self::Inside => (0.5 * z + sum + gain).trunc(),
        }
    }
}

/// An answer to silence is no silence: it depends on gain, state and the place in the hop.
fn model(memory: Memory, base: f32) -> impl Backend {
    let (window, hop) = ([1, 1, CONTEXT + HOP], [1, 1, HOP]);
    let mut inputs = vec![("x", &window[..]), ("gain", &[1][..])];
    let mut outputs = vec![("y", &hop[..]), ("sum", &[1])];
    let is_tensor = matches!(memory, Memory::Tensor | Memory::Counter);
    if is_tensor {
        inputs.push(("z", &[1]));
        outputs.push(("z out", &[1]));
    }
    let mut own = 0.0;
    let model = backend(signature(&inputs, &outputs), move |x, y| {
        let (gain, window) = (x.f32(1)?[0], x.f32(0)?);
        let z = if is_tensor { x.f32(2)?[0] } else { own };
        for (i, y) in y.f32(0)?.iter_mut().enumerate() {
            *y = base + gain * window[CONTEXT + i] + 0.5 * window[i] + z + 0.125 * i as f32;
        }
        let sum: f32 = window[CONTEXT..].iter().sum();
        y.f32(1)?[0] = sum;
        let next = memory.next(z, sum, gain);
        if is_tensor {
            y.f32(2)?[0] = next;
        }
        if memory == Memory::Inside {
            own = next;
        }
        Ok(())
    });
    model.internal_state(if memory == Memory::Inside { InternalState::Inside } else { InternalState::None })
}

/// For an inference of so many microseconds.
fn config(memory: Memory, skip: bool, takes: f64) -> InferenceConfig {
    let mut config = cut()
        .input(InputTensor::stream("x", HOP).context(CONTEXT))
        .input(InputTensor::parameter("gain", [1.0]))
        .output(OutputTensor::stream("y", HOP).decay(40))
        .output(OutputTensor::parameter("sum"))
        .max_inference(Duration::from_secs_f64(takes / 1e6))
        .skip_silence(skip);
    if matches!(memory, Memory::Tensor | Memory::Counter) {
        config = config.input(InputTensor::state("z", "z out"));
    }
    valid(config.build())
}
