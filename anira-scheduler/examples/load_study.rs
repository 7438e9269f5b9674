//! How much load sessions with short and with long deadlines can share before the first sample is late, by order and bands.
//!
//! On a virtual clock, so the same on every machine. Prints both tables of `docs/scheduling.md` as Markdown:
//!
//! ```sh
//! cargo run --release -p anira-scheduler --example load_study
//! ```

use std::io::Write;
use std::time::Duration;

use anira_scheduler::schedule::{
    Arrival, Callbacks, Order, Preemption, Simulation, Spread, System, admission,
};
use anira_traits::Terms;

const RATE: u32 = 48_000;
/// Longer than it takes until all callbacks coincide again.
const LENGTH: u64 = 1_300_000_000;

/// So many like sessions.
pub(crate) struct Part {
    pub(crate) count: u32,
    pub(crate) block: u32,
    pub(crate) hop: u32,
    /// What one of them takes of the whole load.
    pub(crate) share: f64,
}

/// Sessions whose shares add up to 1. All carry state: one slot at a time.
pub(crate) struct Mix {
    pub(crate) name: &'static str,
    pub(crate) parts: &'static [Part],
}

const fn part(count: u32, block: u32, hop: u32, share: f64) -> Part {
    Part { count, block, hop, share }
}

pub(crate) const MIXES: &[Mix] = &[
    Mix { name: "12 short", parts: &[part(12, 64, 64, 1.0 / 12.0)] },
    Mix { name: "8 short, 1 long", parts: &[part(8, 64, 64, 0.075), part(1, 2048, 2048, 0.4)] },
    Mix { name: "4 short, 2 long", parts: &[part(4, 64, 64, 0.1), part(2, 2048, 2048, 0.3)] },
    Mix {
        name: "3 classes: 4 short, 3 of 512, 2 long",
        parts: &[part(4, 64, 64, 0.1), part(3, 512, 512, 0.1), part(2, 2048, 2048, 0.15)],
    },
    Mix { name: "4 short, 2 in bursts of 4", parts: &[part(4, 64, 64, 0.1), part(2, 2048, 512, 0.3)] },
    Mix {
        name: "uneven: 4 short, 1 of 480, 1 long",
        parts: &[part(4, 64, 64, 0.1), part(1, 480, 480, 0.3), part(1, 2048, 2048, 0.3)],
    },
];

