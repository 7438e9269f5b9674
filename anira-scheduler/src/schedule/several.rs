//! Response bounds for bands of several workers, and for bands whose cores others take away.

use std::cmp::Reverse;

use super::Order;
use super::task::Task;

/// How often the bounds of a set are taken through the test before it is given up.
const ROUNDS: usize = 12;

/// A session as the test sees it.
#[derive(Clone, Debug)]
pub(super) struct Member {
    pub(super) task: Task,
    pub(super) band: usize,
}

/// What a band can rely on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Room {
    /// Slots of the band that run at once when one of it waits and nothing more urgent takes a core.
    pub(super) workers: f64,
    /// Cores that more urgent bands must fill before they keep the band from running; `None` if they cannot.
    pub(super) cores: Option<f64>,
    /// Slots of the band that may be in progress.
    pub(super) claims: usize,
}

/// The longest time from submission to result, for the sessions of `band`, in nanoseconds; `None` without a bound.
///
/// `members` are all sessions, the most urgent first; `limits` bounds the response of those in more urgent bands and is
/// filled in for this one. A slot's window is from r = deadline - D to its bound. While the oldest slot of its session waits in
/// it, all workers of the band run others or all cores run slots of this band and more urgent ones; so the wait is at most what others
/// may execute inside the window, shared out over workers and cores (Baker 2003; Bertogna, Cirinei and Lipari 2005). What of a session
/// falls into the window follows from the bounds themselves: they are raised until they hold each other (Bertogna and Cirinei 2007).
pub(super) fn responses(
    members: &[Member],
    band: usize,
    rooms: &[Room],
    order: Order,
    limits: &mut [Option<f64>],
    budget: &mut usize,
) {
    let mine: Vec<usize> =
        members.iter().enumerate().filter(|(_, m)| m.band == band).map(|(i, _)| i).collect();
    let mut bounds: Vec<f64> = limits
        .iter()
        .zip(members)
        .map(|(limit, m)| limit.unwrap_or(f64::INFINITY).max(m.task.deadline as f64))
        .collect();
    for &i in &mine {
        if let (Some(bound), Some(m)) = (bounds.get_mut(i), members.get(i)) {
            *bound = m.task.deadline as f64;
        }
    }
    let blockers = Blockers::new(members, &mine);
    for _ in 0..ROUNDS {
        let cost = mine.len() * members.len() * 4;
        let Some(left) = budget.checked_sub(cost) else { break };
        *budget = left;
        let mut held = true;
        let mut found = Vec::with_capacity(mine.len());
        for &i in &mine {
            let of = |room: &Room| Window::new(members, &bounds, i, order, *room, &blockers).response();
            let response = rooms.iter().map(of).fold(f64::INFINITY, f64::min);
            held &= bounds.get(i).is_some_and(|&bound| response <= bound);
            found.push(response);
        }
        for (&i, &response) in mine.iter().zip(&found) {
            if let Some(bound) = bounds.get_mut(i) {
                *bound = bound.max(response);
            }
            if held && let Some(limit) = limits.get_mut(i) {
                *limit = Some(response).filter(|r| r.is_finite());
            }
        }
        if held || found.iter().any(|response| *response > 2f64.powi(51)) {
            break;
        }
    }
}

/// The longest slots of a band, by session and engine.
struct Blockers {
    longest: Vec<(u64, usize)>,
}

impl Blockers {
    fn new(members: &[Member], mine: &[usize]) -> Self {
        let mut longest: Vec<(u64, usize)> =
            mine.iter().filter_map(|&i| members.get(i).map(|m| (m.task.cost, i))).collect();
        longest.sort_unstable_by_key(|&(cost, i)| (Reverse(cost), i));
        Self { longest }
    }

    /// The sum of the longest slots that `count` workers may be busy with; `cost` tells what is left of a session's slot, never more
    /// than the slot.
    fn sum(&self, members: &[Member], count: usize, cost: impl Fn(usize, &Task) -> f64) -> f64 {
        // Longest first, with the number of slots; together never more than `count`.
        let mut held: Vec<(f64, usize)> = Vec::new();
        let mut slots = 0;
        for &(most, i) in &self.longest {
            if slots >= count && held.last().is_none_or(|&(least, _)| most as f64 <= least) {
                break;
            }
            let Some(m) = members.get(i) else { continue };
            let cost = cost(i, &m.task);
            if cost <= 0.0 {
                continue;
            }
            let engines = m.task.engines.min(count);
            held.insert(held.partition_point(|&(other, _)| other >= cost), (cost, engines));
            slots += engines;
            while let Some((least, last)) = held.pop() {
                let kept = last.saturating_sub(slots.saturating_sub(count));
                slots -= last - kept;
                if kept > 0 {
                    held.push((least, kept));
                    break;
                }
            }
        }
        held.iter().map(|&(cost, slots)| cost * slots as f64).sum()
    }
}

/// One slot of session `i`, from the moment r to its bound.
struct Window<'m> {
    members: &'m [Member],
    bounds: &'m [f64],
    i: usize,
    me: &'m Member,
    length: f64,
    order: Order,
    room: Room,
    blockers: &'m Blockers,
}

/// Which slots of another session may be served inside the window.
#[derive(Clone, Copy)]
enum Ahead {
    /// All that are submitted.
    Any,
    /// Those due no later.
    Due,
    /// Those submitted no later.
    Earlier,
    /// None, but those that are running.
    None,
}

