//! [`Pool`]: a few threads that run the slots of every session attached to them, most urgent first.

mod builder;
mod crew;
mod idle;
mod monitor;
mod priority;
mod snapshot;
mod worker;

#[cfg(test)]
mod tests;

pub use builder::{MAX_BANDS, MAX_THREADS, PoolBuilder};
pub use idle::{IdlePolicy, Prediction, Wake};
pub use priority::{Affinity, Granted, Priority};
pub use snapshot::{PoolSnapshot, WorkerSnapshot};

use std::time::Duration;

use anira_traits::{
    Admission, Attachment, Engine, Forecast, Ran, Result, Scheduler, Submit, Terms, Timing, Work,
};

use crate::band::{Band, announce, approach};
use crate::clock;
use crate::registry::{Door, Entry};
use crate::rhythm::Rhythm;
use crate::schedule;
use crate::sync::{Arc, DynArc, Mutex, Weak, lock, thread};
use crate::system::{GENERATIONS, Origin};
use builder::{Settings, Threads};
use crew::Crew;

/// How long the drop of a handle waits for workers that are inside an engine.
const PATIENCE: Duration = Duration::from_secs(10);

/// What [`Pool::shared`] gives.
static SHARED: [Mutex<Weak<Inner>>; GENERATIONS] = [const { Mutex::new(Weak::new()) }; GENERATIONS];

/// A pool of workers. Clones are handles to the same pool.
///
/// Threads exist while at least one session is attached. Workers take the slot with the highest session priority, among
/// equals the one whose deadline is earliest; they are lock-free among themselves and never keep the audio thread waiting.
///
/// Threads end with their last session, joined: nothing of a pool is left then, and the code may be unloaded. In a process that was
/// forked from the one that made the pool there are none of its threads; the next session that is attached there gets new ones.
#[derive(Clone, Debug)]
pub struct Pool {
    inner: Arc<Inner>,
}

#[derive(Debug)]
pub(crate) struct Inner {
    origin: Origin,
    /// What stands for this in processes forked from the origin, where its locks may be shut and its threads are not: one
    /// per generation.
    heirs: [Mutex<Weak<Inner>>; GENERATIONS],
    settings: Settings,
    /// By urgency; the last is for inferences too long for a real-time class.
    bands: Box<[Band]>,
    /// Seats per band: one per worker, as many in reserve.
    seats: usize,
    /// Held by control threads, and by the monitor when nobody else does.
    crew: Mutex<Crew>,
}

impl Pool {
    /// The pool that all sessions of this process share (more exactly: of this linked copy of the library). It has as many
    /// workers as its sessions declare to need, at most half the cores; real-time ones where the system grants them, else of normal
    /// priority. It exists while somebody holds it, its threads while a session is attached.
    #[must_use]
    pub fn shared() -> Pool {
        let mut shared = lock(Origin::here().of(&SHARED));
        if let Some(inner) = shared.upgrade() {
            return Pool { inner };
        }
        let pool = Pool::from(Pool::builder().priority(Priority::Realtime(40)).settings);
        *shared = Arc::downgrade(&pool.inner);
        pool
    }

    /// A pool of one's own.
    #[must_use]
    pub fn builder() -> PoolBuilder {
        PoolBuilder::default()
    }

    /// The most workers that each band of this pool can have: what a session can count on.
    #[must_use]
    pub fn threads(&self) -> usize {
        self.inner.settings.threads.most()
    }

    /// Workers that run at this moment.
    #[must_use]
    pub fn running(&self) -> usize {
        self.inner.here().map_or(0, |inner| lock(&inner.crew).members.len())
    }

    /// What the system granted each running worker. Empty before the first session is attached.
    #[must_use]
    pub fn granted(&self) -> Vec<Granted> {
        let granted =
            |inner: Arc<Inner>| lock(&inner.crew).members.iter().filter_map(|m| m.ticket.granted()).collect();
        self.inner.here().map(granted).unwrap_or_default()
    }

    /// Whether the attached sessions fit, by what they declared. Where a worker was refused its priority, bands are not counted on.
    /// Control thread.
    #[must_use]
    pub fn admission(&self) -> Admission {
        self.inner.here().map(|inner| inner.admission()).unwrap_or_default()
    }

    /// What the workers did so far. Control thread; disturbs neither workers nor audio threads.
    #[must_use]
    pub fn snapshot(&self) -> PoolSnapshot {
        let Some(inner) = self.inner.here() else { return PoolSnapshot::default() };
        let crew = lock(&inner.crew);
        PoolSnapshot {
            sessions: crew.sessions.len(),
            workers: crew.members.iter().map(|m| m.ticket.snapshot()).collect(),
            leaving: crew.leaving.iter().filter(|m| !m.thread.is_finished()).count(),
            replaced: crew.replaced,
        }
    }
}

impl From<Settings> for Pool {
    fn from(settings: Settings) -> Self {
        Pool { inner: Arc::new(Inner::new(settings)) }
    }
}

impl Inner {
    fn new(settings: Settings) -> Self {
        let seats = 2 * settings.threads.most();
        let band = |_| Band::new(seats, settings.order);
        let bands = (0..=settings.bands).map(band).collect();
        let (origin, heirs) = (Origin::here(), Default::default());
        Self { origin, heirs, settings, bands, seats, crew: Mutex::default() }
    }

    /// This, or what stands for it in this process; `None` if nothing was attached since the fork. Control thread.
    fn here(self: &Arc<Self>) -> Option<Arc<Self>> {
        let here = Origin::here();
        if self.origin == here {
            return Some(self.clone());
        }
        // Some generations ago another heir may have stood here.
        lock(here.of(&self.heirs)).upgrade().filter(|heir| heir.origin == here)
    }

