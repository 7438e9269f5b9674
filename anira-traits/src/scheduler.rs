//! Who runs what, when: [`Scheduler`], the [`Work`] it runs, and the two ends of their bond.

use std::sync::Arc;
use std::time::Duration;

use crate::{Engine, Result, WorkerScope};

/// A session as a scheduler sees it: slots that wait to be run.
///
/// All methods are safe to call from any number of threads at once; they never block on one another.
pub trait Work: Send + Sync + 'static {
    /// The engine type that runs the slots.
    type Engine: Engine;

    /// The deadline of the oldest slot that a worker could claim now, in nanoseconds of the session's clock; `None` if
    /// there is none. A hint: another worker may be faster.
    fn deadline(&self) -> Option<u64>;

    /// Claims one slot and runs it to its end, on this thread. Errors and panics of engines end inside.
    fn run_one(&self) -> Ran;

    /// What a worker has to enter first: [`Engine::SCOPE`].
    fn scope(&self) -> Option<WorkerScope> {
        Self::Engine::SCOPE
    }
}

/// What [`Work::run_one`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ran {
    /// A slot was claimed and is finished.
    Slot,
    /// There was nothing to claim.
    Nothing,
}

/// What a session asks of a scheduler.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Terms {
    /// The session's name in reports.
    pub name: String,
    /// The expected time between submissions.
    pub period: Duration,
    /// The declared worst time of one slot (all lanes).
    pub max_inference: Duration,
    /// Slots that can run at once.
    pub engines: usize,
    /// Priority above other sessions; higher first.
    pub priority: i32,
}

impl Terms {
    /// Terms for one engine with this period.
    #[must_use]
    pub fn new(name: impl Into<String>, period: Duration) -> Self {
        Self { name: name.into(), period, max_inference: Duration::ZERO, engines: 1, priority: 0 }
    }
}

/// How a scheduler's slots relate to the callback that submits them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Timing {
    /// Slots are finished when [`Submit::submitted`] returns: inference adds no latency.
    InCallback,
    /// Slots run beside the callback, at most this many at once.
    Beside {
        /// Threads that run slots.
        workers: usize,
    },
}

/// Who runs the slots of sessions that use engines of type `E`.
///
/// # For authors
/// `attach` gives two ends: one for the audio thread, told of every submission, and one for the owner, who detaches.
/// A scheduler that can only serve some engines says so by a bound on `E`, so that a wrong pair does not compile.
pub trait Scheduler<E: Engine>: Send + Sync + 'static {
    /// The audio thread's end.
    type Submit<W: Work<Engine = E>>: Submit;
    /// The owner's end.
    type Attachment<W: Work<Engine = E>>: Attachment;

    /// Whether it may serve an audio callback. Sessions that are prepared for real time refuse it if not.
    const REALTIME: bool = true;

    /// How slots relate to callbacks. Control thread.
    fn timing(&self) -> Timing;

    /// Takes a session in. Control thread; may block and start threads.
    ///
    /// # Errors
    /// [`System`](crate::ErrorKind::System) if threads cannot be had, [`Closed`](crate::ErrorKind::Closed) if the
    /// scheduler has ended.
    fn attach<W: Work<Engine = E>>(
        &self,
        work: Arc<W>,
        terms: Terms,
    ) -> Result<(Self::Submit<W>, Self::Attachment<W>)>;
}

/// The audio thread's end of an attachment.
pub trait Submit: Send + 'static {
    /// Slots were published. **Audio thread**, wait-free: at most one wake-up of a sleeping worker, never a wait.
    fn submitted(&mut self);

    /// Offline only: runs a slot on this thread, or else gives the workers time. Returns whether a slot was run.
    fn assist(&mut self) -> bool;
}

/// The owner's end of an attachment. Dropping it detaches without a bound on the wait.
pub trait Attachment: Send + 'static {
    /// Ends the attachment: when this returns `Ok`, no worker is in the session's work or ever will be. Control thread;
    /// waits for an inference that is running, at most `timeout`.
    ///
    /// # Errors
    /// [`Timeout`](crate::ErrorKind::Timeout) if an engine did not come back; the memory it may use is then never freed.
    fn detach(&mut self, timeout: Duration) -> Result<()>;
}
