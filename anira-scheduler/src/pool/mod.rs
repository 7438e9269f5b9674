//! [`Pool`]: a few threads that run the slots of every session attached to them, most urgent first.

mod idle;
mod priority;
mod worker;

#[cfg(test)]
mod tests;

pub use idle::IdlePolicy;
pub use priority::{Granted, Priority};

use std::time::Duration;

use anira_traits::{
    Attachment, Engine, Error, ErrorKind, Forecast, Result, Scheduler, Submit, Terms, Timing, Work,
};

use crate::registry::{Entry, Gate, Registry, wait_until};
use crate::sync::{Arc, AtomicU64, Mutex, Ordering, Weak, lock, thread};
use crate::wake::Wake;

/// How long the drop of a handle waits for workers that are inside an engine.
const PATIENCE: Duration = Duration::from_secs(10);

/// The most threads that one pool may be asked for.
pub const MAX_THREADS: usize = 256;

/// What a pool's threads are like. See [`Pool::builder`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    threads: usize,
    name: String,
    priority: Priority,
    affinity: Vec<usize>,
    idle: IdlePolicy,
    stack_size: usize,
}

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
    registry: Registry,
    wake: Wake,
    /// How often the workers were told to stop. One that was started under an earlier count ends, also if it was inside an
    /// engine at the time and others have been started since.
    stops: AtomicU64,
    /// Held by control threads alone.
    crew: Mutex<Crew>,
}

#[derive(Debug, Default)]
struct Crew {
    threads: Vec<thread::JoinHandle<()>>,
    granted: Arc<Mutex<Vec<Granted>>>,
}

/// Collects the settings of a [`Pool`].
#[derive(Clone, Debug)]
pub struct PoolBuilder {
    settings: Settings,
}

impl Pool {
    /// The pool that all sessions of this process share (more exactly: of this linked copy of the library). Half the
    /// cores, at least one; real-time workers where the system grants them, else of normal priority. It exists while
    /// somebody holds it, its threads while a session is attached.
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
        let cores = thread::available_parallelism().map_or(1, |n| n.get());
        PoolBuilder {
            settings: Settings {
                threads: (cores / 2).max(1),
                name: "anira".to_owned(),
                priority: Priority::Normal,
                affinity: Vec::new(),
                idle: IdlePolicy::default(),
                stack_size: 2 << 20,
            },
        }
    }

    /// Workers that this pool has when a session is attached.
    #[must_use]
    pub fn threads(&self) -> usize {
        self.inner.settings.threads
    }

    /// Threads that run at this moment.
    #[must_use]
    pub fn running(&self) -> usize {
        lock(&self.inner.crew).threads.len()
    }

    /// What the system granted each running worker. Empty before the first session is attached.
    #[must_use]
    pub fn granted(&self) -> Vec<Granted> {
        let crew = lock(&self.inner.crew);
        lock(&crew.granted).clone()
    }
}

impl PoolBuilder {
    /// Worker threads, 1 to 256; half the cores unless set.
    #[must_use]
    pub fn threads(mut self, count: usize) -> Self {
        self.settings.threads = count;
        self
    }

    /// The threads' name; a number is added.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.settings.name = name.into();
        self
    }

    /// How urgent the system should take the threads; normal unless set.
    #[must_use]
    pub fn priority(mut self, priority: Priority) -> Self {
        self.settings.priority = priority;
        self
    }

    /// Cores to pin workers to, one each, in turn; none unless set.
    #[must_use]
    pub fn affinity(mut self, cores: impl Into<Vec<usize>>) -> Self {
        self.settings.affinity = cores.into();
        self
    }

    /// How workers pass the time between slots.
    #[must_use]
    pub fn idle(mut self, policy: IdlePolicy) -> Self {
        self.settings.idle = policy;
        self
    }

    /// Bytes of stack per worker; 2 MiB unless set.
    #[must_use]
    pub fn stack_size(mut self, bytes: usize) -> Self {
        self.settings.stack_size = bytes;
        self
    }

    /// Makes the pool. No thread is started before a session is attached.
    ///
    /// # Errors
    /// [`ErrorKind::Config`], naming the field and its value.
    pub fn build(self) -> Result<Pool> {
        let settings = self.settings;
        if settings.threads == 0 || settings.threads > MAX_THREADS {
            return Err(Error::config("threads", settings.threads, format_args!("from 1 to {MAX_THREADS}")));
        }
        if let Priority::Realtime(level @ (0 | 100..)) = settings.priority {
            return Err(Error::config("priority", level, "from 1 to 99"));
        }
        if settings.name.contains('\0') {
            return Err(Error::config("name", "one with a NUL in it", "a thread's name"));
        }
        if settings.stack_size < 64 << 10 {
            return Err(Error::config("stack_size", settings.stack_size, "at least 65536 bytes"));
        }
        Ok(Pool::from(settings))
    }
}

