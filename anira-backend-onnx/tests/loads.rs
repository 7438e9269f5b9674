//! Models that are loaded, run, refused and dropped, again and again: memory does not grow. Alone in this binary, because it
//! measures the process.
//!
//! ANIRA_LOADS=1000 for the long version.
#![cfg(all(target_os = "linux", any(feature = "rten", feature = "onnxruntime")))]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]
#![allow(clippy::print_stdout, reason = "the figures are for who asks for them")]

mod support;

use anira_traits::{Backend, Engine, LoadRequest, Model, ModelSource};
use support::{fixture, request, root};

/// The most that the process may grow over all measured loads: less than 100 leaked engines.
const MOST: usize = 1 << 20;

/// The process's memory in bytes.
fn resident() -> usize {
    let text = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = text.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() << 10
}

/// Loads two models and runs them, and has a file refused early and another one late.
fn once<B: Backend>(backend: &B, files: &[Vec<u8>]) {
    for bytes in files {
        let model = backend.load(&ModelSource::memory(bytes.clone()), &LoadRequest::new()).unwrap();
        let mut engine = model.engine(&request(model.signature(), 64)).unwrap();
        engine.run().unwrap();
    }
    let cut = files[0][..files[0].len() / 2].to_vec();
    let mut lacking = files[1].clone();
    let at = lacking.windows(3).position(|w| w == b"Mul").unwrap();
    lacking[at..at + 3].copy_from_slice(b"Mux");
    for bytes in [cut, lacking] {
        assert!(backend.load(&ModelSource::memory(bytes), &LoadRequest::new()).is_err());
    }
}

fn grows_not<B: Backend>(backend: B) {
    let loads = std::env::var("ANIRA_LOADS").map_or(50, |n| n.parse().unwrap());
    let files =
        [root().join("models/amp-lstm-2k.onnx"), fixture("knob.onnx")].map(|f| std::fs::read(f).unwrap());
    (0..20).for_each(|_| once(&backend, &files));
    let before = resident();
    (0..loads).for_each(|_| once(&backend, &files));
    let grown = resident().saturating_sub(before);
    println!("{}: {} KiB more after {loads} rounds", backend.name(), grown >> 10);
    assert!(grown < MOST, "{}: {grown} bytes more after {loads} rounds", backend.name());
}

#[test]
fn memory_does_not_grow_with_loads() {
    #[cfg(feature = "rten")]
    grows_not(anira_backend_onnx::Rten);
    #[cfg(feature = "onnxruntime")]
    grows_not(anira_backend_onnx::OnnxRuntime);
}
