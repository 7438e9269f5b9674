//! The end-to-end ramp across flips, to the sample: in virtual time and offline, whatever blocks, late blocks and resets do.

use std::time::Duration;

use anira::latency::{LatencyQuery, Rational, latency};
use anira::prelude::*;
use anira_tests::{Random, assert_same, valid};

use crate::host::session;
use crate::plain::Plain;
use crate::{RATE, Voice, builder};

/// Host block, hop, fade, times of two engines.
const CASES: [(usize, usize, usize, usize, usize); 9] = [
    (64, 64, 128, 20, 40),
    (64, 64, 128, 40, 20),
    (64, 64, 0, 60, 40),
    (64, 64, 7, 0, 0),
    (96, 64, 100, 30, 34),
    (480, 512, 64, 256, 256),
    (7, 12, 30, 6, 5),
    (12, 5, 3, 2, 3),
    (1, 8, 20, 3, 5),
];

fn two(hop: usize, times: (usize, usize)) -> [Voice; 2] {
    [Voice::new(hop, 1.0, times.0), Voice::new(hop, 0.5, times.1)]
}

#[test]
fn flips_at_any_moment_are_exact_and_nothing_is_late() {
    let mut random = Random(3);
    for (block, hop, fade, a, b) in CASES {
        let mut session = session(&two(hop, (a, b)), fade, block);
        session.flip(block, 400.min(40_000 / block), &mut random);
        // As fast as anybody can ask.
        for k in 0..100 {
            session.ask(k % 2, k % 4 < 2);
            session.on_time(block, 1);
        }
        let told = session.control.switching();
        assert!(told.switched > 0 && told.given_up == 0, "{told:?}");
        assert!(fade == 0 || session.plain.pairs > 0, "nobody ever heard two engines");
        assert_eq!(told.heard, session.plain.heard());
        assert_eq!(session.control.telemetry().late_samples, 0);
    }
}

#[test]
fn the_latency_is_that_of_two_engines_at_once_and_no_more() {
    for (block, hop, fade, a, b) in CASES {
        let of = |time: usize| {
            let time = Rational::new(time as i128, 1_000_000).unwrap();
            let query = LatencyQuery::new(block as u32, 1_000_000u32, hop as u64, hop as u64, time);
            latency(&query).unwrap().samples as usize
        };
        let session = session(&two(hop, (a, b)), fade, block);
        // Where two never run at once it is the greater of the two.
        let right = if fade == 0 { of(a).max(of(b)) } else { of(a + b) };
        assert_eq!(session.latency(), right, "{block} into {hop}");
        assert_eq!(session.audio.latency(0), Some(right as u64));
    }
}

#[test]
fn within_a_fade_the_way_back_begins_where_it_is() {
    let mut session = session(&two(64, (20, 30)), 640, 64);
    session.on_time(64, 10);
    for hops in 1..12 {
        session.ask(1, false);
        session.on_time(64, hops);
        session.ask(0, true);
        session.on_time(64, hops / 2);
        session.ask(1, true);
        session.on_time(64, 2);
        session.ask(0, false);
        session.on_time(64, 30);
    }
    assert!(session.control.switching().switched >= 2, "long ones come to their end");
}

#[test]
fn three_engines_are_heard_one_after_the_other() {
    let mut random = Random(9);
    let voices = [Voice::new(64, 1.0, 20), Voice::new(64, 0.5, 10), Voice::new(64, -2.0, 30)];
    let mut session = session(&voices, 200, 64);
    session.flip(64, 500, &mut random);
    // A third that is asked for within a fade waits for its end.
    session.ask(0, false);
    session.on_time(64, 20);
    session.ask(1, false);
    session.on_time(64, 1);
    session.ask(2, false);
    session.on_time(64, 20);
    assert_eq!(session.control.switching().heard, 2);
}

#[test]
fn late_blocks_shift_no_fade() {
    let mut random = Random(4);
    for (block, hop, fade, a, b) in CASES {
        let mut session = session(&two(hop, (a, b)), fade, block);
        for _ in 0..12 {
            session.flip(block, 20, &mut random);
            session.stall(random.below(6 * hop) + 3 * block);
            for k in 0..(12 * hop).div_ceil(block) + 20 {
                if k % 3 == 0 {
                    session.ask(random.below(2), false);
                }
                session.callback(block);
            }
        }
        assert!(session.late > 0, "{block} into {hop}: nothing was ever late");
        session.flip(block, 50, &mut random);
    }
}

