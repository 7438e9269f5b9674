//! Models that remember, over a minute: after 45,000 inferences every engine is where PyTorch is.
//!
//! Each state is one more float32 that goes round, so an error could grow from hop to hop. An LSTM's gates forget what was long ago, and
//! errors with it: the bound is that of half a second in `golden.rs`.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test's failure, and what it saw")]

use anira::prelude::*;
use anira_tests::zoo::{LSTM, distance, npy_file};
use anira_tests::{assert_same, here};

const RATE: usize = 48_000;
const MINUTE: usize = 60 * RATE;
/// More than the latency, which is left out of what is rendered.
const MORE: usize = 1_000;
const BOUND: f32 = 1e-5;

fn without_drift<B: Backend>(backend: B) {
    let golden = LSTM;
    let name = backend.name().to_owned();
    let mut handler = golden.handler(backend, Offline, 1);
    // As `models/train/long.py` has it: the golden input again and again.
    let input: Vec<f32> = golden.input()[0].iter().copied().cycle().take(MINUTE + MORE).collect();
    let right = npy_file(&here().join("golden/long").join(format!("{}.npy", golden.name)));
    assert_eq!(right.len(), RATE);
    let [first, other] = [480, 2048].map(|block| {
        let sound = vec![input.clone()];
        let mut output = golden.render_sound(&mut handler, sound, MINUTE + MORE, &[block]).remove(0);
        assert!(output.len() >= MINUTE);
        output.truncate(MINUTE);
        output
    });
    assert_same(&first, &other, format_args!("{name}: blocks of 480 and of 2048"));
    let begun = distance(&first[..RATE / 2], &golden.output()[0][..RATE / 2]).0;
    let (ended, at) = distance(&first[MINUTE - RATE..], &right);
    println!("{name}: {begun:.1e} of the peak in the first half second, {ended:.1e} in the last");
    assert!(
        ended <= BOUND,
        "{name}: {ended} of the peak off at {at} of the last second, {begun} in the first"
    );
}

#[test]
fn rten() {
    without_drift(Rten);
}

#[cfg(feature = "onnxruntime")]
#[test]
fn onnxruntime() {
    without_drift(OnnxRuntime);
}

#[cfg(feature = "torch")]
#[test]
fn torch() {
    without_drift(Torch);
}

#[cfg(feature = "tflite")]
#[test]
fn tflite() {
    without_drift(TfLite);
}

#[cfg(feature = "litert")]
#[test]
fn litert() {
    without_drift(LiteRt);
}