impl From<Settings> for Pool {
    fn from(settings: Settings) -> Self {
        let inner = Inner {
            settings,
            registry: Registry::default(),
            wake: Wake::default(),
            stops: AtomicU64::new(0),
            crew: Mutex::new(Crew::default()),
        };
        Pool { inner: Arc::new(inner) }
    }
}

impl Inner {
    /// Starts the workers if there are none.
    fn start(self: &Arc<Self>, crew: &mut Crew) -> Result<()> {
        if !crew.threads.is_empty() {
            return Ok(());
        }
        let stops = self.stops.load(Ordering::Relaxed);
        crew.granted = Arc::default();
        for seat in 0..self.settings.threads {
            let (inner, granted) = (self.clone(), crew.granted.clone());
            let builder = thread::Builder::new()
                .name(format!("{}-{seat}", self.settings.name))
                .stack_size(self.settings.stack_size);
            let body = move || worker::run(&inner, stops, seat, |g| lock(&granted).push(g));
            match builder.spawn(body) {
                Ok(thread) => crew.threads.push(thread),
                Err(error) => {
                    let _ = self.stop_workers(crew, PATIENCE);
                    return Err(Error::new(ErrorKind::System, format!("thread {seat} refused: {error}")));
                }
            }
        }
        // A report is complete when every worker has said what it was granted.
        let count = crew.threads.len();
        let reported = || lock(&crew.granted).len() == count;
        wait_until(PATIENCE, reported)
            .map_err(|()| Error::new(ErrorKind::System, "the workers did not start within 10 s"))
    }

    /// Whether workers that were started under this count are to end.
    fn is_over(&self, stops: u64) -> bool {
        self.stops.load(Ordering::Acquire) != stops
    }

    /// Stops and joins the workers. One that is inside an engine for longer than `timeout` is left behind, and told.
    fn stop_workers(&self, crew: &mut Crew, timeout: Duration) -> Result<()> {
        self.stops.fetch_add(1, Ordering::Release);
        self.wake.wake_all();
        let all_out = wait_until(timeout, || crew.threads.iter().all(thread::JoinHandle::is_finished));
        let mut left = 0;
        for worker in crew.threads.drain(..) {
            if worker.is_finished() {
                let _ = worker.join();
            } else {
                left += 1;
            }
        }
        all_out.map_err(|()| {
            Error::new(ErrorKind::Timeout, format!("{left} workers did not come back within {timeout:?}"))
        })
    }
}

impl<E: Engine> Scheduler<E> for Pool {
    type Submit<W: Work<Engine = E>> = PoolSubmit<W>;
    type Attachment<W: Work<Engine = E>> = PoolAttachment;

    fn timing(&self) -> Timing {
        Timing::Beside { workers: self.inner.settings.threads }
    }

    fn attach<W: Work<Engine = E>>(
        &self,
        work: Arc<W>,
        terms: Terms,
    ) -> Result<(PoolSubmit<W>, PoolAttachment)> {
        let mut crew = lock(&self.inner.crew);
        let entry = Entry::new(work.clone(), terms.priority);
        self.inner.start(&mut crew)?;
        self.inner.registry.add(entry.clone());
        self.inner.wake.wake_all();
        drop(crew);
        Ok((
            PoolSubmit { inner: self.inner.clone(), work, gate: entry.gate(), rounds: 0 },
            PoolAttachment { inner: self.inner.clone(), entry: Some(entry) },
        ))
    }
}

/// The audio thread's end of an attachment to a [`Pool`].
#[derive(Debug)]
pub struct PoolSubmit<W> {
    inner: Arc<Inner>,
    work: Arc<W>,
    gate: Arc<Gate>,
    rounds: u32,
}

impl<W: Work> Submit for PoolSubmit<W> {
    fn submitted(&mut self, _forecast: Forecast) {
        self.rounds = 0;
        self.inner.wake.notify();
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
                if self.gate.run(|| self.work.run_one()) != anira_traits::Ran::Nothing {
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
        let mut crew = lock(&self.inner.crew);
        let closed = self.inner.registry.remove(&entry, timeout);
        self.inner.wake.wake_all();
        if self.inner.registry.is_empty() {
            return closed.and(self.inner.stop_workers(&mut crew, timeout));
        }
        drop(crew);
        // The other workers' copies of the list hold the session until they look again: let it end here, not there.
        let _ = wait_until(timeout.min(Duration::from_secs(1)), || Arc::strong_count(&entry) == 1);
        closed
    }
}

impl Drop for PoolAttachment {
    fn drop(&mut self) {
        let _ = self.detach(PATIENCE);
    }
}
