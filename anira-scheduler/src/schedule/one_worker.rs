//! Response bounds where one worker of a band has a core whenever nothing more urgent wants it.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::Order;
use super::task::Task;

/// What a step of the stairs costs, in elementary steps.
const STEP: usize = 16;

/// Sessions that are served before a group whenever they have something to run. Each may submit B + ⌈x / T⌉ slots in any
/// interval of length x.
#[derive(Default)]
pub(super) struct Above {
    /// Period and summed cost, in the order of periods.
    rates: Vec<(u64, u64)>,
    /// Summed cost of bursts.
    at_once: u64,
    /// Summed cost of bursts and one slot more.
    at_most: f64,
    utilisation: f64,
}

impl Above {
    pub(super) fn add(&mut self, task: &Task) {
        match self.rates.binary_search_by_key(&task.period, |&(period, _)| period) {
            Ok(i) => {
                if let Some((_, cost)) = self.rates.get_mut(i) {
                    *cost = cost.saturating_add(task.cost);
                }
            }
            Err(i) => self.rates.insert(i, (task.period, task.cost)),
        }
        self.at_once = self.at_once.saturating_add(task.burst_cost());
        self.at_most += task.burst_cost() as f64 + task.cost as f64;
        self.utilisation += task.utilisation();
    }

    /// When `own` nanoseconds of work are done, counted from a moment when nothing waited: the least x with
    /// x = own + what may come before it in x, or some x above it. Begins at `from`, the answer for less work.
    fn finish(&self, own: u64, from: u64, budget: &mut usize) -> u64 {
        let base = own.saturating_add(self.at_once);
        let mut x = base.max(from);
        loop {
            let Some(left) = budget.checked_sub(self.rates.len() + 1) else {
                return self.finish_at_most(own as f64) as u64;
            };
            *budget = left;
            let more = self.rates.iter().map(|&(period, cost)| x.div_ceil(period).saturating_mul(cost));
            let next = more.fold(base, u64::saturating_add);
            if next <= x {
                return x;
            }
            x = next;
        }
    }

    /// Not below [`Self::finish`]: every step replaced by the line above it.
    fn finish_at_most(&self, own: f64) -> f64 {
        (own + self.at_most) / (1.0 - self.utilisation) * (1.0 + 1e-9) + 1.0
    }
}

/// What a session of the group asks for: `jump` at `first`, and again every `step`.
struct Stairs {
    first: u64,
    step: u64,
    jump: u64,
}

impl Stairs {
    /// Where the line above the stairs stands at time 0.
    fn start(&self) -> f64 {
        self.jump as f64 * (1.0 - self.first as f64 / self.step as f64)
    }
}

/// The longest time from submission to result, per session of `group`, in nanoseconds; `None` where there is no bound.
///
/// `blocking` is the longest slot of sessions that the band serves after this group. Earliest deadline first: the demand of all
/// slots due within t, plus one longer-deadline slot that was running (Jeffay, Stanat and Martel 1991; George, Rivierre and
/// Spuri 1996), finishes at f(t), found by the fixed point of response-time analysis over what is above (Joseph and
/// Pandya 1986); a session of deadline D is finished by D + max over t ≥ D of (f(t) - t). FIFO: the same with all that may be
/// submitted within t. Steps are taken one by one until the line above all further ones cannot be worse, or `budget` is used
/// up; then that line is the bound (after Albers and Slomka 2005).
pub(super) fn responses(
    group: &[Task],
    above: &Above,
    blocking: u64,
    order: Order,
    budget: &mut usize,
) -> Vec<Option<u64>> {
    let own: f64 = group.iter().map(Task::utilisation).sum();
    if own + above.utilisation > 1.0 || above.utilisation >= 1.0 {
        return vec![None; group.len()];
    }
    let group = Group::new(group, order, blocking);
    let excess = group.excess(own, above, budget);
    group.responses(&excess)
}

struct Group<'t> {
    tasks: &'t [Task],
    order: Order,
    stairs: Vec<Stairs>,
    /// Blocking, and for FIFO the first slots.
    base: u64,
    /// Deadline and longest slot of a session with at least this deadline, in the order of deadlines.
    blockers: Vec<(u64, u64)>,
    blocking: u64,
    /// Where the line above all stairs begins, and where it does if no session's line may begin below zero.
    start: f64,
    start_above_zero: f64,
}

