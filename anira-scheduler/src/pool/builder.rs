//! The settings of a [`Pool`].

use anira_traits::{Error, Result};

use super::{Affinity, IdlePolicy, Pool, Priority};
use crate::schedule::Order;
use crate::sync::{DynArc, thread};
use crate::watch::MAX_SEATS;

/// The most threads that one band of a pool may be asked for: a seat each, and as many in reserve for those that hang.
pub const MAX_THREADS: usize = MAX_SEATS / 2;

/// The most deadline bands of a pool.
pub const MAX_BANDS: usize = 8;

/// How many workers a band has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Threads {
    Fixed(usize),
    /// As many as the attached sessions need by what they declare, and no more than this.
    UpTo(usize),
}

impl Threads {
    pub(super) fn most(self) -> usize {
        match self {
            Threads::Fixed(count) | Threads::UpTo(count) => count,
        }
    }
}

/// What is called when an engine panicked.
#[derive(Clone)]
pub(super) struct PanicHook(DynArc<dyn Fn(&str) + Send + Sync>);

impl PanicHook {
    pub(super) fn call(&self, session: &str) {
        use std::panic::{AssertUnwindSafe, catch_unwind};
        // A hook that panics in its turn ends here, as the engine did.
        let _ = catch_unwind(AssertUnwindSafe(|| self.0(session)));
    }
}

impl std::fmt::Debug for PanicHook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PanicHook")
    }
}

/// What a pool's threads are like. See [`Pool::builder`].
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(super) threads: Threads,
    pub(super) bands: usize,
    pub(super) order: Order,
    pub(super) name: String,
    pub(super) priority: Priority,
    pub(super) affinity: Affinity,
    pub(super) idle: IdlePolicy,
    pub(super) stack_size: usize,
    pub(super) flush_to_zero: bool,
    pub(super) on_panic: Option<PanicHook>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            threads: Threads::UpTo(half_the_cores()),
            bands: 3,
            order: Order::default(),
            name: "anira".to_owned(),
            priority: Priority::Normal,
            affinity: Affinity::Any,
            idle: IdlePolicy::default(),
            stack_size: 2 << 20,
            flush_to_zero: true,
            on_panic: None,
        }
    }
}

/// Half of the cores, at least one: other plugins bring pools of their own.
fn half_the_cores() -> usize {
    let cores = thread::available_parallelism().map_or(1, |n| n.get());
    (cores / 2).clamp(1, MAX_THREADS)
}

/// Collects the settings of a [`Pool`].
#[derive(Clone, Debug, Default)]
pub struct PoolBuilder {
    pub(super) settings: Settings,
}

impl PoolBuilder {
    /// Exactly this many workers per band, 1 to [`MAX_THREADS`].
    #[must_use]
    pub fn threads(mut self, count: usize) -> Self {
        self.settings.threads = Threads::Fixed(count);
        self
    }

    /// As many workers per band as the attached sessions need by what they declare, at most this many; half the cores unless
    /// set.
    #[must_use]
    pub fn threads_up_to(mut self, count: usize) -> Self {
        self.settings.threads = Threads::UpTo(count);
        self
    }

    /// Deadline bands, 1 to [`MAX_BANDS`]; 3 unless set. Each is a group of workers one real-time priority below the last,
    /// and has threads only while it has sessions. Sessions are dealt to bands so that a long inference does not stand before
    /// a short deadline. Inferences declared longer than 100 ms have one band more, without a real-time class.
    #[must_use]
    pub fn bands(mut self, count: usize) -> Self {
        self.settings.bands = count;
        self
    }

    /// Which slot goes first within a band; the earliest deadline unless set. A session's priority stands above either.
    #[must_use]
    pub fn order(mut self, order: Order) -> Self {
        self.settings.order = order;
        self
    }

    /// The threads' name; band and seat are added.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.settings.name = name.into();
        self
    }

    /// How urgent the system should take the threads of the first band; normal unless set.
    #[must_use]
    pub fn priority(mut self, priority: Priority) -> Self {
        self.settings.priority = priority;
        self
    }

    /// The cores that workers may run on; any unless set. What the system refuses is in [`Granted`](super::Granted).
    #[must_use]
    pub fn affinity(mut self, affinity: Affinity) -> Self {
        self.settings.affinity = affinity;
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

    /// Whether workers take denormal numbers for zero, which keeps a fading tail from costing a hundredfold; yes unless set.
    #[must_use]
    pub fn flush_to_zero(mut self, on: bool) -> Self {
        self.settings.flush_to_zero = on;
        self
    }

    /// Called on the worker, with the session's name, after an engine panicked. The panic itself has ended at the slot; no
    /// process-wide hook is touched.
    #[must_use]
    pub fn on_panic(mut self, hook: impl Fn(&str) + Send + Sync + 'static) -> Self {
        self.settings.on_panic = Some(PanicHook(DynArc::new(hook)));
        self
    }

    /// Makes the pool. No thread is started before a session is attached.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](anira_traits::ErrorKind::Config), naming the field and its value.
    pub fn build(self) -> Result<Pool> {
        let settings = self.settings;
        let threads = settings.threads.most();
        if threads == 0 || threads > MAX_THREADS {
            return Err(Error::config("threads", threads, format_args!("from 1 to {MAX_THREADS}")));
        }
        if settings.bands == 0 || settings.bands > MAX_BANDS {
            return Err(Error::config("bands", settings.bands, format_args!("from 1 to {MAX_BANDS}")));
        }
        if let Priority::Realtime(level @ (0 | 100..)) = settings.priority {
            return Err(Error::config("priority", level, "from 1 to 99"));
        }
        if let Affinity::Set(cores) | Affinity::PerWorker(cores) = &settings.affinity
            && cores.is_empty()
        {
            return Err(Error::config("affinity", "an empty list", "at least one core, or Affinity::Any"));
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
