//! Sleep and wake-up between workers and audio threads: an event count over one futex word.
//!
//! A worker that wants to sleep says so, reads the word, looks for work once more, and only then waits for the word to change.
//! An audio thread that has published looks whether anyone said so, and only then changes the word. Each side writes
//! before it reads, with a SeqCst fence between: of the two, at least one sees the other. So no slot is slept over, and
//! while workers are awake a submission makes no system call.

use crate::sync::{AtomicU32, Futex, Ordering, fence, mutated};

#[derive(Debug, Default)]
pub(crate) struct Wake {
    word: Futex,
    sleepers: AtomicU32,
}

impl Wake {
    /// Called after publishing. Audio thread: one fence, one load; one futex call if a worker is asleep.
    pub(crate) fn notify(&self) {
        // Pairs with the fence in `sleep_unless`.
        if !mutated("notify-without-fence") {
            fence(Ordering::SeqCst);
        }
        if self.sleepers.load(Ordering::Relaxed) > 0 {
            self.word.bump();
        }
    }

    /// Sleeps until the next [`notify`](Self::notify), unless `ready` finds something to do. Worker.
    pub(crate) fn sleep_unless(&self, ready: impl FnOnce() -> bool) {
        self.sleepers.fetch_add(1, Ordering::Relaxed);
        let seen = self.word.load();
        // Pairs with the fence in `notify`.
        fence(Ordering::SeqCst);
        if mutated("sleep-without-a-look") || !ready() {
            self.word.wait(seen);
        }
        self.sleepers.fetch_sub(1, Ordering::Relaxed);
    }

    /// Wakes all sleepers, also those who are about to sleep. Control thread.
    #[cfg(not(loom))]
    pub(crate) fn wake_all(&self) {
        fence(Ordering::SeqCst);
        self.word.bump();
    }

    #[cfg(all(test, not(loom)))]
    pub(crate) fn has_sleepers(&self) -> bool {
        self.sleepers.load(Ordering::Relaxed) > 0
    }
}
