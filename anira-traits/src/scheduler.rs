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

    /// The oldest slot that a worker could claim now; `None` if there is none. A hint: another worker may be faster.
    fn head(&self) -> Option<Head>;

    /// Claims one slot and runs it to its end, on this thread. Errors and panics of engines end inside.
    ///
    /// Calls `claimed` once between the two, if there was a slot: its scheduler then sees to whatever else is waiting.
    fn run_one(&self, claimed: &mut dyn FnMut()) -> Ran;

    /// What a worker has to enter first: [`Engine::SCOPE`].
    fn scope(&self) -> Option<WorkerScope> {
        Self::Engine::SCOPE
    }
}

/// The slot at the head of a session's line, by which schedulers choose between sessions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Head {
    /// When the audio thread will need its output, in nanoseconds of the session's clock.
    pub deadline: u64,
    /// When it was submitted, by the same clock.
    pub submitted: u64,
}

/// What [`Work::run_one`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ran {
    /// A slot was claimed and is finished.
    Slot,
    /// A slot was claimed and is finished; its engine panicked, which ended there.
    Panicked,
    /// There was nothing to claim.
    Nothing,
}

/// What a session asks of a scheduler.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Terms {
    /// The session's name in reports.
    pub name: String,
    /// The time between slots, on average: a hop's worth.
    pub period: Duration,
    /// The most slots that one callback submits at once.
    pub burst: usize,
    /// The shortest time from a submission to the moment when its output is needed.
    pub deadline: Duration,
    /// The declared worst time of one slot (all lanes).
    pub max_inference: Duration,
    /// Slots that can run at once.
    pub engines: usize,
    /// Priority above other sessions; higher first.
    pub priority: i32,
}

impl Terms {
    /// Terms for one engine with this period, whose output is needed a period later.
    #[must_use]
    pub fn new(name: impl Into<String>, period: Duration) -> Self {
        Self {
            name: name.into(),
            period,
            burst: 1,
            deadline: period,
            max_inference: Duration::ZERO,
            engines: 1,
            priority: 0,
        }
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

    /// How long slots of other sessions, which nobody can interrupt, may stand in the way of a session with these terms, by what
    /// those declared that are attached now; `None` where the scheduler cannot say. Control thread; changes nothing.
    fn blocking(&self, terms: &Terms) -> Option<Duration> {
        let _ = terms;
        None
    }

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

/// What a session knows of its own rhythm at a submission, in nanoseconds of its clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Forecast {
    /// The time of this submission.
    pub now: u64,
    /// When the next one is due, if the host goes on as it does; `None` where nobody can say.
    pub next: Option<u64>,
}

/// Whether the sessions of a scheduler fit on it, by what they declared: nothing here is measured.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Admission {
    /// Slots that can run at once.
    pub workers: usize,
    /// The share of all workers that the sessions need together: 1 is all of them, all the time.
    pub utilisation: f64,
    /// Each session, in the order of urgency.
    pub sessions: Vec<SessionFit>,
}

/// How one session fares among the others.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct SessionFit {
    /// The session's name.
    pub name: String,
    /// The group of workers that serves it; 0 is the most urgent.
    pub band: usize,
    /// The share of one worker that it needs.
    pub utilisation: f64,
    /// How long slots that cannot be interrupted, of less urgent sessions, may stand in its way.
    pub blocking: Duration,
    /// The longest time from submission to result that the declared numbers allow; `None` if there is no bound.
    pub response: Option<Duration>,
    /// The time that it has.
    pub deadline: Duration,
}

impl SessionFit {
    /// Deadline minus response, in nanoseconds: below 0 it is by how much the session does not fit. `None` without a bound.
    #[must_use]
    pub fn slack(&self) -> Option<i128> {
        Some(self.deadline.as_nanos() as i128 - self.response?.as_nanos() as i128)
    }

    /// Whether its results are always in time, if all sessions keep to what they declared.
    #[must_use]
    pub fn fits(&self) -> bool {
        self.slack().is_some_and(|slack| slack >= 0)
    }
}

impl Admission {
    /// Whether all sessions fit.
    #[must_use]
    pub fn fits(&self) -> bool {
        self.sessions.iter().all(SessionFit::fits)
    }

    /// The session that suffers most, if any does not fit.
    #[must_use]
    pub fn worst(&self) -> Option<&SessionFit> {
        self.sessions.iter().filter(|s| !s.fits()).min_by_key(|s| s.slack().unwrap_or(i128::MIN))
    }
}

/// The audio thread's end of an attachment.
pub trait Submit: Send + 'static {
    /// Slots were published. **Audio thread**, wait-free: at most one wake-up of a sleeping worker, never a wait.
    fn submitted(&mut self, forecast: Forecast);

    /// A callback begins that will submit. **Audio thread**, wait-free: fetches what [`submitted`](Self::submitted) is going to
    /// look at, and changes nothing.
    fn approach(&mut self) {}

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

    /// Whether the sessions attached at this moment fit; `None` where the scheduler cannot say. Control thread.
    fn admission(&self) -> Option<Admission> {
        None
    }
}