/// A name, and the system on so many cores.
type Policy = (&'static str, fn(usize) -> System);

/// How the sessions are served, on this many cores with as many workers per band.
pub(crate) const POLICIES: &[Policy] = &[
    ("FIFO, one class", |cores| System::new(cores, cores, 1).order(Order::Fifo)),
    ("EDF, one class", |cores| System::new(cores, cores, 1)),
    ("EDF, bands", |cores| System::new(cores, cores, 3)),
    ("EDF, bands, none granted", |cores| System::new(cores, cores, 3).preemption(Preemption::FairShare)),
];

impl Mix {
    /// The sessions if they take `percent` of `cores`. Outputs are needed a block or a hop later, whichever is longer.
    pub(crate) fn sessions(&self, cores: usize, percent: u32) -> (Vec<Terms>, Vec<Arrival>) {
        let (mut terms, mut arrivals) = (Vec::new(), Vec::new());
        for part in self.parts {
            for _ in 0..part.count {
                let longer = f64::from(part.block.max(part.hop)) / f64::from(RATE);
                let callbacks = Callbacks::new(terms.len(), RATE, part.block, part.hop)
                    .deadline(Duration::from_nanos((longer * 1e9) as u64));
                let load = part.share * cores as f64 * f64::from(percent) / 100.0;
                let work = (load * f64::from(part.hop) / f64::from(RATE) * 1e9) as u64;
                terms.push(callbacks.terms(format!("{}", part.hop), Duration::from_nanos(work)));
                arrivals.extend(callbacks.arrivals(LENGTH, |_| work));
            }
        }
        (terms, arrivals)
    }

    /// Slots that come late at this load.
    pub(crate) fn late(&self, system: &System, percent: u32) -> u64 {
        let (terms, arrivals) = self.sessions(system.cores, percent);
        Simulation::new(&terms, system).run(arrivals).late()
    }

    /// The highest load in percent up to which no slot is late.
    pub(crate) fn highest(&self, system: &System) -> u32 {
        (1..=100).take_while(|&percent| self.late(system, percent) == 0).last().unwrap_or(0)
    }

    /// The highest load in percent up to which the sessions are admitted.
    pub(crate) fn admitted(&self, system: &System) -> u32 {
        let fits = |&percent: &u32| admission(&self.sessions(system.cores, percent).0, system).fits();
        (1..=100).take_while(fits).last().unwrap_or(0)
    }
}

pub(crate) fn main() -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    write!(out, "| cores | sessions |")?;
    POLICIES.iter().try_for_each(|(name, _)| write!(out, " {name} |"))?;
    writeln!(out, " admitted with bands |\n|---|---|{}---|", "---|".repeat(POLICIES.len()))?;
    for cores in 1..=2 {
        for mix in MIXES {
            write!(out, "| {cores} | {} |", mix.name)?;
            for (_, system) in POLICIES {
                write!(out, " {} |", mix.highest(&system(cores)))?;
            }
            writeln!(out, " {} |", mix.admitted(&System::new(cores, cores, 3)))?;
        }
    }
    writeln!(out)?;
    pessimism(&mut out)
}

/// Sets drawn for each load.
const SETS: u64 = 200;

/// Of random sets, the share that the simulation keeps in time, that is admitted, and that is kept although refused.
fn pessimism(out: &mut impl Write) -> std::io::Result<()> {
    writeln!(out, "| cores | load | in time | admitted | in time, but refused |\n|---|---|---|---|---|")?;
    for cores in 1..=2 {
        let system = System::new(cores, cores, 3);
        for percent in [30, 50, 60, 70, 80, 90, 95] {
            let (mut kept, mut admitted) = (0, 0);
            for seed in 0..SETS {
                let (terms, arrivals) = random_set(seed, cores as f64 * f64::from(percent) / 100.0);
                kept += u64::from(Simulation::new(&terms, &system).run(arrivals).late() == 0);
                admitted += u64::from(admission(&terms, &system).fits());
            }
            let share = |count| 100 * count / SETS;
            let refused = (100_u64 * (kept - admitted)).checked_div(kept).unwrap_or(0);
            writeln!(out, "| {cores} | {percent} | {} | {} | {refused} |", share(kept), share(admitted))?;
        }
    }
    Ok(())
}

/// Four to eight sessions whose hops are their blocks, that take `load` cores together, in random parts of at most 0.9 each.
fn random_set(seed: u64, load: f64) -> (Vec<Terms>, Vec<Arrival>) {
    let mut spread = Spread::new(seed, 0, u64::from(u32::MAX));
    let mut below = |n: u64| spread.next_work() % n;
    let parts: Vec<f64> = (0..4 + below(5)).map(|_| 1.0 + below(1000) as f64).collect();
    let whole: f64 = parts.iter().sum();
    let (mut terms, mut arrivals) = (Vec::new(), Vec::new());
    for part in parts {
        let hop = [64, 128, 256, 441, 480, 512, 1024, 2048][below(8) as usize];
        let callbacks = Callbacks::new(terms.len(), RATE, hop, hop);
        let work = ((part / whole * load).min(0.9) * f64::from(hop) / f64::from(RATE) * 1e9) as u64;
        terms.push(callbacks.terms(format!("{hop}"), Duration::from_nanos(work)));
        arrivals.extend(callbacks.arrivals(LENGTH, |_| work));
    }
    (terms, arrivals)
}
