//! Loom models of a session's counters. Run by `cargo xtask loom`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test's failure")]

use anira_traits::Head;
use loom::thread;

use crate::sync::{Arc, AtomicBool, Ordering};
use crate::telemetry::Telemetry;

/// Somebody looks while a hop is submitted, run and handed back, and another is dropped: what ended was begun, what was handed back
/// has ended. Three threads, two hops, one look.
#[test]
fn no_end_is_counted_before_its_begin() {
    for ok in [true, false] {
        loom::model(move || {
            let telemetry = Arc::new(Telemetry::default());
            // Stands for the slot, through which the worker sees the submission.
            let slot = Arc::new(AtomicBool::new(false));
            let worker = thread::spawn({
                let (telemetry, slot) = (telemetry.clone(), slot.clone());
                move || {
                    if slot.load(Ordering::Acquire) {
                        telemetry.count_run(ok, Head::default(), 0, 0);
                        telemetry.count_returned();
                    }
                }
            });
            let audio = thread::spawn({
                let (telemetry, slot) = (telemetry.clone(), slot.clone());
                move || {
                    telemetry.count_submitted();
                    slot.store(true, Ordering::Release);
                    telemetry.count_submitted();
                    telemetry.count_dropped(1);
                }
            });
            let t = telemetry.snapshot();
            assert!(t.submitted >= t.done + t.failed + t.dropped, "{t:?}");
            assert!(t.returned <= t.done + t.failed, "{t:?}");
            worker.join().unwrap();
            audio.join().unwrap();
        });
    }
}
