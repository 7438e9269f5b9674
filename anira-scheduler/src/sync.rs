//! The only place that names a synchronisation primitive: the standard library's, loom's when it explores, or (of atomics)
//! shuttle's when it runs random schedules.

#[cfg(loom)]
pub(crate) use loom::{
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence},
    },
    thread,
};
#[cfg(not(loom))]
pub(crate) use std::{
    sync::{Arc, Mutex, MutexGuard, Weak},
    thread,
};

#[cfg(not(any(loom, target_os = "linux", target_os = "android")))]
pub(crate) use std::sync::OnceLock;

#[cfg(all(not(loom), not(shuttle)))]
pub(crate) use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence};

/// Atomics alone: each access is a point at which shuttle may switch threads. To it every ordering is SeqCst, so it says
/// nothing about orderings. What blocks stays the standard library's, for shuttle runs rings and mailboxes, which never do.
#[cfg(shuttle)]
pub(crate) use shuttle::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence};

/// For statics, which outlive what a model runs, and are no part of it.
#[cfg(not(loom))]
pub(crate) mod real {
    pub(crate) use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
}

/// A shared pointer to what has no size, which loom's does not know. Loom then sees what it points to, not its end.
pub(crate) use std::sync::Arc as DynArc;

use std::time::Duration;

/// A cell whose exclusive use is decided by a protocol, with loom's interface: loom then checks the protocol.
#[cfg(loom)]
pub(crate) use loom::cell::UnsafeCell;

/// Stands beside memory that loom cannot see, or that is atomic but meant to have one user at a time. Loom fails where a
/// write and another access are not ordered one after the other; elsewhere this is nothing.
#[cfg(loom)]
#[derive(Debug, Default)]
pub(crate) struct Track(UnsafeCell<()>);

#[cfg(loom)]
impl Track {
    pub(crate) fn read(&self) {
        self.0.with(|_| ());
    }

    pub(crate) fn write(&self) {
        self.0.with_mut(|_| ());
    }
}

#[cfg(not(loom))]
#[derive(Debug, Default)]
pub(crate) struct Track {}

#[cfg(not(loom))]
impl Track {
    #[inline(always)]
    pub(crate) fn read(&self) {}

    #[inline(always)]
    pub(crate) fn write(&self) {}
}

#[cfg(not(loom))]
#[derive(Debug)]
pub(crate) struct UnsafeCell<T>(std::cell::UnsafeCell<T>);

#[cfg(not(loom))]
impl<T> UnsafeCell<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(std::cell::UnsafeCell::new(value))
    }

    pub(crate) fn with<R>(&self, f: impl FnOnce(*const T) -> R) -> R {
        f(self.0.get())
    }

    pub(crate) fn with_mut<R>(&self, f: impl FnOnce(*mut T) -> R) -> R {
        f(self.0.get())
    }
}

/// Locks, whatever a panicking holder left behind: every value behind these locks is valid at each step.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// As [`lock`], or `None` while somebody else holds it.
pub(crate) fn try_lock<T>(mutex: &Mutex<T>) -> Option<MutexGuard<'_, T>> {
    match mutex.try_lock() {
        Ok(guard) => Some(guard),
        Err(std::sync::TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
        Err(std::sync::TryLockError::WouldBlock) => None,
    }
}

/// Where one thread sleeps. A wake-up is a token: it is not lost if it comes before the sleep.
#[cfg(not(loom))]
#[derive(Debug, Default)]
pub(crate) struct Seat(std::sync::atomic::AtomicU32);

#[cfg(not(loom))]
impl Seat {
    /// Leaves a token and wakes who sleeps here: one futex call. Any thread.
    pub(crate) fn wake(&self) {
        // Release pairs with the acquire in `wait`: who is woken sees what was done before.
        self.0.store(1, Ordering::Release);
        // The one system call that a submission may make: docs/realtime.md.
        anira_realtime::permitted(|| futex::wake(&self.0));
    }

