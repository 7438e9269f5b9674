//! What the admission test promises, the simulation keeps.

use proptest::prelude::*;

use super::super::*;
use super::*;

const RATE: u64 = 1_000_000;

/// One session of a random set. Samples are microseconds.
#[derive(Clone, Debug)]
struct Part {
    hop: u64,
    block: u64,
    varying: bool,
    /// Deadline as a share of the hop and the block together.
    deadline: f64,
    /// The share of a core.
    share: f64,
    engines: usize,
    priority: i32,
    start: u64,
    seed: u64,
}

fn part() -> impl Strategy<Value = Part> {
    let sizes = prop_oneof![
        (
            prop::sample::select(vec![16_u64, 32, 64, 128, 256]),
            prop::sample::select(vec![16_u64, 32, 64, 128, 512])
        ),
        (8..300_u64, 8..300_u64),
    ];
    let rest = (any::<bool>(), 0.3..2.0_f64, 0.02..0.6_f64, 1..4_usize, 0..4_i32, 0..600_u64, any::<u64>());
    (sizes, rest).prop_map(|((hop, block), (varying, deadline, share, engines, priority, start, seed))| {
        // Most sets have one priority.
        Part { hop, block, varying, deadline, share, engines, priority: (priority - 2).max(0), start, seed }
    })
}

impl Part {
    fn terms(&self) -> Terms {
        let mut terms = session(self.hop, 0);
        terms.burst = self.block.div_ceil(self.hop) as usize;
        terms.deadline = Duration::from_nanos(((self.hop + self.block) as f64 * self.deadline * 1e3) as u64);
        terms.max_inference = Duration::from_nanos((self.hop as f64 * self.share * 1e3) as u64);
        (terms.engines, terms.priority) = (self.engines, self.priority);
        terms
    }

    /// Slots for `until` microseconds. Each runs from nothing to the declared maximum, one in two for the maximum.
    fn arrivals(&self, session: usize, until: u64) -> Vec<Arrival> {
        let terms = self.terms();
        let most = terms.max_inference.as_nanos() as u64;
        let mut spread = Spread::new(self.seed, 0, 2 * most);
        let mut work = move |_| spread.next_work().min(most);
        if !self.varying {
            return Callbacks::new(session, RATE as u32, self.block as u32, self.hop as u32)
                .deadline(terms.deadline)
                .start(Duration::from_micros(self.start))
                .arrivals(until * 1000, work)
                .collect();
        }
        // Blocks of any length up to the largest: small ones and large ones in turn, or as chance has it.
        let mut blocks = Spread::new(!self.seed, 1, self.block);
        let (mut now, mut pushed, mut hops, mut arrivals) = (self.start, 0, 0, Vec::new());
        while now < until {
            let block = match self.seed % 3 {
                0 => blocks.next_work(),
                1 => [1, self.block][(blocks.next_work() % 2) as usize],
                _ => self.block,
            };
            pushed += block;
            while pushed >= (hops + 1) * self.hop {
                hops += 1;
                let latest = (self.start + hops * self.hop - 1) * 1000;
                let deadline = latest + terms.deadline.as_nanos() as u64;
                arrivals.push(Arrival { session, at: now * 1000, deadline, work: work(hops) });
            }
            now += block;
        }
        arrivals
    }
}

fn system() -> impl Strategy<Value = System> {
    let order = prop_oneof![2 => Just(Order::EarliestDeadline), 1 => Just(Order::Fifo)];
    let preemption = prop_oneof![2 => Just(Preemption::Priority), 1 => Just(Preemption::FairShare)];
    (1..4_usize, 1..4_usize, 1..4_usize, order, preemption).prop_map(
        |(cores, workers, bands, order, preemption)| {
            System::new(cores, workers, bands).order(order).preemption(preemption)
        },
    )
}

/// The sessions' costs scaled until the test just admits them, or as they are if it does at once. Returns `None` if it never does.
fn admitted(parts: &[Part], system: &System) -> Option<Vec<Part>> {
    let mut parts = parts.to_vec();
    for _ in 0..12 {
        let terms: Vec<Terms> = parts.iter().map(Part::terms).collect();
        if admission(&terms, system).fits() {
            return Some(parts);
        }
        parts.iter_mut().for_each(|part| part.share *= 0.8);
    }
    None
}

/// Every slot is finished by its bound, also in sets of which others do not fit.
fn every_bound_holds(parts: &[Part], system: &System) -> Result<(), TestCaseError> {
    let mut terms: Vec<Terms> = parts.iter().map(Part::terms).collect();
    for (i, terms) in terms.iter_mut().enumerate() {
        terms.name = i.to_string();
    }
    let report = admission(&terms, system);
    let mut bounds = vec![None; terms.len()];
    for fit in &report.sessions {
        bounds[fit.name.parse::<usize>().unwrap()] = fit.response;
    }
    let arrivals: Vec<Arrival> = parts.iter().enumerate().flat_map(|(i, p)| p.arrivals(i, 20_000)).collect();
    let mut broken = None;
    let outcome = Simulation::new(&terms, system).run_with(arrivals, |slot| {
        let i = slot.arrival.session;
        let latest = slot.arrival.deadline - terms[i].deadline.as_nanos() as u64;
        if bounds[i].is_some_and(|bound| slot.finished > latest + bound.as_nanos() as u64) && broken.is_none()
        {
            broken = Some(*slot);
        }
    });
    prop_assert!(broken.is_none(), "{:?} against {:?}", broken, report);
    prop_assert!(!report.fits() || outcome.late() == 0, "{:?}", report);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn what_is_admitted_is_never_late(parts in prop::collection::vec(part(), 1..7), system in system()) {
        if let Some(parts) = admitted(&parts, &system) {
            every_bound_holds(&parts, &system)?;
        }
    }

    #[test]
    fn bounds_hold_where_not_all_fits(parts in prop::collection::vec(part(), 1..7), system in system()) {
        every_bound_holds(&parts, &system)?;
    }
}
