//! The control side of a pool: which workers there are, and who serves whom. Everything here runs under one lock, which control
//! threads take, and the monitor if it is free.

use std::time::Duration;

use anira_traits::{Error, ErrorKind, Result};

use super::idle::nanos;
use super::monitor::Monitor;
use super::priority::{self, Granted};
use super::{Inner, Threads, clock, worker};
use crate::gate::wait_until;
use crate::registry::Entry;
use crate::schedule;
use crate::sync::{Arc, AtomicBool, AtomicU64, Mutex, Ordering, lock};
use crate::system::module;
use crate::system::thread::Thread;

/// An inference that is declared longer than this gets no real-time class: it would keep the rest of the machine waiting.
const LONG: Duration = Duration::from_millis(100);

/// How long a new thread may take to report.
const START: Duration = Duration::from_secs(10);

/// How long a seat is waited for whose worker is to end. Longer than any slot that keeps to real time.
const SEAT: Duration = Duration::from_secs(1);

/// What one worker and its pool share: from its start to its end.
#[derive(Debug)]
pub(super) struct Ticket {
    pub(super) band: usize,
    pub(super) seat: usize,
    over: AtomicBool,
    born: u64,
    /// When the slot that runs was begun, in nanoseconds of the clock; 0 while none runs.
    since: AtomicU64,
    /// What its session declared as the worst time, nanoseconds.
    declared: AtomicU64,
    busy: AtomicU64,
    slots: AtomicU64,
    pub(super) wake_ups: AtomicU64,
    granted: Mutex<Option<(Granted, thread_priority::ThreadId)>>,
}

impl Ticket {
    fn new(band: usize, seat: usize) -> Self {
        Self {
            band,
            seat,
            over: AtomicBool::new(false),
            born: clock::now(),
            since: AtomicU64::new(0),
            declared: AtomicU64::new(0),
            busy: AtomicU64::new(0),
            slots: AtomicU64::new(0),
            wake_ups: AtomicU64::new(0),
            granted: Mutex::new(None),
        }
    }

    pub(super) fn is_over(&self) -> bool {
        // Relaxed: nothing is handed over; who calls in wakes the worker behind a fence, and joins it.
        self.over.load(Ordering::Relaxed)
    }

    fn call_in(&self) {
        self.over.store(true, Ordering::Relaxed);
    }

    /// The worker is there.
    pub(super) fn take_seat(&self, granted: Granted) {
        *lock(&self.granted) = Some((granted, priority::current()));
    }

    /// A slot begins. Its worker alone writes these words.
    pub(super) fn begins(&self, now: u64, declared: Duration) {
        self.declared.store(nanos(declared), Ordering::Relaxed);
        self.since.store(now.max(1), Ordering::Relaxed);
    }

    /// A slot has ended.
    pub(super) fn ends(&self, now: u64) {
        let since = self.since.swap(0, Ordering::Relaxed);
        if since != 0 {
            self.busy.fetch_add(now.saturating_sub(since), Ordering::Relaxed);
        }
        self.slots.fetch_add(1, Ordering::Relaxed);
    }

    /// How long the slot that runs has been running, and what was declared for it.
    pub(super) fn running(&self, now: u64) -> Option<(Duration, Duration)> {
        let since = self.since.load(Ordering::Relaxed);
        let declared = self.declared.load(Ordering::Relaxed);
        (since != 0)
            .then(|| (Duration::from_nanos(now.saturating_sub(since)), Duration::from_nanos(declared)))
    }

    pub(super) fn granted(&self) -> Option<Granted> {
        lock(&self.granted).as_ref().map(|(granted, _)| granted.clone())
    }

    pub(super) fn snapshot(&self) -> super::WorkerSnapshot {
        let age = Duration::from_nanos(clock::now().saturating_sub(self.born));
        let running = self.running(clock::now()).map(|(time, _)| time);
        super::WorkerSnapshot {
            band: self.band,
            seat: self.seat,
            granted: self.granted(),
            age,
            busy: Duration::from_nanos(self.busy.load(Ordering::Relaxed)) + running.unwrap_or_default(),
            slots: self.slots.load(Ordering::Relaxed),
            wake_ups: self.wake_ups.load(Ordering::Relaxed),
            running,
        }
    }
}

/// A worker's thread.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) thread: Thread,
    pub(super) ticket: Arc<Ticket>,
}

#[derive(Debug, Default)]
pub(super) struct Crew {
    pub(super) sessions: Vec<Arc<Entry>>,
    pub(super) members: Vec<Member>,
    /// Called in, not yet gone: inside an engine.
    pub(super) leaving: Vec<Member>,
    /// Workers that each band is to have.
    needs: Vec<usize>,
    pub(super) monitor: Option<Monitor>,
    /// Workers that were replaced because they were long overdue.
    pub(super) replaced: u64,
}

