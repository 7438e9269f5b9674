//! Loom models of sleep and wake-up. Run by `cargo xtask loom`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test's failure")]

use loom::thread;

use crate::sync::{Arc, AtomicU64, Ordering};
use crate::wake::Wake;

/// Promise 6: a submission that meets a worker on its way to sleep. If the wake-up could be lost the worker would sleep for
/// ever, which loom reports as a deadlock.
#[test]
fn no_submission_is_slept_over() {
    loom::model(|| {
        let wake = Arc::new(Wake::default());
        let submitted = Arc::new(AtomicU64::new(0));
        let (wake2, submitted2) = (wake.clone(), submitted.clone());
        let worker = thread::spawn(move || {
            while submitted2.load(Ordering::Relaxed) == 0 {
                wake2.sleep_unless(|| submitted2.load(Ordering::Relaxed) > 0);
            }
        });
        submitted.store(1, Ordering::Release);
        wake.notify();
        worker.join().unwrap();
    });
}
