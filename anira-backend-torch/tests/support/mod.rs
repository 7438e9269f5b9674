//! What the integration tests share: where modules lie, how tensors are read and written.

#![allow(dead_code, reason = "each test binary uses a part")]

use std::path::{Path, PathBuf};

use anira_backend_torch::{Torch, TorchEngine, TorchModel};
use anira_traits::*;

pub(crate) fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(format!("{name}.pt"))
}

pub(crate) fn bytes(name: &str) -> Vec<u8> {
    std::fs::read(fixture(name)).unwrap()
}

/// Every module that the tests know.
pub(crate) fn all() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut all: Vec<_> = files.filter(|path| path.extension().is_some_and(|e| e == "pt")).collect();
    all.sort();
    assert!(all.len() >= 24, "the fixtures are not where they should be: {all:?}");
    all
}

pub(crate) fn load(name: &str) -> Result<TorchModel> {
    load_with(name, &[])
}

pub(crate) fn load_with(name: &str, options: &[(&str, &str)]) -> Result<TorchModel> {
    let request = options.iter().fold(LoadRequest::new(), |r, (name, value)| r.option(*name, *value));
    Torch.load(&ModelSource::file(fixture(name)), &request)
}

/// An engine for inputs of these shapes, whatever comes out.
pub(crate) fn engine(name: &str, shapes: &[&[usize]]) -> Result<TorchEngine> {
    engine_of(&load(name)?, shapes)
}

pub(crate) fn engine_of(model: &TorchModel, shapes: &[&[usize]]) -> Result<TorchEngine> {
    let inputs = shapes.iter().map(|s| s.to_vec()).collect();
    model.engine(&EngineRequest::new(inputs, vec![None; model.signature().outputs.len()]))
}

pub(crate) fn set(engine: &mut TorchEngine, index: usize, values: &[f32]) {
    engine.input(index).unwrap().f32_mut().unwrap().copy_from_slice(values);
}

pub(crate) fn get(engine: &TorchEngine, index: usize) -> Vec<f32> {
    engine.output(index).unwrap().f32().unwrap().to_vec()
}

/// 0, 1, 2, …
pub(crate) fn ramp(len: usize) -> Vec<f32> {
    (0..len).map(|i| i as f32).collect()
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
