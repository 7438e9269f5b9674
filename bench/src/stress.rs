//! Sessions that only compute, on real threads: one audio thread calls all of them, a pool serves them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anira::prelude::{Bypass, Pool};
use anira::scheduler::clock;
use anira::traits::{Backend, Forecast, Head, Model, Ran, Scheduler, Submit, Work};
use serde::Serialize;

use crate::mix::{Demand, RATE};
use crate::samples::{Samples, Summary};
use crate::session::{Cores, WORKERS};
use crate::task::{self, Usage};

/// What runs here are no tensors, but a pool has to know whose slots it would run.
type Engine = <<Bypass as Backend>::Model as Model>::Engine;

/// The most slots that wait in a line.
const ROOM: u64 = 1024;

/// At the begin of a step, not counted: workers learn the rhythm.
const RUN_UP: Duration = Duration::from_millis(100);

/// A session's slots, in order, one at a time. Each needs so much time on a core, whatever interrupts it.
struct Line {
    work: Duration,
    deadline: u64,
    /// When slot n was submitted, at n modulo the room.
    times: Box<[AtomicU64]>,
    submitted: AtomicU64,
    claimed: AtomicU64,
    finished: AtomicU64,
    /// Finished after their deadlines.
    late: AtomicU64,
    busy: AtomicBool,
    /// Of all lines: the step has ended.
    over: Arc<AtomicBool>,
}

impl Line {
    fn new(demand: &Demand, over: Arc<AtomicBool>) -> Self {
        Self {
            work: demand.terms.max_inference,
            deadline: demand.terms.deadline.as_nanos() as u64,
            times: (0..ROOM).map(|_| AtomicU64::new(0)).collect(),
            submitted: AtomicU64::new(0),
            claimed: AtomicU64::new(0),
            finished: AtomicU64::new(0),
            late: AtomicU64::new(0),
            busy: AtomicBool::new(false),
            over,
        }
    }

    fn time(&self, number: u64) -> Option<&AtomicU64> {
        self.times.get((number % ROOM) as usize)
    }

    /// The slot that is next, if there is one.
    fn next(&self) -> Option<u64> {
        let number = self.claimed.load(Ordering::Acquire);
        (number < self.submitted.load(Ordering::Acquire) && !self.over.load(Ordering::Relaxed))
            .then_some(number)
    }

    /// Audio thread: slots that are not finished.
    fn open(&self) -> u64 {
        self.submitted.load(Ordering::Relaxed) - self.finished.load(Ordering::Acquire)
    }

    /// Audio thread: one slot more. A line that is full loses it; its step is lost anyway.
    fn submit(&self, now: u64) {
        if self.open() < ROOM {
            let number = self.submitted.load(Ordering::Relaxed);
            if let Some(time) = self.time(number) {
                time.store(now, Ordering::Relaxed);
            }
            self.submitted.store(number + 1, Ordering::Release);
        }
    }
}

impl Work for Line {
    type Engine = Engine;

    fn head(&self) -> Option<Head> {
        if self.busy.load(Ordering::Acquire) {
            return None;
        }
        let submitted = self.time(self.next()?)?.load(Ordering::Relaxed);
        Some(Head { submitted, deadline: submitted + self.deadline })
    }

    fn run_one(&self, claimed: &mut dyn FnMut()) -> Ran {
        if self.busy.swap(true, Ordering::Acquire) {
            return Ran::Nothing;
        }
        let next = self.next();
        if let Some(number) = next {
            self.claimed.store(number + 1, Ordering::Relaxed);
            claimed();
            compute(self.work, &self.over);
            let submitted = self.time(number).map_or(0, |time| time.load(Ordering::Relaxed));
            let late = clock::now() > submitted + self.deadline && !self.over.load(Ordering::Relaxed);
            self.late.fetch_add(u64::from(late), Ordering::Relaxed);
            self.finished.store(number + 1, Ordering::Release);
        }
        self.busy.store(false, Ordering::Release);
        if next.is_some() { Ran::Slot } else { Ran::Nothing }
    }
}

/// Uses so much time of a core: while another thread has it, none passes.
fn compute(work: Duration, over: &AtomicBool) {
    let end = time_on_core() + work;
    while time_on_core() < end && !over.load(Ordering::Relaxed) {
        let mut x = 1u64;
        for n in 0..64u64 {
            x = std::hint::black_box(x.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(n));
        }
    }
}

/// What this thread has used of any core.
#[cfg(unix)]
fn time_on_core() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// No such clock here: time passes for an interrupted thread as well, and figures are too good.
#[cfg(not(unix))]
fn time_on_core() -> Duration {
    Duration::from_nanos(clock::now())
}

/// What a part's sessions got.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Count {
    /// Slots that were submitted.
    pub(crate) slots: u64,
    /// Of these, not finished within a block's time after the callback that submitted them.
    pub(crate) late: u64,
    /// Slots that a whole step would need.
    expected: u64,
}

impl Count {
    /// Whether more than one slot in a thousand was late: what a hypervisor takes now and then is not overload.
    pub(crate) fn is_overloaded(&self) -> bool {
        self.late > self.expected / 1000
    }
}

/// How a step went.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Step {
    pub(crate) percent: u32,
    pub(crate) parts: Vec<Count>,
    /// How late the audio thread came itself.
    pub(crate) oversleep: Summary,
    /// What all workers used, in percent of the cores.
    pub(crate) used: f64,
}

impl Step {
    pub(crate) fn held(&self) -> bool {
        !self.parts.iter().any(Count::is_overloaded)
    }
}

/// One session at the audio thread.
struct Player<S> {
    line: Arc<Line>,
    submit: S,
    part: usize,
    block: u64,
    burst: u64,
    next: u64,
    /// Slots of blocks before the last that are not finished.
    overdue: u64,
    /// Late ones before anything was counted.
    before: u64,
}

