//! What the integration tests share: where fixtures lie, how tensors are read, written and compared.

#![allow(dead_code, unused_macros, unused_imports, reason = "each test binary uses a part")]

use std::path::{Path, PathBuf};

use anira_traits::*;

/// Makes a test of each of these functions for every engine that is built in.
macro_rules! for_every_engine {
    ($($test:ident)*) => {
        #[cfg(feature = "tflite")]
        mod tflite {
            $(#[test] fn $test() { super::$test(anira_backend_tflite::TfLite); })*
        }
        #[cfg(feature = "litert")]
        mod litert {
            $(#[test] fn $test() { super::$test(anira_backend_tflite::LiteRt); })*
        }
    };
}
pub(crate) use for_every_engine;

pub(crate) type EngineOf<B> = <<B as Backend>::Model as Model>::Engine;

pub(crate) fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(format!("{name}.tflite"))
}

/// Every fixture that an engine runs.
pub(crate) const GOOD: [&str; 10] =
    ["gain", "tcn", "lstm", "knob", "counters", "loop", "dynamic", "conv-int8", "conv-uint8", "conv-int16"];

pub(crate) fn bytes(name: &str) -> Vec<u8> {
    std::fs::read(fixture(name)).unwrap()
}

pub(crate) fn load<B: Backend>(backend: &B, name: &str) -> Result<B::Model> {
    backend.load(&ModelSource::file(fixture(name)), &LoadRequest::new())
}

/// The model's own shapes, with this for open extents.
pub(crate) fn request(signature: &Signature, open: usize) -> EngineRequest {
    let shape = |t: &TensorInfo| t.shape.iter().map(|d| d.unwrap_or(open)).collect::<Vec<_>>();
    let outputs = signature.outputs.iter().map(|t| Some(shape(t))).collect();
    EngineRequest::new(signature.inputs.iter().map(shape).collect(), outputs)
}

pub(crate) fn engine<B: Backend>(backend: &B, name: &str, open: usize) -> EngineOf<B> {
    let model = load(backend, name).unwrap();
    model.engine(&request(model.signature(), open)).unwrap()
}

pub(crate) fn set(engine: &mut impl Engine, index: usize, values: &[f32]) {
    engine.input(index).unwrap().f32_mut().unwrap().copy_from_slice(values);
}

pub(crate) fn get(engine: &impl Engine, index: usize) -> Vec<f32> {
    engine.output(index).unwrap().f32().unwrap().to_vec()
}

/// All outputs as numbers.
pub(crate) fn outputs(engine: &impl Engine) -> Vec<Vec<f64>> {
    let all = (0..).map_while(|i| engine.output(i));
    all.map(|output| (0..output.len()).map(|k| output.number(k).unwrap()).collect()).collect()
}

/// The input or output of that name from the goldens of a fixture, as numbers.
pub(crate) fn golden(model: &str, tensor: &str) -> Vec<f64> {
    numbers(&fixture(model).with_extension("").join(format!("{tensor}.npy")))
}

/// What an `.npy` file holds, as numbers.
pub(crate) fn numbers(path: &Path) -> Vec<f64> {
    let bytes = std::fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    assert_eq!(&bytes[..8], b"\x93NUMPY\x01\x00");
    let len = usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    let (header, data) = bytes[10..].split_at(len);
    let header = std::str::from_utf8(header).unwrap();
    assert!(header.contains("'fortran_order': False"), "{header}");
    let kind = header.split('\'').nth(3).unwrap();
    match kind {
        "<f4" => data.chunks_exact(4).map(|b| f64::from(f32::from_le_bytes(b.try_into().unwrap()))).collect(),
        "<i4" => data.chunks_exact(4).map(|b| f64::from(i32::from_le_bytes(b.try_into().unwrap()))).collect(),
        "<i8" => data.chunks_exact(8).map(|b| i64::from_le_bytes(b.try_into().unwrap()) as f64).collect(),
        other => panic!("{}: elements of type {other}", path.display()),
    }
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
