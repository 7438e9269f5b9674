//! What is planted in a user's own engine is counted exactly.

use std::cell::RefCell;
use std::fs::File;
use std::hint::black_box;
use std::sync::Barrier;
use std::thread;
use std::time::Duration;

use anira::backends::FnBackend;
use anira::traits::{Backend, Engine, EngineRequest, LoadRequest, Model, ModelSource, Signature, TensorInfo};
use anira_intercept::{Counted, Counts, Kind, watched};

/// Two runs of an engine that does this, the first one left out.
fn planted(plant: fn()) -> Vec<Counted> {
    let tensor = |name: &str| TensorInfo::f32(name, &[1, 1, 8]);
    let signature = Signature { inputs: vec![tensor("input")], outputs: vec![tensor("output")] };
    let backend = FnBackend::new("planted", signature, move || {
        move |inputs: &anira::backends::Inputs<'_>, outputs: &mut anira::backends::Outputs<'_>| {
            outputs.f32(0)?.copy_from_slice(inputs.f32(0)?);
            plant();
            Ok(())
        }
    });
    let counted = watched(|watch| {
        let model = backend.load(&ModelSource::None, &LoadRequest::new()).unwrap();
        let request = EngineRequest::new(vec![vec![1, 1, 8]], vec![Some(vec![1, 1, 8])]);
        let mut engine = model.engine(&request).unwrap();
        engine.run().unwrap();
        (0..2).map(|_| watch.count(|| engine.run().unwrap()).unwrap().1).collect()
    });
    counted.unwrap()
}

fn only(kinds: &[(Kind, u64)]) -> Counts {
    Counts::new(Kind::ALL.map(|kind| kinds.iter().find(|(own, _)| *own == kind).map_or(0, |(_, n)| *n)))
}

#[track_caller]
fn is(plant: fn(), right: &[(Kind, u64)]) {
    for run in planted(plant) {
        assert_eq!(run.mine, only(right));
    }
}

#[test]
fn nothing_planted_nothing_counted() {
    is(|| (), &[]);
}

#[test]
fn allocations() {
    let plant = || {
        (0..3).for_each(|i| drop(black_box(Box::new(black_box(i)))));
        drop(black_box(vec![0u8; black_box(100)]));
    };
    is(plant, &[(Kind::Malloc, 3), (Kind::Calloc, 1), (Kind::Free, 4)]);
}

#[test]
fn a_file() {
    let plant = || drop(black_box(File::open("/dev/null").unwrap()));
    // In debug builds the standard library asks whether what it closes was open.
    is(plant, &[(Kind::File, if cfg!(debug_assertions) { 3 } else { 2 })]);
}

#[test]
fn a_sleep() {
    is(|| thread::sleep(Duration::from_micros(10)), &[(Kind::Sleep, 1)]);
}

#[test]
fn system_calls() {
    is(|| (0..4).for_each(|_| thread::yield_now()), &[(Kind::Syscall, 4)]);
}

/// A mutex of the standard library's is an atomic operation, and a system call only where somebody has to wait: the wait is counted.
#[test]
fn a_lock_that_has_to_be_waited_for() {
    thread_local!(static TAKEN: RefCell<u32> = const { RefCell::new(0) });
    let plant = || {
        let (lock, taken) = (std::sync::Mutex::new(()), Barrier::new(2));
        thread::scope(|threads| {
            threads.spawn(|| {
                let _guard = lock.lock().unwrap();
                taken.wait();
                thread::sleep(Duration::from_millis(20));
            });
            taken.wait();
            drop(lock.lock().unwrap());
        });
        TAKEN.with_borrow_mut(|taken| *taken += 1);
    };
    for run in planted(plant) {
        assert!(run.mine[Kind::Syscall] > 0, "{run:?}");
        // The thread that holds it sleeps, and is another.
        assert_eq!((run.mine[Kind::Sleep], run.others[Kind::Sleep]), (0, 1));
    }
}
