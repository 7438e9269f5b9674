//! A late block, a reset and a failure while asleep; zeros with a sign; models that are refused.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anira::prelude::*;
use anira::traits::InternalState;
use anira_tests::{assert_same, cut, mono, refused, signature, valid};

use super::{HOP, Memory, config, model};

/// A callback of one hop: takes it in, runs up to `runs` slots, hands it out.
fn callback<B: Backend>(
    audio: &mut Audio<B, HopProcessor, Driven>,
    driver: &mut anira::scheduler::Driver,
    sample: f32,
    runs: usize,
) -> (Vec<f32>, u64) {
    let mut block = [0.0f32; HOP];
    block[5] = sample;
    assert!(audio.push(0, &[&block[..]]).is_ok());
    (0..runs).for_each(|_| _ = driver.run_one());
    let status = audio.pop(0, &mut [&mut block[..]]);
    assert_eq!(status.fault, None);
    (block.to_vec(), status.late_samples)
}

#[test]
fn a_late_block_while_falling_asleep_shifts_nothing_and_is_counted() {
    for memory in [Memory::Context, Memory::Tensor] {
        // Callbacks in which nobody runs anything, from the first on.
        for (first, stalls) in [(4, 1), (6, 20), (9, 3), (12, 40), (30, 5)] {
            let play = |skip: bool, stalled: bool| {
                let driven = valid(Driven::new(1));
                let mut driver = driven.driver();
                let builder =
                    InferenceHandler::builder(config(memory, skip, 15.0)).backend(model(memory, 0.0));
                let mut handler = valid(builder.scheduler(driven).build());
                let Prepared { mut audio, .. } = valid(handler.prepare(&HostConfig::fixed(1e6, HOP)));
                let (mut heard, mut late) = (Vec::new(), Vec::new());
                for k in 0..120 {
                    let runs = if stalled && (first..first + stalls).contains(&k) { 0 } else { 100 };
                    let sample = if k == 2 || k == 90 { 100.0 } else { 0.0 };
                    let (block, missed) = callback(&mut audio, &mut driver, sample, runs);
                    heard.extend(block);
                    late.push(missed);
                }
                (heard, late, handler.control().telemetry())
            };
            let (right, none, _) = play(false, false);
            assert_eq!(none.iter().sum::<u64>(), 0);
            let (heard, late, told) = play(true, true);
            let what = format!("{memory:?}, {stalls} stalls from {first}");
            // With a state, hops that were lost before it was at rest are gone for it; without, everything is in its place.
            for (k, missed) in late.iter().enumerate() {
                let (got, right) = (&heard[k * HOP..][..HOP], &right[k * HOP..][..HOP]);
                match missed {
                    0 if memory == Memory::Context => {
                        assert_same(got, right, format!("{what}, callback {k}"))
                    }
                    0 => {}
                    n => assert_eq!((*n, got), (HOP as u64, &[0.0; HOP][..]), "{what}, callback {k}"),
                }
            }
            let back = (first + stalls + 3).max(40);
            assert_eq!(late[back..].iter().sum::<u64>(), 0, "{what}: back on time");
            assert_same(&heard[back * HOP..], &right[back * HOP..], format!("{what}, afterwards"));
            assert_eq!(told.late_samples, late.iter().sum::<u64>());
            assert!(told.skipped > 30, "{what}: {} skipped", told.skipped);
            if first == 30 {
                assert_eq!(told.late_samples, 0, "{what}: asleep, nobody is needed");
            }
        }
    }
}

#[test]
fn a_reset_while_asleep_is_a_fresh_stream() {
    let driven = valid(Driven::new(1));
    let mut driver = driven.driver();
    let builder =
        InferenceHandler::builder(config(Memory::Tensor, true, 15.0)).backend(model(Memory::Tensor, 0.0));
    let mut handler = valid(builder.scheduler(driven).build());
    let Prepared { mut audio, .. } = valid(handler.prepare(&HostConfig::fixed(1e6, HOP)));
    let mut stream = |sleeps: usize, stalls: usize, before: usize| {
        let mut heard = Vec::new();
        for k in 0..before {
            let _ = callback(&mut audio, &mut driver, if k == 2 { 7.0 } else { 0.0 }, 100);
        }
        (0..stalls).for_each(|_| _ = callback(&mut audio, &mut driver, 0.0, 0));
        audio.reset();
        for k in 0..sleeps {
            let (block, late) = callback(&mut audio, &mut driver, if k == 3 { 9.0 } else { 0.0 }, 100);
            assert_eq!(late, 0);
            heard.extend(block);
        }
        heard
    };
    let fresh = stream(60, 0, 0);
    // Awake, falling asleep with slots under way, asleep.
    for (before, stalls) in [(4, 0), (20, 0), (21, 3), (50, 0), (11, 9), (12, 2)] {
        assert_same(&stream(60, stalls, before), &fresh, format!("after {before} and {stalls} callbacks"));
    }
    assert!(handler.control().telemetry().skipped > 100);
}

