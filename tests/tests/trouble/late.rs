//! Engines that take too long, held in a run by a gate: silence that is counted, and a stream that is back in its place.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use anira::prelude::*;
use anira_tests::{Gate, assert_same, delayed, eventually, mono, ramp, send, send_settled, settle, valid};

use crate::{HOP, config, copy, on_own_pool, realtime};

/// A backend whose engines pass a gate in every run.
fn gated(gate: &Arc<Gate>) -> impl Backend {
    let gate = gate.clone();
    mono(HOP, move |x, y| {
        gate.pass();
        copy(x, y)
    })
}

/// The hop that each sample of a delayed ramp came from: everything is either right or silent.
#[track_caller]
fn right_or_silent(output: &[f32], right: &[f32]) -> u64 {
    assert_eq!(output.len(), right.len());
    let wrong = (0..output.len()).find(|&i| output[i] != right[i] && output[i] != 0.0);
    assert_eq!(wrong, None, "a sample that belongs elsewhere");
    output.iter().zip(right).filter(|(o, r)| o != r).count() as u64
}

#[test]
fn late_samples_are_silent_and_counted_and_the_stream_comes_back_in_place() {
    for blocks_held in [1, 3, 50] {
        let gate = Gate::new();
        let mut handler = on_own_pool(gated(&gate), 1);
        let control = handler.control();
        let Prepared { mut audio, report, .. } = valid(handler.prepare(&realtime()));
        let latency = report.latency[0].samples;
        let input = ramp((60 + blocks_held) * HOP);
        let right = delayed(&input, latency);

        let (mut output, late) = send_settled(&mut audio, &control, &input[..10 * HOP], &[HOP; 10]);
        assert_eq!(late, 0);
        gate.shut();
        let held = 10 * HOP..(10 + blocks_held) * HOP;
        let (silent, late) = send(&mut audio, &input[held.clone()], &vec![HOP; blocks_held]);
        gate.await_waiting(1);
        // What had been finished before the gate was shut is still heard: the latency's worth.
        let before = 10 * HOP..10 * HOP + (latency as usize).min(held.len());
        let heard: usize = before.len() / HOP * HOP;
        assert_same(&silent[..heard], &right[before.start..before.start + heard], "finished before");
        assert!(silent[heard..].iter().all(|s| *s == 0.0), "nothing else");
        assert_eq!(late as usize, held.len() - heard, "every missing sample is counted");
        output.extend(silent);
        gate.open();
        settle(&control);
        let rest = held.end..input.len();
        output
            .extend(send_settled(&mut audio, &control, &input[rest.clone()], &vec![HOP; rest.len() / HOP]).0);

        let silent = right_or_silent(&output, &right);
        let telemetry = control.telemetry();
        assert_eq!(telemetry.late_samples, silent, "late is what was not heard");
        // What was late by less than `max_catch_up` hops may be run for nothing; then all is as it was.
        let back = (10 + blocks_held + 8) * HOP;
        assert_same(&output[back..], &right[back..], format_args!("held for {blocks_held}"));
        assert_eq!(audio.latency(0), Some(latency), "what was reported still holds");
        assert_eq!(telemetry.submitted, telemetry.done + telemetry.failed + telemetry.dropped);
        assert_eq!(telemetry.dropped > 0, blocks_held > 1, "{telemetry:?}");
    }
}

