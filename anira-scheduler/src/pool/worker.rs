//! A worker's life: look for the most urgent slot, run it, back off when there is none.

use anira_traits::{Ran, WorkerScope};

use super::Inner;
use super::idle::{Backoff, Step};
use super::priority::{self, Granted};
use crate::denormals::FlushToZero;
use crate::registry::View;

/// Scopes nest; more different ones than this are not entered.
const MAX_SCOPES: usize = 8;

/// What a worker carries through the scopes that it enters.
struct Worker<'p> {
    inner: &'p Inner,
    /// The count of stops that it was started under.
    stops: u64,
    view: View,
    backoff: Backoff,
    entered: Vec<usize>,
}

/// The body of a worker's thread. Reports what the system granted, then works until the pool stops.
pub(super) fn run(inner: &Inner, stops: u64, seat: usize, report: impl FnOnce(Granted)) {
    let settings = &inner.settings;
    let _denormals = FlushToZero::new();
    let mut granted = settings.priority.apply();
    if let Some(core) = settings.affinity.get(seat % settings.affinity.len().max(1)) {
        match priority::pin(*core) {
            Ok(core) => granted.core = Some(core),
            Err(refusal) => granted.refusal = Some(refusal),
        }
    }
    report(granted);
    let backoff = Backoff::new(settings.idle);
    Worker { inner, stops, view: View::default(), backoff, entered: Vec::with_capacity(MAX_SCOPES) }.work();
}

impl Worker<'_> {
    fn work(&mut self) {
        while !self.inner.is_over(self.stops) {
            self.view.refresh(&self.inner.registry);
            let Some(entry) = self.view.most_urgent().cloned() else {
                self.idle();
                continue;
            };
            if let Some(scope) = entry.scope
                && self.is_outside(scope)
            {
                // The rest of this worker's life happens inside: a scope is entered once per worker, not once per slot.
                drop(entry);
                self.enter(scope);
                continue;
            }
            match entry.run_one() {
                Ran::Slot | Ran::Panicked => self.backoff.reset(),
                Ran::Nothing => self.idle(),
            }
        }
    }

    fn is_outside(&self, scope: WorkerScope) -> bool {
        !self.entered.contains(&(scope as usize)) && self.entered.len() < MAX_SCOPES
    }

    fn enter(&mut self, scope: WorkerScope) {
        self.entered.push(scope as usize);
        scope(&mut || {
            // A scope may move its body to another thread, whose control register is its own.
            let _denormals = FlushToZero::new();
            self.work();
        });
        // Left because the pool stops: `work` returns at once.
        self.entered.pop();
    }

    fn idle(&mut self) {
        match self.backoff.next() {
            Step::Deep => {
                // The old list would keep closed sessions alive for as long as this worker sleeps.
                self.view.refresh(&self.inner.registry);
                let (inner, stops, view) = (self.inner, self.stops, &self.view);
                inner.wake.sleep_unless(|| {
                    inner.is_over(stops) || !view.is_current(&inner.registry) || view.has_work()
                });
                self.backoff.reset();
            }
            step => step.pass(),
        }
    }
}