    /// Sleeps until there is a token, at most this long, and takes it; may return early. One thread at a time.
    pub(crate) fn wait(&self, at_most: Option<Duration>) {
        if !self.take() {
            futex::wait(&self.0, 0, at_most);
            self.take();
        }
    }

    fn take(&self) -> bool {
        self.0.compare_exchange(1, 0, Ordering::Acquire, Ordering::Relaxed).is_ok()
    }
}

#[cfg(all(not(loom), any(target_os = "linux", target_os = "android")))]
mod futex {
    use std::{sync::atomic::AtomicU32, time::Duration};

    use rustix::thread::futex::{Flags, Timespec};

    pub(super) fn wake(word: &AtomicU32) {
        // Fails for a bad address only, which a reference is not.
        let _ = rustix::thread::futex::wake(word, Flags::PRIVATE, 1);
    }

    pub(super) fn wait(word: &AtomicU32, seen: u32, at_most: Option<Duration>) {
        let at_most = at_most.and_then(|time| {
            Some(Timespec {
                tv_sec: i64::try_from(time.as_secs()).ok()?,
                tv_nsec: time.subsec_nanos().into(),
            })
        });
        // An error is an early return: another value, a signal, the time is up.
        let _ = rustix::thread::futex::wait(word, Flags::PRIVATE, seen, at_most.as_ref());
    }
}

#[cfg(all(not(loom), not(any(target_os = "linux", target_os = "android"))))]
mod futex {
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::time::{Duration, Instant};

    /// Between looks at the word in a sleep by time, for which these systems have no portable call.
    const LOOK: Duration = Duration::from_micros(500);

    pub(super) fn wake(word: &AtomicU32) {
        atomic_wait::wake_one(word);
    }

    pub(super) fn wait(word: &AtomicU32, seen: u32, at_most: Option<Duration>) {
        let Some(at_most) = at_most else { return atomic_wait::wait(word, seen) };
        let start = Instant::now();
        while word.load(Ordering::Relaxed) == seen {
            let left = at_most.saturating_sub(start.elapsed());
            if left.is_zero() {
                return;
            }
            std::thread::sleep(left.min(LOOK));
        }
    }
}

/// Loom has no futex: a condition variable under a lock stands for it. It has no time either: a sleep by time yields once
/// and returns, which stands for every length.
#[cfg(loom)]
#[derive(Debug, Default)]
pub(crate) struct Seat {
    token: loom::sync::Mutex<bool>,
    condition: loom::sync::Condvar,
}

#[cfg(loom)]
impl Seat {
    pub(crate) fn wake(&self) {
        *lock(&self.token) = true;
        self.condition.notify_one();
    }

    pub(crate) fn wait(&self, at_most: Option<Duration>) {
        if at_most.is_some() {
            thread::yield_now();
            *lock(&self.token) = false;
            return;
        }
        let mut token = lock(&self.token);
        while !*token {
            token = self.condition.wait(token).unwrap_or_else(std::sync::PoisonError::into_inner);
        }
        *token = false;
    }
}

/// Whether this build of a model is to be wrong in the named way: `cargo xtask loom --mutations` sets `ANIRA_MUTATION` and
/// expects the model that stands beside the name in `mutations.txt` to fail. Never in a real build.
#[cfg(any(loom, shuttle))]
pub(crate) fn mutated(name: &str) -> bool {
    static MUTATION: std::sync::OnceLock<Option<String>> = std::sync::OnceLock::new();
    MUTATION.get_or_init(|| std::env::var("ANIRA_MUTATION").ok()).as_deref() == Some(name)
}

#[cfg(not(any(loom, shuttle)))]
#[inline(always)]
pub(crate) fn mutated(_name: &str) -> bool {
    false
}

/// The ordering, or none of it where the named mutation asks for that.
#[inline(always)]
pub(crate) fn ordering(name: &str, right: Ordering) -> Ordering {
    if mutated(name) { Ordering::Relaxed } else { right }
}