fn nanos(samples: u64) -> u64 {
    samples * 1_000_000_000 / u64::from(RATE)
}

impl<S: Submit> Player<S> {
    fn call(&mut self, now: u64) {
        // With a block's time for each, more than the last block's are open only if some are late.
        self.overdue = self.line.open().saturating_sub(self.burst);
        (0..self.burst).for_each(|_| self.line.submit(now));
        self.next += self.block;
        self.submit.submitted(Forecast { now, next: Some(now + nanos(self.block)) });
    }

    /// Slots that were late so far, finished or not.
    fn late(&self) -> u64 {
        self.line.late.load(Ordering::Relaxed) + self.overdue
    }
}

/// Has the pool serve these sessions for so long, or until it is plain that it cannot.
pub(crate) fn step(
    pool: &Pool,
    demands: &[Demand],
    percent: u32,
    time: Duration,
    cores: Cores,
    workers: usize,
) -> anyhow::Result<Step> {
    let over = Arc::new(AtomicBool::new(false));
    let parts = demands.iter().map(|d| d.part + 1).max().unwrap_or(0);
    let mut counts = vec![Count::default(); parts];
    let (mut players, mut attachments) = (Vec::new(), Vec::new());
    for demand in demands {
        let line = Arc::new(Line::new(demand, over.clone()));
        let (submit, attachment) = Scheduler::<Engine>::attach(pool, line.clone(), demand.terms.clone())?;
        let (block, burst) = (u64::from(demand.block), demand.terms.burst as u64);
        if let Some(count) = counts.get_mut(demand.part) {
            count.expected += (time.as_secs_f64() * f64::from(RATE)) as u64 / block * burst;
        }
        players.push(Player {
            line,
            submit,
            part: demand.part,
            block,
            burst,
            next: 0,
            overdue: 0,
            before: 0,
        });
        attachments.push(attachment);
    }
    let theirs = over.clone();
    let host = move || {
        let _ = task::become_thread(cores.audio, task::AUDIO);
        let played = play(&mut players, counts, time);
        theirs.store(true, Ordering::Relaxed);
        played
    };
    let ended = std::thread::scope(|scope| scope.spawn(host).join());
    over.store(true, Ordering::Relaxed);
    drop(attachments);
    let (parts, oversleep, used) = ended.map_err(|_| anyhow::anyhow!("the audio thread panicked"))?;
    Ok(Step { percent, parts, oversleep: oversleep.summary(0), used: used * 100.0 / workers as f64 })
}

/// The audio thread: every session's callbacks at their times, all beginning together.
fn play<S: Submit>(
    players: &mut [Player<S>],
    mut counts: Vec<Count>,
    time: Duration,
) -> (Vec<Count>, Samples, f64) {
    let mut oversleep = Samples::with_capacity((time.as_secs_f64() * f64::from(RATE) / 16.0) as usize);
    let start = clock::now() + 5_000_000;
    let counted = start + RUN_UP.as_nanos() as u64;
    let end = counted + time.as_nanos() as u64;
    let mut used: Option<(Usage, Instant)> = None;
    while let Some(next) = players.iter().map(|p| p.next).min() {
        let due = start + nanos(next);
        if due >= end {
            break;
        }
        std::thread::sleep(Duration::from_nanos(due.saturating_sub(clock::now())));
        if due >= counted {
            used.get_or_insert_with(|| (Usage::of(WORKERS), Instant::now()));
            oversleep.push(clock::now().saturating_sub(due));
        }
        for player in players.iter_mut().filter(|p| p.next == next) {
            player.call(clock::now());
            let Some(count) = counts.get_mut(player.part) else { continue };
            if due >= counted {
                count.slots += player.burst;
            } else {
                player.before = player.late();
            }
        }
        sum_up(players, &mut counts);
        if counts.iter().any(|count| count.late > count.expected / 100 + 2) {
            break;
        }
    }
    sum_up(players, &mut counts);
    let share = used.map_or(0.0, |(before, since)| {
        Usage::of(WORKERS).since(before).busy.as_secs_f64() / since.elapsed().as_secs_f64().max(1e-9)
    });
    (counts, oversleep, share)
}

/// Slots of each part that have been late since counting began.
fn sum_up<S: Submit>(players: &[Player<S>], counts: &mut [Count]) {
    counts.iter_mut().for_each(|count| count.late = 0);
    for player in players {
        if let Some(count) = counts.get_mut(player.part) {
            count.late += player.late().saturating_sub(player.before);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mix;

    #[test]
    fn a_lines_slots_run_in_order_and_once() {
        let demands = mix::mixes(&["bursts".to_owned()]).unwrap()[0].demands(1, 1);
        let line = Line::new(&demands[5], Arc::default());
        assert_eq!((line.head(), line.run_one(&mut || ())), (None, Ran::Nothing));
        line.submit(7);
        line.submit(8);
        assert_eq!(line.head(), Some(Head { submitted: 7, deadline: 7 + line.deadline }));
        let before = time_on_core();
        assert_eq!(line.run_one(&mut || ()), Ran::Slot);
        assert!(time_on_core() - before >= line.work);
        assert_eq!((line.open(), line.head().map(|h| h.submitted)), (1, Some(8)));
        line.over.store(true, Ordering::Relaxed);
        assert_eq!((line.head(), line.run_one(&mut || ())), (None, Ran::Nothing));
    }

    #[test]
    fn one_slot_in_a_thousand_may_be_late() {
        let count = |late| Count { slots: 2000, late, expected: 2000 };
        assert!(!count(2).is_overloaded() && count(3).is_overloaded());
        assert!(Count { slots: 20, late: 1, expected: 20 }.is_overloaded());
    }
}
