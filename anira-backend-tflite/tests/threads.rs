//! Which threads run: the caller's and no other. Alone in this binary, because it counts.
#![cfg(all(target_os = "linux", any(feature = "tflite", feature = "litert")))]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod support;

use std::fs;
use std::sync::Barrier;
use std::time::{Duration, Instant};

use anira_traits::*;
use support::{GOOD, Noise, bytes, load, outputs, request};

/// The process's threads, by number.
fn threads() -> Vec<String> {
    let tasks = fs::read_dir("/proc/self/task").unwrap();
    let mut all: Vec<_> = tasks.map(|t| t.unwrap().file_name().into_string().unwrap()).collect();
    all.sort();
    all
}

/// Fails if there are other threads than before, and stay: one that was joined a moment ago may still be listed.
#[track_caller]
fn no_other_threads(before: &[String], what: impl std::fmt::Display) {
    let start = Instant::now();
    while threads() != before {
        assert!(start.elapsed() < Duration::from_secs(10), "{what}: {:?}, before {before:?}", threads());
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Results of an engine for several inputs.
fn results<B: Backend>(model: &B::Model, rounds: usize) -> Vec<Vec<Vec<f64>>> {
    let mut engine = model.engine(&request(model.signature(), 64)).unwrap();
    let mut noise = Noise(5);
    let mut all = Vec::new();
    for _ in 0..rounds {
        for i in 0..model.signature().inputs.len() {
            let mut input = engine.input(i).unwrap();
            (0..input.len()).for_each(|k| input.set_number(k, f64::from(noise.sample())));
        }
        engine.run().unwrap();
        all.push(outputs(&engine));
    }
    all
}

fn check<B: Backend>(backend: &B) {
    let before = threads();
    for name in GOOD {
        let model = load(backend, name).unwrap();
        let right = results::<B>(&model, 20);
        no_other_threads(&before, format_args!("{name}: {} starts threads", backend.name()));
        // Engines of one model on four threads at once, made there, too.
        let start = Barrier::new(4);
        std::thread::scope(|scope| {
            let runs: Vec<_> = (0..4)
                .map(|_| {
                    scope.spawn(|| {
                        start.wait();
                        results::<B>(&model, 20)
                    })
                })
                .collect();
            for run in runs {
                assert_eq!(run.join().unwrap(), right, "{name}: {} mixes engines up", backend.name());
            }
        });
    }
    // So much work that either library would share it out, if it might.
    for option in ["true", "false"] {
        let options = LoadRequest::new().option("xnnpack", option);
        let model = backend.load(&ModelSource::memory(bytes("dynamic")), &options).unwrap();
        let mut engine = model.engine(&request(model.signature(), 300_000)).unwrap();
        engine.run().unwrap();
        no_other_threads(&before, format_args!("{} starts threads, xnnpack {option}", backend.name()));
    }
    // An engine made here runs there.
    let model = load(backend, "tcn").unwrap();
    let mut engine = model.engine(&request(model.signature(), 64)).unwrap();
    std::thread::spawn(move || engine.run().unwrap()).join().unwrap();
    no_other_threads(&before, "a thread that ran an engine is over");
}

/// One test, as others' threads would be counted.
#[test]
fn engines_run_on_their_callers_threads_and_beside_each_other() {
    #[cfg(feature = "tflite")]
    check(&anira_backend_tflite::TfLite);
    #[cfg(feature = "litert")]
    check(&anira_backend_tflite::LiteRt);
}
