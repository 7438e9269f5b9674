//! Callbacks whose lengths change, by chance and by ill will.

use std::time::Duration;

use anira::prelude::*;
use anira::traits::BlockSize;
use anira_tests::Random;

use super::host::{Virtual, impulses};
use super::{RATE, built, mono, samples};

fn host(rate: f64, min: usize, max: usize) -> HostConfig {
    HostConfig::fixed(rate, max).block(BlockSize::Varying { min, max })
}

/// Sequences that are bad for somebody: all lengths the same, the extremes in turn, and by chance.
fn sequence(random: &mut Random, kind: usize, min: usize, max: usize, count: usize) -> Vec<usize> {
    let any = |random: &mut Random| min + random.below(max - min + 1);
    (0..count)
        .map(|k| match kind {
            0 => max,
            1 => min,
            2 if k % 2 == 0 => max,
            2 => min,
            // Mostly the extremes.
            3 => [min, max, any(random)][random.below(3)],
            _ => any(random),
        })
        .collect()
}

#[test]
fn no_sequence_of_small_blocks_is_late() {
    let mut random = Random(5);
    for max in 2..=9 {
        for min in [1, 2, max - 1, max] {
            for hop in 1..=9 {
                for (engines, ratio) in [(1, 0.0), (2, 0.0), (1, 0.5), (2, 1.0)] {
                    let time = samples(random.below(hop * engines + 1))
                        + Duration::from_nanos(random.below(2) as u64 * 500);
                    let time = time.min(samples(hop * engines));
                    let config = built(mono(hop, hop, time).engines(engines).blocking_ratio(ratio));
                    let mut session = Virtual::new(config, Bypass, &host(RATE, min.min(max), max));
                    session.early = ratio == 0.0 && !time.is_zero();
                    for kind in 0..5 {
                        session.on_time(sequence(&mut random, kind, min.min(max), max, 40));
                        if kind % 2 == 0 {
                            session.reset();
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn no_sequence_of_large_blocks_is_late() {
    let mut random = Random(6);
    for (max, hop, micros, engines) in [
        (512, 512, 3000, 1),
        (512, 64, 1000, 1),
        (2048, 512, 12_000, 2),
        (480, 150, 3000, 1),
        (64, 2048, 40_000, 1),
    ] {
        for (min, ratio) in [(1, 0.0), (1, 0.5), (max / 4, 0.0)] {
            let config =
                built(mono(hop, hop, Duration::from_micros(micros)).engines(engines).blocking_ratio(ratio));
            let mut session = Virtual::new(config, Bypass, &host(48_000.0, min, max));
            for kind in 0..5 {
                session.on_time(sequence(&mut random, kind, min, max, 30));
                session.reset();
            }
            session.signal = impulses;
            session.on_time(sequence(&mut random, 4, min, max, 30));
        }
    }
}

#[test]
fn the_worst_sequence_of_the_manual_needs_the_whole_latency() {
    let config = built(mono(512, 512, Duration::from_millis(3)));
    let mut session = Virtual::new(config, Bypass, &HostConfig::varying(48_000.0, 512));
    assert_eq!(session.report.latency[0].samples, 1166);
    session.on_time([511, 143]);
    assert!(session.slack[0] > 0);
    session.on_time([512]);
    assert_eq!(session.slack, [0], "not a sample is left");
    // The same again, in the middle of a stream: 489 samples of hop 2 have come.
    session.on_time([369, 511, 1, 142, 512, 333, 512, 512]);
    session.reset();
    session.slack = vec![i64::MAX];
    session.on_time([511, 143, 512]);
    assert_eq!(session.slack, [0]);
    // A sample's time more than declared, at the worst place, and one sample is wanting.
    session.reset();
    session.slower_by(Duration::from_nanos(20_834));
    session.callback(511);
    session.callback(143);
    session.callback(512);
    assert_eq!(session.missed, 0, "the sequence is the worst for the declared time");
    session.reset();
    session.callback(511);
    session.callback(144);
    session.callback(512);
    assert_eq!(session.missed, 1);
}

#[test]
fn the_adversary_of_the_proof_empties_the_ring() {
    // Blocks end one sample before a hop is complete; then just less than an inference passes; then comes the longest block.
    for (min, max, hop, time) in
        [(1, 12, 12, 5), (1, 7, 12, 12), (1, 12, 5, 3), (1, 9, 8, 8), (3, 12, 12, 7), (2, 5, 8, 4)]
    {
        let config = built(mono(hop, hop, samples(time)));
        let mut session = Virtual::new(config, Bypass, &host(RATE, min, max));
        let exact = session.report.latency[0].exact;
        let mut least = i64::MAX;
        // Every way to play the proof's three parts, within small bounds.
        for x in 0..3 * max {
            let Some(between) = split(x, min, max) else { continue };
            let Some(start) = (1..6).find_map(|i| split(i * hop - 1, min, max)) else { continue };
            session.reset();
            session.slack = vec![i64::MAX];
            session.on_time(start.into_iter().chain(between).chain([max]));
            least = least.min(session.slack[0]);
        }
        assert!(exact);
        assert_eq!(least, 0, "blocks of {min} to {max} into {hop}, {time}");
    }
}

/// Blocks of `min` to `max` that are `sum` together.
fn split(sum: usize, min: usize, max: usize) -> Option<Vec<usize>> {
    let count = sum.div_ceil(max);
    if count * min > sum {
        return None;
    }
    let mut left = sum;
    Some(
        (0..count)
            .map(|k| {
                let block = max.min(left - min * (count - k - 1));
                left -= block;
                block
            })
            .collect(),
    )
}
