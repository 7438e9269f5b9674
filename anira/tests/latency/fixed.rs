//! Fixed blocks: every small configuration, and random large ones.

use anira::latency::{Latency, LatencyQuery, StreamHops, latencies, latency};
use proptest::prelude::*;

use crate::simulation::{Fraction, Need, Session, Simulation, fixed_blocks, gcd, wanting};
use crate::{question, rational};

fn query(session: &Session, block: Fraction) -> LatencyQuery {
    question(block, session.hop_in, session.hops_out[0], session.inference)
        .engines(session.engines as u64)
        .blocking_ratio(rational(session.ratio))
}

/// The library's answers for every output, compared with what the simulation needed.
fn check(session: &Session, block: Fraction) -> Vec<Latency> {
    let need = fixed_blocks(session, block);
    let outputs: Vec<StreamHops> = session.hops_out.iter().map(|&hop| StreamHops::new(hop as u64)).collect();
    let answers = latencies(&query(session, block), &outputs).unwrap();
    for (output, answer) in answers.iter().enumerate() {
        check_output(answer, &need, output, &format!("{session:?} block {block:?}"));
    }
    answers
}

fn check_output(answer: &Latency, need: &Need, output: usize, case: &str) {
    assert_eq!(answer.samples as i64, need.zero_fill[output], "{case} output {output}");
    assert_eq!(answer.slots as i64, need.slots.max(1), "slots of {case}");
    assert!(answer.input_ring as i64 >= need.input, "input ring of {case}: {answer:?} {need:?}");
    let filled = need.zero_fill[output] + need.surplus[output];
    assert!(answer.output_ring as i64 >= filled, "output ring of {case}: {answer:?} {need:?}");
    assert!(answer.exact);
}

/// Inference times in samples on, just below and just above every multiple of the callback period, with and without the
/// wait, up to what the engines can do; and none, and exactly that.
fn inference_times(block: Fraction, hop: i64, engines: usize, ratio: Fraction) -> Vec<Fraction> {
    // In steps of 1/8 of a unit of the block.
    let step = 8 * block.1;
    let (period, most) = (8 * block.0, step * hop * engines as i64);
    let wait = period * ratio.0 / ratio.1;
    let mut times = vec![0, 1, most];
    for multiple in 0..=most / period {
        for around in [-1, 0, 1] {
            times.extend([multiple * period + around, multiple * period + wait + around]);
        }
    }
    times.retain(|&time| (0..=most).contains(&time));
    times.sort_unstable();
    times.dedup();
    times.into_iter().map(|time| (time, step)).collect()
}

fn check_all(blocks: impl Iterator<Item = Fraction>, hops: impl Iterator<Item = i64> + Clone) -> usize {
    let mut checked = 0;
    for block in blocks {
        for hop_in in hops.clone() {
            for engines in 1..=3 {
                for ratio in [(0, 1), (1, 2), (1, 1)] {
                    for inference in inference_times(block, hop_in, engines, ratio) {
                        let hops_out = vec![hop_in, (hop_in / 2).max(1), 2 * hop_in + 3];
                        check(&Session { hop_in, hops_out, inference, engines, ratio }, block);
                        checked += 1;
                    }
                }
            }
        }
    }
    checked
}

#[test]
fn every_small_configuration_equals_the_simulation() {
    let checked = check_all((1..=24).map(|block| (block, 1)), 1..=24);
    assert!(checked > 85_000, "{checked}");
}

#[test]
fn fractional_blocks_equal_the_simulation() {
    let quarters = (1..=30).filter(|n| n % 4 != 0).map(|n| (n, 4));
    let thousandths = [(1, 10), (333, 1000), (2667, 1000)].into_iter();
    let checked = check_all(quarters, 1..=12) + check_all(thousandths, [1, 2].into_iter());
    assert!(checked > 30_000, "{checked}");
}

prop_compose! {
    fn sessions()(
        block in 1..=8192i64,
        hop_in in 1..=8192i64,
        hop_out in 1..=8192i64,
        engines in 1..=8usize,
        ratio in prop_oneof![Just(0), Just(100), 0..=100i64],
        // The share of the engines' time that inferences take; all of it too.
        load in prop_oneof![Just(1000), 950..=1000i64, 0..=1000i64],
    ) -> (Session, Fraction) {
        let inference = (hop_in * engines as i64 * load, 1000);
        let common = gcd(inference.0, 1000);
        let inference = (inference.0 / common, 1000 / common);
        let session = Session { hop_in, hops_out: vec![hop_in, hop_out], inference, engines, ratio: (ratio, 100) };
        (session, (block, 1))
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn with_the_latency_nothing_is_missing_and_with_one_less_something_is((session, block) in sessions()) {
        let zeros = latency(&query(&session, block)).unwrap().samples as i64;
        // Until the worst has come: the deepest queue that the proof knows has filled, and every phase between blocks and hops
        // was there.
        let phases = session.hop_in / gcd(block.0, session.hop_in);
        let callbacks = (session.engines as i64 + 2) * phases + zeros / block.0 + 2;
        prop_assert_eq!(wanting(&session, block.0, zeros, callbacks), 0);
        prop_assert!(zeros == 0 || wanting(&session, block.0, zeros - 1, callbacks) > 0);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn large_configurations_equal_the_simulation((session, block) in sessions()) {
        check(&session, block);
    }

    #[test]
    fn more_time_never_lowers_the_figure_and_a_wait_never_raises_it((session, block) in sessions()) {
        let figure = |session: &Session| latency(&query(session, block)).unwrap().samples;
        let quicker = Session { inference: (session.inference.0 * 9, session.inference.1 * 10), ..session.clone() };
        prop_assert!(figure(&quicker) <= figure(&session));
        let without_a_wait = Session { ratio: (0, 1), ..session.clone() };
        prop_assert!(figure(&without_a_wait) >= figure(&session));
    }
}

#[test]
fn a_host_that_splits_its_period_needs_no_more_than_the_figure_without_a_wait() {
    for (parts, inference) in [([479, 1], 96), ([1, 479], 96), ([240, 240], 470), ([479, 1], 480)] {
        for hop_in in [480, 512, 64] {
            let session = Session {
                hop_in,
                hops_out: vec![hop_in],
                inference: (inference.min(hop_in), 1),
                engines: 1,
                ratio: (0, 1),
            };
            let mut split = Simulation::new(session.clone(), 1);
            (0..200).for_each(|_| split.split_callback(&parts));
            assert_eq!(latency(&query(&session, (480, 1))).unwrap().samples as i64, split.need.zero_fill[0]);
        }
    }
    // With a wait it may: the call that completes the hop brings one sample and may wait for half of one.
    let waiting = Session { hop_in: 480, hops_out: vec![480], inference: (96, 1), engines: 1, ratio: (1, 2) };
    let mut split = Simulation::new(waiting.clone(), 1);
    (0..200).for_each(|_| split.split_callback(&[479, 1]));
    assert_eq!(latency(&query(&waiting, (480, 1))).unwrap().samples, 0);
    assert_eq!(split.need.zero_fill, [480]);
}
