//! basic-pitch 0.4.0 (PyPI, Apache 2.0): which notes sound, as ONNX and as .tflite. An open batch, three outputs, names with
//! colons, two seconds of sound per inference.

use anira::prelude::*;
use anira::traits::{EngineRequest, LoadRequest};
#[cfg(feature = "litert")]
use anira_tests::refused;
use anira_tests::valid;

use crate::{Analyser, chord, config, near, published, reference};

const FRAMES: usize = 43_844;

/// The outputs: what this test calls them, bins per row, and the reference's number. Every 32nd of 172 rows is in it.
const OUTPUTS: [(&str, usize, usize); 3] = [("contour", 264, 0), ("note", 88, 1), ("onset", 88, 2)];

/// The largest difference from ONNX Runtime in Python that is allowed; probabilities. ONNX Runtime answers the same bits, the largest
/// difference seen is 4.5e-5 on rten and 2.2e-4 on TensorFlow Lite, whose file is an export of its own.
fn bound(engine: &str) -> f32 {
    match engine {
        "onnxruntime" => 1e-5,
        "rten" => 1e-4,
        _ => 5e-4,
    }
}

/// The file for an engine, and what input and outputs are called in it.
fn named(engine: &str) -> (&'static str, &'static str, [&'static str; 3]) {
    match engine {
        "tflite" | "litert" => ("basic-pitch/nmp.tflite", "input_2", ["contour", "note", "onset"]),
        _ => {
            let outputs =
                ["StatefulPartitionedCall:0", "StatefulPartitionedCall:1", "StatefulPartitionedCall:2"];
            ("basic-pitch/nmp.onnx", "serving_default_input_2:0", outputs)
        }
    }
}

fn rows(all: &[f32], bins: usize) -> Vec<f32> {
    all.chunks_exact(bins).step_by(32).flatten().copied().collect()
}

fn hears_notes<B: Backend>(backend: B) {
    let (file, input, names) = named(backend.name());
    let bound = bound(backend.name());
    let Some(source) = published(file) else { return };
    let outputs: Vec<_> = OUTPUTS
        .iter()
        .zip(names)
        .map(|((name, bins, _), own)| OutputTensor::parameter(*name).model_name(own).shape([1, 172, *bins]))
        .collect();
    let stream = InputTensor::stream("sound", FRAMES).model_name(input).shape([1, FRAMES, 1]);
    let mut analyser = Analyser::new(backend, source, config(&[stream], &outputs));
    let said = analyser.hear(&[&chord(FRAMES)], &OUTPUTS.map(|(name, ..)| name));
    for ((name, bins, number), said) in OUTPUTS.iter().zip(&said) {
        near(&rows(said, *bins), &reference(&format!("basic-pitch-{number}")), bound, name);
    }
    // What sounded has left no trace: no state.
    assert_eq!(analyser.hear(&[&chord(FRAMES)], &OUTPUTS.map(|(name, ..)| name)), said);
}

/// The open batch taken as 2: two sounds at once, each answered as if alone.
fn hears_two_at_once<B: Backend>(backend: B) {
    let (file, input, names) = named(backend.name());
    let bound = bound(backend.name());
    let Some(source) = published(file) else { return };
    let model = valid(backend.load(&source, &LoadRequest::new()));
    let signature = model.signature();
    assert_eq!((signature.input(input), &signature.inputs[0].shape[..1]), (Some(0), &[None][..]));
    let request = EngineRequest::new(vec![vec![2, FRAMES, 1]], vec![None; 3]);
    let mut engine = valid(model.engine(&request));
    let both = [vec![0.0; FRAMES], chord(FRAMES)].concat();
    engine.input(0).unwrap().f32_mut().unwrap().copy_from_slice(&both);
    valid(engine.run());
    for ((name, bins, number), own) in OUTPUTS.iter().zip(names) {
        let all = engine.output(signature.output(own).unwrap()).unwrap().f32().unwrap();
        assert_eq!(all.len(), 2 * 172 * bins);
        let second = rows(&all[172 * bins..], *bins);
        near(&second, &reference(&format!("basic-pitch-{number}")), bound, name);
        let first = rows(&all[..172 * bins], *bins);
        assert!(first.iter().zip(&second).any(|(a, b)| (a - b).abs() > 0.1), "{name}: silence is no chord");
    }
}

macro_rules! engines {
    ($($(#[$feature:meta])? $engine:ident $backend:expr;)*) => {
        $($(#[$feature])? mod $engine {
            use super::*;

            #[test]
            fn hears_notes() {
                super::hears_notes($backend);
            }

            #[test]
            fn hears_two_at_once() {
                super::hears_two_at_once($backend);
            }
        })*
    };
}

engines! {
    rten Rten;
    #[cfg(feature = "onnxruntime")] onnxruntime OnnxRuntime;
    #[cfg(feature = "tflite")] tflite TfLite;
}

/// LiteRT 2.1.4 has no room for outputs whose size the model computes: it says so when an engine is made.
#[cfg(feature = "litert")]
#[test]
fn litert_refuses_outputs_of_a_computed_size() {
    let (file, ..) = named("litert");
    let Some(source) = published(file) else { return };
    let model = valid(LiteRt.load(&source, &LoadRequest::new()));
    let engine = model.engine(&EngineRequest::new(vec![vec![1, FRAMES, 1]], vec![None; 3]));
    refused(engine, ErrorKind::Engine, &["LiteRT", "allocate"]);
}