#[test]
fn a_reset_begins_with_the_engine_that_is_asked_for() {
    let mut random = Random(5);
    for (block, hop, fade, a, b) in CASES {
        let mut session = session(&two(hop, (a, b)), fade, block);
        for _ in 0..60 {
            session.flip(block, random.below(30), &mut random);
            session.ask(random.below(2), random.below(2) == 0);
            session.reset();
            assert_eq!(session.control.switching().heard, session.plain.heard());
        }
        session.on_time(block, 30);
    }
}

#[test]
fn engines_of_other_latencies_are_heard_in_the_same_place() {
    let mut random = Random(6);
    for (block, hop, fade) in [(64, 64, 128), (96, 64, 100), (480, 512, 64), (7, 12, 30)] {
        let voices = [
            Voice::new(hop, 1.0, 0),
            Voice::new(hop, 0.5, 0).delayed(5),
            Voice::new(hop, 2.0, 0).delayed(3 * hop + 1),
        ];
        let mut session = session(&voices, fade, block);
        assert_eq!(session.report.latency[0].model, 3 * hop as u64 + 1);
        // The model's latency is no silence, but it sounds like it here: nothing came in before the stream.
        let zero_fill = session.report.latency[0].zero_fill();
        assert_eq!(session.latency() as u64, zero_fill + 3 * hop as u64 + 1);
        session.flip(block, 600.min(60_000 / block), &mut random);
        assert!(session.control.switching().switched > 2);
    }
}

/// A ramp through a handler in these blocks, with flips to engines before the blocks that `asks` names.
fn through<B, S>(
    handler: &mut InferenceHandler<B, HopProcessor, S>,
    host: &HostConfig,
    blocks: &[usize],
    asks: &[(usize, usize)],
) -> (Vec<f32>, usize)
where
    B: Backend,
    S: Scheduler<anira::EngineOf<B>>,
{
    let Prepared { mut audio, report, .. } = valid(handler.prepare(host));
    let (mut output, mut value) = (Vec::new(), 0);
    for (k, &len) in blocks.iter().enumerate() {
        for (_, engine) in asks.iter().filter(|(at, _)| *at == k) {
            assert!(audio.set_engine(*engine).is_ok());
        }
        let mut block: Vec<f32> = (value..value + len).map(|n| (n + 1) as f32).collect();
        value += len;
        assert!(audio.process(&mut [&mut block[..]]).is_ok());
        output.extend(block);
    }
    (output, report.latency[0].samples as usize)
}

#[test]
fn rendered_in_any_blocks_the_flips_fall_on_the_same_samples() {
    let mut random = Random(7);
    for (hop, fade) in [(64, 128), (64, 0), (12, 100), (100, 5)] {
        let voices = two(hop, (hop / 4, hop / 3));
        for round in 0..6 {
            let longest = [1, hop / 2, hop, 3 * hop][round % 4].max(1);
            let blocks: Vec<usize> = (0..3000 / longest.min(30)).map(|_| 1 + random.below(longest)).collect();
            let asks: Vec<(usize, usize)> =
                (0..20).map(|_| (random.below(blocks.len()), random.below(2))).collect();
            // Plainly: every hop is answered by whoever was asked for before the block that completes it.
            let mut plain = Plain::new(vec![1.0, 0.5], vec![0, 0], hop, fade);
            let (mut taken, mut right) = (0, Vec::new());
            for (k, len) in blocks.iter().enumerate() {
                asks.iter().filter(|(at, _)| *at == k).for_each(|(_, engine)| plain.ask(*engine));
                taken += len;
                while right.len() + hop <= taken {
                    let at = right.len();
                    let samples: Vec<f32> = (at..at + hop).map(|n| (n + 1) as f32).collect();
                    right.extend(plain.hop(&samples));
                }
            }
            let host = HostConfig::varying(48_000.0, longest).mode(Mode::Offline);
            let mut offline = valid(builder(&voices, fade).scheduler(Offline).build());
            let mut pooled = valid(builder(&voices, fade).build());
            for (got, latency) in
                [through(&mut offline, &host, &blocks, &asks), through(&mut pooled, &host, &blocks, &asks)]
            {
                let mut expected = vec![0.0; latency];
                expected.extend(&right);
                expected.truncate(got.len());
                assert_same(&got[..expected.len()], &expected, format_args!("hop {hop}, fade {fade}"));
                assert!(expected.len() + 2 * hop > got.len());
            }
        }
    }
}

