//! The only place that names a synchronisation primitive: the standard library's, loom's when it explores, or (of atomics)
//! shuttle's when it runs random schedules.

#[cfg(loom)]
pub(crate) use loom::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering, fence},
};
#[cfg(all(not(loom), not(shuttle)))]
pub(crate) use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence};
#[cfg(not(loom))]
pub(crate) use std::sync::{Arc, Mutex, MutexGuard, OnceLock, TryLockError, Weak};

/// Atomics alone: each access is a point at which shuttle may switch threads. To it every ordering is SeqCst, so it says
/// nothing about orderings. What blocks stays the standard library's, for shuttle runs rings and mailboxes, which never do.
#[cfg(shuttle)]
pub(crate) use shuttle::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence};

#[cfg(not(loom))]
pub(crate) use std::thread;

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
#[cfg(not(loom))]
pub(crate) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// A word that threads sleep on. `wait` returns when the word differs from `seen` or after a wake-up, perhaps early.
#[cfg(not(loom))]
#[derive(Debug, Default)]
pub(crate) struct Futex(std::sync::atomic::AtomicU32);

#[cfg(not(loom))]
impl Futex {
    pub(crate) fn load(&self) -> u32 {
        // Acquire pairs with the Release in `bump`: who reads a bumped word sees what was published before it.
        self.0.load(Ordering::Acquire)
    }

    pub(crate) fn wait(&self, seen: u32) {
        atomic_wait::wait(&self.0, seen);
    }

    /// Changes the word and wakes all sleepers: one futex call.
    pub(crate) fn bump(&self) {
        self.0.fetch_add(1, Ordering::Release);
        atomic_wait::wake_all(&self.0);
    }
}

/// Loom has no futex: a condition variable under a lock stands for it.
#[cfg(loom)]
#[derive(Debug, Default)]
pub(crate) struct Futex {
    word: AtomicU32,
    lock: loom::sync::Mutex<()>,
    condition: loom::sync::Condvar,
}

#[cfg(loom)]
#[allow(clippy::unwrap_used, reason = "loom's locks fail only after a panic, which ends the model anyway")]
impl Futex {
    pub(crate) fn load(&self) -> u32 {
        self.word.load(Ordering::Acquire)
    }

    pub(crate) fn wait(&self, seen: u32) {
        let guard = self.lock.lock().unwrap();
        if self.word.load(Ordering::Relaxed) == seen {
            drop(self.condition.wait(guard).unwrap());
        }
    }

    pub(crate) fn bump(&self) {
        let guard = self.lock.lock().unwrap();
        self.word.fetch_add(1, Ordering::Release);
        drop(guard);
        self.condition.notify_all();
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
