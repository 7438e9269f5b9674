//! What the audio thread runs, and nothing else. `cargo xtask panics` compiles this crate as users do and follows every call from
//! these functions through the machine code: none leads to a panic, to the allocator, or to a library call that is not on its list.
//!
//! Nothing here makes a session: that is a control thread's, and may fail.

pub mod planted;

use anira::backends::Native;
use anira::prelude::*;
use anira::realtime::FlushToZero;
use anira::traits::Engine;
use anira::{EngineOf, Resampled};

/// A session on the pool.
pub type Pooled = Audio<Bypass, HopProcessor, Pool>;
/// A session whose slots the user's threads run.
pub type OnDrivers = Audio<Bypass, HopProcessor, Driven>;

/// A session whose model runs at another rate.
pub type AtAnotherRate = Resampled<Bypass, HopProcessor, Pool>;

/// A small network that may run in the callback.
pub type Small = EngineOf<Native>;

macro_rules! entries {
    ($($name:ident($($argument:ident: $type:ty),*) -> $result:ty $body:block)*) => {$(
        #[doc = concat!("`", stringify!($name), "`, for the machine code's sake.")]
        #[inline(never)]
        pub fn $name($($argument: $type),*) -> $result $body
    )*};
}

entries! {
    process(audio: &mut Pooled, block: &mut [&mut [f32]]) -> Status { audio.process(block) }
    process_two(audio: &mut Pooled, block: &mut [&mut [f32]; 2]) -> Status { audio.process(block) }
    process_f64(audio: &mut Pooled, block: &mut [&mut [f64]]) -> Status { audio.process(block) }
    process_frames(audio: &mut Pooled, frames: &mut [f32], channels: usize) -> Status {
        audio.process(&mut StridedMut::interleaved(frames, channels))
    }
    process_strided(audio: &mut Pooled, frames: &mut [f64], shape: [usize; 4]) -> Status {
        let [channels, length, channel, frame] = shape;
        audio.process(&mut StridedMut::new(frames, channels, length, channel, frame))
    }
    process_into(audio: &mut Pooled, input: &[&[f32]], output: &mut [&mut [f64]]) -> Status {
        audio.process_into(input, output)
    }
    process_into_frames(audio: &mut Pooled, input: &[f32], output: &mut [&mut [f32]], channels: usize) -> Status {
        audio.process_into(&Strided::interleaved(input, channels), output)
    }
    push(audio: &mut Pooled, stream: usize, input: &[&[f32]]) -> Status { audio.push(stream, input) }
    push_silence(audio: &mut Pooled, stream: usize, frames: usize) -> Status { audio.push_silence(stream, frames) }
    pop(audio: &mut Pooled, stream: usize, output: &mut [&mut [f32]]) -> Status { audio.pop(stream, output) }
    flush(audio: &mut Pooled, output: &mut [&mut [f32]]) -> Status { audio.flush(output) }
    reset(audio: &mut Pooled) -> () { audio.reset() }
    set_parameter(audio: &mut Pooled, index: usize, values: &[f64]) -> Status { audio.set_parameter(index, values) }
    parameter_index(audio: &Pooled, name: &str) -> Option<usize> { audio.parameter_index(name) }
    set_bypass(audio: &mut Pooled, bypass: bool) -> () { audio.set_bypass(bypass) }
    set_engine(audio: &mut Pooled, engine: usize) -> Status { audio.set_engine(engine) }
    latency(audio: &Pooled, stream: usize) -> Option<u64> { audio.latency(stream) }
    tail(audio: &Pooled, stream: usize) -> Option<u64> { audio.tail(stream) }
    end(audio: Pooled) -> () { drop(audio) }

    driven_process(audio: &mut OnDrivers, block: &mut [&mut [f32]]) -> Status { audio.process(block) }
    driven_reset(audio: &mut OnDrivers) -> () { audio.reset() }
    driven_end(audio: OnDrivers) -> () { drop(audio) }

    resampled_process(audio: &mut AtAnotherRate, block: &mut [&mut [f32]]) -> Status { audio.process(block) }
    resampled_process_into(audio: &mut AtAnotherRate, input: &[&[f32]], output: &mut [&mut [f64]]) -> Status {
        audio.process_into(input, output)
    }
    resampled_flush(audio: &mut AtAnotherRate, output: &mut [&mut [f32]]) -> Status { audio.flush(output) }
    resampled_reset(audio: &mut AtAnotherRate) -> () { audio.reset() }
    resampled_latency(audio: &AtAnotherRate) -> (u64, u64) { (audio.latency(), audio.tail()) }

    native_run(engine: &mut Small) -> anira::traits::Result<()> { engine.run() }
    native_reset(engine: &mut Small) -> anira::traits::Result<()> { engine.reset() }

    with_flush_to_zero(audio: &mut Pooled, block: &mut [&mut [f32]]) -> Status {
        let _denormals = FlushToZero::new();
        audio.process(block)
    }
}
