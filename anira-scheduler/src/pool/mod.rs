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
use builder::{Settings, Threads};
use crew::Crew;

/// How long the drop of a handle waits for workers that are inside an engine.
const PATIENCE: Duration = Duration::from_secs(10);

/// A pool of workers. Clones are handles to the same pool.
///
/// Threads exist while at least one session is attached. Workers take the slot with the highest session priority, among
/// equals the one whose deadline is earliest; they are lock-free among themselves and never keep the audio thread waiting.
#[derive(Clone, Debug)]
pub struct Pool {
    inner: Arc<Inner>,
}

#[derive(Debug)]
pub(crate) struct Inner {
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
        static SHARED: Mutex<Weak<Inner>> = Mutex::new(Weak::new());
        let mut shared = lock(&SHARED);
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
        lock(&self.inner.crew).members.len()
    }

    /// What the system granted each running worker. Empty before the first session is attached.
    #[must_use]
    pub fn granted(&self) -> Vec<Granted> {
        lock(&self.inner.crew).members.iter().filter_map(|m| m.ticket.granted()).collect()
    }

    /// Whether the attached sessions fit, by what they declared. Where a worker was refused its priority, bands are not counted on.
    /// Control thread.
    #[must_use]
    pub fn admission(&self) -> Admission {
        self.inner.admission()
    }

    /// What the workers did so far. Control thread; disturbs neither workers nor audio threads.
    #[must_use]
    pub fn snapshot(&self) -> PoolSnapshot {
        let crew = lock(&self.inner.crew);
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
        let seats = 2 * settings.threads.most();
        let band = |_| Band::new(seats, settings.order);
        let bands = (0..=settings.bands).map(band).collect();
        Pool { inner: Arc::new(Inner { settings, bands, seats, crew: Mutex::default() }) }
    }
}

impl Inner {
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

impl<E: Engine> Scheduler<E> for Pool {
    type Submit<W: Work<Engine = E>> = PoolSubmit<W>;
    type Attachment<W: Work<Engine = E>> = PoolAttachment;

    fn timing(&self) -> Timing {
        Timing::Beside { workers: self.threads() }
    }

    fn blocking(&self, terms: &Terms) -> Option<Duration> {
        Some(self.inner.blocking(terms))
    }

    fn attach<W: Work<Engine = E>>(
        &self,
        work: DynArc<W>,
        terms: Terms,
    ) -> Result<(PoolSubmit<W>, PoolAttachment)> {
        clock::start();
        let entry = Entry::new(work.clone(), terms);
        self.inner.admit(&entry)?;
        let inner = self.inner.clone();
        let submit =
            PoolSubmit { inner, work, door: entry.door.clone(), rhythm: Rhythm::default(), rounds: 0 };
        Ok((submit, PoolAttachment { inner: self.inner.clone(), entry: Some(entry) }))
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
    fn assist(&mut self) -> bool {
        self.rounds = self.rounds.saturating_add(1);
        match self.rounds {
            ..64 => std::hint::spin_loop(),
            // Some 20 ms in all: longer than any idle policy sleeps.
            64..320 => thread::sleep(Duration::from_micros(20)),
            _ => {
                let _denormals = crate::denormals::FlushToZero::new();
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
        self.entry.take().map_or(Ok(()), |entry| self.inner.dismiss(&entry, timeout))
    }

    fn admission(&self) -> Option<Admission> {
        Some(self.inner.admission())
    }
}

impl Drop for PoolAttachment {
    fn drop(&mut self) {
        let _ = self.detach(PATIENCE);
    }
}
