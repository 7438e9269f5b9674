//! Engines with anira and without, counted: what a run of each asks of the system. Shared by the program that makes the tables and by
//! the test that compares the two.
//!
//! Without anira an engine is used as its own documentation shows, by someone who has read all of it: tensors are made once and
//! bound once, one thread, nothing copied that need not be.

#[cfg(feature = "litert")]
mod litert;
#[cfg(feature = "onnxruntime")]
mod onnxruntime;
mod rten;
#[cfg(feature = "tflite")]
mod tflite;
#[cfg(feature = "torch")]
mod torch;

use std::fmt::Write;
use std::path::PathBuf;

use anira::traits::{Backend, Engine, EngineRequest, LoadRequest, Model, ModelSource, TensorInfo};
use anira_intercept::{Counted, Counts, Kind, Watch, watched};
use anira_tests::zoo::ENGINES;
use anira_tests::{Random, here, valid, with_engine};

/// Samples that an inference makes, of whatever model.
pub(crate) const BLOCK: usize = 2_048;

/// How an engine is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// By its own interface.
    Alone,
    /// Through its backend.
    Through,
}

impl Way {
    pub(crate) const ALL: [Self; 2] = [Self::Alone, Self::Through];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Alone => "alone",
            Self::Through => "through",
        }
    }
}

/// A model on an engine.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Case {
    pub(crate) engine: &'static str,
    pub(crate) model: &'static str,
}

impl Case {
    /// The case of these names.
    pub(crate) fn named(engine: &str, model: &str) -> Option<Self> {
        const MODELS: [&str; 5] = ["amp-hybrid-11k", "amp-tcn-29k", "amp-lstm-2k", "amp-tcn-1k", "gain"];
        let (engine, _) = ENGINES.into_iter().find(|(name, _)| *name == engine)?;
        Some(Self { engine, model: MODELS.into_iter().find(|name| *name == model)? })
    }

    fn file(&self) -> PathBuf {
        let ending = ENGINES.iter().find(|(name, _)| *name == self.engine).map_or("", |(_, ending)| ending);
        here().join("../models").join(format!("{}.{ending}", self.model))
    }

    /// The runs that make [`BLOCK`] samples: the hybrid's files hold 256 windows, the LSTM's .tflite file 64 steps.
    pub(crate) fn passes(&self) -> usize {
        match (self.model, self.engine) {
            ("amp-hybrid-11k", _) => BLOCK / 256,
            ("amp-lstm-2k", "tflite" | "litert") => BLOCK / 64,
            _ => 1,
        }
    }

    /// The extents of a tensor by its name and what the file says of it.
    fn shape(&self, name: &str, said: &[Option<usize>]) -> Vec<usize> {
        if let Some(shape) = said.iter().copied().collect() {
            return shape;
        }
        match (self.model, name) {
            // What a TorchScript file does not say.
            ("amp-hybrid-11k", "input") => vec![256, 1, 150],
            ("amp-hybrid-11k", _) => vec![256, 1],
            ("amp-tcn-29k", "input") => vec![1, 1, 13_332 + BLOCK],
            ("amp-tcn-1k", "input") => vec![1, 1, 132 + BLOCK],
            ("amp-tcn-29k" | "amp-tcn-1k", _) => vec![1, 1, BLOCK],
            ("amp-lstm-2k", "input" | "output" | "output_0") => vec![1, BLOCK, 1],
            ("amp-lstm-2k", _) => vec![1, 1, 20],
            ("gain", _) => vec![1, 1, BLOCK],
            _ => said.iter().map(|extent| extent.unwrap_or(1)).collect(),
        }
    }

    /// So many inferences, each counted by itself; where they are not of this build, nothing.
    pub(crate) fn count(self, way: Way, inferences: usize) -> Option<Vec<Counted>> {
        let counted = watched(move |watch| {
            let meter = Meter { watch: *watch, inferences, passes: self.passes() };
            match (way, self.engine) {
                (Way::Through, name) => with_engine!(name, |backend| through(&self, backend, meter)),
                (_, "rten") => Some(rten::count(&self, meter)),
                #[cfg(feature = "onnxruntime")]
                (_, "onnxruntime") => Some(onnxruntime::count(&self, meter)),
                #[cfg(feature = "torch")]
                (_, "torch") => Some(torch::count(&self, meter)),
                #[cfg(feature = "tflite")]
                (_, "tflite") => Some(tflite::count(&self, meter)),
                #[cfg(feature = "litert")]
                (_, "litert") => Some(litert::count(&self, meter)),
                _ => None,
            }
        });
        counted.unwrap()
    }
}

/// Counts inferences.
#[derive(Clone, Copy)]
pub(crate) struct Meter {
    watch: Watch,
    inferences: usize,
    passes: usize,
}

impl Meter {
    /// Counts what each inference's passes do, on the calling thread.
    fn count(self, mut pass: impl FnMut()) -> Vec<Counted> {
        let mut all = Vec::with_capacity(self.inferences);
        for _ in 0..self.inferences {
            let ((), counted) = self.watch.count(|| (0..self.passes).for_each(|_| pass())).unwrap();
            all.push(counted);
        }
        all
    }
}

/// Numbers from -1 to 1.
fn noise(len: usize) -> Vec<f32> {
    let mut random = Random(3);
    (0..len).map(|_| random.below(2_001) as f32 / 1_000.0 - 1.0).collect()
}

fn through<B: Backend>(case: &Case, backend: B, meter: Meter) -> Vec<Counted> {
    // As its own interface has it; our backend turns it off unless it is asked.
    let request = LoadRequest::new();
    let request = if case.engine == "torch" { request.option("optimize", "true") } else { request };
    let model = valid(backend.load(&ModelSource::file(case.file()), &request));
    let signature = model.signature();
    let shape = |info: &TensorInfo| case.shape(&info.name, &info.shape);
    let inputs: Vec<_> = signature.inputs.iter().map(shape).collect();
    let outputs = signature.outputs.iter().map(|info| Some(shape(info))).collect();
    let count = inputs.len();
    let mut engine = valid(model.engine(&EngineRequest::new(inputs, outputs)));
    for index in 0..count {
        let to = engine.input(index).unwrap().f32_mut().unwrap();
        to.copy_from_slice(&noise(to.len()));
    }
    let mut counted = Vec::new();
    let mut body = || counted = meter.count(|| valid(engine.run()));
    match <anira::EngineOf<B> as Engine>::SCOPE {
        Some(scope) => scope(&mut body),
        None => body(),
    }
    counted
}

/// Counts as text, for another process to read: a line per inference, what its thread did and what others did.
pub(crate) fn to_text(all: &[Counted]) -> String {
    let mut text = String::new();
    for Counted { mine, others } in all {
        let numbers: Vec<String> = mine.iter().chain(others.iter()).map(|(_, n)| n.to_string()).collect();
        writeln!(text, "counted {}", numbers.join(" ")).unwrap();
    }
    text
}

/// The counts in what another process has printed.
pub(crate) fn from_text(text: &str) -> Vec<Counted> {
    let line = |line: &str| {
        let numbers = line.split_once("counted ")?.1.split(' ').map(|n| n.parse().unwrap());
        let numbers: Vec<u64> = numbers.collect();
        let half = |from: usize| Counts::new(std::array::from_fn(|i| numbers[from + i]));
        Some(Counted { mine: half(0), others: half(Kind::COUNT) })
    };
    text.lines().filter_map(line).collect()
}
