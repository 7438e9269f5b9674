//! Figures that are known: from the literature, from other implementations' tables, from the definition by hand.

use anira::latency::StreamHops;
use anira::latency::{Blocks, LatencyQuery, Rational, latencies, latency};

use crate::decimal;
use crate::simulation::{Session, Simulation};

fn query(block: &str, rate: u32, hop: u64, milliseconds: &str) -> LatencyQuery {
    let seconds = decimal(milliseconds).over(Rational::from(1000u32)).unwrap();
    LatencyQuery::new(decimal(block), rate, hop, hop, seconds)
}

/// (samples, adaptation, inference)
fn parts(query: &LatencyQuery) -> (u64, u64, u64) {
    let latency = latency(query).unwrap();
    assert_eq!(latency.samples, latency.adaptation + latency.inference + latency.model);
    (latency.samples, latency.adaptation, latency.inference)
}

#[test]
fn blocks_of_480_into_hops_of_512() {
    assert_eq!(parts(&query("480", 48_000, 512, "5")), (960, 480, 480));
}

#[test]
fn several_hops_a_block() {
    assert_eq!(parts(&query("480", 48_000, 64, "0.8")), (512, 32, 480));
    assert_eq!(parts(&query("96", 48_000, 64, "0.8")), (128, 32, 96));
}

#[test]
fn a_wait_saves_the_inference_part() {
    let query = query("441", 44_100, 150, "2").engines(2).blocking_ratio(Rational::new(1, 2).unwrap());
    assert_eq!(parts(&query), (147, 147, 0));
}

#[test]
fn hops_that_queue_behind_each_other() {
    assert_eq!(parts(&query("1000", 48_000, 256, "5.2")), (1248, 248, 1000));
}

#[test]
fn an_engine_that_is_always_busy() {
    assert_eq!(parts(&query("512", 48_000, 480, "10")), (1408, 448, 960));
}

#[test]
fn varying_blocks_are_worse_than_any_constant_block() {
    let query = query("512", 48_000, 512, "3").blocks(Blocks::Varying { min: Rational::ONE });
    assert_eq!(parts(&query), (1166, 511, 655));
    let session =
        Session { hop_in: 512, hops_out: vec![512], inference: (144, 1), engines: 1, ratio: (0, 1) };
    let mut simulation = Simulation::new(session, 1);
    [511, 1, 142, 512].into_iter().for_each(|block| simulation.callback(block));
    assert_eq!(simulation.need.zero_fill, [1166], "a sequence of blocks that needs them all");
}

#[test]
fn a_declared_minimum_helps() {
    // Blocks up to 8 into hops of 8, an inference of 3 samples.
    let figure = |min: u32| {
        let query = query("8", 1000, 8, "3").blocks(Blocks::Varying { min: min.into() });
        let latency = latency(&query).unwrap();
        assert!(latency.exact);
        latency.samples
    };
    assert_eq!([1, 2, 4, 6, 7, 8].map(figure), [17, 17, 15, 15, 15, 8]);
}

#[test]
fn parts_add_up_with_allowance_and_model() {
    let base = query("480", 48_000, 512, "4.9");
    assert_eq!(parts(&base), (960, 480, 480));
    // Up to a whole period of 10 ms nothing changes; beyond it the next callback decides.
    let allowance = |ms: &str| base.clone().scheduling_allowance(decimal(ms).over(1000u32.into()).unwrap());
    assert_eq!(parts(&allowance("5.1")), (960, 480, 480));
    assert_eq!(parts(&allowance("5.100000001")), (1440, 480, 960));
    let latency = latency(&base.clone().model_latency(37)).unwrap();
    assert_eq!((latency.samples, latency.model, latency.zero_fill()), (997, 37, 960));
    assert_eq!(latency.milliseconds(), 997.0 / 48.0);
}

#[test]
fn every_output_has_its_own_minimum() {
    let query = query("480", 48_000, 512, "5");
    let outputs = [StreamHops::new(512), StreamHops::new(512), StreamHops::new(128), StreamHops::new(1)];
    let latencies = latencies(&query, &outputs).unwrap();
    let figures: Vec<u64> = latencies.iter().map(|latency| latency.samples).collect();
    assert_eq!(figures, [960, 960, 240, 1], "960/512 hops are 1.875");
    assert!(latencies.iter().all(|latency| latency.slots == latencies[0].slots));
    assert_eq!(latencies[2].sample_rate, Rational::from(12_000u32));
    assert_eq!(latencies[2].milliseconds(), 20.0);
}

#[test]
fn an_inline_engine_adds_no_inference_part() {
    assert_eq!(parts(&query("480", 48_000, 512, "0")), (480, 480, 0));
    assert_eq!(parts(&query("512", 48_000, 512, "0")), (0, 0, 0));
    let varying = query("512", 48_000, 512, "0").blocks(Blocks::Varying { min: Rational::ONE });
    assert_eq!(parts(&varying), (511, 511, 0));
}

#[test]
fn adaptation_alone_is_what_rath_and_geier_prove() {
    // Minimum required delay for realtime block size adaptation, LAC 2026: hop − gcd(block, hop).
    let figures =
        [(128u32, 128, 0), (256, 64, 0), (64, 256, 192), (54, 90, 72), (48, 128, 112), (480, 512, 480)];
    for (block, hop, delay) in figures {
        let query = LatencyQuery::new(Rational::from(block), 48_000u32, hop, hop, Rational::ZERO);
        assert_eq!(parts(&query), (delay, delay, 0), "{block} into {hop}");
        // Where blocks vary, one sample short of a hop is the worst.
        let varying = query.blocks(Blocks::Varying { min: Rational::ONE });
        assert_eq!(parts(&varying), (hop - 1, hop - 1, 0), "up to {block} into {hop}");
    }
}

#[test]
fn fractional_blocks_that_vary_get_a_bound_that_half_samples_reach() {
    // Blocks of up to 25 half samples into hops of 24, an inference of 5: 24 + 25 + 5 − 2 = 52 half samples.
    let query = query("12.5", 1000, 12, "2.5").blocks(Blocks::Varying { min: Rational::new(1, 2).unwrap() });
    let latency = latency(&query).unwrap();
    assert_eq!((latency.samples, latency.adaptation, latency.exact), (26, 11, false));
}
