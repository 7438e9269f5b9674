//! Varying blocks: an adversary that may send any sequence of them.

use anira::latency::{Blocks, latency};
use proptest::prelude::*;

use crate::adversary::Adversary;
use crate::simulation::{Fraction, Session, Simulation};
use crate::{question, rational};

/// Compares the library with the adversary, whose steps are `1/grid` of a sample.
fn check(adversary: Adversary, grid: i64) -> usize {
    let Adversary { min, max, hop, inference, engines, ratio } = adversary;
    let worst = adversary.worst();
    for hop_out in [hop / grid, 1, 2 * hop + 1] {
        let query = question((max, grid), hop / grid, hop_out, (inference.0, inference.1 * grid))
            .engines(engines as u64)
            .blocking_ratio(rational(ratio))
            .blocks(Blocks::Varying { min: rational((min, grid)) });
        let answer = latency(&query).unwrap();
        let needed = worst.lag * hop_out / hop;
        if answer.exact {
            assert_eq!(answer.samples as i64, needed, "{adversary:?} hop out {hop_out} {answer:?}");
            assert_eq!(answer.slots as i64, worst.slots.max(1), "slots of {adversary:?}");
        } else {
            assert!(grid > 1, "{adversary:?} should be exact");
            assert!(answer.samples as i64 >= needed, "{adversary:?} hop out {hop_out} {answer:?} {worst:?}");
            assert!(answer.slots as i64 >= worst.slots, "slots of {adversary:?}");
        }
    }
    worst.states
}

/// Inference times in halves of a step, up to what the engines can do.
fn inference_times(hop: i64, engines: usize) -> impl Iterator<Item = Fraction> {
    (0..=2 * hop * engines as i64).map(|halves| (halves, 2))
}

#[test]
fn every_sequence_of_small_blocks() {
    let (mut checked, mut states) = (0, 0);
    for max in 1..=8 {
        for min in 1..=max {
            for hop in 1..=8 {
                for engines in 1..=2 {
                    for ratio in [(0, 1), (1, 3), (1, 2), (1, 1)] {
                        for inference in inference_times(hop, engines) {
                            states += check(Adversary { min, max, hop, inference, engines, ratio }, 1);
                            checked += 1;
                        }
                    }
                }
            }
        }
    }
    println!("{checked} configurations, {states} states");
    assert!(checked > 30_000 && states > 500_000);
}

#[test]
fn blocks_that_are_no_whole_samples_stay_below_the_bound() {
    let mut checked = 0;
    for max in [1, 3, 5, 6, 7, 9] {
        for min in (1..=max).filter(|min| min % 2 == 1 || max % 2 == 1) {
            for hop in [2, 4, 6] {
                for ratio in [(0, 1), (1, 2)] {
                    for inference in inference_times(hop, 1) {
                        check(Adversary { min, max, hop, inference, engines: 1, ratio }, 2);
                        checked += 1;
                    }
                }
            }
        }
    }
    assert!(checked > 1_000, "{checked}");
}

#[test]
fn where_sums_of_blocks_leave_gaps_for_long_the_figure_is_exact_all_the_same() {
    // Nearly all of the engine's time, and blocks that hardly vary: sums of them leave gaps for a million blocks on.
    let (max, hop) = (1 << 20, 1009);
    let figure = |min: i64, inference: Fraction| {
        let query =
            question((max, 1), hop, hop, inference).blocks(Blocks::Varying { min: rational((min, 1)) });
        let answer = latency(&query).unwrap();
        (answer.samples as i64, answer.exact)
    };
    let nearly = (1009 * 999_999_999, 1_000_000_000);
    assert_eq!(figure(1, nearly), (hop + max + hop - 2, true));
    let (samples, exact) = figure(max - 1, nearly);
    assert!(exact && (hop - 1 + max..=hop + max + hop - 2).contains(&samples), "{samples}");
    // A wait that spans thousands of inferences: blocks without a minimum need no less.
    let figure_with_a_wait = |min: i64| {
        let query = question((max, 1), 10, 10, (99, 10)).blocking_ratio(rational((1, 2)));
        latency(&query.blocks(Blocks::Varying { min: rational((min, 1)) })).unwrap()
    };
    let figures = [1, 2, 3, 1000, max - 1].map(figure_with_a_wait);
    assert!(figures.iter().all(|figure| figure.exact), "{figures:?}");
    assert!(figures.is_sorted_by(|a, b| a.samples >= b.samples), "{figures:?}");
    // With time to spare the first depth decides: no block fits between the one that completes the hop and the largest.
    assert_eq!(figure(max - 1, (hop, 2)), (hop - 1 + max, true));
}