#[test]
fn counters_never_say_more_than_was_submitted() {
    let gate = Gate::new();
    let mut handler = on_own_pool(gated(&gate), 1);
    let control = handler.control();
    let Prepared { mut audio, .. } = valid(handler.prepare(&realtime()));
    let (stop, looks) = (AtomicBool::new(false), AtomicU64::new(0));
    let mut blocks = 0;
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut last = control.telemetry();
            while !stop.load(Ordering::Relaxed) {
                let now = control.telemetry();
                assert!(now.submitted >= now.done + now.failed + now.dropped, "{now:?}");
                for (a, b) in
                    [(now.submitted, last.submitted), (now.done, last.done), (now.dropped, last.dropped)]
                {
                    assert!(a >= b, "counters are monotonic");
                }
                last = now;
                looks.fetch_add(1, Ordering::Relaxed);
            }
        });
        let (mut block, mut faults) = ([1.0f32; HOP], 0);
        // Until the watcher has looked often enough, however slowly it came to run.
        while blocks < 3000 || looks.load(Ordering::Relaxed) < 100 {
            if blocks % 100 == 40 {
                gate.shut();
            } else if blocks % 100 == 80 {
                gate.open();
            }
            if blocks % 250 == 249 {
                audio.reset();
            }
            faults += u64::from(audio.process(&mut [&mut block[..]]).fault.is_some());
            blocks += 1;
        }
        gate.open();
        stop.store(true, Ordering::Relaxed);
        assert_eq!(faults, 0);
    });
    settle(&control);
    let telemetry = control.telemetry();
    assert!(telemetry.dropped > 0 && telemetry.done > 0, "{telemetry:?}");
    assert_eq!(telemetry.submitted, blocks);
}

#[test]
fn results_of_before_a_reset_are_never_heard() {
    let gate = Gate::new();
    let mut handler = on_own_pool(gated(&gate), 1);
    let control = handler.control();
    let Prepared { mut audio, report, .. } = valid(handler.prepare(&realtime()));
    let right = |input: &[f32]| delayed(input, report.latency[0].samples);
    for resets in [1, 2, 20] {
        gate.shut();
        let before = gate.arrivals();
        let old = vec![-1000.0; 2 * HOP];
        for _ in 0..resets {
            let _ = send(&mut audio, &old, &[HOP; 2]);
            gate.await_waiting(1);
            audio.reset();
        }
        assert_eq!(gate.arrivals(), before + 1, "the first is held, all others were taken back");
        // While the old one is still running, the new stream begins: late, but never old.
        let input = ramp(30 * HOP);
        let (mut output, _) = send(&mut audio, &input[..2 * HOP], &[HOP; 2]);
        gate.open();
        settle(&control);
        output.extend(send_settled(&mut audio, &control, &input[2 * HOP..], &[HOP; 28]).0);
        right_or_silent(&output, &right(&input));
        assert_same(&output[10 * HOP..], &right(&input)[10 * HOP..], format_args!("{resets} resets"));
        audio.reset();
        let (output, late) = send_settled(&mut audio, &control, &input, &[HOP; 30]);
        assert_same(&output, &right(&input), "a fresh stream");
        assert_eq!(late, 0);
        audio.reset();
    }
}

#[test]
fn an_engine_held_between_two_lanes_costs_samples_but_no_place() {
    // The second lane's window is still to be read: the history fills up, and input is given up.
    let (gate, windows) = (Gate::new(), Arc::new(Mutex::new(Vec::new())));
    let (held, seen) = (gate.clone(), windows.clone());
    let model = mono(HOP, move |x, y| {
        if let Ok(mut seen) = seen.lock() {
            seen.push(x.to_vec());
        }
        held.pass();
        copy(x, y)
    });
    let pool = valid(Pool::builder().threads(1).build());
    let config = anira_tests::plain(HOP, std::time::Duration::from_micros(600));
    let mut handler = valid(InferenceHandler::builder(config).backend(model).scheduler(pool).build());
    let control = handler.control();
    let Prepared { mut audio, report, .. } = valid(handler.prepare(&realtime().channels(2)));
    let latency = report.latency[0].samples;
    let input = ramp(200 * HOP);
    let (mut left, mut right) = (input.clone(), input.clone());
    for (n, (l, r)) in left.chunks_mut(HOP).zip(right.chunks_mut(HOP)).enumerate() {
        match n {
            20 => gate.shut(),
            100 => {
                gate.await_waiting(1);
                gate.open();
            }
            _ => {}
        }
        assert_eq!(audio.process(&mut [l, r]).fault, None);
        if !(20..100).contains(&n) {
            settle(&control);
        }
    }
    let expected = delayed(&input, latency);
    for channel in [&left, &right] {
        assert!(right_or_silent(channel, &expected) > 0);
        assert_same(&channel[120 * HOP..], &expected[120 * HOP..], "back in place");
    }
    assert_eq!(left, right, "a hop is lost for all lanes or for none");
    // Both channels are the same; so are the windows of a hop, however long its second lane had to wait for its own.
    let windows = windows.lock().unwrap();
    assert!(
        windows.chunks(2).all(|lanes| lanes[0] == lanes[1]),
        "a window was overwritten before it was read"
    );
}

