//! Models whose tensors are whole numbers of 8 bits, which the handler feeds and reads as real ones: `speech.tflite` of
//! microflow 0.1.3 (crates.io, MIT or Apache 2.0) and `hey_mycroft.tflite` of pymicro-wakeword 1.0.0 (PyPI, Apache 2.0), which
//! also keeps its state in variables of its own.
#![cfg(any(feature = "tflite", feature = "litert"))]

use anira::prelude::*;
use anira_tests::valid;

use crate::{Analyser, config, near, published, reference};

/// One step of an output of 256 steps from 0 to 1. Seen: none, on both engines.
const STEP: f32 = 1.0 / 256.0;

/// A lattice of values from 0 to `peak`; the same numbers as in tests/wild/make.py.
fn pattern(count: usize, step: usize, peak: f64) -> Vec<f32> {
    (0..count).map(|n| ((n * step % 97) as f64 / 97.0 * peak) as f32).collect()
}

fn knows_words<B: Backend>(backend: B) {
    let Some(source) = published("microflow/speech.tflite") else { return };
    let config = config(
        &[InputTensor::stream("Reshape_1", 1960)],
        &[OutputTensor::parameter("labels_softmax").shape([1, 4])],
    );
    let mut analyser = Analyser::new(backend, source, config);
    let said: Vec<f32> = [1, 5, 31, 40]
        .iter()
        .flat_map(|step| analyser.hear(&[&pattern(1960, *step, 25.9)], &["labels_softmax"]).remove(0))
        .collect();
    near(&said, &reference("speech"), STEP, "words");
    assert!(said.iter().all(|p| (p / STEP).fract() == 0.0), "whole steps: {said:?}");
}

#[cfg(feature = "tflite")]
#[test]
fn tflite_knows_words() {
    knows_words(TfLite);
}

#[cfg(feature = "litert")]
#[test]
fn litert_knows_words() {
    knows_words(LiteRt);
}

/// Frames of 40 features; three of them make a hop.
fn wake_word_config() -> InferenceConfig {
    let features = InputTensor::stream("input_audio", 3).shape([1, 3, 40]).channels(40);
    config(&[features.layout(valid("NTC".parse()))], &[OutputTensor::parameter("dense_1").shape([1, 1])])
}

/// Forty hops of features that rise over time; the same numbers as in tests/wild/make.py. What the model says after each.
#[cfg(feature = "tflite")]
fn hear_features<B: Backend>(analyser: &mut Analyser<B>) -> Vec<f32> {
    let feature = |frame: usize, c: usize| ((c * 5 + frame * 4) % 97) as f64 / 97.0 * 26.0 + 3.0;
    let hop = |k: usize| {
        let channel = |c: usize| [0, 1, 2].map(|t| feature(3 * k + t, c) as f32);
        let frames: Vec<[f32; 3]> = (0..40).map(channel).collect();
        let channels: Vec<&[f32]> = frames.iter().map(|channel| &channel[..]).collect();
        analyser.hear(&channels, &["dense_1"])[0][0]
    };
    (0..40).map(hop).collect()
}

#[cfg(feature = "tflite")]
#[test]
fn tflite_waits_for_a_wake_word() {
    let Some(source) = published("pymicro-wakeword/hey_mycroft.tflite") else { return };
    let mut analyser = Analyser::new(TfLite, source, wake_word_config());
    let first = hear_features(&mut analyser);
    near(&first, &reference("hey-mycroft"), STEP, "a wake word");
    assert_ne!(hear_features(&mut analyser), first, "it remembers what it heard");
    analyser.audio.reset();
    assert_eq!(hear_features(&mut analyser), first, "and forgets it at a reset");
}

/// LiteRT 2.1.4 has no variables.
#[cfg(feature = "litert")]
#[test]
fn litert_refuses_variables_by_name() {
    let Some(source) = published("pymicro-wakeword/hey_mycroft.tflite") else { return };
    let builder = InferenceHandler::builder(wake_word_config()).backend(LiteRt).source(source);
    anira_tests::refused(builder.build(), ErrorKind::Unsupported, &["hey_mycroft.tflite", "not supported"]);
}