    /// This, or what stands for it in this process, made now if there is nothing yet. Control thread.
    fn here_or_new(self: &Arc<Self>) -> Arc<Self> {
        let here = Origin::here();
        if self.origin == here {
            return self.clone();
        }
        let mut heir = lock(here.of(&self.heirs));
        heir.upgrade().filter(|heir| heir.origin == here).unwrap_or_else(|| {
            let new = Arc::new(Self::new(self.settings.clone()));
            *heir = Arc::downgrade(&new);
            new
        })
    }

    /// The priority of a band's workers.
    fn priority_of(&self, band: usize) -> Priority {
        if band + 1 == self.bands.len() { Priority::Normal } else { self.settings.priority.lowered(band) }
    }

    fn admission(&self) -> Admission {
        let sessions = lock(&self.crew).sessions.clone();
        let terms: Vec<Terms> = sessions.iter().map(|entry| entry.terms.clone()).collect();
        schedule::admission(&terms, &self.system())
    }

    fn blocking(&self, terms: &Terms) -> Duration {
        let sessions = lock(&self.crew).sessions.clone();
        schedule::blocking(sessions.iter().map(|entry| &entry.terms), terms, &self.system())
    }

    fn system(&self) -> schedule::System {
        let background = self.bands.len() - 1;
        let granted = |m: &crew::Member| {
            m.ticket.band == background || m.ticket.granted().is_some_and(|g| g.priority != Priority::Normal)
        };
        let interrupts = lock(&self.crew).members.iter().all(granted);
        let cores = thread::available_parallelism().map_or(1, |n| n.get());
        // Without priorities the system lets a long inference run for longer than a short deadline lasts: measured, bands are then
        // worth no more than one class (docs/scheduling.md), and that is what is promised.
        let bands = if interrupts { self.settings.bands } else { 1 };
        schedule::System::new(cores, self.settings.threads.most(), bands).order(self.settings.order)
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        if self.origin.is_here() {
            // A static is not dropped: where the module is unloaded, what it points to would stay for ever.
            let mut shared = lock(self.origin.of(&SHARED));
            if std::ptr::eq(shared.as_ptr(), self) {
                *shared = Weak::new();
            }
        }
    }
}

impl<E: Engine> Scheduler<E> for Pool {
    type Submit<W: Work<Engine = E>> = PoolSubmit<W>;
    type Attachment<W: Work<Engine = E>> = PoolAttachment;

    fn timing(&self) -> Timing {
        Timing::Beside { workers: self.threads() }
    }

    fn blocking(&self, terms: &Terms) -> Option<Duration> {
        // In a process that has none of its own yet nobody is in the way.
        Some(self.inner.here().map_or(Duration::ZERO, |inner| inner.blocking(terms)))
    }

    fn attach<W: Work<Engine = E>>(
        &self,
        work: DynArc<W>,
        terms: Terms,
    ) -> Result<(PoolSubmit<W>, PoolAttachment)> {
        clock::start();
        let entry = Entry::new(work.clone(), terms);
        let inner = self.inner.here_or_new();
        inner.admit(&entry)?;
        let (door, rhythm) = (entry.door.clone(), Rhythm::default());
        let submit = PoolSubmit { inner: inner.clone(), work, door, rhythm, rounds: 0 };
        Ok((submit, PoolAttachment { inner, entry: Some(entry) }))
    }
}

/// The audio thread's end of an attachment to a [`Pool`].
#[derive(Debug)]
pub struct PoolSubmit<W> {
    inner: Arc<Inner>,
    work: DynArc<W>,
    door: Arc<Door>,
    rhythm: Rhythm,
    rounds: u32,
}

impl<W: Work> Submit for PoolSubmit<W> {
    fn submitted(&mut self, forecast: Forecast) {
        self.rounds = 0;
        announce(&self.inner.bands, &self.door);
        // After it: the fence in there waits for what was written before.
        self.door.hints.expected.set(self.rhythm.submitted(forecast).unwrap_or_default());
    }

    fn approach(&mut self) {
        approach(&self.inner.bands, &self.door);
    }

    /// Workers come first: the caller runs a slot itself only when they do not, so that it never waits in vain.
    // Of its own in the machine code, too: it is rendering's, and no audio thread comes here.
    #[cold]
    #[inline(never)]
    fn assist(&mut self) -> bool {
        self.rounds = self.rounds.saturating_add(1);
        match self.rounds {
            ..64 => std::hint::spin_loop(),
            // Some 20 ms in all: longer than any idle policy sleeps.
            64..320 => thread::sleep(Duration::from_micros(20)),
            _ => {
                let _denormals = anira_realtime::FlushToZero::new();
                if self.door.gate.run(|| self.work.run_one(&mut || ())) != Ran::Nothing {
                    return true;
                }
                thread::sleep(Duration::from_micros(100));
            }
        }
        false
    }
}

/// The owner's end of an attachment to a [`Pool`].
#[derive(Debug)]
pub struct PoolAttachment {
    inner: Arc<Inner>,
    entry: Option<Arc<Entry>>,
}

impl Attachment for PoolAttachment {
    fn detach(&mut self, timeout: Duration) -> Result<()> {
        let Some(entry) = self.entry.take() else { return Ok(()) };
        if self.inner.origin != Origin::here() {
            // A fork: nobody is inside, or will be, and what ghosts may hold is not freed.
            std::mem::forget(entry);
            return Ok(());
        }
        self.inner.dismiss(&entry, timeout)
    }

    fn admission(&self) -> Option<Admission> {
        self.inner.here().map(|inner| inner.admission())
    }
}

impl Drop for PoolAttachment {
    fn drop(&mut self) {
        let _ = self.detach(PATIENCE);
    }
}
