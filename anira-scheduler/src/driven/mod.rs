//! [`Driven`]: the user's threads, or a host's thread pool, run the slots.

use std::time::Duration;

use anira_traits::{
    Attachment, Engine, Error, Forecast, Ran, Result, Scheduler, Submit, Terms, Timing, Work,
};

use crate::registry::{Door, Entry, Registry, View};
use crate::schedule::{self, Order};
use crate::sync::{Arc, DynArc, thread};
use crate::system::{GENERATIONS, Origin, module};
use anira_realtime::FlushToZero;

/// A scheduler without threads: whoever holds a [`Driver`] runs slots when it likes. Clones serve the same sessions.
#[derive(Clone, Debug)]
pub struct Driven {
    registries: Registries,
    workers: usize,
    order: Order,
}

/// The sessions of each process, forked from one another, that uses the scheduler.
type Registries = Arc<[Registry; GENERATIONS]>;

/// One thread's access to the sessions of a [`Driven`] scheduler. Threads may come and go, each with its own.
#[derive(Debug)]
pub struct Driver {
    registries: Registries,
    view: View,
    /// The process whose sessions are in view.
    origin: Option<Origin>,
    order: Order,
}

impl Driven {
    /// A scheduler that counts on `workers` threads to drive it at once: the latency assumes as much.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](anira_traits::ErrorKind::Config) for 0.
    pub fn new(workers: usize) -> Result<Self> {
        if workers == 0 {
            return Err(Error::config("workers", 0, "at least one thread must drive"));
        }
        Ok(Self { registries: Arc::default(), workers, order: Order::default() })
    }

    /// The same scheduler with another order of slots; the earliest deadline goes first unless set.
    #[must_use]
    pub fn order(mut self, order: Order) -> Self {
        self.order = order;
        self
    }

    /// Access for one thread. Any thread; allocates.
    #[must_use]
    pub fn driver(&self) -> Driver {
        Driver { registries: self.registries.clone(), view: View::default(), origin: None, order: self.order }
    }
}

impl Driver {
    /// Runs the most urgent slot on this thread, if there is one. Flushes denormals meanwhile and restores the
    /// thread's mode after. Any thread but a session's own audio thread in real time.
    pub fn run_one(&mut self) -> bool {
        let Some(here) = Origin::known() else { return false };
        if self.origin.replace(here) != Some(here) {
            self.view = View::default();
        }
        self.view.refresh(here.of(&self.registries));
        let _denormals = FlushToZero::new();
        self.view.most_urgent(self.order).is_some_and(|entry| entry.run_one(&mut || ()) != Ran::Nothing)
    }
}

impl<E: Engine> Scheduler<E> for Driven {
    type Submit<W: Work<Engine = E>> = DrivenSubmit<W>;
    type Attachment<W: Work<Engine = E>> = DrivenAttachment;

    fn timing(&self) -> Timing {
        Timing::Beside { workers: self.workers }
    }

    /// As if every thread that drives had a core of its own.
    fn blocking(&self, terms: &Terms) -> Option<Duration> {
        let system = schedule::System::new(self.workers, self.workers, 1).order(self.order);
        let sessions = Origin::here().of(&self.registries).entries();
        Some(schedule::blocking(sessions.iter().map(|entry| &entry.terms), terms, &system))
    }

    fn attach<W: Work<Engine = E>>(
        &self,
        work: DynArc<W>,
        terms: Terms,
    ) -> Result<(DrivenSubmit<W>, DrivenAttachment)> {
        let entry = Entry::new(work.clone(), terms);
        let origin = Origin::here();
        origin.of(&self.registries).add(entry.clone());
        Ok((
            DrivenSubmit { work, door: entry.door.clone() },
            DrivenAttachment { registries: self.registries.clone(), origin, entry: Some(entry) },
        ))
    }
}

/// The audio thread's end of an attachment to [`Driven`].
#[derive(Debug)]
pub struct DrivenSubmit<W> {
    work: DynArc<W>,
    door: Arc<Door>,
}

impl<W: Work> Submit for DrivenSubmit<W> {
    fn submitted(&mut self, _forecast: Forecast) {}

    /// Nobody may be driving: the caller runs the slot itself.
    // Of its own in the machine code, too: it is rendering's, and no audio thread comes here.
    #[cold]
    #[inline(never)]
    fn assist(&mut self) -> bool {
        let _denormals = FlushToZero::new();
        let ran = self.door.gate.run(|| self.work.run_one(&mut || ())) != Ran::Nothing;
        if !ran {
            thread::yield_now();
        }
        ran
    }
}

/// The owner's end of an attachment to [`Driven`].
#[derive(Debug)]
pub struct DrivenAttachment {
    registries: Registries,
    origin: Origin,
    entry: Option<Arc<Entry>>,
}

impl Attachment for DrivenAttachment {
    fn detach(&mut self, timeout: Duration) -> Result<()> {
        let Some(entry) = self.entry.take() else { return Ok(()) };
        if self.origin != Origin::here() {
            // A fork: nobody is inside, or will be, and what ghosts may hold is not freed.
            std::mem::forget(entry);
            return Ok(());
        }
        self.origin.of(&self.registries).remove(&entry);
        let closed = entry.door.gate.close(timeout);
        if closed.is_err() {
            // A thread of the user's is somewhere in our code, and a host may unload us next.
            module::keep();
        }
        closed
    }
}

impl Drop for DrivenAttachment {
    fn drop(&mut self) {
        let _ = self.detach(Duration::from_secs(10));
    }
}

#[cfg(test)]
mod tests;
