//! The contract of every backend, on LibTorch. Alone in this binary, because it counts allocations.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod support;

use std::path::{Path, PathBuf};

use anira_backend_torch::Torch;
use anira_conformance::{CountingAllocator, Property, Specimen, check_property, conformance_tests};
use anira_traits::{ModelSource, TensorData};
use support::fixture;

#[global_allocator]
static COUNTING: CountingAllocator = CountingAllocator;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// A fixture, whose file tells no shapes.
fn of_fixture(name: &str, inputs: &[&[usize]], outputs: &[&[usize]]) -> Specimen {
    let own = |shapes: &[&[usize]]| shapes.iter().map(|s| s.to_vec()).collect::<Vec<_>>();
    Specimen::new(name, ModelSource::file(fixture(name))).shapes(own(inputs), own(outputs))
}

/// One of the project's models with the inputs and outputs that PyTorch computed, by these names.
fn of_model(name: &str, inputs: &[&str], outputs: &[&str]) -> Specimen {
    let folder = root().join("tests/golden/run").join(name);
    let read = |names: &[&str]| {
        let files = names.iter().map(|tensor| npy(&folder.join(tensor).with_extension("npy")));
        let (shapes, data): (Vec<_>, Vec<_>) = files.unzip();
        (shapes, data.into_iter().map(TensorData::F32).collect::<Vec<_>>())
    };
    let ((shapes_in, data_in), (shapes_out, data_out)) = (read(inputs), read(outputs));
    Specimen::new(name, ModelSource::file(root().join("models").join(name).with_extension("pt")))
        .option("inputs", inputs.join(", "))
        .option("outputs", outputs.join(", "))
        .shapes(shapes_in, shapes_out)
        .reference(data_in, data_out, 1e-5)
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

const X: &[usize] = &[1, 1, 8];

fn specimens() -> Vec<Specimen> {
    let states: &[&str] = &["h_in", "c_in"];
    vec![
        of_model("gain", &["input"], &["output"]),
        of_model("amp-lstm-2k", &[&["input"], states].concat(), &["output", "h_out", "c_out"]),
        of_model("amp-tcn-1k", &["input"], &["output"]),
        of_model("amp-knob-4k", &["input", "drive"], &["output"]),
        of_fixture("methods", &[X, &[1]], &[X]).option("method", "encode"),
        of_fixture("half", &[&[1, 1, 64]], &[&[1, 1, 32]])
            .shapes([vec![1, 1, 2]], [vec![1, 1, 1]])
            .shapes([vec![1, 1, 4096]], [vec![1, 1, 2048]]),
        of_fixture("pair", &[X], &[X, &[1]]),
        of_fixture("list", &[X], &[X, X]).option("outputs", "a, b"),
        of_fixture("described", &[X, &[1]], &[X, &[1]]),
        of_fixture("inplace", &[X], &[X]),
        of_fixture("strided", &[&[1, 2, 8]], &[&[1, 8, 2]]),
        of_fixture("frozen", &[X], &[X]),
        of_fixture("traced", &[X], &[X]).option("optimize", "true"),
        // What remembers inside, in each of the ways that a reset knows.
        of_fixture("counter", &[X], &[X]),
        of_fixture("delay", &[X], &[X]).constant_output(0),
        of_fixture("deep", &[X], &[X]),
        of_fixture("moods", &[X], &[X]),
        of_fixture("inside", &[&[1, 8, 1]], &[&[1, 8, 1]]),
        // What fails: one is too loud, the other knows one rate.
        of_fixture("raises", &[X], &[X]).failing([TensorData::F32(vec![9.0; 8])]),
    ]
}

conformance_tests!(torch, Torch, specimens());

/// A context of 13,332 samples takes a minute for all checks; here are those that size could break.
#[test]
fn a_large_model() {
    use Property::{EnginesApart, FileAndMemory, NotStale, ParallelEngines, Reference, Tensors};
    for property in [FileAndMemory, Tensors, Reference, NotStale, EnginesApart, ParallelEngines] {
        let report = check_property(&Torch, &[of_model("amp-tcn-29k", &["input"], &["output"])], property);
        assert!(report.passed(), "{report}");
    }
}
