//! [`Simulation`]: cores, bands of workers and sessions, event by event on a virtual clock.

use std::cmp::Reverse;
use std::collections::VecDeque;
use std::time::Duration;

use anira_traits::Terms;

use super::arrivals::Arrival;
use super::task::nanos;
use super::{Order, Preemption, System, assign};

/// Work is counted in parts of a nanosecond, 2^20 of them, so that shared cores lose no time to rounding.
const PARTS: u32 = 20;

/// What became of one slot. Nanoseconds on the virtual clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Finished {
    /// The slot.
    pub arrival: Arrival,
    /// When a worker claimed it.
    pub started: u64,
    /// When its result was there.
    pub finished: u64,
}

/// How a session fared in a simulation. Nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionOutcome {
    /// Slots that came.
    pub slots: u64,
    /// Slots finished after their deadlines.
    pub late: u64,
    /// The first deadline that was missed.
    pub first_late: Option<u64>,
    /// The longest time from submission to result.
    pub worst_response: u64,
    /// The longest time from deadline to result; 0 if all were in time.
    pub worst_tardiness: u64,
}

/// How a simulation went.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Outcome {
    /// Each session, in the order of its terms.
    pub sessions: Vec<SessionOutcome>,
    /// The share of the whole time that each core was busy.
    pub busy: Vec<f64>,
    /// When the last slot was finished.
    pub end: u64,
}

impl Outcome {
    /// Slots of all sessions that came late.
    #[must_use]
    pub fn late(&self) -> u64 {
        self.sessions.iter().map(|s| s.late).sum()
    }

    /// The first deadline that was missed by any session.
    #[must_use]
    pub fn first_late(&self) -> Option<u64> {
        self.sessions.iter().filter_map(|s| s.first_late).min()
    }
}

/// Runs `arrivals` on `system`, with the bands of [`assign`]. See [`Simulation`].
#[must_use]
pub fn simulate(terms: &[Terms], system: &System, arrivals: impl IntoIterator<Item = Arrival>) -> Outcome {
    Simulation::new(terms, system).run(arrivals)
}

/// A system under a list of arrivals, deterministic: the same list gives the same outcome.
///
/// - A worker claims the first slot of its band by user priority, then by the [`Order`], then by session number; a session's
///   slots in order, as many at once as it has engines.
/// - [`Preemption::Priority`]: more urgent bands take the cores first, within a band those workers that already hold a slot, the
///   longest-held first; a worker without a core keeps its slot and goes on when it has one again, on any core. A worker needs
///   a core to claim.
/// - [`Preemption::FairShare`]: idle workers claim at once, and all that hold a slot share the cores equally; none is faster
///   than one core.
/// - A switch costs nothing but [`Self::start_cost`] per slot. At one instant slots are finished first, then submitted, then claimed.
#[derive(Clone, Debug)]
pub struct Simulation {
    sessions: Vec<Session>,
    system: System,
    bands: usize,
    start_cost: u64,
}

#[derive(Clone, Debug)]
struct Session {
    band: usize,
    priority: i32,
    engines: usize,
}

impl Simulation {
    /// Sessions with these terms, in the bands of [`assign`].
    #[must_use]
    pub fn new(terms: &[Terms], system: &System) -> Self {
        let system = System { cores: system.cores.max(1), workers: system.workers.max(1), ..*system };
        let session = |(terms, band): (&Terms, usize)| Session {
            band,
            priority: terms.priority,
            engines: terms.engines.max(1),
        };
        let sessions: Vec<Session> = terms.iter().zip(assign(terms, system.bands)).map(session).collect();
        let bands = sessions.iter().map(|s| s.band + 1).max().unwrap_or(0);
        Self { sessions, system, bands, start_cost: 0 }
    }

    /// What a worker spends on a core before each slot: waking, looking, switching.
    #[must_use]
    pub fn start_cost(mut self, cost: Duration) -> Self {
        self.start_cost = nanos(cost);
        self
    }

