//! The project's own models against PyTorch, over any blocks, on every scheduler: bit for bit the same within an engine.
//!
//! What is done is the same for every engine; [`tests_of!`] at the end says for which. Configurations are the files
//! beside the models, so what they say of an engine's shapes and layouts is tested too.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test's failure, and what it saw")]

use anira::file::ConfigFile;
use anira::prelude::*;
use anira_tests::zoo::{
    ALL, ENGINES, GAIN, Golden, HYBRID, KNOB, LSTM, Planar, STEREO, TCN_1K, TCN_15K, TCN_29K, ZOO, distance,
    hop, patterns,
};
use anira_tests::{assert_same, here, valid};

#[track_caller]
fn near(got: &Planar, right: &Planar, bound: f32, what: &str) {
    for (channel, (got, right)) in got.iter().zip(right).enumerate() {
        assert!(got.len() > 20_000);
        let (error, at) = distance(got, right);
        println!("{what}, channel {channel}: {error:.1e} of the peak");
        let told = format!("{what}, channel {channel}: {error} of the peak off at {at}");
        assert!(error <= bound, "{told}: {}, not {}", got[at], right[at]);
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
fn over_all_blocks<B: Backend>(backend: B, golden: &Golden, bound: f32) {
    let mut handler = golden.handler(backend, Offline, 1);
    let hop = hop(handler.config());
    let mut first: Option<Planar> = None;
    for pattern in patterns() {
        let what = format!("{} in blocks of {:?}", golden.name, &pattern[..pattern.len().min(3)]);
        match &first {
            None => {
                let output = golden.render(&mut handler, ALL, &pattern);
                near(&output, &golden.output(), bound, &what);
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
        for (engine, ending) in ENGINES {
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

/// All models on one engine: a module of tests named after it, and the largest difference from PyTorch that it may have, as a
/// part of the golden's peak.
macro_rules! tests_of {
    ($engine:ident, $backend:expr, $bound:expr) => {
        mod $engine {
            use super::*;

            tests_of!($backend, $bound; gain GAIN, tcn_29k TCN_29K, tcn_15k TCN_15K, tcn_1k TCN_1K, lstm LSTM,
                hybrid HYBRID, stereo STEREO, knob KNOB);

            #[test]
            fn knob_turns() {
                obeys_its_knobs($backend, &KNOB);
            }
        }
    };
    ($backend:expr, $bound:expr; $($name:ident $golden:ident),*) => {
        $(mod $name {
            use super::*;

            #[test]
            fn agrees_over_all_blocks() {
                over_all_blocks($backend, &$golden, $bound);
            }

            #[test]
            fn agrees_on_all_schedulers() {
                on_all_schedulers(|| $backend, &$golden);
            }
        })*
    };
}

// Each adds float32 products in an order of its own, and has its own tanh and exp; the longest sum has 416 terms. Seen on x86-64
// with AVX2 (the largest is always `amp-tcn-15k`'s): rten 2.1e-6, ONNX Runtime 2.1e-6, LibTorch 0.9e-6, TensorFlow Lite 2.1e-6,
// LiteRT 2.1e-6. So the bound leaves a factor of five for other processors. LibTorch made the goldens itself, of other
// lengths at once: where it has nothing to choose (`amp-lstm-2k`, `amp-hybrid-11k`) it is bit for bit the same.
tests_of!(rten, Rten, 1e-5);
// Of a window, what is new: the same bits as a window computed anew.
#[cfg(feature = "native")]
tests_of!(native, Native, 1e-5);
#[cfg(feature = "onnxruntime")]
tests_of!(onnxruntime, OnnxRuntime, 1e-5);
#[cfg(feature = "torch")]
tests_of!(torch, Torch, 4e-6);
#[cfg(feature = "tflite")]
tests_of!(tflite, TfLite, 1e-5);
#[cfg(feature = "litert")]
tests_of!(litert, LiteRt, 1e-5);
