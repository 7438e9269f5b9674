//! A gate that holds an engine inside a run.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A gate in an engine's way: open or shut by the test, passed by the engine. No engine waits longer than a minute, so that
/// a failing test ends.
#[derive(Debug, Default)]
pub struct Gate {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    shut: bool,
    arrivals: u64,
    waiting: usize,
}

const LONGEST: Duration = Duration::from_secs(60);

impl Gate {
    /// An open gate.
    #[must_use]
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Who comes from now on has to wait.
    pub fn shut(&self) {
        self.state().shut = true;
    }

    /// Lets all through.
    pub fn open(&self) {
        self.state().shut = false;
        self.changed.notify_all();
    }

    /// The engine's call: returns once the gate is open.
    pub fn pass(&self) {
        let mut state = self.state();
        state.arrivals += 1;
        state.waiting += 1;
        self.changed.notify_all();
        let start = Instant::now();
        while state.shut && start.elapsed() < LONGEST {
            let waited = self.changed.wait_timeout(state, LONGEST);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        state.waiting -= 1;
    }

    /// How often an engine came here so far.
    #[must_use]
    pub fn arrivals(&self) -> u64 {
        self.state().arrivals
    }

    /// Waits until `count` engines stand before the gate.
    ///
    /// # Panics
    /// If they do not within a minute.
    #[track_caller]
    pub fn await_waiting(&self, count: usize) {
        let start = Instant::now();
        let mut state = self.state();
        while state.waiting < count {
            assert!(start.elapsed() < LONGEST, "no engine came to the gate");
            let waited = self.changed.wait_timeout(state, LONGEST);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}
