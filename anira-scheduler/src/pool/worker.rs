//! A worker's life: look for the most urgent slot, run it, pass the time when there is none.

use std::time::Duration;

use anira_traits::{Ran, WorkerScope};

use super::crew::Ticket;
use super::idle::{Backoff, Step, Wake, nanos};
use super::priority;
use super::{Inner, clock};
use crate::band::{self, Band};
use crate::registry::{Entry, View};
use crate::sync::{Ordering, thread};
use crate::watch::Sleep;
use anira_realtime::FlushToZero;

/// Scopes nest; more different ones than this are not entered.
const MAX_SCOPES: usize = 8;

/// What a worker carries through the scopes that it enters.
struct Worker<'p> {
    inner: &'p Inner,
    band: &'p Band,
    ticket: &'p Ticket,
    view: View,
    backoff: Backoff,
    entered: Vec<usize>,
}

/// The body of a worker's thread. Says what the system granted, then works until its ticket is called in.
pub(super) fn run(inner: &Inner, ticket: &Ticket) {
    let settings = &inner.settings;
    let Some(band) = inner.bands.get(ticket.band) else { return };
    let _denormals = settings.flush_to_zero.then(FlushToZero::new);
    let mut granted = inner.priority_of(ticket.band).apply();
    settings.affinity.apply(ticket.seat, &mut granted);
    priority::sleep_exactly();
    ticket.take_seat(granted);
    let backoff = Backoff::new(settings.idle);
    band.watch.begin_search();
    let mut worker = Worker {
        inner,
        band,
        ticket,
        view: View::default(),
        backoff,
        entered: Vec::with_capacity(MAX_SCOPES),
    };
    worker.work();
    band.leave(ticket.seat);
}

impl Worker<'_> {
    fn work(&mut self) {
        while !self.ticket.is_over() {
            let Some(entry) = self.band.find(&mut self.view) else {
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
            self.serve(&entry);
        }
    }

    fn serve(&mut self, entry: &Entry) {
        let Self { inner, band, ticket, view, backoff, .. } = self;
        let ran = band::run_one(&inner.bands, ticket.band, view, entry, || {
            let now = clock::now();
            ticket.begins(now, entry.terms.max_inference);
            // Who minds the clock and would sleep through the next forecast leaves that to another.
            let back = now.saturating_add(nanos(entry.terms.max_inference));
            let needed = inner.settings.idle.predict.is_some()
                && view.outlook(now).is_some_and(|(from, _)| from < back);
            needed && band.watch.leave_clock(ticket.seat)
        });
        if ran != Ran::Nothing {
            ticket.ends(clock::now());
            backoff.reset();
        }
        if ran == Ran::Panicked
            && let Some(hook) = &inner.settings.on_panic
        {
            hook.call(&entry.terms.name);
        }
    }

    fn is_outside(&self, scope: WorkerScope) -> bool {
        !self.entered.contains(&(scope as usize)) && self.entered.len() < MAX_SCOPES
    }

    fn enter(&mut self, scope: WorkerScope) {
        self.entered.push(scope as usize);
        scope(&mut || {
            // A scope may move its body to another thread, whose control register is its own.
            let _denormals = self.inner.settings.flush_to_zero.then(FlushToZero::new);
            self.work();
        });
        // Left because the worker is to end: `work` returns at once.
        self.entered.pop();
    }

    fn idle(&mut self) {
        if self.backoff.is_spinning() {
            if let Step::Pause(times) = self.backoff.spin() {
                pause(times);
            }
            return;
        }
        let (now, seat, idle) = (clock::now(), self.ticket.seat, self.inner.settings.idle);
        let outlook = idle.predict.and_then(|_| self.view.outlook(now));
        let wakeable = idle.wake == Wake::WhenAsleep;
        match self.backoff.rest(now, outlook, || self.band.watch.minds_clock(seat)) {
            Step::Pause(times) => pause(times),
            Step::Yield => thread::yield_now(),
            Step::Until(target) => {
                let left = Duration::from_nanos(target.saturating_sub(now));
                self.sleep(Sleep { at_most: Some(left), wakeable });
                self.backoff.woke(target, clock::now());
            }
            Step::Sleep(time) => self.sleep(Sleep { at_most: Some(time), wakeable }),
            Step::Deep => {
                // Nothing is foretold, or another minds the clock: whoever is woken next shall be able to.
                self.band.watch.leave_clock(seat);
                self.sleep(Sleep { at_most: None, wakeable: true });
                self.backoff.reset();
            }
        }
    }

    fn sleep(&mut self, how: Sleep) {
        let ticket = self.ticket;
        self.band.sleep(ticket.seat, &mut self.view, how, || ticket.is_over());
        ticket.wake_ups.fetch_add(1, Ordering::Relaxed);
    }
}

fn pause(times: u32) {
    (0..times).for_each(|_| std::hint::spin_loop());
}
