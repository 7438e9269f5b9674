//! [`admission`]: whether a set of sessions fits, by what they declare.

use std::time::Duration;

use anira_traits::{Admission, SessionFit, Terms};

use super::one_worker::{self, Above};
use super::several::{self, Member, Room};
use super::task::{self, Task};
use super::{Preemption, System, assign};

/// Elementary steps that one call may take: some milliseconds.
const BUDGET: usize = 2_000_000;

/// More cores, or workers of a band, than this are not told apart.
const MOST: usize = 1 << 20;

/// Whether all slots are in time on this system, by declared figures alone, with the bands of [`assign`].
///
/// Sufficient, not necessary: if [`Admission::fits`], no slot that keeps the [promises](super#what-a-session-promises) is late; if not, it
/// may still go well. A session's response is counted from the latest moment at which the slot may be submitted, so
/// that deadline minus response is its slack; `None` means that the test has no bound, always so where more is asked for than
/// there is. Add what a worker needs to start to `max_inference`: nothing else knows of it.
///
/// The tests, by what serves a band:
/// - one worker at a time (one core; or one worker per band and a core left by the bands above): non-preemptive
///   demand with interference from above; exact figures for the first steps, then a line above them;
/// - several: what others may execute inside a slot's window, shared out over workers and cores;
/// - [`Preemption::FairShare`]: every worker is taken to run at cores / busy workers of its speed, all the time. Pessimistic.
///
/// The work is bounded whatever the terms: beyond it, figures are looser, or `None`. Control thread; allocates.
#[must_use]
pub fn admission(terms: &[Terms], system: &System) -> Admission {
    let system = System::new(system.cores.min(MOST), system.workers.min(MOST), system.bands)
        .order(system.order)
        .preemption(system.preemption);
    let bands = assign(terms, system.bands);
    let mut line: Vec<usize> = (0..terms.len()).collect();
    let tasks: Vec<Task> = terms.iter().map(Task::new).collect();
    line.sort_by_key(|&i| {
        let urgency = tasks.get(i).map(|t| (std::cmp::Reverse(t.priority), t.deadline));
        (bands.get(i).copied(), urgency, i)
    });
    let used = bands.iter().max().map_or(0, |band| band + 1);
    let speed = speed(&tasks, &bands, used, &system);
    let members: Vec<Member> = line
        .iter()
        .filter_map(|&i| Some(Member { task: tasks.get(i)?.slowed(speed), band: *bands.get(i)? }))
        .collect();
    let limits = limits(&members, used, &system);

    let workers = system.cores.min(system.workers.saturating_mul(used.max(1)));
    let mut admission = Admission::default();
    admission.workers = workers;
    admission.utilisation = tasks.iter().map(Task::utilisation).sum::<f64>() / workers as f64;
    for ((&i, member), limit) in line.iter().zip(&members).zip(limits) {
        let Some(terms) = terms.get(i) else { continue };
        let mut fit = SessionFit::default();
        fit.name.clone_from(&terms.name);
        fit.band = member.band;
        fit.utilisation = tasks.get(i).map_or(0.0, Task::utilisation);
        fit.deadline = terms.deadline;
        fit.response = task::response(limit);
        admission.sessions.push(fit);
    }
    block(&mut admission, &members, &system);
    admission
}

/// What [`admission`] would give as [`SessionFit::blocking`] of a session with these terms, if it came to these others.
#[must_use]
pub fn blocking<'a>(others: impl Iterator<Item = &'a Terms>, terms: &'a Terms, system: &System) -> Duration {
    let mut all: Vec<Terms> = others.chain([terms]).cloned().collect();
    // Names need not differ; numbers do.
    all.iter_mut().enumerate().for_each(|(i, terms)| terms.name = i.to_string());
    let own = (all.len() - 1).to_string();
    let fits = admission(&all, system).sessions;
    fits.into_iter().find(|fit| fit.name == own).map_or(Duration::ZERO, |fit| fit.blocking)
}

/// The share of a core that a worker has at the least.
fn speed(tasks: &[Task], bands: &[usize], used: usize, system: &System) -> f64 {
    if system.preemption == Preemption::Priority {
        return 1.0;
    }
    let mut busy = vec![0_usize; used];
    for (task, &band) in tasks.iter().zip(bands) {
        if let Some(busy) = busy.get_mut(band) {
            *busy = busy.saturating_add(task.engines).min(system.workers);
        }
    }
    let busy: f64 = busy.into_iter().map(|busy| busy as f64).sum();
    (system.cores as f64 / busy).min(1.0)
}

