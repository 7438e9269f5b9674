//! The sessions of a band: a list that control threads change and workers read without waiting.

use std::cmp::Reverse;

use anira_traits::{Head, Ran, Terms, Work, WorkerScope};
use crossbeam_utils::CachePadded;

use crate::gate::Gate;
use crate::schedule::Order;
use crate::sync::{Arc, AtomicU32, AtomicU64, DynArc, Mutex, Ordering, lock, try_lock};

/// [`Work`] without its engine type: a session is erased once, here, at the worker's door.
trait ErasedWork: Send + Sync {
    fn head(&self) -> Option<Head>;
    fn run_one(&self, claimed: &mut dyn FnMut()) -> Ran;
}

impl<W: Work> ErasedWork for W {
    fn head(&self) -> Option<Head> {
        Work::head(self)
    }

    fn run_one(&self, claimed: &mut dyn FnMut()) -> Ran {
        Work::run_one(self, claimed)
    }
}

/// When a session's next submission is likely, in nanoseconds of its clock. Written by its audio thread alone; a worker that
/// reads one bound of one forecast and the other of the next wakes up a little early or late.
#[derive(Debug, Default)]
pub(crate) struct Expected {
    from: AtomicU64,
    until: AtomicU64,
}

impl Expected {
    pub(crate) fn set(&self, (from, until): (u64, u64)) {
        self.from.store(from, Ordering::Relaxed);
        self.until.store(until, Ordering::Relaxed);
    }

    fn get(&self) -> (u64, u64) {
        (self.from.load(Ordering::Relaxed), self.until.load(Ordering::Relaxed))
    }
}

/// What the audio thread of a session shares with its workers beside the ring.
///
/// Workers write the gate at every slot; what the audio thread needs lies on a line of its own.
#[derive(Debug)]
pub(crate) struct Door {
    pub(crate) gate: CachePadded<Gate>,
    pub(crate) hints: CachePadded<Hints>,
}

/// What the audio thread reads and writes of a [`Door`] at every submission.
#[derive(Debug)]
pub(crate) struct Hints {
    pub(crate) expected: Expected,
    /// The band whose workers serve the session. Changed by control threads, read by its audio thread.
    pub(crate) band: AtomicU32,
}

impl Default for Door {
    fn default() -> Self {
        // In no band yet.
        let hints = Hints { expected: Expected::default(), band: AtomicU32::new(u32::MAX) };
        Self { gate: CachePadded::default(), hints: CachePadded::new(hints) }
    }
}

/// One attached session.
pub(crate) struct Entry {
    work: DynArc<dyn ErasedWork>,
    pub(crate) terms: Terms,
    pub(crate) scope: Option<WorkerScope>,
    pub(crate) door: Arc<Door>,
}

impl std::fmt::Debug for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Entry").field("terms", &self.terms).finish_non_exhaustive()
    }
}

impl Entry {
    pub(crate) fn new<W: Work>(work: DynArc<W>, terms: Terms) -> Arc<Self> {
        let scope = work.scope();
        Arc::new(Self { work, terms, scope, door: Arc::new(Door::default()) })
    }

    pub(crate) fn head(&self) -> Option<Head> {
        if self.door.gate.is_closed() { None } else { self.work.head() }
    }

    /// Runs one slot, unless the session was closed. Any thread. `claimed` is called before it runs.
    pub(crate) fn run_one(&self, claimed: &mut dyn FnMut()) -> Ran {
        self.door.gate.run(|| self.work.run_one(claimed))
    }
}

pub(crate) type List = Arc<Vec<Arc<Entry>>>;

/// The list, and a version that changes with it.
#[derive(Debug)]
pub(crate) struct Registry {
    version: AtomicU64,
    list: Mutex<List>,
}

impl Default for Registry {
    fn default() -> Self {
        Self { version: AtomicU64::new(0), list: Mutex::new(Arc::new(Vec::new())) }
    }
}

impl Registry {
    pub(crate) fn add(&self, entry: Arc<Entry>) {
        self.change(|list| list.push(entry));
    }

    pub(crate) fn remove(&self, entry: &Arc<Entry>) {
        self.change(|list| list.retain(|other| !Arc::ptr_eq(other, entry)));
    }

    /// The entries as they are now. Control thread.
    pub(crate) fn entries(&self) -> List {
        lock(&self.list).clone()
    }

    fn change(&self, edit: impl FnOnce(&mut Vec<Arc<Entry>>)) {
        let mut list = lock(&self.list);
        let mut copy = (**list).clone();
        edit(&mut copy);
        *list = Arc::new(copy);
        // Relaxed, as all of it: the list itself is handed over by the lock, which is held here. Who sees the new version and gets the
        // lock finds the new list; who sees the old one is early, and is woken behind a fence.
        self.version.fetch_add(1, Ordering::Relaxed);
    }
}

/// A thread's own copy of the list.
#[derive(Debug)]
pub(crate) struct View {
    version: Option<u64>,
    list: List,
}

impl Default for View {
    fn default() -> Self {
        Self { version: None, list: Arc::new(Vec::new()) }
    }
}

impl View {
    /// Follows the registry. Never waits: while a control thread holds the list, the old copy serves.
    pub(crate) fn refresh(&mut self, registry: &Registry) {
        if self.is_current(registry) {
            return;
        }
        if let Some(list) = try_lock(&registry.list) {
            self.list = list.clone();
            // Read under the lock: it is this list's own.
            self.version = Some(registry.version.load(Ordering::Relaxed));
        }
    }

    pub(crate) fn is_current(&self, registry: &Registry) -> bool {
        self.version == Some(registry.version.load(Ordering::Relaxed))
    }

    /// The entry to serve now: the highest priority, among equals as the order says.
    pub(crate) fn most_urgent(&self, order: Order) -> Option<&Arc<Entry>> {
        let key = |entry: &Arc<Entry>| {
            let head = entry.head()?;
            let first = match order {
                Order::EarliestDeadline => head.deadline,
                Order::Fifo => head.submitted,
            };
            Some((Reverse(entry.terms.priority), first))
        };
        self.list
            .iter()
            .filter_map(|entry| Some((key(entry)?, entry)))
            .min_by_key(|(key, _)| *key)
            .map(|(_, e)| e)
    }

    pub(crate) fn has_work(&self) -> bool {
        self.list.iter().any(|entry| entry.head().is_some())
    }

    /// The earliest time from which a submission is likely and until when, of those not yet past. Nanoseconds.
    pub(crate) fn outlook(&self, now: u64) -> Option<(u64, u64)> {
        self.list.iter().map(|entry| entry.door.hints.expected.get()).filter(|(_, until)| *until > now).min()
    }
}
