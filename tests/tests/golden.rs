//! The project's own models against PyTorch, over any blocks, on every scheduler: bit for bit the same within an engine.
//!
//! What is done is the same for every engine; [`tests_of!`] at the end says for which. Configurations are the files
//! beside the models, so what they say of an engine's shapes and layouts is tested too.

#![allow(clippy::unwrap_used, reason = "a test's failure")]

use std::time::Duration;

use anira::file::ConfigFile;
use anira::prelude::*;
use anira::traits::InputRole;
use anira_tests::{Random, assert_same, blocks, here, valid};
use ndarray::{Array1, Array2};

/// The largest difference from PyTorch that is allowed, as a part of the golden's peak. Both add float32 products in
/// orders of their own; the longest sum has 416 terms, and the largest difference seen on rten is 2.1e-6 (`amp-tcn-15k`).
const TOLERANCE: f32 = 1e-5;

/// Samples of the golden input: no block size divides it.
const ALL: usize = 24_001;

/// A model, and how its golden was made.
struct Golden {
    name: &'static str,
    channels: usize,
    /// Where its knobs stand; what is not here stands as the configuration says.
    knobs: &'static [(&'static str, f64)],
    /// Samples that are rendered for each list of blocks and each scheduler; the first list has all.
    samples: usize,
}

const GAIN: Golden = Golden { name: "gain", channels: 1, knobs: &[], samples: ALL };
const TCN_29K: Golden = Golden { name: "amp-tcn-29k", samples: 8_000, ..GAIN };
const TCN_15K: Golden = Golden { name: "amp-tcn-15k", samples: 8_000, ..GAIN };
const TCN_1K: Golden = Golden { name: "amp-tcn-1k", ..GAIN };
const LSTM: Golden = Golden { name: "amp-lstm-2k", ..GAIN };
const HYBRID: Golden = Golden { name: "amp-hybrid-11k", samples: 8_000, ..GAIN };
const STEREO: Golden = Golden { name: "amp-stereo-4k", channels: 2, ..GAIN };
const KNOB: Golden = Golden { name: "amp-knob-4k", knobs: &[("drive", 0.8)], ..GAIN };

/// All models that the repository has.
const ZOO: [&Golden; 8] = [&GAIN, &TCN_29K, &TCN_15K, &TCN_1K, &LSTM, &HYBRID, &STEREO, &KNOB];

/// Sound by channel.
type Planar = Vec<Vec<f32>>;

impl Golden {
    /// A handler as the model's configuration file has it, but for the number of engines, and without time to wait for
    /// an inference: rendering waits as long as it takes, and less latency leaves more to compare.
    fn handler<B, S>(&self, backend: B, scheduler: S, engines: usize) -> InferenceHandler<B, HopProcessor, S>
    where
        B: Backend,
        S: Scheduler<anira::EngineOf<B>>,
    {
        let models = here().join("../models");
        let text = std::fs::read_to_string(models.join(format!("{}.toml", self.name))).unwrap();
        let file = valid(ConfigFile::from_toml(&format!("engines = {engines}\n{text}")));
        let resolved = valid(file.resolve(backend.name(), &models));
        let config = resolved.config.with_max_inference(Duration::ZERO);
        let builder = InferenceHandler::builder(config).backend(backend).source(resolved.source);
        valid(builder.options(resolved.options).scheduler(scheduler).build())
    }

    /// What goes in: the sound that all models share, or one with more channels that is the model's own.
    fn input(&self) -> Planar {
        if self.channels == 1 { npy("input", 1) } else { npy(&format!("{}.input", self.name), self.channels) }
    }

    fn output(&self) -> Planar {
        npy(&format!("{}.output", self.name), self.channels)
    }

