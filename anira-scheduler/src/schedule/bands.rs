//! [`assign`]: sessions into deadline bands.

use anira_traits::Terms;

use super::task::Task;

/// How much of a session's slack blocking may take. The rest is for what a line over the demand does not see: its steps, and
/// that several workers can all be busy with long inferences at once.
const HALF: f64 = 0.5;

/// Which deadline band serves each session, in the order of `terms`; 0 is the most urgent, all are below `bands`.
///
/// Sessions stand in a line: higher priority first, then shorter deadline. A band is a stretch of that line, so a
/// session of higher priority is never in a less urgent band than one of lower priority.
///
/// **The rule.** A running inference is not interrupted within a band. So a session starts a new band if one of its inferences
/// is longer than half the slack of a session that stands before it in the band: the deadline, less what that session and all
/// before it may ask for until then, one slot more for uneven blocks (spread over the fewest cores that could carry the whole set). Sessions of one
/// priority and one deadline never part: neither stands in the way of the other.
///
/// **The reason.** Between bands a worker is interrupted, and a long inference costs a short deadline nothing. But bands
/// are fixed priorities, and within a band the earliest deadline first makes better use of a core (Liu and Layland 1973), so
/// there are no more bands than blocking asks for.
///
/// **Too few bands.** The rule is loosened evenly: inferences may be up to λ times as long as the slack, with the smallest λ, from
/// one half up, for which the bands suffice. That keeps the worst ratio of blocking to slack as small as it can be.
///
/// Deterministic, O(n log n). `bands` 0 counts as 1.
#[must_use]
pub fn assign(terms: &[Terms], bands: usize) -> Vec<usize> {
    let bands = bands.max(1);
    let tasks: Vec<Task> = terms.iter().map(Task::new).collect();
    let line = Line::new(&tasks);
    let looseness = line.looseness(bands);
    let mut band_of = vec![0; terms.len()];
    line.cut(looseness, |band, sessions| {
        for &session in sessions {
            if let Some(slot) = band_of.get_mut(session) {
                *slot = band.min(bands - 1);
            }
        }
    });
    band_of
}

/// Sessions of one priority and one deadline.
struct Class {
    sessions: Vec<usize>,
    /// The longest inference, in nanoseconds.
    cost: f64,
    /// What blocking may take without making one of them late; above 0.
    slack: f64,
}

/// All sessions, most urgent class first.
struct Line {
    classes: Vec<Class>,
}

impl Line {
    fn new(tasks: &[Task]) -> Self {
        let mut order: Vec<(usize, &Task)> = tasks.iter().enumerate().collect();
        order.sort_by_key(|(i, task)| (std::cmp::Reverse(task.priority), task.deadline, *i));
        let cores = tasks.iter().map(Task::utilisation).sum::<f64>().ceil().max(1.0);
        let mut demand = Demand::default();
        let mut classes = Vec::new();
        let same = |a: &(usize, &Task), b: &(usize, &Task)| {
            a.1.priority == b.1.priority && a.1.deadline == b.1.deadline
        };
        for class in order.chunk_by(same) {
            let Some((_, first)) = class.first() else { continue };
            let deadline = first.deadline as f64;
            demand.at_priority(first.priority);
            class.iter().for_each(|(_, task)| demand.add(task));
            // A class that is late already is hurt by everything, but by long inferences more.
            let slack = (deadline - demand.until(deadline) / cores).max(deadline / 1e3).max(1.0);
            let cost = class.iter().map(|(_, task)| task.cost).max().unwrap_or(0) as f64;
            // To what comes after, uneven blocks may bring one slot more.
            demand.start += class.iter().map(|(_, task)| task.cost as f64).sum::<f64>();
            classes.push(Class { sessions: class.iter().map(|(i, _)| *i).collect(), cost, slack });
        }
        Self { classes }
    }

    /// Cuts the line into bands in which no inference is longer than `looseness` times the slack of a class before it.
    /// Tells each band's sessions; returns how many bands there are. Taking as much as possible each time makes the fewest.
    fn cut(&self, looseness: f64, mut each: impl FnMut(usize, &[usize])) -> usize {
        let mut band = 0;
        let mut room = f64::INFINITY;
        for class in &self.classes {
            if class.cost > room * looseness {
                band += 1;
                room = f64::INFINITY;
            }
            room = room.min(class.slack);
            each(band, &class.sessions);
        }
        if self.classes.is_empty() { 0 } else { band + 1 }
    }

    /// The smallest looseness, at least [`HALF`], with which `bands` suffice.
    fn looseness(&self, bands: usize) -> f64 {
        let (mut low, mut high) = (HALF, HALF);
        while self.cut(high, |_, _| ()) > bands {
            low = high;
            high *= 16.0;
        }
        for _ in 0..60 {
            let middle = f64::midpoint(low, high);
            if self.cut(middle, |_, _| ()) > bands {
                low = middle;
            } else {
                high = middle;
            }
        }
        if self.cut(HALF, |_, _| ()) <= bands { HALF } else { high }
    }
}

/// A line over the demand of the classes seen so far. Linear in time, so that a class costs O(1).
#[derive(Default)]
struct Demand {
    priority: Option<i32>,
    /// Sum of burst costs.
    start: f64,
    /// Sum of utilisations.
    slope: f64,
    /// Sum of utilisation times deadline, of sessions of the current priority: what starts late asks for less.
    late: f64,
}

impl Demand {
    /// Sessions of higher priority are served whenever they come, not by their deadlines.
    fn at_priority(&mut self, priority: i32) {
        if self.priority.replace(priority) != Some(priority) {
            self.late = 0.0;
        }
    }

    fn add(&mut self, task: &Task) {
        self.start += task.burst_cost() as f64;
        self.slope += task.utilisation();
        self.late += task.utilisation() * task.deadline as f64;
    }

    fn until(&self, time: f64) -> f64 {
        self.start + self.slope * time - self.late
    }
}