#[test]
fn in_the_callback_itself_a_flip_costs_no_latency() {
    // Two bypasses: inline wants engines that are fit for the callback.
    let config = anira_tests::plain(64, Duration::from_millis(1));
    let builder = InferenceHandler::builder(config).backend(Bypass).scheduler(Inline);
    let mut handler = valid(builder.engine(EngineSpec::new(Bypass)).build());
    let blocks = vec![64; 100];
    let asks: Vec<_> = (0..50).map(|k| (2 * k, k % 2)).collect();
    let (got, latency) = through(&mut handler, &HostConfig::fixed(48_000.0, 64), &blocks, &asks);
    assert_eq!(latency, 0);
    assert_same(&got, &anira_tests::ramp(6400), "two of the same");
    assert!(handler.control().switching().switched > 10);
}

#[test]
fn channels_and_streams_of_other_rates_fade_together() {
    // Two channels in two lanes each, and a second output at half the rate.
    let tensors = anira_tests::signature(&[("x", &[1, 2, 64])], &[("y", &[1, 2, 64]), ("half", &[1, 1, 32])]);
    let model = |gain: f32| {
        anira_tests::backend(tensors.clone(), move |x, y| {
            y.f32(0)?.iter_mut().zip(x.f32(0)?).for_each(|(y, x)| *y = gain * x);
            y.f32(1)?.iter_mut().for_each(|y| *y = gain);
            Ok(())
        })
    };
    let config = anira_tests::cut()
        .input(InputTensor::stream("x", 64).layout(valid("NCT".parse())))
        .output(OutputTensor::stream("y", 64).layout(valid("NCT".parse())))
        .output(OutputTensor::stream("half", 32).layout(valid("NCT".parse())))
        .max_inference(Duration::ZERO);
    let builder = InferenceHandler::builder(valid(config.build())).backend(model(1.0)).switch_fade(100);
    let mut handler = valid(builder.engine(EngineSpec::new(model(3.0))).scheduler(Offline).build());
    let host = HostConfig::fixed(48_000.0, 64).mode(Mode::Offline).channels(4);
    let Prepared { mut audio, .. } = valid(handler.prepare(&host));
    let mut done = 0;
    for k in 0..8 {
        if k == 2 {
            assert!(audio.set_engine(1).is_ok());
        }
        let block: Vec<Vec<f32>> = (0..4).map(|c| vec![(c + 1) as f32; 64]).collect();
        assert!(audio.push(0, &block[..]).is_ok());
        let mut out = vec![vec![0.0f32; 64]; 4];
        let mut slices: Vec<&mut [f32]> = out.iter_mut().map(Vec::as_mut_slice).collect();
        assert!(audio.pop(0, &mut slices[..]).is_ok());
        let mut half = vec![vec![0.0f32; 32]; 2];
        let mut slices: Vec<&mut [f32]> = half.iter_mut().map(Vec::as_mut_slice).collect();
        assert!(audio.pop(1, &mut slices[..]).is_ok());
        let share = |of: usize, done: usize| done.min(of) as f32 / of as f32;
        for i in 0..64 {
            let n = if k < 2 { 0 } else { done + i + 1 };
            for (c, channel) in out.iter().enumerate() {
                let x = (c + 1) as f32;
                assert_eq!(channel[i], x + (3.0 * x - x) * share(100, n), "block {k}, sample {i}");
            }
            if i % 2 == 1 {
                for channel in &half {
                    assert_eq!(channel[i / 2], 1.0 + 2.0 * share(50, n / 2), "block {k}, sample {i} of half");
                }
            }
        }
        done += if k < 2 { 0 } else { 64 };
    }
}

#[test]
fn a_session_that_never_flips_is_the_session_of_one_engine() {
    let alone = valid(builder(&two(64, (20, 0))[..1], 128).build());
    assert_eq!(alone.control().switching().switched, 0);
    let host = HostConfig::fixed(RATE, 64);
    let of = |time| anira_tests::plain(64, Duration::from_micros(time));
    let one = valid(InferenceHandler::builder(of(20)).backend(Bypass).build());
    assert_eq!(valid(alone.latency(&host)), valid(one.latency(&host)));
}
