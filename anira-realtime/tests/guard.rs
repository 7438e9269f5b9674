//! The guard finds what a callback allocates and frees, and leaves the thread as it was.

use std::hint::black_box;
use std::panic::catch_unwind;
use std::sync::atomic::{AtomicBool, Ordering};

use anira_realtime::{Breach, CountingAllocator, guard};

#[global_allocator]
static COUNTING: CountingAllocator = CountingAllocator;

/// The counts of a callback that allocates or frees: calls, bytes, frees.
fn taken<T>(callback: impl FnOnce() -> T) -> (u64, u64, u64) {
    match guard(callback) {
        Err(Breach::Allocated(taken)) => (taken.calls, taken.bytes, taken.frees),
        Err(other) => unreachable!("{other}"),
        Ok(_) => (0, 0, 0),
    }
}

#[test]
fn what_a_callback_allocates_and_frees_is_counted() {
    assert_eq!(taken(|| black_box(1) + 1), (0, 0, 0));
    assert_eq!(taken(|| black_box(vec![1u8; 100])).0, 1);
    assert_eq!(taken(|| drop(black_box(vec![1u8; 100]))), (1, 100, 1));
    let mut list = Vec::with_capacity(1);
    list.push(1u64);
    assert_eq!(taken(|| list.push(2)).0, 1, "a list that grows");
    assert_eq!(taken(|| drop(list)), (0, 0, 1), "what was there before");
}

#[test]
fn other_threads_and_what_is_around_do_not_count() {
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                drop(black_box(vec![1u8; 100]));
            }
        });
        for _ in 0..1000 {
            // What comes in by value and goes out again was neither taken nor freed.
            let list = black_box(vec![1u8; 10]);
            assert_eq!(guard(|| list).map(|list| list.len()), Ok(10));
        }
        stop.store(true, Ordering::Relaxed);
    });
}

#[test]
fn an_inner_guards_findings_are_an_outers_too() {
    assert_eq!(taken(|| assert!(guard(|| drop(black_box(vec![1u8]))).is_err())), (1, 1, 1));
}

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
#[test]
fn numbers_too_small_vanish_inside_and_come_back_outside() {
    let half = || black_box(f32::MIN_POSITIVE) * black_box(0.5);
    assert_ne!(half(), 0.0);
    assert_eq!(guard(half), Ok(0.0));
    assert_ne!(half(), 0.0);
    let unwound = catch_unwind(|| {
        guard(|| {
            if half() == 0.0 {
                std::panic::resume_unwind(Box::new(()))
            }
        })
        .map_or((), |()| ())
    });
    assert!(unwound.is_err(), "flush-to-zero was on");
    assert_ne!(half(), 0.0, "after a panic, too");
}

#[test]
fn the_words_say_how_often() {
    let breach = guard(|| drop(black_box(vec![1u8; 3]))).unwrap_err().to_string();
    assert_eq!(breach, "the callback allocated 1 times (3 bytes) and freed 1 times");
}
