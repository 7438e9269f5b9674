//! Sets of sessions that load workers, and what the simulation says of them. The same sets as in the scheduler's load study.

use std::time::Duration;

use anira::scheduler::Order;
use anira::scheduler::schedule::{Arrival, Callbacks, Preemption, Simulation, System};
use anira::traits::Terms;

/// The rate of every session.
pub(crate) const RATE: u32 = 48_000;

/// Longer than it takes until all callbacks coincide again.
const LENGTH: u64 = 1_300_000_000;

/// So many like sessions.
pub(crate) struct Part {
    pub(crate) count: usize,
    pub(crate) block: u32,
    pub(crate) hop: u32,
    /// What one of them takes of the whole load.
    share: f64,
}

/// Sessions whose shares add up to 1. All carry state: one slot at a time.
pub(crate) struct Mix {
    /// On the command line.
    pub(crate) name: &'static str,
    pub(crate) words: &'static str,
    pub(crate) parts: &'static [Part],
}

const fn part(count: usize, block: u32, hop: u32, share: f64) -> Part {
    Part { count, block, hop, share }
}

const MIXES: [Mix; 6] = [
    Mix { name: "short", words: "12 short", parts: &[part(12, 64, 64, 1.0 / 12.0)] },
    Mix {
        name: "one-long",
        words: "8 short, 1 long",
        parts: &[part(8, 64, 64, 0.075), part(1, 2048, 2048, 0.4)],
    },
    Mix {
        name: "two-long",
        words: "4 short, 2 long",
        parts: &[part(4, 64, 64, 0.1), part(2, 2048, 2048, 0.3)],
    },
    Mix {
        name: "classes",
        words: "3 classes: 4 short, 3 of 512, 2 long",
        parts: &[part(4, 64, 64, 0.1), part(3, 512, 512, 0.1), part(2, 2048, 2048, 0.15)],
    },
    Mix {
        name: "bursts",
        words: "4 short, 2 in bursts of 4",
        parts: &[part(4, 64, 64, 0.1), part(2, 2048, 512, 0.3)],
    },
    Mix {
        name: "uneven",
        words: "uneven: 4 short, 1 of 480, 1 long",
        parts: &[part(4, 64, 64, 0.1), part(1, 480, 480, 0.3), part(1, 2048, 2048, 0.3)],
    },
];

/// How sessions are served.
pub(crate) struct Service {
    /// On the command line.
    pub(crate) name: &'static str,
    pub(crate) words: &'static str,
    pub(crate) bands: usize,
    pub(crate) order: Order,
    /// Whether real-time priority is asked for.
    pub(crate) urgent: bool,
}

const SERVICES: [Service; 5] = [
    Service { name: "fifo", words: "FIFO, one class", bands: 1, order: Order::Fifo, urgent: true },
    Service { name: "edf", words: "EDF, one class", bands: 1, order: Order::EarliestDeadline, urgent: true },
    Service { name: "bands", words: "EDF, bands", bands: 3, order: Order::EarliestDeadline, urgent: true },
    Service {
        name: "normal",
        words: "EDF, bands, none asked",
        bands: 3,
        order: Order::EarliestDeadline,
        urgent: false,
    },
    Service {
        name: "edf-normal",
        words: "EDF, one class, none asked",
        bands: 1,
        order: Order::EarliestDeadline,
        urgent: false,
    },
];

/// What the names on the command line stand for.
fn named<T>(all: &'static [T], names: &[String], name_of: fn(&T) -> &str) -> anyhow::Result<Vec<&'static T>> {
    let find = |name: &String| {
        let known = || all.iter().map(name_of).collect::<Vec<_>>().join(", ");
        let found = all.iter().find(|item| name_of(item) == name);
        found.ok_or_else(|| anyhow::anyhow!("there is no `{name}`; there are {}", known()))
    };
    if names.is_empty() { Ok(all.iter().collect()) } else { names.iter().map(find).collect() }
}

/// The mixes of these names; all if there are none.
pub(crate) fn mixes(names: &[String]) -> anyhow::Result<Vec<&'static Mix>> {
    named(&MIXES, names, |mix| mix.name)
}

