//! Loading, running and dropping over and over keeps memory where it is. Alone in this binary, because it measures.
#![cfg(all(target_os = "linux", any(feature = "tflite", feature = "litert")))]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod support;

use anira_traits::*;
use support::{bytes, request};

/// Resident memory of the process in bytes.
fn resident() -> usize {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    pages.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

/// How many loads of each kind. `ANIRA_LOADS` asks for another number.
fn loads() -> usize {
    std::env::var("ANIRA_LOADS").ok().and_then(|n| n.parse().ok()).unwrap_or(50)
}

fn once(backend: &impl Backend, bytes: &[u8], good: bool) {
    let source = ModelSource::memory(bytes.to_vec());
    match backend.load(&source, &LoadRequest::new()) {
        Ok(model) => {
            let mut engine = model.engine(&request(model.signature(), 64)).unwrap();
            engine.run().unwrap();
            assert!(good);
        }
        Err(error) => assert!(!good, "{error}"),
    }
}

fn check(backend: &impl Backend) {
    let good = bytes("lstm");
    // A file that the reader refuses late, and one that only the engine does: a version of an operator of the future.
    let cut = good[..good.len() - 100].to_vec();
    let files = [(good.clone(), true), (bytes("loop"), true), (cut, false), (bytes("lacking"), false)];
    // Warm: allocators keep what they once had.
    (0..20).for_each(|_| files.iter().for_each(|(file, good)| once(backend, file, *good)));
    let before = resident();
    (0..loads()).for_each(|_| files.iter().for_each(|(file, good)| once(backend, file, *good)));
    let grown = resident().saturating_sub(before);
    // One copy of the file per ten loads would be seen.
    let bound = (1 << 20) + loads() * good.len() / 10;
    assert!(
        grown < bound,
        "{}: {grown} bytes more after {} loads; less than {bound}",
        backend.name(),
        loads()
    );
}

/// One test, as another would be measured, too.
#[test]
fn loads_leave_nothing_behind() {
    #[cfg(feature = "tflite")]
    check(&anira_backend_tflite::TfLite);
    #[cfg(feature = "litert")]
    check(&anira_backend_tflite::LiteRt);
}
