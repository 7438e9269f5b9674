//! What the integration tests share: where models lie, how tensors are read and compared.

#![allow(dead_code, reason = "each test binary uses a part")]

use std::path::{Path, PathBuf};

use anira_backend_onnx::{Rten, RtenEngine, RtenModel};
use anira_traits::*;

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

pub(crate) fn fixture(name: &str) -> PathBuf {
    root().join("tests/fixtures").join(name)
}

pub(crate) fn load(path: impl Into<PathBuf>) -> Result<RtenModel> {
    Rten.load(&ModelSource::file(path), &LoadRequest::new())
}

/// Every ONNX file of the repository that the tests know.
pub(crate) fn all_models() -> Vec<PathBuf> {
    let mut all: Vec<_> = ["models", "tests/fixtures"]
        .iter()
        .flat_map(|dir| std::fs::read_dir(root().join(dir)).unwrap())
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "onnx"))
        .collect();
    all.sort();
    assert!(all.len() >= 14, "the models are not where they should be: {all:?}");
    all
}

/// The model's own shapes, with this for open extents.
pub(crate) fn request(signature: &Signature, open: usize) -> EngineRequest {
    let shape = |t: &TensorInfo| t.shape.iter().map(|d| d.unwrap_or(open)).collect::<Vec<_>>();
    let outputs = signature.outputs.iter().map(|t| Some(shape(t))).collect();
    EngineRequest::new(signature.inputs.iter().map(shape).collect(), outputs)
}

pub(crate) fn engine(path: impl Into<PathBuf>) -> RtenEngine {
    let model = load(path).unwrap();
    model.engine(&request(model.signature(), 64)).unwrap()
}

pub(crate) fn set(engine: &mut RtenEngine, index: usize, values: &[f32]) {
    engine.input(index).unwrap().f32_mut().unwrap().copy_from_slice(values);
}

pub(crate) fn get(engine: &RtenEngine, index: usize) -> Vec<f32> {
    engine.output(index).unwrap().f32().unwrap().to_vec()
}

/// Numbers that look random and are always the same.
pub(crate) struct Noise(pub(crate) u64);

impl Noise {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub(crate) fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    pub(crate) fn sample(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1 << 23) as f32 - 1.0
    }
}

/// A float32 `.npy` file, C order.
pub(crate) fn npy(path: &Path) -> (Vec<usize>, Vec<f32>) {
    let bytes = std::fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    assert_eq!(&bytes[..8], b"\x93NUMPY\x01\x00");
    let len = usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    let header = std::str::from_utf8(&bytes[10..10 + len]).unwrap();
    assert!(header.contains("'<f4'") && header.contains("'fortran_order': False"), "{header}");
    let shape = header.split(['(', ')']).nth(1).unwrap();
    let shape = shape.split(',').filter_map(|d| d.trim().parse().ok()).collect();
    let data = bytes[10 + len..].chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect();
    (shape, data)
}
