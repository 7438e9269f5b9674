//! What a run of ONNX Runtime does not do: start threads, give work to others, allocate in Rust. Alone in this binary, because it
//! counts.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod support;

use std::fs;

use anira_backend_onnx::OnnxRuntime;
use anira_realtime::{CountingAllocator, guard};
use anira_traits::{Engine, Model};
use support::{fixture, load, request, root};

#[global_allocator]
static COUNTING: CountingAllocator = CountingAllocator;

/// The numbers of the process's threads.
fn threads() -> Vec<String> {
    let tasks = fs::read_dir("/proc/self/task").unwrap();
    let mut all: Vec<_> = tasks.map(|task| task.unwrap().file_name().into_string().unwrap()).collect();
    all.sort();
    all
}

#[test]
fn loading_and_running_start_no_thread_and_a_run_allocates_nothing_of_ours() {
    let before = threads();
    for path in [
        root().join("models/amp-tcn-29k.onnx"),
        root().join("models/amp-lstm-2k.onnx"),
        fixture("counter-i64.onnx"),
        fixture("double.onnx"),
    ] {
        let model = load(OnnxRuntime, &path).unwrap();
        let mut engines = [(); 3].map(|()| model.engine(&request(model.signature(), 64)).unwrap());
        for engine in &mut engines {
            engine.run().unwrap();
            let quiet = guard(|| {
                for _ in 0..20 {
                    for i in 0..model.signature().inputs.len() {
                        let mut input = engine.input(i).unwrap();
                        input.set_number(0, 0.5);
                    }
                    engine.run().unwrap();
                    std::hint::black_box(engine.output(0).unwrap().number(0));
                }
            });
            assert_eq!(quiet, Ok(()), "{}", path.display());
        }
        assert_eq!(threads(), before, "{}", path.display());
    }
    // The count counts.
    assert!(guard(|| drop(std::hint::black_box(vec![1u8]))).is_err());
}