#[test]
fn two_engines_one_of_them_held_keep_the_order() {
    let gate = Gate::new();
    let held = gate.clone();
    // Hop 10 alone stops at the gate: its samples say that it is hop 10.
    let model = mono(HOP, move |x, y| {
        if x[0] == 10.0 {
            held.pass();
        }
        copy(x, y)
    });
    let config = anira_tests::cut()
        .input(InputTensor::stream("input", HOP))
        .output(OutputTensor::stream("output", HOP))
        .max_inference(std::time::Duration::from_micros(2600))
        .engines(2);
    let mut handler = crate::on_own_pool_with(valid(config.build()), model, 2);
    let control = handler.control();
    let Prepared { mut audio, report, .. } = valid(handler.prepare(&realtime()));
    let latency = report.latency[0].samples as usize;
    let input: Vec<f32> = (0..40 * HOP).map(|i| (i / HOP) as f32).collect();
    gate.shut();
    let mut output = Vec::new();
    for (n, block) in input.chunks(HOP).enumerate() {
        output.extend(send(&mut audio, block, &[HOP]).0);
        if n == 12 {
            // 11 and 12 are finished, and must not overtake 10.
            gate.await_waiting(1);
            eventually("the other engine goes on", || control.telemetry().returned >= 12);
        }
        if n == 13 {
            gate.open();
        }
        if n != 10 && n != 11 && n != 12 {
            settle(&control);
        }
    }
    let right = delayed(&input, latency as u64);
    right_or_silent(&output, &right);
    let silent = (10 * HOP + latency)..(11 * HOP + latency);
    assert!(output[silent].contains(&0.0), "hop 10 was late");
    assert_same(&output[20 * HOP..], &right[20 * HOP..], "and then all is as it was");
}

#[test]
fn a_hop_that_is_finished_in_time_is_heard_although_the_block_before_was_late() {
    // Driven by hand: exactly which samples are late is known.
    let scheduler = valid(Driven::new(1));
    let mut driver = scheduler.driver();
    let mut handler =
        valid(InferenceHandler::builder(config()).backend(mono(HOP, copy)).scheduler(scheduler).build());
    let control = handler.control();
    let Prepared { mut audio, report, .. } = valid(handler.prepare(&realtime()));
    assert_eq!(report.latency[0].samples, HOP as u64);
    let input = ramp(6 * HOP);
    let mut output = Vec::new();
    for (n, block) in input.chunks(HOP).enumerate() {
        output.extend(send(&mut audio, block, &[HOP]).0);
        // After block 1 nobody runs; after block 2 its hop has passed, and is not run for nothing.
        let runs = [1, 0, 1, 1, 1, 1][n];
        (0..runs).for_each(|_| assert!(driver.run_one()));
    }
    let mut right = delayed(&input, HOP as u64);
    right[2 * HOP..3 * HOP].fill(0.0);
    assert_same(&output, &right, "one hop late");
    let told = control.telemetry();
    assert_eq!((told.late_samples, told.done, told.dropped), (HOP as u64, 5, 1));
    assert!(!driver.run_one(), "nothing is left");
}