impl Inner {
    /// Takes a session in: bands are dealt anew, workers started as needed.
    pub(super) fn admit(self: &Arc<Self>, entry: &Arc<Entry>) -> Result<()> {
        let mut crew = lock(&self.crew);
        crew.sessions.push(entry.clone());
        let outcome = self.arrange(&mut crew);
        if outcome.is_err() {
            crew.sessions.retain(|other| !Arc::ptr_eq(other, entry));
            // No thread outlives its sessions, also where there never was one.
            let _ = match crew.sessions.is_empty() {
                true => self.stop(&mut crew, SEAT),
                false => self.arrange(&mut crew),
            };
        }
        outcome
    }

    /// Lets a session go: nobody begins a slot of it any more. Waits for who is inside, at most `timeout`.
    pub(super) fn dismiss(self: &Arc<Self>, entry: &Arc<Entry>, timeout: Duration) -> Result<()> {
        let mut crew = lock(&self.crew);
        crew.sessions.retain(|other| !Arc::ptr_eq(other, entry));
        for band in &self.bands {
            band.registry.remove(entry);
            // Sleepers hold the list of before, and the session with it.
            band.watch.wake_all();
        }
        drop(crew);
        // Not under the lock: an engine that does not come back must not keep other sessions from coming and going.
        let closed = entry.door.gate.close(timeout);
        let mut crew = lock(&self.crew);
        let stopped =
            if crew.sessions.is_empty() { self.stop(&mut crew, timeout) } else { self.arrange(&mut crew) };
        drop(crew);
        // Workers' copies of the list hold the session until they look again: let it end here, not there.
        let _ = wait_until(timeout.min(Duration::from_secs(1)), || Arc::strong_count(entry) == 1);
        let outcome = closed.and(stopped);
        if outcome.is_err() {
            // A thread is somewhere in our code, and a host may unload us next.
            module::keep();
        }
        outcome
    }

    /// Deals the sessions to bands, and has as many workers in each as are needed.
    fn arrange(self: &Arc<Self>, crew: &mut Crew) -> Result<()> {
        reap(&mut crew.leaving);
        let bands = self.deal(&crew.sessions);
        let needs = self.needs(&crew.sessions, &bands);
        crew.needs.clone_from(&needs);
        for (band, need) in needs.iter().enumerate() {
            self.staff(crew, band, *need)?;
        }
        if crew.monitor.is_none() && !crew.members.is_empty() {
            crew.monitor = Monitor::start(self);
        }
        for (entry, band) in crew.sessions.iter().zip(bands) {
            self.assign(entry, band);
        }
        // Only now: a band that loses its last session had workers until the session was in its new place.
        for (band, need) in needs.iter().enumerate() {
            self.thin(crew, band, *need);
        }
        Ok(())
    }

    /// The band of each session: the last one for inferences too long for a real-time class, the others by deadline.
    pub(super) fn deal(&self, sessions: &[Arc<Entry>]) -> Vec<usize> {
        let background = self.bands.len() - 1;
        let limit = priority::realtime_limit().map_or(LONG, |limit| LONG.min(limit / 2));
        let is_short = |entry: &&Arc<Entry>| entry.terms.max_inference <= limit;
        let short: Vec<_> = sessions.iter().filter(is_short).map(|entry| entry.terms.clone()).collect();
        let mut dealt = schedule::assign(&short, background).into_iter();
        sessions.iter().map(|e| if is_short(&e) { dealt.next().unwrap_or(0) } else { background }).collect()
    }

    /// How many workers each band needs.
    fn needs(&self, sessions: &[Arc<Entry>], bands: &[usize]) -> Vec<usize> {
        let mut needs = vec![0; self.bands.len()];
        for (band, need) in needs.iter_mut().enumerate() {
            let of_band = || sessions.iter().zip(bands).filter(|(_, b)| **b == band).map(|(e, _)| &e.terms);
            if of_band().next().is_none() {
                continue;
            }
            *need = match self.settings.threads {
                Threads::Fixed(count) => count,
                Threads::UpTo(most) => {
                    let load = |t: &anira_traits::Terms| {
                        t.max_inference.as_secs_f64() / t.period.as_secs_f64().max(1e-9)
                    };
                    let load: f64 = of_band().map(load).sum();
                    let engines = of_band().map(|t| t.engines).max().unwrap_or(1);
                    // A float's cast saturates: no declared load, however mad, asks for more than `most`.
                    (load.ceil() as usize).max(engines).clamp(1, most)
                }
            };
        }
        needs
    }

    fn assign(&self, entry: &Arc<Entry>, band: usize) {
        let before = entry.door.hints.band.load(Ordering::Relaxed) as usize;
        if before == band {
            return;
        }
        if let Some(to) = self.bands.get(band) {
            // First here, then no longer there: in between both serve it, which the ring allows.
            to.add(band as u32, entry);
        }
        if let Some(from) = self.bands.get(before) {
            from.registry.remove(entry);
            from.watch.wake_all();
        }
    }

