//! A thread that watches over a pool's workers while there are any.

use std::time::Duration;

use super::{Inner, clock};
use crate::sync::{Arc, AtomicBool, DynArc, Ordering, Seat, try_lock};
use crate::system::thread::Thread;

/// How often it looks: rarely enough to cost nothing (20 wake-ups a second), often enough to come before the limits that systems
/// set to real-time threads (200 ms where rtkit grants them).
const ROUND: Duration = Duration::from_millis(50);

/// A slot is long overdue after so many times its declared worst time, and at least this long.
const FACTOR: u32 = 10;
const AT_LEAST: Duration = Duration::from_millis(100);

/// Where nothing was declared.
const UNDECLARED: Duration = Duration::from_secs(10);

/// The monitor of a pool; dropped, it ends.
#[derive(Debug)]
pub(super) struct Monitor {
    over: DynArc<(AtomicBool, Seat)>,
    thread: Option<Thread>,
}

impl Monitor {
    /// Starts it. Without one (the system has no thread left) the pool works, and overdue workers are not replaced.
    pub(super) fn start(inner: &Arc<Inner>) -> Option<Self> {
        let over = DynArc::new((AtomicBool::new(false), Seat::default()));
        let name = format!("{}-monitor", inner.settings.name);
        let (theirs, inner) = (over.clone(), inner.clone());
        let body = move || {
            // Above its workers: one that computes for ever would keep it from the core otherwise.
            let _ = inner.settings.priority.above().apply();
            while !theirs.0.load(Ordering::Relaxed) {
                theirs.1.wait(Some(ROUND));
                inner.replace_overdue();
            }
        };
        let thread = Thread::start(name, 128 << 10, body).ok()?;
        Some(Self { over, thread: Some(thread) })
    }
}

impl Drop for Monitor {
    fn drop(&mut self) {
        // Relaxed: the seat's token carries it.
        self.over.0.store(true, Ordering::Relaxed);
        self.over.1.wake();
        if let Some(thread) = self.thread.take() {
            // It waits for nobody but its clock.
            thread.join();
        }
    }
}

impl Inner {
    /// Takes its class from each worker that has been in one slot for far longer than declared, and gives its place to a new one, now or
    /// when one of those that were replaced has come back and left its seat.
    fn replace_overdue(self: &Arc<Self>) {
        // A control thread is at work: next time.
        let Some(mut crew) = try_lock(&self.crew) else { return };
        let now = clock::now();
        let overdue = |time: Duration, declared: Duration| {
            time > if declared.is_zero() { UNDECLARED } else { declared.saturating_mul(FACTOR).max(AT_LEAST) }
        };
        while let Some(index) = crew
            .members
            .iter()
            .position(|m| m.ticket.running(now).is_some_and(|(time, declared)| overdue(time, declared)))
        {
            self.give_up(&mut crew, index);
        }
        self.refill(&mut crew);
    }
}
