//! Every callback of the same length.

use std::time::Duration;

use anira::prelude::*;

use super::host::{Virtual, impulses};
use super::{RATE, built, mono, rounds, samples};

/// A ramp and impulses: delayed by exactly the latency, and the ring runs empty, so that one sample less would not do.
#[track_caller]
fn check(rate: f64, block: usize, hop: usize, inference: Duration, engines: usize, ratio: f64, early: bool) {
    let config = built(mono(hop, hop, inference).engines(engines).blocking_ratio(ratio));
    let mut session = Virtual::new(config, Bypass, &HostConfig::fixed(rate, block));
    session.early = early;
    let what = (block, hop, inference, engines, ratio);
    let count = rounds(block, hop);
    session.on_time(std::iter::repeat_n(block, count));
    assert_eq!(session.slack, [0], "{what:?}: the ring never runs empty: a smaller latency would do");
    session.reset();
    session.signal = impulses;
    session.on_time(std::iter::repeat_n(block, count.min(40)));
    let telemetry = session.control.telemetry();
    assert_eq!((telemetry.late_samples, telemetry.late_after_reset), (0, 0), "{what:?}");
}

/// Inference times on, below and above multiples of a block's time, that `engines` can keep up with, in nanoseconds.
fn times(block: usize, hop: usize, engines: usize) -> Vec<u64> {
    let (period, most) = (1000 * block as u64, 1000 * (hop * engines) as u64);
    let mut list: Vec<u64> = [period, 2 * period].iter().flat_map(|t| [t - 1000, *t, t + 1]).collect();
    list.extend([3 * period / 2, 3 * period + 1000, most - 1000, most]);
    list.push(0);
    list.retain(|t| *t <= most);
    list.sort_unstable();
    list.dedup();
    list
}

/// All blocks of a few hops: the tests run at the same time.
fn exhaustive(hops: impl Iterator<Item = usize>) {
    let mut count = 0;
    for hop in hops {
        for block in 1..=12 {
            for engines in 1..=3 {
                for nanos in times(block, hop, engines) {
                    for ratio in [0.0, 0.5, 1.0] {
                        let early = ratio == 0.0 && nanos > 0 && count % 2 == 0;
                        check(RATE, block, hop, Duration::from_nanos(nanos), engines, ratio, early);
                        count += 1;
                    }
                }
            }
        }
    }
    assert!(count > 1000, "{count}");
}

#[test]
fn hops_of_1_to_7_in_blocks_of_1_to_12() {
    exhaustive(1..=7);
}

#[test]
fn hops_of_8_to_10_in_blocks_of_1_to_12() {
    exhaustive(8..=10);
}

#[test]
fn hops_of_11_and_12_in_blocks_of_1_to_12() {
    exhaustive(11..=12);
}

#[test]
fn blocks_and_hops_of_real_hosts() {
    let pairs = [
        (96, 64),
        (192, 128),
        (480, 150),
        (960, 128),
        (768, 512),
        (480, 512),
        (2048, 64),
        (64, 2048),
        (441, 150),
        (1, 64),
    ];
    for (block, hop) in pairs {
        // At 48 kHz three samples are 62.5 us: a share of the hop's time that is exact in nanoseconds.
        let hop_time = Duration::from_nanos(hop as u64 * 62_500 / 3);
        for (engines, share) in [(1, 0.0), (1, 0.3), (1, 0.9), (2, 1.7), (3, 2.5)] {
            for ratio in [0.0, 0.5] {
                check(48_000.0, block, hop, hop_time.mul_f64(share), engines, ratio, false);
            }
            if share > 0.0 {
                check(48_000.0, block, hop, hop_time.mul_f64(share), engines, 0.0, true);
            }
        }
        // Engines that never rest.
        check(RATE, block, hop, samples(hop), 1, 0.0, false);
        check(RATE, block, hop, samples(2 * hop), 2, 0.5, false);
    }
}

#[test]
fn engines_that_are_a_callback_slower_than_declared_are_late_and_counted() {
    for (block, hop, time) in
        [(96, 64, 40), (480, 512, 240), (64, 64, 64), (7, 5, 3), (5, 12, 10), (12, 5, 5)]
    {
        let config = built(mono(hop, hop, samples(time)));
        let mut session = Virtual::new(config, Bypass, &HostConfig::fixed(RATE, block));
        session.slower_by(samples(block));
        (0..rounds(block, hop)).for_each(|_| session.callback(block));
        assert!(session.missed > 0, "{block} into {hop}: the latency left time that nobody declared");
        assert_eq!(session.control.telemetry().late_samples, session.missed);
    }
}

#[test]
fn a_nanosecond_decides() {
    // Exactly a block's time is in time for the next callback; a nanosecond more is not.
    let latency = |nanos| {
        let config = built(mono(64, 64, Duration::from_nanos(nanos)).engines(2));
        let session = Virtual::new(config, Bypass, &HostConfig::fixed(RATE, 64));
        session.report.latency[0].samples
    };
    assert_eq!((latency(63_999), latency(64_000), latency(64_001)), (64, 64, 128));
    let config = built(mono(64, 64, samples(64)));
    let mut session = Virtual::new(config, Bypass, &HostConfig::fixed(RATE, 64));
    session.on_time([64; 10]);
    session.slower_by(Duration::from_nanos(1));
    (0..10).for_each(|_| session.callback(64));
    assert!(session.missed > 0);
}
