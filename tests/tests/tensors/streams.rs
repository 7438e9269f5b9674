//! Several streams, streams at other rates, sources without input, sinks without output.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anira::prelude::*;
use anira_tests::{Random, assert_same, backend, ramp, settle, signature, valid};

use crate::{rendering, rendering_varying};

/// output = main - side.
fn ducking(hop: usize, side_hop: usize) -> (InferenceConfig, impl Backend) {
    let tensors =
        signature(&[("main", &[1, 1, hop]), ("side", &[1, 1, side_hop])], &[("output", &[1, 1, hop])]);
    let model = backend(tensors, move |x, y| {
        let (main, side) = (x.f32(0)?, x.f32(1)?);
        y.f32(0)?.iter_mut().enumerate().for_each(|(i, y)| *y = main[i] - side[i * side_hop / hop]);
        Ok(())
    });
    let config = anira_tests::cut()
        .input(InputTensor::stream("main", hop))
        .input(InputTensor::stream("side", side_hop))
        .output(OutputTensor::stream("output", hop))
        .max_inference(Duration::from_micros(500));
    (valid(config.build()), model)
}

#[test]
fn a_sidechain_meets_the_samples_that_came_with_it() {
    let (config, model) = ducking(64, 64);
    let mut handler = valid(InferenceHandler::builder(config).backend(model).build());
    let Prepared { mut audio, report, .. } = valid(handler.prepare(&rendering_varying(100)));
    let latency = report.latency[0].samples as usize;
    let mut random = Random(11);
    let (main, side) = (ramp(10_000), vec![0.5f32; 10_000]);
    let (mut at, mut output, mut connected) = (0, Vec::new(), Vec::new());
    while at < main.len() {
        let n = random.below(101).min(main.len() - at);
        // In some callbacks the side is not connected; sometimes it comes first.
        let (silent, first) = (random.below(3) == 0, random.below(2) == 0);
        let mut block = vec![0.0; n];
        if first {
            assert!(audio.push(0, &[&main[at..at + n]]).is_ok());
        }
        match silent {
            true => assert!(audio.push_silence(1, n).is_ok()),
            false => assert!(audio.push(1, &[&side[at..at + n]]).is_ok()),
        }
        if !first {
            assert!(audio.push(0, &[&main[at..at + n]]).is_ok());
        }
        assert!(audio.pop(0, &mut [&mut block[..]]).is_ok());
        connected.extend(std::iter::repeat_n(if silent { 0.0 } else { 0.5 }, n));
        output.extend(block);
        at += n;
    }
    let right: Vec<f32> =
        (0..output.len()).map(|i| i.checked_sub(latency).map_or(0.0, |i| main[i] - connected[i])).collect();
    assert_same(&output, &right, "main minus side");
}

#[test]
fn one_input_that_is_fed_alone_neither_hangs_nor_shifts_the_others() {
    let (config, model) = ducking(64, 64);
    let mut handler = valid(InferenceHandler::builder(config).backend(model).scheduler(Offline).build());
    let Prepared { mut audio, .. } = valid(handler.prepare(&rendering(64)));
    // Far more than any ring holds.
    for _ in 0..1000 {
        assert!(audio.push(0, &[&[1.0f32; 64][..]]).is_ok());
    }
    assert!(audio.push_silence(1, 64_000).is_ok());
    let mut block = vec![0.0f32; 64];
    for _ in 0..1000 {
        let _ = audio.pop(0, &mut [&mut block[..]]);
    }
    for n in 0..100 {
        block.fill(n as f32);
        assert!(audio.push(0, &[&block[..]]).is_ok());
        assert!(audio.push(1, &[&[0.5f32; 64][..]]).is_ok());
        assert!(audio.pop(0, &mut [&mut block[..]]).is_ok());
        assert_same(&block, &[n as f32 - 0.5; 64], format_args!("block {n}"));
    }
}

#[test]
fn a_side_input_at_half_the_rate_follows() {
    let (config, model) = ducking(64, 32);
    let mut handler = valid(InferenceHandler::builder(config).backend(model).build());
    let Prepared { mut audio, report, .. } = valid(handler.prepare(&rendering(48)));
    let latency = report.latency[0].samples as usize;
    let mut output = Vec::new();
    for n in 0..100 {
        let main: Vec<f32> = (48 * n..48 * (n + 1)).map(|i| i as f32).collect();
        let side: Vec<f32> = (24 * n..24 * (n + 1)).map(|i| (2 * i) as f32).collect();
        let mut block = vec![0.0; 48];
        assert!(audio.push(1, &[&side[..]]).is_ok());
        assert!(audio.process_into(&[&main[..]], &mut [&mut block[..]]).is_ok());
        output.extend(block);
    }
    let right: Vec<f32> =
        (0..4800).map(|i: usize| i.checked_sub(latency).map_or(0.0, |i| (i % 2) as f32)).collect();
    assert_same(&output, &right, "what is left is the odd sample");
}

