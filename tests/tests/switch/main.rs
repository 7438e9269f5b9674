//! Several engines in one session: flips between them, cross-fades, priming, engines that fail, engines that are exchanged.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod build;
mod cost;
mod ending;
mod exact;
mod failing;
mod host;
mod plain;
mod state;
mod swap;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anira::backends::{FnBackend, Inputs, Outputs};
use anira::prelude::*;
use anira_tests::{cut, signature, valid};

/// A rate at which a sample is a microsecond.
const RATE: f64 = 1e6;

/// What an engine of these tests does: its gain times the input, as late as its delay, and, perhaps, trouble.
#[derive(Clone, Debug)]
struct Voice {
    hop: usize,
    gain: f32,
    /// The model's own latency, in samples.
    delay: usize,
    /// Samples that an inference takes in virtual time.
    time: usize,
    /// The whole latency, in samples, whatever inferences take: the first engine's says it for the session.
    told: Option<u64>,
    /// Hops that may be under way at once.
    engines: usize,
    /// Runs that fail, and how.
    trouble: Trouble,
    runs: Arc<AtomicU64>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Trouble {
    None,
    /// Runs from the first of these to the last fail.
    Errors(u64, u64),
    /// This run panics.
    Panics(u64),
}

impl Voice {
    fn new(hop: usize, gain: f32, time: usize) -> Self {
        Self {
            hop,
            gain,
            delay: 0,
            time,
            told: None,
            engines: 1,
            trouble: Trouble::None,
            runs: Arc::default(),
        }
    }

    fn delayed(self, delay: usize) -> Self {
        Self { delay, ..self }
    }

    fn with(self, trouble: Trouble) -> Self {
        Self { trouble, ..self }
    }

    fn config(&self) -> InferenceConfig {
        let output = OutputTensor::stream("y", self.hop).latency(self.delay as u64);
        let (output, time) = match self.told {
            Some(latency) => (output.declared_latency(latency), 0),
            None => (output, self.time as u64),
        };
        let config = cut().input(InputTensor::stream("x", self.hop).context(self.delay)).output(output);
        valid(config.engines(self.engines).max_inference(Duration::from_micros(time)).build())
    }
}

type Run = Box<dyn FnMut(&Inputs<'_>, &mut Outputs<'_>) -> Result<(), Error> + Send>;

/// The backend of a voice: one type for all.
type Gain = FnBackend<Box<dyn Fn() -> Run + Send + Sync>>;

/// The model of a voice.
fn gain(voice: Voice) -> Gain {
    let (window, hop) = ([1, 1, voice.delay + voice.hop], [1, 1, voice.hop]);
    let make = move || {
        let voice = voice.clone();
        let run: Run = Box::new(move |x, y| {
            let run = voice.runs.fetch_add(1, Ordering::Relaxed);
            match voice.trouble {
                Trouble::Errors(first, last) if (first..=last).contains(&run) => {
                    return Err(Error::new(ErrorKind::Engine, "on purpose"));
                }
                Trouble::Panics(at) if run == at => std::panic::resume_unwind(Box::new("on purpose")),
                _ => {}
            }
            y.f32(0)?.iter_mut().zip(x.f32(0)?).for_each(|(y, x)| *y = voice.gain * x);
            Ok(())
        });
        run
    };
    FnBackend::new("gain", signature(&[("x", &window)], &[("y", &hop)]), Box::new(make))
}

/// What a handler of these engines is built from.
fn builder(voices: &[Voice], fade: usize) -> anira::Builder<Gain, HopProcessor, Pool> {
    let first = InferenceHandler::builder(voices[0].config()).backend(gain(voices[0].clone()));
    voices[1..].iter().fold(first.switch_fade(fade), |builder, voice| {
        builder.engine(EngineSpec::new(gain(voice.clone())).config(voice.config()))
    })
}