    /// Starts workers until a band has `need` of them.
    fn staff(self: &Arc<Self>, crew: &mut Crew, band: usize, need: usize) -> Result<()> {
        let here = crew.members.iter().filter(|m| m.ticket.band == band).count();
        let before = crew.members.len();
        for _ in here..need {
            // Those who were called in a moment ago may still be on their way out, or end a slot first.
            let _ = wait_until(SEAT, || self.free_seat(crew, band).is_some());
            let member = self.hire(crew, band)?;
            crew.members.push(member);
        }
        // A report is complete when every worker has said what it was granted.
        let new = &crew.members[before..];
        wait_until(START, || new.iter().all(|m| m.ticket.granted().is_some()))
            .map_err(|()| Error::new(ErrorKind::System, "the workers did not start within 10 s"))
    }

    fn free_seat(&self, crew: &Crew, band: usize) -> Option<usize> {
        let taken = |seat: usize| {
            let mut all = crew.members.iter().chain(&crew.leaving);
            all.any(|m| m.ticket.band == band && m.ticket.seat == seat && !m.thread.is_finished())
        };
        (0..self.seats).find(|seat| !taken(*seat))
    }

    /// Starts a worker on a free seat.
    fn hire(self: &Arc<Self>, crew: &Crew, band: usize) -> Result<Member> {
        let seat = self.free_seat(crew, band).ok_or_else(|| {
            Error::new(
                ErrorKind::System,
                format!("all {} seats are taken by workers that do not end", self.seats),
            )
        })?;
        let ticket = Arc::new(Ticket::new(band, seat));
        let (inner, theirs) = (self.clone(), ticket.clone());
        let name = format!("{}-{band}.{seat}", self.settings.name);
        let thread = Thread::start(name, self.settings.stack_size, move || worker::run(&inner, &theirs))
            .map_err(|e| Error::new(ErrorKind::System, format!("thread {seat} refused: {e}")))?;
        Ok(Member { thread, ticket })
    }

    /// Calls workers in until a band has at most `need` of them. Does not wait: who is inside an engine goes later.
    fn thin(&self, crew: &mut Crew, band: usize, need: usize) {
        let here = crew.members.iter().filter(|m| m.ticket.band == band).count();
        for _ in need..here {
            let Some(last) = crew.members.iter().rposition(|m| m.ticket.band == band) else { break };
            let member = crew.members.remove(last);
            member.ticket.call_in();
            crew.leaving.push(member);
        }
        if here > need
            && let Some(band) = self.bands.get(band)
        {
            band.watch.wake_all();
        }
    }

    /// Puts a worker that is long overdue on the way out: its place is free for another.
    pub(super) fn give_up(&self, crew: &mut Crew, index: usize) {
        let member = crew.members.remove(index);
        member.ticket.call_in();
        if let Some((_, thread)) = *lock(&member.ticket.granted) {
            // It is not joined while this lock is held, so its handle is good.
            priority::demote(thread);
        }
        if let Some(band) = self.bands.get(member.ticket.band) {
            // Nobody else would mind the clock while it has the post.
            band.watch.leave_clock(member.ticket.seat);
        }
        crew.leaving.push(member);
        crew.replaced += 1;
    }

    /// Starts workers where a band lost some and there was no seat or no thread for others: until then nobody may be left to serve it.
    pub(super) fn refill(self: &Arc<Self>, crew: &mut Crew) {
        reap(&mut crew.leaving);
        for band in 0..crew.needs.len() {
            let here = crew.members.iter().filter(|m| m.ticket.band == band).count();
            for _ in here..crew.needs[band] {
                // Still none: the others of the band, if there are any, go on, and the monitor comes again.
                let Ok(member) = self.hire(crew, band) else { break };
                crew.members.push(member);
            }
        }
    }

    /// Ends all threads. A worker that is inside an engine for longer than `timeout` is left behind, and told.
    fn stop(&self, crew: &mut Crew, timeout: Duration) -> Result<()> {
        drop(crew.monitor.take());
        crew.needs.clear();
        for band in 0..self.bands.len() {
            self.thin(crew, band, 0);
        }
        let leaving = &crew.leaving;
        let _ = wait_until(timeout, || leaving.iter().all(|m| m.thread.is_finished()));
        reap(&mut crew.leaving);
        match crew.leaving.len() {
            0 => Ok(()),
            left => {
                let text =
                    format!("{left} workers did not come back within {timeout:?}; their code stays loaded");
                Err(Error::new(ErrorKind::Timeout, text))
            }
        }
    }
}

/// Joins who has ended.
fn reap(leaving: &mut Vec<Member>) {
    for member in leaving.extract_if(.., |m| m.thread.is_finished()) {
        member.thread.join();
    }
}
