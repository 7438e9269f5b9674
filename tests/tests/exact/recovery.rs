//! After a reset, a late block, a change of a parameter: the latency is what it was.

use std::time::Duration;

use anira::prelude::*;
use anira_tests::{Random, assert_same, backend, cut, signature, valid};

use super::host::Virtual;
use super::{RATE, built, mono, rounds, samples};

const PAIRS: [(usize, usize, usize); 8] = [
    (64, 64, 40),
    (96, 64, 40),
    (480, 512, 240),
    (192, 128, 120),
    (7, 12, 10),
    (12, 5, 3),
    (1, 8, 4),
    (64, 2048, 900),
];

#[test]
fn after_a_reset_at_any_moment_the_stream_is_a_fresh_one() {
    let mut random = Random(21);
    for (block, hop, time) in PAIRS {
        for engines in [1, 2] {
            let config = built(mono(hop, hop, samples(time)).engines(engines));
            let mut session = Virtual::new(config, Bypass, &HostConfig::fixed(RATE, block));
            for _ in 0..30 {
                let count = random.below(rounds(block, hop).min(60));
                session.on_time(vec![block; count]);
                // Often twice in a row.
                (0..=random.below(2)).for_each(|_| session.reset());
            }
            session.on_time(vec![block; rounds(block, hop)]);
            assert_eq!(session.control.telemetry().late_samples, 0);
        }
    }
}

#[test]
fn after_engines_stood_still_the_stream_is_back_in_its_place() {
    for (block, hop, time) in PAIRS {
        for engines in [1, 3] {
            for stalled in [1, 2, 3, 10, 100] {
                let config = built(mono(hop, hop, samples(time)).engines(engines));
                let mut session = Virtual::new(config, Bypass, &HostConfig::fixed(RATE, block));
                session.early = stalled % 2 == 0;
                let latency = session.report.latency[0].clone();
                session.on_time(vec![block; rounds(block, hop).min(100)]);
                let length = stalled * block.max(hop);
                session.stall(length as u64);
                (0..length.div_ceil(block)).for_each(|_| session.callback(block));
                // What waits is run, or given up where its time has passed: then nothing is late any more.
                // Where engines hardly rest, one hop more is given up.
                let back = latency.zero_fill() as usize + 5 * (hop + block);
                (0..back.div_ceil(block)).for_each(|_| session.callback(block));
                let missed = session.missed;
                session.on_time(vec![block; rounds(block, hop).min(100)]);
                if stalled >= 10 {
                    assert!(missed > 0, "{block} into {hop}: nobody noticed that the engines stood still");
                }
                assert_eq!(session.control.telemetry().late_samples, missed);
                assert_eq!(session.audio.latency(0), Some(latency.samples));
                session.reset();
                session.on_time(vec![block; 10]);
            }
        }
    }
}

#[test]
fn a_stall_of_20_milliseconds_costs_little_more_than_20_milliseconds() {
    // 960 samples at 48 kHz, engines that are busy for so many percent of their time, up to all of it.
    for (block, hop) in [(64, 64), (480, 512), (64, 256), (192, 128), (512, 64), (128, 1024)] {
        for percent in [50, 90, 98, 99, 100] {
            let nanos = hop as u64 * 1_000_000_000 * percent / (48_000 * 100);
            let config = built(mono(hop, hop, Duration::from_nanos(nanos)));
            let mut session = Virtual::new(config, Bypass, &HostConfig::fixed(48_000.0, block));
            let calls = |samples: usize| samples.div_ceil(block);
            session.on_time(vec![block; calls(20 * hop)]);
            session.stall(960);
            (0..calls(960 + 6 * (hop + block))).for_each(|_| session.callback(block));
            let missed = session.missed;
            let most = 960 + 3 * (hop + block) as u64;
            assert!(missed <= most, "{block} into {hop}, {percent} %: {missed} samples were late");
            assert!(missed > 0 || hop == 1024, "{block} into {hop}, {percent} %: nobody noticed");
            session.on_time(vec![block; calls(200 * hop)]);
        }
    }
}