proptest! {
    #[test]
    fn no_random_sequence_of_large_blocks_needs_more(
        (max, min) in (1..=8192i64).prop_flat_map(|max| (Just(max), 1..=max)),
        hop_in in 1..=4096i64,
        hop_out in 1..=4096i64,
        engines in 1..=4usize,
        ratio in 0..=10i64,
        load in 0..=100i64,
        picks in prop::collection::vec(any::<(u8, u16)>(), 1..200),
    ) {
        let inference = (hop_in * engines as i64 * load, 100);
        let session = Session { hop_in, hops_out: vec![hop_out], inference, engines, ratio: (ratio, 10) };
        let mut simulation = Simulation::new(session, 1);
        for (kind, pick) in picks {
            simulation.callback(match kind % 4 {
                0 => min,
                1 => max,
                _ => min + i64::from(pick) % (max - min + 1),
            });
        }
        let query = question((max, 1), hop_in, hop_out, inference)
            .engines(engines as u64)
            .blocking_ratio(rational((ratio, 10)))
            .blocks(Blocks::Varying { min: rational((min, 1)) });
        let answer = latency(&query).unwrap();
        let need = &simulation.need;
        prop_assert!(answer.samples as i64 >= need.zero_fill[0]);
        prop_assert!(answer.slots as i64 >= need.slots);
        prop_assert!(answer.input_ring as i64 >= need.input);
        prop_assert!(answer.output_ring as i64 >= answer.samples as i64 + need.surplus[0]);
    }

    #[test]
    fn an_allowance_covers_callbacks_that_come_late(
        block in 1..=512i64,
        varying in any::<bool>(),
        hop_in in 1..=1024i64,
        engines in 1..=3usize,
        ratio in 0..=2i64,
        load in 0..=90i64,
        jitter in 0..=100i64,
        picks in prop::collection::vec((any::<u16>(), any::<u16>()), 1..200),
    ) {
        // As much lateness as leaves the engines able to keep up, and callbacks in order.
        let capacity = hop_in * engines as i64;
        let least = if varying { 1 } else { block };
        let jitter = (capacity * (100 - load) / 100 * jitter / 100).min(least);
        let inference = (capacity * load, 100);
        let session = Session { hop_in, hops_out: vec![hop_in], inference, engines, ratio: (ratio, 2) };
        let mut simulation = Simulation::new(session, 1);
        for (size, late) in picks {
            let size = least + i64::from(size) % (block - least + 1);
            simulation.late_callback(size, i64::from(late) % (jitter + 1));
        }
        let blocks = if varying { Blocks::Varying { min: rational((1, 1)) } } else { Blocks::Fixed };
        let query = question((block, 1), hop_in, hop_in, inference)
            .engines(engines as u64)
            .blocking_ratio(rational((ratio, 2)))
            .scheduling_allowance(rational((jitter, 1000)))
            .blocks(blocks);
        let answer = latency(&query).unwrap();
        prop_assert!(answer.samples as i64 >= simulation.need.zero_fill[0]);
        prop_assert!(answer.slots as i64 >= simulation.need.slots);
    }
}