    /// Runs `arrivals`, in any order, to the end of the last one. Those of unknown sessions are left out.
    #[must_use]
    pub fn run(&self, arrivals: impl IntoIterator<Item = Arrival>) -> Outcome {
        self.run_with(arrivals, |_| ())
    }

    /// The same, and tells `each` slot in the order in which they are finished.
    pub fn run_with(
        &self,
        arrivals: impl IntoIterator<Item = Arrival>,
        each: impl FnMut(&Finished),
    ) -> Outcome {
        let mut arrivals: Vec<Arrival> =
            arrivals.into_iter().filter(|a| a.session < self.sessions.len()).collect();
        arrivals.sort_by_key(|a| a.at);
        let mut by_band: Vec<Vec<usize>> = vec![Vec::new(); self.bands];
        for (i, session) in self.sessions.iter().enumerate() {
            if let Some(band) = by_band.get_mut(session.band) {
                band.push(i);
            }
        }
        let run = Run {
            plan: self,
            by_band,
            now: 0,
            queues: self.sessions.iter().map(|_| Queue::default()).collect(),
            claims: Vec::new(),
            outcome: Outcome {
                sessions: vec![SessionOutcome::default(); self.sessions.len()],
                ..Outcome::default()
            },
            busy: vec![0; self.system.cores.min(arrivals.len())],
            each,
        };
        run.until_all_are_finished(arrivals.into())
    }
}

/// A session at run time.
#[derive(Default)]
struct Queue {
    waiting: VecDeque<Arrival>,
    running: usize,
}

/// A slot that a worker holds.
struct Claim {
    arrival: Arrival,
    band: usize,
    started: u64,
    /// Work left, in 2^-20 nanoseconds.
    left: u128,
    /// The core that it runs on; under fair share any number.
    core: Option<usize>,
}

struct Run<'s, F> {
    plan: &'s Simulation,
    by_band: Vec<Vec<usize>>,
    now: u64,
    queues: Vec<Queue>,
    /// In the order of claiming.
    claims: Vec<Claim>,
    outcome: Outcome,
    /// Nanoseconds per core.
    busy: Vec<u64>,
    each: F,
}