/// A model that repeats or leaves out samples: hop_in to hop_out.
fn resampling(hop_in: usize, hop_out: usize) -> (InferenceConfig, impl Backend) {
    let tensors = signature(&[("input", &[1, 1, hop_in])], &[("output", &[1, 1, hop_out])]);
    let model = backend(tensors, move |x, y| {
        let x = x.f32(0)?;
        y.f32(0)?.iter_mut().enumerate().for_each(|(i, y)| *y = x[i * hop_in / hop_out]);
        Ok(())
    });
    let config = anira_tests::cut()
        .input(InputTensor::stream("input", hop_in))
        .output(OutputTensor::stream("output", hop_out))
        .max_inference(Duration::from_micros(15 * hop_in as u64));
    (valid(config.build()), model)
}

#[test]
fn streams_that_leave_at_another_rate_are_delayed_by_their_own_latency() {
    for (hop_in, hop_out, block) in [(64, 128, 64), (128, 64, 64), (64, 128, 50), (96, 32, 60), (50, 150, 7)]
    {
        let (config, model) = resampling(hop_in, hop_out);
        let mut handler = valid(InferenceHandler::builder(config).backend(model).build());
        let Prepared { mut audio, report, .. } = valid(handler.prepare(&rendering(block)));
        let latency = report.latency[0].samples as usize;
        let input = ramp(60 * block);
        let (mut output, mut taken) = (Vec::new(), 0);
        for part in input.chunks(block) {
            taken += part.len();
            let mut out = vec![-1.0f32; taken * hop_out / hop_in - output.len()];
            assert!(audio.process_into(&[part], &mut [&mut out[..]]).is_ok(), "{hop_in} to {hop_out}");
            output.extend(out);
        }
        let right: Vec<f32> = (0..output.len())
            .map(|i| i.checked_sub(latency).map_or(0.0, |i| input[i * hop_in / hop_out]))
            .collect();
        assert_same(&output, &right, format_args!("{hop_in} to {hop_out} at {block}"));
    }
}

#[test]
fn two_outputs_at_two_rates_each_have_their_latency() {
    let tensors = signature(&[("input", &[1, 1, 64])], &[("same", &[1, 1, 64]), ("half", &[1, 1, 32])]);
    let model = backend(tensors, |x, y| {
        let x = x.f32(0)?;
        y.f32(0)?.copy_from_slice(x);
        y.f32(1)?.iter_mut().enumerate().for_each(|(i, y)| *y = x[2 * i]);
        Ok(())
    });
    let config = anira_tests::cut()
        .input(InputTensor::stream("input", 64))
        .output(OutputTensor::stream("same", 64))
        .output(OutputTensor::stream("half", 32).latency(5))
        .max_inference(Duration::from_micros(900));
    let mut handler = valid(InferenceHandler::builder(valid(config.build())).backend(model).build());
    let Prepared { mut audio, report, .. } = valid(handler.prepare(&rendering(100)));
    let [same, half] = [0, 1].map(|i| report.latency[i].samples as usize);
    assert_eq!(report.latency[1].model, 5);
    assert_eq!(
        [audio.latency(0), audio.latency(1), audio.latency(2)],
        [Some(same as u64), Some(half as u64), None]
    );
    let input = ramp(5000);
    let (mut a, mut b) = (vec![0.0; 5000], vec![0.0; 2500]);
    for ((x, a), b) in input.chunks(100).zip(a.chunks_mut(100)).zip(b.chunks_mut(50)) {
        assert!(audio.push(0, &[x]).is_ok());
        assert!(audio.pop(1, &mut [b]).is_ok());
        assert!(audio.pop(0, &mut [a]).is_ok());
    }
    assert_same(&a, &anira_tests::delayed(&input, same as u64), "same");
    let right: Vec<f32> =
        // The model says that it lags by 5 itself; this one does not, so its answer comes 5 samples before the figure.
        (0..2500).map(|i: usize| (i + 5).checked_sub(half).map_or(0.0, |i| input[2 * i])).collect();
    assert_same(&b, &right, "half");
}