    /// Renders the first `samples` in blocks of these sizes; what comes out, without the latency.
    fn render<B, S>(
        &self,
        handler: &mut InferenceHandler<B, HopProcessor, S>,
        samples: usize,
        pattern: &[usize],
    ) -> Planar
    where
        B: Backend,
        S: Scheduler<anira::EngineOf<B>>,
    {
        let longest = pattern.iter().copied().max().unwrap();
        let host = HostConfig::varying(48_000.0, longest).channels(self.channels).mode(Mode::Offline);
        let Prepared { mut audio, report, .. } = valid(handler.prepare(&host));
        self.knobs.iter().for_each(|(name, place)| valid(handler.control().set_parameter(name, &[*place])));
        let mut sound = self.input();
        let mut at = 0;
        for size in blocks(pattern, samples) {
            let mut block: Vec<&mut [f32]> = sound.iter_mut().map(|c| &mut c[at..at + size]).collect();
            let status = audio.process(&mut block[..]);
            assert_eq!((status.fault, status.late_samples), (None, 0));
            at += size;
        }
        assert_eq!(handler.control().last_error(), None);
        let latency = report.latency[0].samples as usize;
        sound.into_iter().map(|channel| channel[latency..samples].to_vec()).collect()
    }
}

fn hop(config: &InferenceConfig) -> usize {
    match config.inputs()[0].role {
        InputRole::Stream { hop, .. } => hop,
        _ => 0,
    }
}

fn npy(name: &str, channels: usize) -> Planar {
    let path = here().join("golden").join(format!("{name}.npy"));
    let planar: Planar = if channels == 1 {
        let array: Array1<f32> = ndarray_npy::read_npy(path).unwrap();
        vec![array.to_vec()]
    } else {
        let array: Array2<f32> = ndarray_npy::read_npy(path).unwrap();
        array.outer_iter().map(|row| row.to_vec()).collect()
    };
    assert!(planar.len() == channels && planar.iter().all(|channel| channel.len() == ALL), "{name}");
    planar
}

/// The whole at once first, then lists of blocks.
fn patterns() -> Vec<Vec<usize>> {
    let mut random = Random(2);
    let wild = (0..400).map(|_| random.below(1000)).collect();
    let sizes = [ALL, 1, 32, 64, 100, 441, 480, 512, 2048, 4096];
    let mut all: Vec<Vec<usize>> = sizes.map(|n| vec![n]).to_vec();
    all.push(wild);
    all
}

#[track_caller]
fn near(got: &Planar, right: &Planar, what: &str) {
    for (channel, (got, right)) in got.iter().zip(right).enumerate() {
        assert!(got.len() > 20_000);
        let peak = right.iter().fold(0.0f32, |a, b| a.max(b.abs()));
        assert!(peak > 0.1, "{what}: a golden of silence shows nothing");
        let worst = (0..got.len()).map(|i| ((got[i] - right[i]).abs(), i)).max_by(|a, b| a.0.total_cmp(&b.0));
        let (error, at) = worst.unwrap();
        let told = format!("{what}, channel {channel}: {error} off at {at}: {}, not {}", got[at], right[at]);
        assert!(error <= TOLERANCE * peak, "{told}; the peak is {peak}");
    }
}

/// The same, as far as both go, which has to be this many samples at least.
#[track_caller]
fn same(got: &Planar, first: &Planar, least: usize, what: &str) {
    assert_eq!(got.len(), first.len());
    for (channel, (got, first)) in got.iter().zip(first).enumerate() {
        let len = got.len().min(first.len());
        assert!(len >= least, "{what}: too little came out");
        assert_same(&got[..len], &first[..len], format_args!("{what}, channel {channel}"));
    }
}

/// The golden for the whole at once, then the beginning of it in other blocks, bit for bit the same.
fn over_all_blocks<B: Backend>(backend: B, golden: &Golden) {
    let mut handler = golden.handler(backend, Offline, 1);
    let hop = hop(handler.config());
    let mut first: Option<Planar> = None;
    for pattern in patterns() {
        let what = format!("{} in blocks of {:?}", golden.name, &pattern[..pattern.len().min(3)]);
        match &first {
            None => {
                let output = golden.render(&mut handler, ALL, &pattern);
                near(&output, &golden.output(), &what);
                first = Some(output);
            }
            Some(first) => {
                let output = golden.render(&mut handler, golden.samples, &pattern);
                same(&output, first, golden.samples - hop, &what);
            }
        }
    }
}