/// The response bounds, in the order of `members`.
fn limits(members: &[Member], used: usize, system: &System) -> Vec<Option<u64>> {
    let priority = system.preemption == Preemption::Priority;
    let mut budget = BUDGET;
    let mut limits: Vec<Option<f64>> = vec![None; members.len()];
    let mut above = Above::default();
    let mut groups = members.chunk_by(|a, b| a.band == b.band && a.task.priority == b.task.priority).count();
    for band in 0..used {
        let start = members.partition_point(|m| m.band < band);
        let end = members.partition_point(|m| m.band <= band);
        let Some(own) = members.get(start..end) else { continue };
        // What more urgent bands leave, whatever they do.
        let left = if priority {
            system.cores.saturating_sub(system.workers.saturating_mul(band))
        } else {
            system.workers
        };
        let alone = system.workers == 1 && left >= 1;
        if alone {
            above = Above::default();
        }
        if alone || (priority && system.cores == 1) {
            let mut at = start;
            for group in own.chunk_by(|a, b| a.task.priority == b.task.priority) {
                let after = own.get(at - start + group.len()..).unwrap_or_default();
                let blocking = after.iter().map(|m| m.task.cost).max().unwrap_or(0);
                let tasks: Vec<Task> = group.iter().map(|m| m.task).collect();
                let mut share = budget / groups.max(1);
                let given = share;
                let found = one_worker::responses(&tasks, &above, blocking, system.order, &mut share);
                budget -= given - share;
                groups = groups.saturating_sub(1);
                for (limit, response) in limits.iter_mut().skip(at).zip(found) {
                    *limit = response.map(|r| r as f64);
                }
                tasks.iter().for_each(|task| above.add(task));
                at += group.len();
            }
        } else {
            let running = if priority { system.workers.min(system.cores) } else { system.workers };
            let mut rooms = vec![Room {
                workers: running as f64,
                cores: priority.then_some(system.cores as f64),
                claims: running,
            }];
            if priority && left >= 1 {
                rooms.push(Room { workers: running.min(left) as f64, cores: None, claims: running });
            }
            several::responses(members, band, &rooms, system.order, &mut limits, &mut budget);
        }
    }
    limits.into_iter().map(|limit| limit.map(|nanos| nanos.ceil() as u64)).collect()
}

/// Fills in the blocking of each session: the longest slots of its band that are served after it, one per worker.
fn block(admission: &mut Admission, members: &[Member], system: &System) {
    let running = match system.preemption {
        Preemption::Priority => system.workers.min(system.cores),
        Preemption::FairShare => system.workers,
    };
    let urgency = |m: &Member| (m.band, m.task.priority, m.task.deadline);
    let mut fits: &mut [SessionFit] = &mut admission.sessions;
    let mut rest = members;
    for class in members.chunk_by(|a, b| urgency(a) == urgency(b)) {
        let (head, tail) = std::mem::take(&mut fits).split_at_mut(class.len());
        (fits, rest) = (tail, rest.get(class.len()..).unwrap_or_default());
        let Some(band) = class.first().map(|m| m.band) else { continue };
        let later = rest.get(..rest.partition_point(|m| m.band == band)).unwrap_or_default();
        let blocking = Duration::from_nanos(longest(later, running));
        head.iter_mut().for_each(|fit| fit.blocking = blocking);
    }
}

/// The sum of the `count` longest slots that can run at once.
fn longest(members: &[Member], count: usize) -> u64 {
    if count == 1 {
        return members.iter().map(|m| m.task.cost).max().unwrap_or(0);
    }
    let mut costs: Vec<(u64, usize)> = members.iter().map(|m| (m.task.cost, m.task.engines)).collect();
    costs.sort_unstable_by_key(|&(cost, _)| std::cmp::Reverse(cost));
    let mut left = count;
    costs.into_iter().fold(0, |sum, (cost, engines)| {
        let slots = left.min(engines);
        left -= slots;
        sum.saturating_add(cost.saturating_mul(slots as u64))
    })
}