/// Stalls with several hops in every callback, and the time that the stream may take to be back in its place.
#[test]
fn stalls_with_several_hops_in_a_callback_cost_their_own_time_and_every_loss_is_counted() {
    for (block, hop) in [(512, 64), (256, 32), (1024, 128), (480, 128), (500, 64), (960, 90)] {
        for stall in [240, 960, 4800] {
            for percent in [30, 90, 98, 100] {
                let what = format!("{block} into {hop}, {percent} %, {stall} samples");
                let nanos = hop as u64 * 1_000_000_000 * percent / (48_000 * 100);
                let config = built(mono(hop, hop, Duration::from_nanos(nanos)));
                let mut session = Virtual::new(config, Bypass, &HostConfig::fixed(48_000.0, block));
                let latency = session.report.latency[0].clone();
                let calls = |samples: usize| samples.div_ceil(block);
                session.on_time(vec![block; calls(20 * hop).max(20)]);
                // Twice: what the first left behind must not cost the second anything.
                for _ in 0..2 {
                    let before = session.missed;
                    session.stall(stall as u64);
                    // A phase that stays late is noticed when it comes again, and again.
                    let round = if percent > 95 {
                        (1..).find(|n| (n * hop).is_multiple_of(block)).unwrap_or(1) * hop
                    } else {
                        0
                    };
                    (0..calls(stall + 6 * (hop + block) + 3 * round)).for_each(|_| session.callback(block));
                    let missed = session.missed - before;
                    let most = (stall + 3 * (hop + block)) as u64;
                    assert!(missed <= most, "{what}: {missed} samples were late");
                    let least = (stall as u64).saturating_sub(latency.zero_fill() + 2 * block as u64);
                    assert!(missed >= least, "{what}: only {missed} samples were late");
                    session.on_time(vec![block; calls(50 * hop).max(30)]);
                }
                let counts = session.control.telemetry();
                assert_eq!((counts.late_samples, counts.dropped), (session.missed, session.lost()), "{what}");
                // All but the lost were heard, or came too late: none came twice, none went under.
                assert_eq!(counts.submitted, session.submitted(), "{what}");
                assert_eq!(session.audio.latency(0), Some(latency.samples), "{what}");
            }
        }
    }
}

#[test]
fn a_reset_in_the_middle_of_a_stall_leaves_nothing_late_behind() {
    for (block, hop, time) in PAIRS {
        let config = built(mono(hop, hop, samples(time)));
        let mut session = Virtual::new(config, Bypass, &HostConfig::fixed(RATE, block));
        session.on_time(vec![block; 20]);
        session.stall(1_000_000);
        (0..rounds(block, hop).min(50)).for_each(|_| session.callback(block));
        session.reset();
        session.on_time(vec![block; rounds(block, hop).min(200)]);
    }
}

#[test]
fn a_parameter_applies_from_the_next_hop_that_is_submitted() {
    for (block, hop, time) in PAIRS {
        for from_control in [false, true] {
            let shape = [1, 1, hop];
            let tensors = signature(&[("x", &shape), ("gain", &[1])], &[("y", &shape)]);
            let model = backend(tensors, |x, y| {
                let gain = x.f32(1)?[0];
                y.f32(0)?.iter_mut().zip(x.f32(0)?).for_each(|(y, x)| *y = gain * x);
                Ok(())
            });
            let config = cut()
                .input(InputTensor::stream("x", hop))
                .input(InputTensor::parameter("gain", [1.0]))
                .output(OutputTensor::stream("y", hop))
                .max_inference(samples(time));
            let scheduler = valid(Driven::new(1));
            let mut driver = scheduler.driver();
            let builder = InferenceHandler::builder(built(config)).backend(model).scheduler(scheduler);
            let mut handler = valid(builder.build());
            let control = handler.control();
            let Prepared { mut audio, report, .. } = valid(handler.prepare(&HostConfig::fixed(RATE, block)));
            let latency = report.latency[0].samples as usize;
            let (mut output, mut gains) = (Vec::new(), Vec::new());
            for k in 0..rounds(block, hop).min(300) {
                let gain = 1.0 + k as f32;
                match from_control {
                    true => valid(control.set_parameter("gain", &[f64::from(gain)])),
                    false => assert!(audio.set_parameter(0, &[f64::from(gain)]).is_ok()),
                }
                // Hops that this block completes are the next to be submitted.
                gains.resize((k + 1) * block / hop, gain);
                let mut out = vec![0.0f32; block];
                assert!(audio.push(0, &[&vec![1.0f32; block][..]]).is_ok());
                assert!(audio.pop(0, &mut [&mut out[..]]).is_ok());
                while driver.run_one() {}
                output.extend(out);
            }
            let right: Vec<f32> =
                (0..output.len()).map(|i| i.checked_sub(latency).map_or(0.0, |i| gains[i / hop])).collect();
            assert_same(&output, &right, format_args!("{block} into {hop}"));
        }
    }
}