/// As many samples on every scheduler, each bit for bit the same as in the caller's own thread.
fn on_all_schedulers<B: Backend>(backend: impl Fn() -> B, golden: &Golden) {
    let mut handler = golden.handler(backend(), Offline, 1);
    let first = golden.render(&mut handler, golden.samples, &[441]);
    // The latency of other schedulers may differ, not what comes after it.
    let least = golden.samples - 2 * hop(handler.config());
    let engines: &[usize] = if handler.config().has_state() { &[1] } else { &[1, 2] };
    for &engines in engines {
        let what = |scheduler: &str| format!("{} on {scheduler} with {engines} engines", golden.name);
        let output =
            golden.render(&mut golden.handler(backend(), Pool::shared(), engines), golden.samples, &[441]);
        same(&output, &first, least, &what("the shared pool"));
        let pool = valid(Pool::builder().threads(4).build());
        let mut handler = golden.handler(backend(), pool, engines);
        let output = golden.render(&mut handler, golden.samples, &[441, 7, 1000]);
        same(&output, &first, least, &what("four threads"));
        let mut handler = golden.handler(backend(), valid(Driven::new(2)), engines);
        let output = golden.render(&mut handler, golden.samples, &[441]);
        same(&output, &first, least, &what("driven"));
    }
}

/// A knob that did nothing would pass a golden that was made where it stands by default.
fn obeys_its_knobs<B: Backend>(backend: B, golden: &Golden) {
    let mut handler = golden.handler(backend, Offline, 1);
    let left_alone = Golden { knobs: &[], ..*golden }.render(&mut handler, ALL, &[480]);
    let turned = golden.render(&mut handler, ALL, &[480]);
    for (turned, left_alone) in turned.iter().zip(&left_alone) {
        let apart = turned.iter().zip(left_alone).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(apart > 0.05, "{}: only {apart} apart", golden.name);
    }
}

/// Each configuration serves every engine, with one hop and tensors of one size: engines can be switched.
#[test]
fn every_model_has_a_file_for_every_engine() {
    let models = here().join("../models");
    let mut names: Vec<_> = std::fs::read_dir(&models)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "toml"))
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    let mut tested = ZOO.map(|golden| golden.name);
    names.sort();
    tested.sort_unstable();
    assert_eq!(names, tested, "every model is tested here");
    for name in names {
        let file = valid(ConfigFile::read(models.join(format!("{name}.toml"))));
        let mut first = None;
        for (engine, ending) in [
            ("rten", "onnx"),
            ("onnxruntime", "onnx"),
            ("torch", "pt"),
            ("tflite", "tflite"),
            ("litert", "tflite"),
        ] {
            let resolved = valid(file.resolve(engine, &models));
            let path = resolved.source.path().unwrap().to_owned();
            assert_eq!(path, models.join(format!("{name}.{ending}")), "{engine}");
            assert!(path.is_file(), "{}", path.display());
            let config = resolved.config;
            let inputs = config.inputs().iter().map(|t| (t.name.clone(), t.shape.clone()));
            let outputs = config.outputs().iter().map(|t| (t.name.clone(), t.shape.clone()));
            let sizes: Vec<(String, usize)> = inputs
                .chain(outputs)
                .map(|(tensor, shape)| (tensor, shape.unwrap().iter().product()))
                .collect();
            let facts = (hop(&config), sizes);
            assert_eq!(first.get_or_insert(facts.clone()), &facts, "{name} on {engine}");
        }
    }
}

/// All models on one engine: a module of tests named after it.
macro_rules! tests_of {
    ($engine:ident, $backend:expr) => {
        mod $engine {
            use super::*;

            tests_of!($backend; gain GAIN, tcn_29k TCN_29K, tcn_15k TCN_15K, tcn_1k TCN_1K, lstm LSTM,
                hybrid HYBRID, stereo STEREO, knob KNOB);

            #[test]
            fn knob_turns() {
                obeys_its_knobs($backend, &KNOB);
            }
        }
    };
    ($backend:expr; $($name:ident $golden:ident),*) => {
        $(mod $name {
            use super::*;

            #[test]
            fn agrees_over_all_blocks() {
                over_all_blocks($backend, &$golden);
            }

            #[test]
            fn agrees_on_all_schedulers() {
                on_all_schedulers(|| $backend, &$golden);
            }
        })*
    };
}

tests_of!(rten, Rten);
#[cfg(feature = "onnxruntime")]
tests_of!(onnxruntime, OnnxRuntime);
#[cfg(feature = "torch")]
tests_of!(torch, Torch);
#[cfg(feature = "tflite")]
tests_of!(tflite, TfLite);
#[cfg(feature = "litert")]
tests_of!(litert, LiteRt);
