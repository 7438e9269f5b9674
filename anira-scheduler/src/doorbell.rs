//! A thread that waits for results, for a bounded time: [`Doorbell`].

#![deny(clippy::indexing_slicing, clippy::panic, clippy::unreachable)]

use std::time::Duration;

use crate::sync::{AtomicBool, Ordering, Seat, fence, mutated};

/// One thread waits, others ring. Whoever rings makes a system call only if somebody waits.
///
/// "Rang after publishing" and "looked after saying that it waits" have a SeqCst fence each between their two halves, so at
/// least one side sees the other: no wake-up is lost.
#[derive(Debug, Default)]
pub struct Doorbell {
    waiting: AtomicBool,
    seat: Seat,
}

impl Doorbell {
    /// Sleeps until it is rung, at most this long (`None`: without a bound); not at all if `ready` already says yes. May return
    /// early: the caller looks again, and keeps an absolute time to which it waits. One thread at a time; a system call.
    pub fn wait(&self, at_most: Option<Duration>, ready: impl FnOnce() -> bool) {
        // Relaxed: the fence orders it before the look.
        self.waiting.store(true, Ordering::Relaxed);
        // Pairs with the fence in `ring`.
        if !mutated("wait-without-fence") {
            fence(Ordering::SeqCst);
        }
        if !ready() || mutated("wait-without-a-look") {
            // Who waits here has been told to: docs/realtime.md.
            anira_realtime::permitted(|| self.seat.wait(at_most));
        }
        self.waiting.store(false, Ordering::Relaxed);
    }

    /// Wakes who waits, if somebody does. Called after what it is about was published. Any thread but the one that waits; lock-free.
    pub fn ring(&self) {
        // Pairs with the fence in `wait`.
        fence(Ordering::SeqCst);
        if self.waiting.load(Ordering::Relaxed) {
            self.seat.wake();
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::time::Instant;

    use super::*;

    #[test]
    fn nobody_waits_for_what_is_there() {
        // Without a bound: this returns because of `ready`, or never.
        Doorbell::default().wait(None, || true);
    }

    #[test]
    fn who_is_not_rung_waits_its_whole_time() {
        let (bell, share, start) = (Doorbell::default(), Duration::from_millis(30), Instant::now());
        while let Some(left) = share.checked_sub(start.elapsed()) {
            bell.wait(Some(left), || false);
        }
        assert!(start.elapsed() >= share);
    }

    #[test]
    fn a_thousand_rings_are_all_heard() {
        let (bell, rung, heard) = <(Arc<Doorbell>, Arc<AtomicU64>, Arc<AtomicU64>)>::default();
        let ringer = std::thread::spawn({
            let (bell, rung, heard) = (bell.clone(), rung.clone(), heard.clone());
            move || {
                for n in 1..=1000 {
                    rung.store(n, Ordering::Release);
                    bell.ring();
                    while heard.load(Ordering::Acquire) < n {
                        std::thread::yield_now();
                    }
                }
            }
        });
        for n in 1..=1000 {
            while rung.load(Ordering::Acquire) < n {
                // Without a bound: a ring that is lost hangs the test.
                bell.wait(None, || rung.load(Ordering::Acquire) >= n);
            }
            heard.store(n, Ordering::Release);
        }
        assert!(ringer.join().is_ok());
    }
}
