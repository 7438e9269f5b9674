//! The sessions of a pool: a list that control threads change and workers read without waiting.

use std::panic::{AssertUnwindSafe, catch_unwind};

use anira_traits::{Engine, Error, ErrorKind, Head, Ran, Result, Work, WorkerScope};

use crate::sync::{
    Arc, AtomicBool, AtomicU64, AtomicUsize, Mutex, Ordering, TryLockError, fence, lock, thread,
};

/// [`Work`] without its engine type: a session is erased once, here, at the worker's door.
trait ErasedWork: Send + Sync {
    fn head(&self) -> Option<Head>;
    fn run_one(&self) -> Ran;
}

impl<W: Work> ErasedWork for W {
    fn head(&self) -> Option<Head> {
        Work::head(self)
    }

    fn run_one(&self) -> Ran {
        Work::run_one(self)
    }
}

/// The door to a session's work: counts who is inside, and can be shut.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    /// Threads that are inside, or about to find out that they may not be.
    active: AtomicUsize,
    closed: AtomicBool,
}

impl Gate {
    /// Runs one slot, unless the session was closed. Any thread.
    pub(crate) fn run(&self, run_one: impl FnOnce() -> Ran) -> Ran {
        self.active.fetch_add(1, Ordering::Relaxed);
        // Pairs with the fence in `close`: either this thread sees `closed`, or the closer sees it active.
        fence(Ordering::SeqCst);
        let ran = if self.closed.load(Ordering::Relaxed) {
            Ran::Nothing
        } else {
            // Sessions catch their engines' panics themselves; this is the last wall, for the others' sake.
            catch_unwind(AssertUnwindSafe(run_one)).unwrap_or_else(|_| {
                self.closed.store(true, Ordering::Relaxed);
                Ran::Nothing
            })
        };
        // Release pairs with the acquire in `close`: what was done here is seen by who frees it.
        self.active.fetch_sub(1, Ordering::Release);
        ran
    }

    /// Lets nobody in any more and waits until nobody is inside, at most `timeout`. Control thread.
    fn close(&self, timeout: std::time::Duration) -> Result<()> {
        self.closed.store(true, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        wait_until(timeout, || self.active.load(Ordering::Acquire) == 0).map_err(|()| {
            Error::new(
                ErrorKind::Timeout,
                format!("an engine did not come back within {timeout:?}; what it uses is never freed"),
            )
        })
    }
}

/// One attached session.
pub(crate) struct Entry {
    work: Arc<dyn ErasedWork>,
    pub(crate) priority: i32,
    pub(crate) scope: Option<WorkerScope>,
    gate: Arc<Gate>,
}

impl std::fmt::Debug for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Entry").field("priority", &self.priority).finish_non_exhaustive()
    }
}

impl Entry {
    pub(crate) fn new<W: Work>(work: Arc<W>, priority: i32) -> Arc<Self> {
        Arc::new(Self { work, priority, scope: W::Engine::SCOPE, gate: Arc::default() })
    }

    pub(crate) fn gate(&self) -> Arc<Gate> {
        self.gate.clone()
    }

    pub(crate) fn head(&self) -> Option<Head> {
        if self.gate.closed.load(Ordering::Relaxed) { None } else { self.work.head() }
    }

    /// Runs one slot, unless the session was closed. Any thread.
    pub(crate) fn run_one(&self) -> Ran {
        self.gate.run(|| self.work.run_one())
    }
}

/// Waits for a condition with growing sleeps. Control thread.
pub(crate) fn wait_until(timeout: std::time::Duration, done: impl Fn() -> bool) -> Result<(), ()> {
    let start = std::time::Instant::now();
    let mut pause = std::time::Duration::from_micros(10);
    while !done() {
        if start.elapsed() >= timeout {
            return Err(());
        }
        thread::sleep(pause);
        pause = (pause * 2).min(std::time::Duration::from_millis(2));
    }
    Ok(())
}

type List = Arc<Vec<Arc<Entry>>>;

/// The list, and a version that changes with it.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    version: AtomicU64,
    list: Mutex<List>,
}

impl Registry {
    pub(crate) fn add(&self, entry: Arc<Entry>) {
        self.change(|list| list.push(entry));
    }

    /// Closes an entry and takes it off the list. On a time-out it is off the list, but somebody is still inside.
    pub(crate) fn remove(&self, entry: &Arc<Entry>, timeout: std::time::Duration) -> Result<()> {
        self.change(|list| list.retain(|other| !Arc::ptr_eq(other, entry)));
        entry.gate.close(timeout)
    }

    fn change(&self, edit: impl FnOnce(&mut Vec<Arc<Entry>>)) {
        let mut list = lock(&self.list);
        let mut copy = (**list).clone();
        edit(&mut copy);
        *list = Arc::new(copy);
        self.version.fetch_add(1, Ordering::Release);
    }

    pub(crate) fn is_empty(&self) -> bool {
        lock(&self.list).is_empty()
    }
}

/// A thread's own copy of the list.
#[derive(Debug, Default)]
pub(crate) struct View {
    version: Option<u64>,
    list: List,
}

impl View {
    /// Follows the registry. Never waits: while a control thread holds the list, the old copy serves.
    pub(crate) fn refresh(&mut self, registry: &Registry) {
        let version = registry.version.load(Ordering::Acquire);
        if self.version == Some(version) {
            return;
        }
        let list = match registry.list.try_lock() {
            Ok(list) => list,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return,
        };
        self.list = list.clone();
        // Read under the lock: it is this list's own.
        self.version = Some(registry.version.load(Ordering::Relaxed));
    }

    pub(crate) fn is_current(&self, registry: &Registry) -> bool {
        self.version == Some(registry.version.load(Ordering::Acquire))
    }

    /// The entry to serve now: the highest priority, among equals the earliest deadline.
    pub(crate) fn most_urgent(&self) -> Option<&Arc<Entry>> {
        let key = |entry: &Arc<Entry>| entry.head().map(|head| (-i64::from(entry.priority), head.deadline));
        self.list
            .iter()
            .filter_map(|entry| Some((key(entry)?, entry)))
            .min_by_key(|(key, _)| *key)
            .map(|(_, e)| e)
    }

    pub(crate) fn has_work(&self) -> bool {
        self.list.iter().any(|entry| entry.head().is_some())
    }
}
