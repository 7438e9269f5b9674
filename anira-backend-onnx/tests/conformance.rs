//! The contract of every backend, on each engine of this crate. Alone in this binary, because it counts allocations.
#![cfg(any(feature = "rten", feature = "onnxruntime"))]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod support;

use std::path::PathBuf;

use anira_backend_onnx::signature;
use anira_conformance::{CountingAllocator, Specimen, conformance_tests};
use anira_traits::{InferenceConfig, InputTensor, Layout, ModelSource, OutputTensor, TensorData};
#[cfg(feature = "onnxruntime")]
use support::picking_model;
use support::{fixture, npy, root};

#[global_allocator]
static COUNTING: CountingAllocator = CountingAllocator;

/// A specimen of this file, whose signature is what the file says.
fn of_file(path: PathBuf) -> Specimen {
    let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
    let source = ModelSource::file(path);
    let signature = signature(&source).unwrap();
    Specimen::new(name, source).signature(signature)
}

/// A model with the inputs and outputs that PyTorch computed.
fn with_golden(name: &str) -> Specimen {
    let specimen = of_file(root().join("models").join(name).with_extension("onnx"));
    let golden =
        |tensor: &str| npy(&root().join("tests/golden/run").join(name).join(format!("{tensor}.npy")));
    let tensors =
        signature(&ModelSource::file(root().join("models").join(name).with_extension("onnx"))).unwrap();
    let inputs: Vec<_> = tensors.inputs.iter().map(|t| golden(&t.name)).collect();
    let outputs: Vec<_> = tensors.outputs.iter().map(|t| golden(&t.name)).collect();
    let shapes =
        |all: &[(Vec<usize>, Vec<f32>)]| all.iter().map(|(shape, _)| shape.clone()).collect::<Vec<_>>();
    let (shapes_in, shapes_out) = (shapes(&inputs), shapes(&outputs));
    let data = |all: Vec<(Vec<usize>, Vec<f32>)>| all.into_iter().map(|(_, data)| TensorData::F32(data));
    specimen.shapes(shapes_in, shapes_out).reference(data(inputs), data(outputs), 1e-5)
}

/// What a session says of the network whose states go round as tensors.
fn recurrent() -> InferenceConfig {
    let layout: Layout = "NTC".parse().unwrap();
    let state = |name: &str, from: &str| InputTensor::state(name, from).shape([1, 1, 20]);
    let builder = InferenceConfig::builder()
        .input(InputTensor::stream("input", 64).channels(1).layout(layout.clone()))
        .input(state("h_in", "h_out"))
        .input(state("c_in", "c_out"))
        .output(OutputTensor::stream("output", 64).layout(layout))
        .output(OutputTensor::state("h_out"))
        .output(OutputTensor::state("c_out"));
    builder.build().unwrap()
}

/// What a session says of two channels.
fn stereo() -> InferenceConfig {
    let layout: Layout = "NCT".parse().unwrap();
    let builder = InferenceConfig::builder()
        .input(InputTensor::stream("input", 64).channels(2).layout(layout.clone()))
        .output(OutputTensor::stream("output", 64).channels(2).layout(layout));
    builder.build().unwrap()
}

/// What any engine for ONNX has to run.
fn specimens() -> Vec<Specimen> {
    vec![
        with_golden("gain"),
        with_golden("amp-lstm-2k").config(recurrent()),
        of_file(fixture("dynamic.onnx"))
            .shapes([vec![1, 1, 64]], [vec![1, 1, 64]])
            .shapes([vec![1, 1, 1]], [vec![1, 1, 1]])
            .shapes([vec![1, 1, 4096]], [vec![1, 1, 4096]]),
        of_file(fixture("knob.onnx")),
        of_file(fixture("stereo.onnx")).config(stereo()),
        of_file(fixture("upsample.onnx")),
        of_file(fixture("double.onnx")),
    ]
}

/// A counter beyond int32, in which rten computes, is an error of its run.
#[cfg(feature = "rten")]
fn counter() -> Specimen {
    of_file(fixture("counter-i64.onnx"))
        .failing([TensorData::F32(vec![0.0; 32]), TensorData::I64(vec![i64::MAX])])
}

#[cfg(feature = "rten")]
conformance_tests!(rten, anira_backend_onnx::Rten, [specimens(), vec![counter()]].concat());

/// Picks four numbers by their places; a run that is given a place which is not there is an error.
#[cfg(feature = "onnxruntime")]
fn picking() -> Specimen {
    Specimen::new("picking", ModelSource::memory(picking_model()))
        .range(1, 0.0..=3.0)
        .failing([TensorData::F32(vec![0.5; 4]), TensorData::I64(vec![0, 9])])
}

#[cfg(feature = "onnxruntime")]
conformance_tests!(onnxruntime, anira_backend_onnx::OnnxRuntime, [specimens(), vec![picking()]].concat());

/// A context of 13,332 samples takes a minute for all checks; here are those that size could break.
#[cfg(feature = "rten")]
#[test]
fn a_large_model_on_rten() {
    use anira_conformance::Property::{
        EnginesApart, FileAndMemory, MalformedCut, NoLeak, NotStale, Reference, Tensors,
    };
    for property in [FileAndMemory, MalformedCut, Tensors, Reference, NotStale, EnginesApart, NoLeak] {
        let report = anira_conformance::check_property(
            &anira_backend_onnx::Rten,
            &[with_golden("amp-tcn-29k")],
            property,
        );
        assert!(report.passed(), "{report}");
    }
}