impl<F: FnMut(&Finished)> Run<'_, F> {
    fn until_all_are_finished(mut self, mut arrivals: VecDeque<Arrival>) -> Outcome {
        loop {
            self.finish();
            while let Some(arrival) = arrivals.front().copied().filter(|a| a.at <= self.now) {
                arrivals.pop_front();
                if let Some(queue) = self.queues.get_mut(arrival.session) {
                    queue.waiting.push_back(arrival);
                }
            }
            match self.plan.system.preemption {
                Preemption::Priority => self.give_by_priority(),
                Preemption::FairShare => self.share(),
            }
            let ends = self.running().map(|claim| self.now.saturating_add(self.time_for(claim.left))).min();
            let Some(next) = ends.into_iter().chain(arrivals.front().map(|a| a.at)).min() else { break };
            self.pass(next - self.now);
        }
        self.outcome.end = self.now;
        let end = self.now.max(1) as f64;
        self.outcome.busy = self.busy.iter().map(|&busy| busy as f64 / end).collect();
        self.outcome.busy.resize(self.plan.system.cores.min(1 << 16), 0.0);
        self.outcome
    }

    fn running(&self) -> impl Iterator<Item = &Claim> {
        self.claims.iter().filter(|claim| claim.core.is_some())
    }

    /// Cores, and workers that share them.
    fn share_of(&self) -> (u128, u128) {
        match self.plan.system.preemption {
            Preemption::Priority => (1, 1),
            Preemption::FairShare => {
                let holders = self.claims.len().max(1) as u128;
                ((self.plan.system.cores as u128).min(holders), holders)
            }
        }
    }

    fn time_for(&self, left: u128) -> u64 {
        let (cores, holders) = self.share_of();
        u64::try_from((left * holders).div_ceil(cores << PARTS)).unwrap_or(u64::MAX)
    }

    fn pass(&mut self, time: u64) {
        let (cores, holders) = self.share_of();
        let done = (u128::from(time) << PARTS) * cores / holders;
        for claim in self.claims.iter_mut().filter(|claim| claim.core.is_some()) {
            claim.left = claim.left.saturating_sub(done);
            if let Some(busy) = claim.core.and_then(|core| self.busy.get_mut(core)) {
                *busy += time;
            }
        }
        self.now += time;
    }

    fn finish(&mut self) {
        let now = self.now;
        for claim in self.claims.extract_if(.., |claim| claim.core.is_some() && claim.left == 0) {
            let slot = claim.arrival;
            if let Some(queue) = self.queues.get_mut(slot.session) {
                queue.running -= 1;
            }
            if let Some(session) = self.outcome.sessions.get_mut(slot.session) {
                session.slots += 1;
                session.worst_response = session.worst_response.max(now - slot.at);
                let tardiness = now.saturating_sub(slot.deadline);
                if tardiness > 0 {
                    session.late += 1;
                    session.first_late =
                        Some(session.first_late.map_or(slot.deadline, |first| first.min(slot.deadline)));
                    session.worst_tardiness = session.worst_tardiness.max(tardiness);
                }
            }
            (self.each)(&Finished { arrival: slot, started: claim.started, finished: now });
        }
    }

    fn give_by_priority(&mut self) {
        let mut free = self.plan.system.cores;
        let mut held: Vec<bool> = vec![false; self.busy.len()];
        for band in 0..self.by_band.len() {
            let mut holders = 0;
            for claim in self.claims.iter_mut().filter(|claim| claim.band == band) {
                holders += 1;
                if free == 0 {
                    claim.core = None;
                } else {
                    free -= 1;
                    // Which core follows below, once it is known who keeps one.
                    let keeps = claim.core.and_then(|core| held.get_mut(core)).map(|held| *held = true);
                    claim.core = claim.core.filter(|_| keeps.is_some()).or(Some(usize::MAX));
                }
            }
            while free > 0 && holders < self.plan.system.workers && self.claim(band) {
                free -= 1;
                holders += 1;
            }
        }
        for claim in self.claims.iter_mut().filter(|claim| claim.core == Some(usize::MAX)) {
            let core = held.iter().position(|held| !held);
            if let Some(held) = core.and_then(|core| held.get_mut(core)) {
                *held = true;
            }
            claim.core = core.or(Some(usize::MAX));
        }
    }

    fn share(&mut self) {
        for band in 0..self.by_band.len() {
            let mut holders = self.claims.iter().filter(|claim| claim.band == band).count();
            while holders < self.plan.system.workers && self.claim(band) {
                holders += 1;
            }
        }
        // While some core is idle nobody shares; else all are busy. Either way the first few claims stand for the cores.
        for (i, claim) in self.claims.iter_mut().enumerate() {
            claim.core = Some(i);
        }
    }

    /// An idle worker of `band` claims the slot that is first in its order. Whether there was one.
    fn claim(&mut self, band: usize) -> bool {
        let plan = self.plan;
        let Some(sessions) = self.by_band.get(band) else { return false };
        let head = |&i: &usize| {
            let (session, queue) = (plan.sessions.get(i)?, self.queues.get(i)?);
            let slot = queue.waiting.front().filter(|_| queue.running < session.engines)?;
            let key = match plan.system.order {
                Order::EarliestDeadline => (slot.deadline, slot.at),
                Order::Fifo => (slot.at, 0),
            };
            Some((Reverse(session.priority), key, i))
        };
        let Some((_, _, session)) = sessions.iter().filter_map(head).min() else { return false };
        let Some(queue) = self.queues.get_mut(session) else { return false };
        let Some(arrival) = queue.waiting.pop_front() else { return false };
        queue.running += 1;
        let left = (u128::from(arrival.work) + u128::from(plan.start_cost)) << PARTS;
        self.claims.push(Claim { arrival, band, started: self.now, left, core: Some(usize::MAX) });
        true
    }
}
