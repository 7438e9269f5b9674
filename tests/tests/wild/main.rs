//! Models that others made and published, on every engine that reads their format, against the runtimes that they were made
//! for. Which they are, from where, in which version and under which licence: tests/wild/README.md. `cargo xtask native` gets
//! them, or `cargo xtask native --models` only them; without them these tests check nothing and say so, unless CI=true.

#![allow(clippy::unwrap_used, reason = "a test's failure")]

mod pitch;
mod quantised;
mod silero;

use anira::prelude::*;
use anira::traits::InputRole;
use anira_tests::zoo::npy_file;
use anira_tests::{here, valid};

/// A published model; without it a line that says how to get it, and nothing.
///
/// # Panics
/// Where CI=true: there it has to be.
#[allow(clippy::print_stderr, reason = "what is skipped is said")]
fn published(name: &str) -> Option<ModelSource> {
    let path = here().join("../.native/models").join(name);
    if path.is_file() {
        return Some(ModelSource::file(path));
    }
    let text = format!("{} is not there; `cargo xtask native --models` gets it", path.display());
    assert!(std::env::var("CI").as_deref() != Ok("true"), "{text}");
    eprintln!("skipped: {text}");
    None
}

/// What the model's own runtime answered.
fn reference(name: &str) -> Vec<f32> {
    npy_file(&here().join(format!("wild/{name}.npy")))
}

/// A configuration of these tensors.
fn config(inputs: &[InputTensor], outputs: &[OutputTensor]) -> InferenceConfig {
    let builder = inputs.iter().fold(anira_tests::cut(), |b, t| b.input(t.clone()));
    valid(outputs.iter().fold(builder, |b, t| b.output(t.clone())).build())
}

/// A session of this model, whose hops run in the call. Analysers: sound goes in, readings come out.
struct Analyser<B: Backend> {
    handler: InferenceHandler<B, HopProcessor, Offline>,
    audio: Audio<B, HopProcessor, Offline>,
    hop: usize,
}

impl<B: Backend> Analyser<B> {
    fn new(backend: B, source: ModelSource, config: InferenceConfig) -> Self {
        let InputRole::Stream { hop, channels, .. } = config.inputs()[0].role else { unreachable!() };
        let builder = InferenceHandler::builder(config).backend(backend).source(source);
        let mut handler = valid(builder.scheduler(Offline).build());
        let host = HostConfig::fixed(16_000.0, hop).channels(channels.unwrap_or(1)).mode(Mode::Offline);
        let audio = valid(handler.prepare(&host)).audio;
        Self { handler, audio, hop }
    }

    /// One hop in; what the model then says in each of these readings.
    fn hear(&mut self, channels: &[&[f32]], readings: &[&str]) -> Vec<Vec<f32>> {
        let status = self.audio.push(0, channels);
        assert!(status.is_ok(), "{status:?}");
        assert_eq!(self.handler.control().last_error(), None);
        let read = |name: &&str| self.handler.control().reading(name).unwrap();
        readings.iter().map(|name| read(name).iter().map(|x| *x as f32).collect()).collect()
    }

    /// A mono sound, hop by hop; what the model says after each in this reading, one after the other.
    fn hear_all(&mut self, sound: &[f32], reading: &str) -> Vec<f32> {
        let hops: Vec<_> = sound.chunks_exact(self.hop).collect();
        hops.iter().flat_map(|hop| self.hear(&[hop], &[reading]).remove(0)).collect()
    }
}

/// The same within this distance of each number.
#[track_caller]
fn near(got: &[f32], right: &[f32], within: f32, what: impl std::fmt::Display) {
    assert_eq!(got.len(), right.len(), "{what}: length");
    let spread =
        right.iter().fold(f32::MIN, |a, b| a.max(*b)) - right.iter().fold(f32::MAX, |a, b| a.min(*b));
    assert!(spread > 10.0 * within, "{what}: a reference that hardly moves shows nothing");
    let apart = |at: &usize| (got[*at] - right[*at]).abs();
    let worst = (0..got.len()).max_by(|a, b| apart(a).total_cmp(&apart(b))).unwrap();
    let (got, right, apart) = (got[worst], right[worst], apart(&worst));
    assert!(apart <= within, "{what}: number {worst} is {got}, not {right}: {apart} apart");
}

/// Something like a vowel that comes and goes, 16 kHz; the same numbers as in tests/wild/make.py.
fn voice(frames: usize) -> Vec<f32> {
    let (mut phase, mut a1, mut a2, mut b1, mut b2) = (0.0f64, 0.0, 0.0, 0.0, 0.0);
    let mut next = |n: usize| {
        phase += 0.0075;
        let mut pulse = 0.0;
        if phase >= 1.0 {
            phase -= 1.0;
            pulse = if n / 3000 % 3 == 2 { 0.0 } else { 1.0 };
        }
        let a = pulse + 1.85 * a1 - 0.93 * a2;
        let b = a + 1.5 * b1 - 0.9 * b2;
        (a1, a2, b1, b2) = (a, a1, b, b1);
        (0.02 * b) as f32
    };
    (0..frames).map(&mut next).collect()
}

/// Three saws, one after the other joining in; the same numbers as in tests/wild/make.py.
fn chord(frames: usize) -> Vec<f32> {
    let saw = |n: usize, period: usize| 0.25 * ((n % period) as f64 / period as f64 - 0.5);
    let at = |n: usize| {
        let playing = [(0, 100), (12_000, 80), (25_000, 67)].into_iter().filter(|(start, _)| n >= *start);
        playing.fold(0.0, |sum, (_, period)| sum + saw(n, period)) as f32
    };
    (0..frames).map(at).collect()
}
