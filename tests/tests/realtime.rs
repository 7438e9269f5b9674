//! No call on the audio thread allocates or frees, whatever engines and hosts do; and the guard that says so, says so.

use std::hint::black_box;
use std::time::Duration;

use anira::prelude::*;
use anira::realtime::{Breach, CountingAllocator, guard};
use anira_tests::matrix::matrix;
use anira_tests::{mono, plain, valid};

#[global_allocator]
static COUNTING: CountingAllocator = CountingAllocator;

const HOP: usize = 64;

#[test]
fn no_call_of_the_matrix_allocates_or_frees() {
    let (mut calls, mut breaches) = (0, Vec::new());
    for case in matrix() {
        case.run(&mut |what, call| {
            calls += 1;
            if let Err(breach) = guard(call) {
                breaches.push(format!("{}: {what}: {breach}", case.name));
            }
        });
    }
    assert!(calls > 50_000, "{calls} calls");
    assert!(breaches.is_empty(), "{} of {calls} calls:\n{}", breaches.len(), breaches.join("\n"));
}

#[test]
fn an_allocation_that_was_planted_is_found_through_all_layers() {
    // Inside an engine that runs in the caller's thread.
    let model = mono(HOP, |_, _| {
        black_box(vec![1u8; 100]);
        Ok(())
    });
    let mut handler = valid(
        InferenceHandler::builder(plain(HOP, Duration::ZERO)).backend(model).scheduler(Offline).build(),
    );
    let host = HostConfig::fixed(48_000.0, HOP).mode(Mode::Offline);
    let Prepared { mut audio, .. } = valid(handler.prepare(&host));
    let Err(Breach::Allocated(taken)) = guard(|| audio.process(&mut [&mut [0.0f32; HOP][..]])) else {
        unreachable!("an allocation went by")
    };
    assert_eq!((taken.calls, taken.bytes, taken.frees), (1, 100, 1));
    // And what a call frees, without taking anything.
    let owned = black_box(vec![1u8; 100]);
    let Err(Breach::Allocated(taken)) = guard(|| drop(owned)) else { unreachable!("a free went by") };
    assert_eq!((taken.calls, taken.frees), (0, 1));
}
