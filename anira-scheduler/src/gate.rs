//! The door to a session's work: counts who is inside, and can be shut.

use std::time::Duration;

use anira_traits::{Error, ErrorKind, Ran, Result};

use crate::sync::{AtomicBool, AtomicUsize, Ordering, fence, mutated, thread};

#[derive(Debug, Default)]
pub(crate) struct Gate {
    /// Threads that are inside, or about to find out that they may not be.
    active: AtomicUsize,
    closed: AtomicBool,
}

impl Gate {
    /// Runs one slot, unless the session was closed. Any thread. A panic that gets past the session's own wall ends here, and
    /// closes the session.
    pub(crate) fn run(&self, run_one: impl FnOnce() -> Ran) -> Ran {
        self.active.fetch_add(1, Ordering::Relaxed);
        // Pairs with the fence in `close`: either this thread sees `closed`, or the closer sees it active.
        if !mutated("enter-without-fence") {
            fence(Ordering::SeqCst);
        }
        let ran = if self.is_closed() { Ran::Nothing } else { self.guarded(run_one) };
        // Release pairs with the acquire in `close`: what was done here is seen by who frees it.
        self.active.fetch_sub(1, crate::sync::ordering("leave-relaxed", Ordering::Release));
        ran
    }

    #[cfg(not(loom))]
    fn guarded(&self, run_one: impl FnOnce() -> Ran) -> Ran {
        use std::panic::{AssertUnwindSafe, catch_unwind};
        catch_unwind(AssertUnwindSafe(run_one)).unwrap_or_else(|_| {
            self.closed.store(true, Ordering::Relaxed);
            Ran::Panicked
        })
    }

    /// A model's assertion is a panic too, and must be heard.
    #[cfg(loom)]
    fn guarded(&self, run_one: impl FnOnce() -> Ran) -> Ran {
        run_one()
    }

    /// Whether nobody is let in any more. Relaxed: a hint; who goes in looks again behind a fence.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }

    /// Lets nobody in any more and waits until nobody is inside, at most `timeout`. Control thread.
    pub(crate) fn close(&self, timeout: Duration) -> Result<()> {
        self.closed.store(true, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        let out = || self.active.load(Ordering::Acquire) == 0;
        if mutated("close-without-waiting") {
            return Ok(());
        }
        wait_until(timeout, out).map_err(|()| {
            let text = format!("an engine did not come back within {timeout:?}; what it uses is never freed, nor its code unloaded");
            Error::new(ErrorKind::Timeout, text)
        })
    }
}

/// Waits for a condition with growing sleeps. Control thread.
#[cfg(not(loom))]
pub(crate) fn wait_until(timeout: Duration, done: impl Fn() -> bool) -> Result<(), ()> {
    let start = std::time::Instant::now();
    let mut pause = Duration::from_micros(10);
    while !done() {
        if start.elapsed() >= timeout {
            return Err(());
        }
        thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(2));
    }
    Ok(())
}

/// Loom has no time: it waits for ever, and would say so if that were the end.
#[cfg(loom)]
pub(crate) fn wait_until(_timeout: Duration, done: impl Fn() -> bool) -> Result<(), ()> {
    while !done() {
        thread::yield_now();
    }
    Ok(())
}
