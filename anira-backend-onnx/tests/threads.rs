//! Which threads run: inside a worker's scope the worker's own and no other. Alone in this binary, because it counts.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod support;

use std::fs;
use std::time::{Duration, Instant};

use anira_backend_onnx::Rten;
use anira_traits::{Backend, Engine, LoadRequest, Model, ModelSource};
use support::{load, request, root};

/// The process's threads: number, name, nanoseconds on a processor.
fn threads() -> Vec<(u32, String, u64)> {
    let mut all = Vec::new();
    for task in fs::read_dir("/proc/self/task").unwrap() {
        let path = task.unwrap().path();
        let read = |file: &str| fs::read_to_string(path.join(file));
        // A thread that has just ended is not counted.
        if let (Ok(name), Ok(time)) = (read("comm"), read("schedstat")) {
            let number = path.file_name().unwrap().to_str().unwrap().parse().unwrap();
            all.push((number, name.trim().to_owned(), time.split(' ').next().unwrap().parse().unwrap()));
        }
    }
    all
}

/// How often this thread has waited for something.
fn waits() -> u64 {
    let status = fs::read_to_string("/proc/thread-self/status").unwrap();
    let line = status.lines().find(|l| l.starts_with("voluntary_ctxt_switches")).unwrap();
    line.split_whitespace().last().unwrap().parse().unwrap()
}

fn this_thread() -> u32 {
    fs::read_link("/proc/thread-self").unwrap().file_name().unwrap().to_str().unwrap().parse().unwrap()
}

/// Inferences that are looked at together.
const RUNS: u64 = 25;

/// What [`RUNS`] runs on this thread do: waits of this thread, its time, the time of all others together.
fn measure(engine: &mut impl Engine) -> (u64, u64, u64) {
    engine.run().unwrap();
    let here = this_thread();
    let (before, waits_before) = (threads(), waits());
    for _ in 0..RUNS {
        engine.run().unwrap();
    }
    let (waited, after) = (waits() - waits_before, threads());
    let numbers = |t: &[(u32, String, u64)]| t.iter().map(|t| t.0).collect::<Vec<_>>();
    assert_eq!(numbers(&before), numbers(&after), "a run started or ended a thread");
    let spent = |own: bool| {
        let sum =
            |t: &[(u32, String, u64)]| t.iter().filter(|t| (t.0 == here) == own).map(|t| t.2).sum::<u64>();
        sum(&after) - sum(&before)
    };
    (waited, spent(true), spent(false))
}

#[test]
fn inference_runs_on_the_worker_alone() {
    let before = threads().len();
    let path = root().join("models/amp-tcn-29k.onnx");
    // Not optimized, so that only our own call starts rten's global pool while loading.
    let plain = LoadRequest::new().option("optimize", "false");
    drop(Rten.load(&ModelSource::file(&path), &plain).unwrap());
    // rten's global pool, which it cannot do without: one sleeping thread per core, started by the load on purpose. A
    // thread takes its name only once it runs.
    let named = || threads().iter().filter(|t| t.1.starts_with("rten-")).count();
    let patience = Instant::now() + Duration::from_secs(20);
    while named() == 0 || before + named() < threads().len() {
        assert!(Instant::now() < patience, "other threads than rten's were started: {:?}", threads());
        std::thread::yield_now();
    }
    let pool = threads().len();
    let model = load(Rten, &path).unwrap();
    assert_eq!(threads().len(), pool, "a second load starts nothing");

    // On a thread of its own, as a worker is. Signature, trial run and runs are those of the scheduler.
    let scope = <<anira_backend_onnx::RtenModel as Model>::Engine as Engine>::SCOPE.unwrap();
    let (inside, outside) = std::thread::spawn(move || {
        let mut inside = None;
        scope(&mut || {
            let mut engine = model.engine(&request(model.signature(), 64)).unwrap();
            let count = threads().len();
            assert_eq!(count, pool + 2, "this worker and its scope's thread");
            inside = Some(measure(&mut engine));
        });
        let ended = Instant::now();
        while threads().len() != pool + 1 {
            assert!(ended.elapsed() < Duration::from_secs(5), "the scope's thread has not ended");
        }
        let mut engine = model.engine(&request(model.signature(), 64)).unwrap();
        (inside.unwrap(), measure(&mut engine))
    })
    .join()
    .unwrap();

    let (waited, own, others) = inside;
    assert!(waited < RUNS / 5, "{RUNS} runs inside a scope waited {waited} times");
    assert!(others < own / 20, "other threads worked {others} ns, this one {own} ns");
    // The same figures from outside show that they can tell.
    let (waited, own, others) = outside;
    assert!(waited >= RUNS, "{RUNS} runs outside of a scope waited {waited} times");
    assert!(own < others / 4, "other threads worked {others} ns, this one {own} ns");
}