impl<'t> Group<'t> {
    fn new(tasks: &'t [Task], order: Order, blocking: u64) -> Self {
        let fifo = order == Order::Fifo;
        let stairs = tasks.iter().map(|t| match order {
            Order::EarliestDeadline => Stairs { first: t.deadline, step: t.cycle(), jump: t.burst_cost() },
            Order::Fifo => Stairs { first: 0, step: t.period, jump: t.cost },
        });
        let base =
            if fifo { tasks.iter().fold(0, |sum: u64, t| sum.saturating_add(t.burst_cost())) } else { 0 };
        let mut blockers: Vec<(u64, u64)> = tasks.iter().map(|t| (t.deadline, t.cost)).collect();
        blockers.sort_unstable();
        let mut longest = 0;
        for (_, cost) in blockers.iter_mut().rev() {
            longest = longest.max(*cost);
            *cost = longest;
        }
        let stairs: Vec<Stairs> = stairs.collect();
        let starts = || stairs.iter().map(Stairs::start);
        let (start, start_above_zero) = (starts().sum(), starts().map(|start| start.max(0.0)).sum());
        Self { tasks, order, stairs, base, blockers, blocking, start, start_above_zero }
    }

    /// The longest slot that may be running although it is due more than `t` later.
    fn blocking(&self, t: u64) -> u64 {
        let inside = match self.order {
            Order::Fifo => 0,
            Order::EarliestDeadline => {
                let later = self.blockers.partition_point(|&(deadline, _)| deadline <= t);
                self.blockers.get(later).map_or(0, |&(_, cost)| cost)
            }
        };
        self.blocking.max(inside)
    }

    /// Per distinct deadline, ascending: how much later than t the work due within t may be finished, the worst over all t
    /// from that deadline on. Negative is slack.
    fn excess(&self, own: f64, above: &Above, budget: &mut usize) -> Vec<(u64, i128)> {
        let mut worst: Vec<(u64, i128)> = match self.order {
            Order::Fifo => vec![(0, i128::MIN)],
            Order::EarliestDeadline => self.blockers.iter().map(|&(d, _)| (d, i128::MIN)).collect(),
        };
        worst.dedup_by_key(|(deadline, _)| *deadline);
        let last = worst.last().map_or(0, |&(deadline, _)| deadline);
        let mut steps: BinaryHeap<Reverse<(u64, usize)>> =
            self.stairs.iter().enumerate().map(|(i, s)| Reverse((s.first, i))).collect();
        let (mut demand, mut finish, mut reached) = (self.base, 0, 0);
        while let Some(&Reverse((t, _))) = steps.peek() {
            while let Some(Reverse((at, i))) =
                steps.peek().copied().filter(|Reverse((at, _))| *at == t && *budget > 0)
            {
                steps.pop();
                *budget = budget.saturating_sub(STEP);
                if let Some(stairs) = self.stairs.get(i) {
                    demand = demand.saturating_add(stairs.jump);
                    steps.push(Reverse((at.saturating_add(stairs.step), i)));
                }
            }
            finish = above.finish(demand.saturating_add(self.blocking(t)), finish, budget);
            while worst.get(reached + 1).is_some_and(|&(deadline, _)| deadline <= t) {
                reached += 1;
            }
            let mut floor = i128::MIN;
            if let Some((_, excess)) = worst.get_mut(reached) {
                *excess = (*excess).max(i128::from(finish) - i128::from(t));
                floor = *excess;
            }
            let rest = self.rest(t, t >= last, own, above);
            if t >= last && rest <= floor {
                break;
            }
            if *budget == 0 {
                // Deadlines from here on, and all before them, see at most the line.
                for (_, excess) in worst.iter_mut().skip(reached) {
                    *excess = (*excess).max(rest);
                }
                break;
            }
        }
        let mut tail = i128::MIN;
        for (_, excess) in worst.iter_mut().rev() {
            tail = tail.max(*excess);
            *excess = tail;
        }
        worst
    }

    /// Not below the excess at any moment from `t` on: the line above the stairs falls against time, since the worker keeps up.
    /// `all` says that every session's first step is behind.
    fn rest(&self, t: u64, all: bool, own: f64, above: &Above) -> i128 {
        let start = if all { self.start } else { self.start_above_zero };
        let demand = self.base as f64 + self.blocking(t) as f64 + start + own * t as f64;
        (above.finish_at_most(demand) - t as f64).ceil() as i128
    }

    fn responses(&self, excess: &[(u64, i128)]) -> Vec<Option<u64>> {
        let of = |task: &Task| {
            let deadline = if self.order == Order::Fifo { 0 } else { task.deadline };
            let i = excess.partition_point(|&(d, _)| d < deadline);
            let &(_, worst) = excess.get(i)?;
            u64::try_from(worst.saturating_add(i128::from(deadline)))
                .ok()
                .map(|response| response.max(task.cost))
        };
        self.tasks.iter().map(of).collect()
    }
}