#[test]
fn a_zero_with_a_sign_is_a_sound() {
    let config = cut()
        .input(InputTensor::stream("input", HOP))
        .output(OutputTensor::stream("output", HOP))
        .max_inference(Duration::ZERO)
        .skip_silence(true);
    let copy = mono(HOP, |x, y| {
        y.copy_from_slice(x);
        Ok(())
    });
    let builder = InferenceHandler::builder(valid(config.build())).backend(copy).scheduler(Offline);
    let mut handler = valid(builder.build());
    let host = HostConfig::fixed(48_000.0, HOP).mode(Mode::Offline);
    let Prepared { mut audio, .. } = valid(handler.prepare(&host));
    for sample in [0.0f32, 0.0, -0.0, 0.0, f32::from_bits(1), 0.0, 0.0] {
        let mut block = [sample; HOP];
        assert!(audio.process(&mut [&mut block[..]]).is_ok());
        assert_eq!(block.map(f32::to_bits), [sample.to_bits(); HOP]);
    }
    let told = handler.control().telemetry();
    assert_eq!((told.skipped, told.submitted), (2, 5), "the second zero, and the last");
}

#[test]
fn a_failure_wakes_it() {
    let fails = Arc::new(AtomicBool::new(false));
    let failing = fails.clone();
    let model = mono(HOP, move |_, y| {
        y.fill(0.5);
        match failing.load(Ordering::Relaxed) {
            true => Err(Error::new(ErrorKind::Engine, "on purpose")),
            false => Ok(()),
        }
    });
    let config = cut()
        .input(InputTensor::stream("input", HOP))
        .output(OutputTensor::stream("output", HOP))
        .max_inference(Duration::from_micros(60))
        .engines(4)
        .skip_silence(true);
    let driven = valid(Driven::new(4));
    let mut driver = driven.driver();
    let builder = InferenceHandler::builder(valid(config.build())).backend(model);
    let mut handler = valid(builder.scheduler(driven).build());
    let Prepared { mut audio, .. } = valid(handler.prepare(&HostConfig::fixed(1e6, HOP)));
    // Three under way; the first comes back well, the second fails: asleep in between.
    (0..3).for_each(|_| _ = callback(&mut audio, &mut driver, 0.0, 0));
    let _ = callback(&mut audio, &mut driver, 0.0, 1);
    let before = handler.control().telemetry();
    let _ = callback(&mut audio, &mut driver, 0.0, 0);
    assert_eq!(handler.control().telemetry().skipped, before.skipped + 1, "asleep");
    fails.store(true, Ordering::Relaxed);
    let _ = callback(&mut audio, &mut driver, 0.0, 1);
    fails.store(false, Ordering::Relaxed);
    let skipped = handler.control().telemetry().skipped;
    let _ = callback(&mut audio, &mut driver, 0.0, 0);
    assert_eq!(handler.control().telemetry().skipped, skipped, "awake");
}

#[test]
fn what_remembers_inside_is_refused() {
    let words = ["skip_silence", "true", "remembers inside"];
    let build =
        |memory| InferenceHandler::builder(config(memory, true, 1.0)).backend(model(memory, 0.0)).build();
    refused(build(Memory::Inside), ErrorKind::Config, &words);
    valid(build(Memory::Counter));
    // A second engine, and one that is exchanged: the type of both is that of the first.
    let kept = |inside: bool| {
        let copy = anira_tests::backend(signature(&[("x", &[1, 1, HOP])], &[("y", &[1, 1, HOP])]), |x, y| {
            y.f32(0)?.copy_from_slice(x.f32(0)?);
            Ok(())
        });
        copy.internal_state(if inside { InternalState::Inside } else { InternalState::None })
    };
    let config = cut().input(InputTensor::stream("x", HOP)).output(OutputTensor::stream("y", HOP));
    let config = valid(config.max_inference(Duration::ZERO).skip_silence(true).build());
    let builder = || InferenceHandler::builder(config.clone()).backend(kept(false));
    let words = ["engine 1", "skip_silence", "true", "remembers inside"];
    refused(builder().engine(EngineSpec::new(kept(true))).build(), ErrorKind::Config, &words);
    let mut handler = valid(builder().swappable(true).build());
    let words = ["engine 0", "skip_silence", "true", "remembers inside"];
    let swapped = handler.swap(0, &EngineSpec::new(kept(true)), Duration::from_secs(1));
    refused(swapped, ErrorKind::Config, &words);
    valid(handler.swap(0, &EngineSpec::new(kept(false)), Duration::from_secs(1)));
}
