//! The contract of every backend, on each engine of this crate. Alone in this binary, because it counts allocations.
#![cfg(any(feature = "tflite", feature = "litert"))]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

#[path = "support/flat.rs"]
mod flat;
#[path = "support/plain.rs"]
mod plain;
mod support;

use std::path::{Path, PathBuf};

use anira_backend_tflite::signature;
use anira_conformance::{CountingAllocator, Property, Specimen, check_property, conformance_tests};
use anira_traits::{
    Backend, DType, InferenceConfig, InputTensor, Layout, ModelSource, OutputTensor, TensorData,
};
use flat::Field::U8;
use plain::{code, ints, operator, plain, tensor, with_options};
use support::{fixture, numbers};

#[global_allocator]
static COUNTING: CountingAllocator = CountingAllocator;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// A specimen of this file, whose signature is what the file says.
fn of_file(path: &Path) -> Specimen {
    let source = ModelSource::file(path);
    let signature = signature(&source).unwrap();
    Specimen::new(path.file_stem().unwrap().to_str().unwrap(), source).signature(signature)
}

/// A file with the inputs and outputs that Python computed, which lie in this folder. (All streams of these have one channel: the
/// other way round they are the same numbers.)
fn with_golden(path: &Path, folder: &Path, tolerance: f64) -> Specimen {
    let signature = signature(&ModelSource::file(path)).unwrap();
    let golden = |(name, dtype): (&String, DType)| {
        let numbers = numbers(&folder.join(name).with_extension("npy"));
        let mut data = TensorData::zeros(dtype, numbers.len());
        numbers.iter().enumerate().for_each(|(i, x)| data.view_mut().set_number(i, *x));
        data
    };
    let inputs: Vec<_> = signature.inputs.iter().map(|t| golden((&t.name, t.dtype))).collect();
    let outputs: Vec<_> = signature.outputs.iter().map(|t| golden((&t.name, t.dtype))).collect();
    of_file(path).reference(inputs, outputs, tolerance)
}

fn of_fixture(name: &str, tolerance: f64) -> Specimen {
    with_golden(&fixture(name), &fixture(name).with_extension(""), tolerance)
}

fn of_model(name: &str) -> Specimen {
    let folder = root().join("tests/golden/run").join(name);
    with_golden(&root().join("models").join(name).with_extension("tflite"), &folder, 1e-5)
}

/// What a session says of the network whose states go round as tensors.
fn recurrent() -> InferenceConfig {
    let layout: Layout = "NTC".parse().unwrap();
    let builder = InferenceConfig::builder()
        .input(InputTensor::stream("input", 8).channels(1).layout(layout.clone()))
        .input(InputTensor::state("h_in", "h_out"))
        .input(InputTensor::state("c_in", "c_out"))
        .output(OutputTensor::stream("output", 8).layout(layout))
        .output(OutputTensor::state("h_out"))
        .output(OutputTensor::state("c_out"));
    builder.build().unwrap()
}

/// What either engine has to run.
fn specimens() -> Vec<Specimen> {
    let block = |n: usize| [vec![1, n, 1]];
    vec![
        of_model("gain"),
        of_model("amp-tcn-1k"),
        of_fixture("lstm", 1e-6).config(recurrent()),
        of_fixture("knob", 1e-6),
        of_fixture("counters", 1e-6),
        of_fixture("loop", 1e-6),
        // Steps of eight bits: see `models.rs` for how far they may be from the float model.
        of_fixture("conv-int8", 0.04),
        of_fixture("conv-int16", 0.02),
        dividing(),
        of_fixture("dynamic", 1e-6)
            .shapes(block(100), block(100))
            .shapes(block(1), block(1))
            .shapes(block(480), block(480)),
    ]
}

/// Divides whole numbers by others less 5: a run with a 5 is an error.
fn dividing() -> Specimen {
    let mut model = plain();
    model.codes = vec![code(41), code(42)];
    model.tensors = vec![
        tensor("x", 2, &[1, 4], 0),
        tensor("five", 2, &[1, 4], 1),
        tensor("y", 2, &[1, 4], 0),
        tensor("by", 2, &[1, 4], 0),
        tensor("less", 2, &[1, 4], 0),
    ];
    model.buffers[1] = ints(&[5; 4]);
    model.inputs = vec![0, 3];
    model.operators = vec![
        with_options(operator(0, &[3, 1], &[4]), 28, vec![U8(0)]),
        with_options(operator(1, &[0, 4], &[2]), 29, vec![U8(0)]),
    ];
    Specimen::new("dividing", ModelSource::memory(model.bytes()))
        .range(0, 0.0..=1e6)
        .range(1, 6.0..=8.0)
        .failing([TensorData::I32(vec![7; 4]), TensorData::I32(vec![6, 6, 5, 6])])
}

/// A variable of its own, which LiteRT refuses.
#[cfg(feature = "tflite")]
fn memory() -> Specimen {
    of_file(&fixture("memory"))
}

#[cfg(feature = "tflite")]
conformance_tests!(tflite, anira_backend_tflite::TfLite, [specimens(), vec![memory()]].concat());

#[cfg(feature = "litert")]
conformance_tests!(litert, anira_backend_tflite::LiteRt, specimens());

/// An unrolled LSTM and a context of 13,332 samples take minutes for all checks; here are those that size could break.
fn large_models<B: Backend>(backend: &B) {
    for property in [
        Property::FileAndMemory,
        Property::Tensors,
        Property::Reference,
        Property::NotStale,
        Property::EnginesApart,
        Property::ParallelEngines,
    ] {
        let specimens = [of_model("amp-lstm-2k"), of_model("amp-tcn-29k")];
        let report = check_property(backend, &specimens, property);
        assert!(report.passed(), "{report}");
    }
}

#[cfg(feature = "tflite")]
#[test]
fn large_models_on_tflite() {
    large_models(&anira_backend_tflite::TfLite);
}

#[cfg(feature = "litert")]
#[test]
fn large_models_on_litert() {
    large_models(&anira_backend_tflite::LiteRt);
}
