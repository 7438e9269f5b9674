//! The contract of every backend, on LibTorch. Alone in this binary, because it counts allocations.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod support;

use std::path::{Path, PathBuf};

use anira_backend_torch::Torch;
use anira_conformance::{CountingAllocator, Property, Specimen, check_property, conformance_tests};
use anira_traits::{InferenceConfig, InputTensor, Layout, ModelSource, OutputTensor, TensorData};
use support::fixture;

#[global_allocator]
static COUNTING: CountingAllocator = CountingAllocator;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// A fixture, whose file tells no shapes; the configuration does, as a session's would.
fn of_fixture(name: &str, inputs: &[InputTensor], outputs: &[OutputTensor]) -> Specimen {
    let shapes_in: Vec<_> = inputs.iter().map(|t| t.shape.clone().unwrap()).collect();
    let shapes_out: Vec<_> = outputs.iter().map(|t| t.shape.clone().unwrap()).collect();
    Specimen::new(name, ModelSource::file(fixture(name)))
        .config(config(inputs, outputs))
        .shapes(shapes_in, shapes_out)
}

fn config(inputs: &[InputTensor], outputs: &[OutputTensor]) -> InferenceConfig {
    let with_inputs = inputs.iter().cloned().fold(InferenceConfig::builder(), |all, t| all.input(t));
    outputs.iter().cloned().fold(with_inputs, |all, t| all.output(t)).build().unwrap()
}

/// A block of eight samples.
fn block(name: &str) -> InputTensor {
    InputTensor::stream(name, 8).shape([1, 1, 8])
}

fn answer(name: &str) -> OutputTensor {
    OutputTensor::stream(name, 8).shape([1, 1, 8])
}

/// A fixture with one stream in, one out.
fn of_stream(name: &str) -> Specimen {
    of_fixture(name, &[block("x")], &[answer("y")])
}

/// Without a configuration: as a reader of the file alone has it.
fn unconfigured(name: &str, inputs: &[&[usize]], outputs: &[&[usize]]) -> Specimen {
    let own = |shapes: &[&[usize]]| shapes.iter().map(|s| s.to_vec()).collect::<Vec<_>>();
    Specimen::new(name, ModelSource::file(fixture(name))).shapes(own(inputs), own(outputs)).excuse(
        Property::WrongRequests,
        "the file tells no shapes; without a configuration three extents are assumed, and any number is taken",
    )
}

/// One of the project's models with the inputs and outputs that PyTorch computed.
fn of_model(name: &str, inputs: &[InputTensor], outputs: &[OutputTensor]) -> Specimen {
    let folder = root().join("tests/golden/run").join(name);
    let read = |tensor: &str| npy(&folder.join(tensor).with_extension("npy"));
    let (shapes_in, data_in): (Vec<_>, Vec<_>) = inputs.iter().map(|t| read(&t.name)).unzip();
    let (shapes_out, data_out): (Vec<_>, Vec<_>) = outputs.iter().map(|t| read(&t.name)).unzip();
    let own = |data: Vec<Vec<f32>>| data.into_iter().map(TensorData::F32);
    Specimen::new(name, ModelSource::file(root().join("models").join(name).with_extension("pt")))
        .config(config(inputs, outputs))
        .shapes(shapes_in, shapes_out)
        .reference(own(data_in), own(data_out), 1e-5)
}

/// A network of convolutions that looks back.
fn of_tcn(name: &str, hop: usize, context: usize) -> Specimen {
    let input = InputTensor::stream("input", hop).context(context);
    of_model(name, &[input], &[OutputTensor::stream("output", hop)])
}

/// A float32 `.npy` file, C order.
fn npy(path: &Path) -> (Vec<usize>, Vec<f32>) {
    let bytes = std::fs::read(path).unwrap();
    assert_eq!(&bytes[..8], b"\x93NUMPY\x01\x00");
    let len = usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    let header = std::str::from_utf8(&bytes[10..10 + len]).unwrap();
    assert!(header.contains("'<f4'") && header.contains("'fortran_order': False"), "{header}");
    let shape = header.split(['(', ')']).nth(1).unwrap();
    let shape = shape.split(',').filter_map(|d| d.trim().parse().ok()).collect();
    let data = bytes[10 + len..].chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect();
    (shape, data)
}

fn specimens() -> Vec<Specimen> {
    let state = |name: &str, from: &str| InputTensor::state(name, from).shape([1, 1, 20]);
    let next = |name: &str| OutputTensor::state(name).shape([1, 1, 20]);
    let last = |n: usize| Layout::guess(&[Some(1), Some(n), Some(1)]).unwrap();
    vec![
        of_tcn("gain", 512, 0),
        of_tcn("amp-tcn-1k", 2_048, 132),
        of_model(
            "amp-lstm-2k",
            &[
                InputTensor::stream("input", 64).shape([1, 64, 1]).layout(last(64)),
                state("h_in", "h_out"),
                state("c_in", "c_out"),
            ],
            &[OutputTensor::stream("output", 64), next("h_out"), next("c_out")],
        ),
        of_model(
            "amp-knob-4k",
            &[
                InputTensor::stream("input", 512).context(1_332),
                InputTensor::parameter("drive", [0.5]).shape([1]),
            ],
            &[OutputTensor::stream("output", 512)],
        ),
        of_fixture(
            "methods",
            &[block("audio"), InputTensor::parameter("amount", [0.5]).shape([1])],
            &[answer("y")],
        )
        .option("method", "encode"),
        of_fixture("pair", &[block("x")], &[answer("y"), OutputTensor::parameter("peak").shape([1])]),
        of_fixture("list", &[block("x")], &[answer("a"), answer("b")]),
        of_fixture(
            "strided",
            &[InputTensor::stream("x", 8).channels(2).shape([1, 2, 8])],
            &[OutputTensor::stream("y", 8).channels(2).shape([1, 8, 2]).layout(last(8))],
        ),
        of_stream("inplace"),
        of_stream("frozen"),
        of_stream("traced").option("optimize", "true"),
        // What remembers inside, in each of the ways that a reset knows.
        of_stream("counter"),
        // Its answer is the input of the run before.
        of_stream("delay").constant_output(0),
        of_stream("deep"),
        of_stream("moods"),
        of_fixture(
            "inside",
            &[InputTensor::stream("x", 8).shape([1, 8, 1]).layout(last(8))],
            &[OutputTensor::stream("y", 8).shape([1, 8, 1]).layout(last(8))],
        ),
        // It refuses what is too loud.
        of_stream("raises").failing([TensorData::F32(vec![9.0; 8])]),
        // What a file tells by itself, or does not.
        Specimen::new("described", ModelSource::file(fixture("described")))
            .shapes([vec![1, 1, 8], vec![1]], [vec![1, 1, 8], vec![1]]),
        unconfigured("half", &[&[1, 1, 64]], &[&[1, 1, 32]])
            .shapes([vec![1, 1, 2]], [vec![1, 1, 1]])
            .shapes([vec![1, 1, 4096]], [vec![1, 1, 2048]]),
    ]
}

conformance_tests!(torch, Torch, specimens());

/// A context of 13,332 samples takes a minute for all checks; here are those that size could break.
#[test]
fn a_large_model() {
    use Property::{EnginesApart, FileAndMemory, NotStale, ParallelEngines, Reference, Tensors};
    for property in [FileAndMemory, Tensors, Reference, NotStale, EnginesApart, ParallelEngines] {
        let report = check_property(&Torch, &[of_tcn("amp-tcn-29k", 2_048, 13_332)], property);
        assert!(report.passed(), "{report}");
    }
}