/// The services of these names; all if there are none.
pub(crate) fn services(names: &[String]) -> anyhow::Result<Vec<&'static Service>> {
    named(&SERVICES, names, |service| service.name)
}

impl Service {
    /// The simulation's machine.
    fn system(&self, cores: usize, urgent: bool) -> System {
        let preemption = if urgent { Preemption::Priority } else { Preemption::FairShare };
        System::new(cores, cores, self.bands).order(self.order).preemption(preemption)
    }
}

/// Rounded down, as in the study: one nanosecond more than a full core has is late.
fn nanos(seconds: f64) -> Duration {
    Duration::from_nanos((seconds * 1e9) as u64)
}

/// One session of a mix at some load.
pub(crate) struct Demand {
    /// The number of its part.
    pub(crate) part: usize,
    pub(crate) block: u32,
    pub(crate) callbacks: Callbacks,
    pub(crate) terms: Terms,
}

impl Mix {
    /// The sessions if they take `percent` of `cores`. Outputs are needed a block later.
    pub(crate) fn demands(&self, cores: usize, percent: u32) -> Vec<Demand> {
        let mut demands = Vec::new();
        for (number, part) in self.parts.iter().enumerate() {
            for _ in 0..part.count {
                let block = nanos(f64::from(part.block) / f64::from(RATE));
                let callbacks = Callbacks::new(demands.len(), RATE, part.block, part.hop).deadline(block);
                let load = part.share * cores as f64 * f64::from(percent) / 100.0;
                let work = nanos(load * f64::from(part.hop) / f64::from(RATE));
                let terms = callbacks.terms(format!("{} of {}", part.hop, part.block), work);
                demands.push(Demand { part: number, block: part.block, callbacks, terms });
            }
        }
        demands
    }

    /// The highest load in percent up to which no slot is late on the virtual clock.
    pub(crate) fn simulated(&self, service: &Service, cores: usize, urgent: bool) -> u32 {
        let system = service.system(cores, urgent);
        let in_time = |&percent: &u32| {
            let demands = self.demands(cores, percent);
            let arrivals: Vec<Arrival> = demands
                .iter()
                .flat_map(|d| d.callbacks.arrivals(LENGTH, |_| d.terms.max_inference.as_nanos() as u64))
                .collect();
            let terms: Vec<Terms> = demands.into_iter().map(|d| d.terms).collect();
            Simulation::new(&terms, &system).run(arrivals).late() == 0
        };
        (1..=100).take_while(in_time).last().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_add_up_and_an_output_is_needed_a_block_later() {
        for mix in &MIXES {
            let demands = mix.demands(2, 50);
            let load: f64 = demands
                .iter()
                .map(|d| d.terms.max_inference.as_secs_f64() / d.terms.period.as_secs_f64())
                .sum();
            assert!((load - 1.0).abs() < 1e-3, "{}: {load}", mix.words);
            assert!(mix.parts.iter().all(|p| p.block.is_multiple_of(p.hop)), "{}", mix.words);
        }
    }

    #[test]
    fn an_unknown_name_is_refused_with_the_known_ones() {
        let error = mixes(&["long".to_owned()]).err().unwrap().to_string();
        assert!(error.contains("one-long"), "{error}");
        assert_eq!(mixes(&[]).unwrap().len(), MIXES.len());
        assert_eq!(services(&["edf".to_owned()]).unwrap()[0].bands, 1);
    }

    #[test]
    fn the_simulation_agrees_with_the_study() {
        let simulated = |mix: usize, service: usize, cores| {
            MIXES[mix].simulated(&SERVICES[service], cores, SERVICES[service].urgent)
        };
        // `docs/scheduling.md`, the rows of 8 short and 1 long and of 4 short and 2 long.
        assert_eq!([0, 1, 2, 3].map(|service| simulated(1, service, 1)), [14, 14, 100, 83]);
        assert_eq!([0, 1, 2, 3].map(|service| simulated(2, service, 2)), [10, 10, 100, 100]);
    }
}