#[test]
fn a_generator_is_clocked_by_what_is_asked_of_it() {
    let tensors = signature(&[("n_in", &[1])], &[("output", &[1, 2, 48]), ("n_out", &[1])]);
    let model = backend(tensors, |x, y| {
        let n = x.f32(0)?[0];
        y.f32(0)?
            .iter_mut()
            .enumerate()
            .for_each(|(i, y)| *y = n + (i % 48) as f32 + if i < 48 { 0.0 } else { 0.5 });
        y.f32(1)?[0] = n + 48.0;
        Ok(())
    });
    let config = anira_tests::cut()
        .input(InputTensor::state("n_in", "n_out").initial([1.0]))
        .output(OutputTensor::stream("output", 48).channels(2))
        .max_inference(Duration::from_micros(700));
    let mut handler = valid(InferenceHandler::builder(valid(config.build())).backend(model).build());
    for (host, process) in [(rendering(64), true), (rendering_varying(64), false)] {
        let Prepared { mut audio, report, .. } = valid(handler.prepare(&host));
        let latency = report.latency[0].samples as usize;
        for _ in 0..2 {
            let mut out = vec![vec![9.0f32; 64 * 30]; 2];
            let (left, right) = out.split_at_mut(1);
            for (l, r) in left[0].chunks_mut(64).zip(right[0].chunks_mut(64)) {
                let status = match process {
                    true => audio.process(&mut [l, r]),
                    false => audio.pop(0, &mut [l, r]),
                };
                assert!(status.is_ok(), "{status:?}");
            }
            for (i, (l, r)) in out[0].iter().zip(&out[1]).enumerate() {
                let right = i.checked_sub(latency).map_or((0.0, 0.0), |n| (n as f32 + 1.0, n as f32 + 1.5));
                assert_eq!((*l, *r), right, "sample {i}, latency {latency}");
            }
            audio.reset();
        }
    }
}

/// A model that only listens; how often it ran, and the sum of all it heard in whole hops.
fn listening(hop: usize) -> (InferenceConfig, impl Backend, Arc<AtomicU64>) {
    let runs = Arc::new(AtomicU64::new(0));
    let counted = runs.clone();
    let model = backend(signature(&[("input", &[1, 1, hop])], &[("sum", &[1])]), move |x, y| {
        counted.fetch_add(1, Ordering::Relaxed);
        y.f32(0)?[0] = x.f32(0)?.iter().sum();
        Ok(())
    });
    let config = anira_tests::cut()
        .input(InputTensor::stream("input", hop))
        .output(OutputTensor::parameter("sum"))
        .max_inference(Duration::from_micros(1));
    (valid(config.build()), model, runs)
}

#[test]
fn an_analyser_that_is_only_fed_never_stalls_offline() {
    let (config, model, runs) = listening(16);
    let mut handler = valid(InferenceHandler::builder(config).backend(model).build());
    let control = handler.control();
    let Prepared { mut audio, report, .. } = valid(handler.prepare(&rendering(16)));
    assert!(report.latency.is_empty());
    for _ in 0..10_000 {
        assert!(audio.push(0, &[&[1.0f32; 16][..]]).is_ok());
    }
    settle(&control);
    assert!(audio.push(0, &[&[0.0f32; 0][..]]).is_ok());
    assert_eq!((control.telemetry().submitted, runs.load(Ordering::Relaxed)), (10_000, 10_000));
    assert_eq!(control.reading("sum"), Some(vec![16.0]));
}

#[test]
fn an_analyser_in_real_time_misses_nothing_that_there_is_time_for() {
    let (config, model, runs) = listening(16);
    let mut handler = valid(InferenceHandler::builder(config).backend(model).build());
    let control = handler.control();
    let Prepared { mut audio, .. } = valid(handler.prepare(&HostConfig::fixed(48_000.0, 16)));
    for _ in 0..10_000 {
        let mut block = [1.0f32; 16];
        // `process` too: there is nothing to hand out, and it says so.
        assert_eq!(audio.process(&mut [&mut block[..]]).fault, Some(Fault::NoStream));
        settle(&control);
    }
    let telemetry = control.telemetry();
    assert_eq!((telemetry.done, telemetry.dropped, runs.load(Ordering::Relaxed)), (10_000, 0, 10_000));
}

#[test]
fn an_output_that_nobody_takes_stalls_nothing() {
    let (config, model) = resampling(16, 16);
    let mut handler = valid(InferenceHandler::builder(config).backend(model).build());
    let control = handler.control();
    let Prepared { mut audio, .. } = valid(handler.prepare(&rendering(16)));
    for _ in 0..10_000 {
        assert!(audio.push(0, &[&[1.0f32; 16][..]]).is_ok());
    }
    settle(&control);
    assert_eq!((control.telemetry().done, control.telemetry().dropped), (10_000, 0));
}
