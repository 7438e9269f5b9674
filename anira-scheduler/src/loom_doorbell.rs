//! A loom model of a bounded wait for results. Run by `cargo xtask loom`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test's failure")]

use loom::thread;

use crate::doorbell::Doorbell;
use crate::sync::{Arc, AtomicU64, Ordering};

/// The audio thread waits for two results, without a bound on time, that two workers publish and ring for: it never sleeps over
/// one. A ring that is lost is a deadlock, which loom reports. Three threads, one ring each.
#[test]
fn a_result_is_never_slept_over() {
    loom::model(|| {
        let (bell, results) = (Arc::new(Doorbell::default()), Arc::new(AtomicU64::new(0)));
        let worker = || {
            let (bell, results) = (bell.clone(), results.clone());
            thread::spawn(move || {
                results.fetch_add(1, Ordering::Release);
                bell.ring();
            })
        };
        let workers = [worker(), worker()];
        while results.load(Ordering::Acquire) < 2 {
            bell.wait(None, || results.load(Ordering::Acquire) == 2);
        }
        workers.into_iter().for_each(|w| w.join().unwrap());
    });
}
