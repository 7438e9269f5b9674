#![doc = include_str!("../README.md")]

/// The front page of the repository: its example runs as a test.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
pub struct FrontPage;

/// The page about real time: its example runs as a test.
#[cfg(doctest)]
#[doc = include_str!("../../docs/realtime.md")]
pub struct RealTimePage;

mod apart;
pub mod callback;
mod gate;
mod late;
#[cfg(any(feature = "native", feature = "rten"))]
pub mod matrix;
mod quick;
pub mod twin;
#[cfg(any(feature = "native", feature = "rten"))]
pub mod zoo;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anira::backends::{FnBackend, Inputs, Outputs};
use anira::prelude::*;
use anira::traits::{DType, InferenceConfigBuilder, Signature, TensorInfo};

pub use apart::{Ended, apart, limited};
pub use gate::Gate;
pub use late::{Fading, Holding};
pub use quick::{Quick, QuickEngine, QuickModel};

/// A configuration's builder, without a fade: late samples are silent from the first to the last, and the next is right.
#[must_use]
pub fn cut() -> InferenceConfigBuilder {
    InferenceConfig::builder().late_fade(0)
}

/// A configuration of one stream in, one out, same hop, with a declared worst time. Late samples are silent, without a fade.
#[must_use]
pub fn plain(hop: usize, max_inference: Duration) -> InferenceConfig {
    valid(
        cut()
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

/// As [`send`], but after each block every submitted hop is waited for, so that nothing depends on speed: a session whose
/// latency counts on a block's time per inference is then never late.
pub fn send_settled<B, P, S>(
    audio: &mut Audio<B, P, S>,
    control: &Control,
    input: &[f32],
    sizes: &[usize],
) -> (Vec<f32>, u64)
where
    B: Backend,
    P: PrePostProcessor,
    S: Scheduler<anira::EngineOf<B>>,
{
    let (mut output, mut late, mut at) = (Vec::new(), 0, 0);
    for &size in sizes {
        let end = (at + size).min(input.len());
        let (block, missed) = send(audio, &input[at..end], &[size]);
        output.extend(block);
        late += missed;
        at = end;
        settle(control);
    }
    (output, late)
}

/// Waits until every hop that was submitted has come to an end that the audio thread's next call sees.
pub fn settle(control: &Control) {
    eventually("every submitted hop ends", || {
        let t = control.telemetry();
        t.submitted == t.returned + t.dropped
    });
}

/// Waits until a condition holds.
///
/// # Panics
/// If it does not within a minute.
#[track_caller]
pub fn eventually(what: &str, holds: impl Fn() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < Duration::from_secs(60), "waited in vain: {what}");
        // Most waits are short; long ones leave the processor to others.
        match start.elapsed() < Duration::from_millis(1) {
            true => std::thread::yield_now(),
            false => std::thread::sleep(Duration::from_micros(100)),
        }
    }
}

/// A backend of this signature whose engines are copies of one closure; a reset gives a fresh copy.
pub fn backend<C>(signature: Signature, run: C) -> FnBackend<impl Fn() -> C + Send + Sync + 'static>
where
    C: FnMut(&Inputs<'_>, &mut Outputs<'_>) -> Result<(), Error> + Clone + Send + Sync + 'static,
{
    FnBackend::new("closure", signature, move || run.clone())
}

/// A backend with one mono stream `input` and one `output` of this hop, from a closure over their samples.
pub fn mono<C>(hop: usize, mut run: C) -> impl Backend
where
    C: FnMut(&[f32], &mut [f32]) -> Result<(), Error> + Clone + Send + Sync + 'static,
{
    let shape = [1, 1, hop];
    backend(signature(&[("input", &shape)], &[("output", &shape)]), move |x, y| run(x.f32(0)?, y.f32(0)?))
}

/// What a stream delayed by `latency` is: as many zeros, then `samples`.
#[must_use]
pub fn delayed(samples: &[f32], latency: u64) -> Vec<f32> {
    let zeros = std::iter::repeat_n(0.0, latency as usize);
    zeros.chain(samples.iter().copied()).take(samples.len()).collect()
}

/// Fails at the first sample that differs, and says where it is.
///
/// # Panics
/// If the two are not the same.
#[track_caller]
pub fn assert_same(got: &[f32], right: &[f32], what: impl std::fmt::Display) {
    assert_eq!(got.len(), right.len(), "{what}: length");
    if let Some(at) = (0..got.len()).find(|&i| got[i].to_bits() != right[i].to_bits()) {
        let near = at.saturating_sub(2)..(at + 6).min(got.len());
        let (a, b) = (&got[near.clone()], &right[near]);
        assert!(got[at] == right[at], "{what}: sample {at} is {}, not {}: {a:?}, {b:?}", got[at], right[at]);
    }
}

/// The error's kind and words, or a test failure that says what was accepted.
///
/// # Panics
/// If there is no error, its kind is another, or a word is missing.
#[track_caller]
#[allow(clippy::panic, reason = "a test's failure")]
pub fn refused<T>(result: Result<T, Error>, kind: ErrorKind, words: &[&str]) {
    let Err(error) = result else { panic!("accepted; expected {kind} with {words:?}") };
    assert_eq!(error.kind(), kind, "{error}");
    for word in words {
        assert!(error.to_string().contains(word), "`{error}` lacks `{word}`");
    }
}

/// A fixture's path.
#[must_use]
pub fn fixture(name: &str) -> ModelSource {
    ModelSource::file(here().join("fixtures").join(name))
}

/// This folder.
#[must_use]
pub fn here() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}
