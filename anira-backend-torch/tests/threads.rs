//! Which threads run: the caller's and no other, on every thread, and without gradients. Alone in this binary, because it
//! counts.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod support;

use std::fs;
use std::sync::Barrier;

use anira_backend_torch::{TorchEngine, TorchModel};
use anira_traits::Engine;
use support::{Noise, engine_of, get, load, set};

/// Elements enough that LibTorch would divide the work: its operators do so from 32,768 on.
const LONG: usize = 1 << 16;
const RUNS: usize = 20;

/// The process's threads: number and nanoseconds on a processor.
fn threads() -> Vec<(u32, u64)> {
    let mut all = Vec::new();
    for task in fs::read_dir("/proc/self/task").unwrap() {
        let path = task.unwrap().path();
        // A thread that has just ended is not counted.
        if let Ok(time) = fs::read_to_string(path.join("schedstat")) {
            let number = path.file_name().unwrap().to_str().unwrap().parse().unwrap();
            all.push((number, time.split(' ').next().unwrap().parse().unwrap()));
        }
    }
    all.sort_unstable();
    all
}

fn this_thread() -> u32 {
    fs::read_link("/proc/thread-self").unwrap().file_name().unwrap().to_str().unwrap().parse().unwrap()
}

fn long_engine(model: &TorchModel) -> TorchEngine {
    let mut engine = engine_of(model, &[&[1, 1, LONG]]).unwrap();
    let mut noise = Noise(3);
    set(&mut engine, 0, &(0..LONG).map(|_| noise.sample()).collect::<Vec<_>>());
    engine
}

/// What runs on this thread do to this thread's time, and to that of all others together.
fn spent(mut runs: impl FnMut()) -> (u64, u64) {
    let here = this_thread();
    let before = threads();
    runs();
    let after = threads();
    // A thread that was joined a moment ago may be gone only now, so threads may be fewer.
    let was = |number: u32| before.iter().find(|t| t.0 == number).map(|t| t.1);
    assert!(after.iter().all(|t| was(t.0).is_some()), "a run started a thread: {before:?}, {after:?}");
    let sum = |own: bool| -> u64 {
        let these = after.iter().filter(|t| (t.0 == here) == own);
        these.map(|t| t.1 - was(t.0).unwrap_or(0)).sum()
    };
    (sum(true), sum(false))
}

#[test]
fn inference_runs_on_the_caller_alone() {
    let before = threads().len();
    let model = load("tcn").unwrap();
    let mut here = long_engine(&model);
    here.run().unwrap();
    // Fewer, where one that was joined a moment ago was still listed.
    assert!(threads().len() <= before, "loading, an engine, a run: no thread more");
    assert_eq!(tch::get_num_threads(), 1);

    // On the thread that loaded.
    let (own, others) = spent(|| (0..RUNS).for_each(|_| here.run().unwrap()));
    assert!(others < own / 20, "other threads worked {others} ns, this one {own} ns");
    let right = get(&here, 0);
    drop(here);

    // On a thread that LibTorch has never seen, with an engine that was made elsewhere: as a worker.
    let mut engine = long_engine(&model);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let (own, others) = spent(|| (0..RUNS).for_each(|_| engine.run().unwrap()));
            assert!(others < own / 20, "other threads worked {others} ns, this one {own} ns");
        });
    });
    assert_eq!(get(&engine, 0), right);

    // And although somebody else in the process wants more threads.
    std::thread::scope(|scope| {
        scope.spawn(|| {
            tch::set_num_threads(4);
            let (own, others) = spent(|| (0..RUNS).for_each(|_| engine.run().unwrap()));
            assert!(others < own / 20, "other threads worked {others} ns, this one {own} ns");
        });
    });

    // The same count from outside shows that it can tell: without the guard, LibTorch starts threads.
    std::thread::scope(|scope| {
        scope.spawn(|| {
            tch::set_num_threads(4);
            let before = threads();
            drop(tch::Tensor::zeros([1 << 22], (tch::Kind::Float, tch::Device::Cpu)).exp());
            let new = threads().iter().filter(|t| before.iter().all(|b| b.0 != t.0)).count();
            assert_eq!(new, 3, "OpenMP's team of four");
        });
    });

    several_engines_on_several_threads_at_once(&model, &right);
    gradients_are_off_on_every_thread();
    a_number_of_threads_is_kept_per_thread();
}

/// The engines of a module without state share it; those of one with state have their own.
fn several_engines_on_several_threads_at_once(model: &TorchModel, right: &[f32]) {
    let counter = load("counter").unwrap();
    let start = Barrier::new(4);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut engine = long_engine(model);
                let mut own = engine_of(&counter, &[&[1, 1, 8]]).unwrap();
                start.wait();
                for run in 1..=50 {
                    engine.run().unwrap();
                    assert_eq!(get(&engine, 0), right);
                    own.run().unwrap();
                    assert_eq!(get(&own, 0), [run as f32; 8]);
                }
            });
        }
    });
}

/// With gradients on, LibTorch refuses to change a trained parameter in place, which this module does.
fn gradients_are_off_on_every_thread() {
    let model = load("trained").unwrap();
    let mut engine = engine_of(&model, &[&[1, 1, 8]]).unwrap();
    engine.run().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let leaf =
                || tch::Tensor::ones([1], (tch::Kind::Float, tch::Device::Cpu)).set_requires_grad(true);
            assert!((leaf() * 2.0).requires_grad(), "on for a new thread");
            engine.run().unwrap();
            assert_eq!(get(&engine, 0), [2.0; 8]);
            assert!((leaf() * 2.0).requires_grad(), "and again after a run: the setting is the host's");
        });
    });
}

/// What LibTorch 2.13 makes of a number of threads, and why it is set for each run: a thread takes up the newest number
/// when it first asks, and keeps it whatever others set later.
fn a_number_of_threads_is_kept_per_thread() {
    let on_a_new_thread = |set: Option<i32>| {
        let number = move || {
            set.into_iter().for_each(tch::set_num_threads);
            tch::get_num_threads()
        };
        std::thread::spawn(number).join().unwrap()
    };
    tch::set_num_threads(1);
    assert_eq!(on_a_new_thread(None), 1);
    assert_eq!(on_a_new_thread(Some(4)), 4);
    assert_eq!(tch::get_num_threads(), 1, "this thread has its own");
    assert_eq!(on_a_new_thread(None), 4, "a later one takes up the newest");
    tch::set_num_threads(1);
}