impl<'m> Window<'m> {
    fn new(
        members: &'m [Member],
        bounds: &'m [f64],
        i: usize,
        order: Order,
        room: Room,
        blockers: &'m Blockers,
    ) -> Self {
        let (me, length) = (&members[i], bounds[i]);
        Self { members, bounds, i, me, length, order, room, blockers }
    }

    /// The slot's own session first: its slots one after the other, or as many at once as it has engines.
    fn response(&self) -> f64 {
        let task = &self.me.task;
        let mine = task.burst as f64 * (self.length / task.cycle() as f64).ceil().max(1.0);
        let stages = mine;
        let several = task.engines > 1;
        let in_line = mine * task.cost as f64 + self.wait(self.room.workers, stages, several);
        if !several {
            return in_line;
        }
        let at_once = self.room.workers.min(task.engines as f64);
        in_line.min(task.cost as f64 + self.wait(at_once, stages, true))
    }

    /// The longest time that others keep the slot from running. `workers` run at once whenever it waits for its own band.
    fn wait(&self, workers: f64, stages: f64, with_own: bool) -> f64 {
        let parts: Vec<(f64, f64)> = (0..self.members.len())
            .filter(|&j| j != self.i || with_own)
            .filter_map(|j| self.part(j, workers))
            .collect();
        let blocking = self.blocking(stages) / workers;
        let total = blocking + parts.iter().map(|(work, _)| work).sum::<f64>();
        // Of a session with n engines no more than n slots stand in the way at once. Each round is a bound by itself.
        let mut wait = total;
        for _ in 0..3 {
            wait = blocking + parts.iter().map(|&(work, rate)| work.min(rate * wait)).sum::<f64>();
        }
        wait.ceil()
    }

    /// The work of session `j` inside the window and the fastest it can be done, both shared out over what must be busy.
    fn part(&self, j: usize, workers: f64) -> Option<(f64, f64)> {
        let other = self.members.get(j)?;
        let (ahead, shared) = match (other.band.cmp(&self.me.band), self.room.cores) {
            (std::cmp::Ordering::Greater, _) | (std::cmp::Ordering::Less, None) => return None,
            (std::cmp::Ordering::Less, Some(cores)) => (Ahead::Any, cores),
            (std::cmp::Ordering::Equal, _) => (self.ahead(j, &other.task), workers),
        };
        let work = self.work(&other.task, *self.bounds.get(j)?, ahead);
        Some((work / shared, other.task.engines as f64 / shared))
    }

    fn ahead(&self, j: usize, other: &Task) -> Ahead {
        match (other.priority.cmp(&self.me.task.priority), self.order) {
            _ if j == self.i => Ahead::Any,
            (std::cmp::Ordering::Greater, _) => Ahead::Any,
            (std::cmp::Ordering::Less, _) => Ahead::None,
            (std::cmp::Ordering::Equal, Order::EarliestDeadline) => Ahead::Due,
            (std::cmp::Ordering::Equal, Order::Fifo) => Ahead::Earlier,
        }
    }

    /// The most work of `other`, finished within `bound`, that can be done inside the window: bursts by the cycle, the first
    /// cut by its bound, the last by the window's end if it need not be due within.
    fn work(&self, other: &Task, bound: f64, ahead: Ahead) -> f64 {
        let (cycle, cost, burst) = (other.cycle() as f64, other.cost as f64, other.burst as f64);
        let span = match ahead {
            Ahead::Any => self.length + bound + cycle,
            Ahead::Due => bound + self.me.task.deadline as f64 - other.deadline as f64,
            Ahead::Earlier => bound + cycle,
            Ahead::None => 0.0,
        };
        if span <= 0.0 || cost <= 0.0 {
            return 0.0;
        }
        if span.is_infinite() {
            return f64::INFINITY;
        }
        let whole = (span / cycle).floor();
        let rest = (span - whole * cycle).max(0.0);
        burst
            * match ahead {
                Ahead::Any if whole >= 1.0 => (whole - 1.0) * cost + cost.max(rest.min(2.0 * cost)),
                _ => whole * cost + rest.min(cost),
            }
    }

    /// Slots that the band would serve later, but that hold a worker when the oldest slot of this session becomes the next one:
    /// all workers at first, all but the one that has just finished a predecessor after that.
    fn blocking(&self, stages: f64) -> f64 {
        let task = &self.me.task;
        let may = |j: usize, other: &Task| {
            j != self.i
                && (stages > 1.0
                    || other.priority != task.priority
                    || self.order == Order::Fifo
                    || other.deadline.saturating_add(other.cycle()) > task.deadline)
        };
        // A session's slots start in order: if one that is served later holds a worker from the start, and the session runs one at a
        // time, then nothing of it that is served earlier is left.
        let first = |j: usize, other: &Task| match (may(j, other), self.bounds.get(j)) {
            (false, _) | (_, None) => 0.0,
            (true, Some(&bound)) if other.engines == 1 => {
                other.cost as f64 - self.work(other, bound, self.ahead(j, other))
            }
            (true, Some(_)) => other.cost as f64,
        };
        let claims = self.room.claims;
        let mut sum = self.blockers.sum(self.members, claims, first);
        if stages > 1.0 {
            let later = |j: usize, other: &Task| if may(j, other) { other.cost as f64 } else { 0.0 };
            sum += (stages - 1.0) * self.blockers.sum(self.members, claims - 1, later);
        }
        sum
    }
}
