//! The end of the input: `flush` gives what is on its way, `tail` says how long that lasts.

use std::time::Duration;

use anira::prelude::*;
use anira_tests::{Random, assert_same, backend, cut, ramp, signature, valid};

/// Every sample of a hop is the sum of its whole window: the farthest that a window reaches.
fn smearing(inputs: &[(usize, usize)], hop_out: usize, decay: u64) -> (InferenceConfig, impl Backend) {
    let names = ["a", "b", "c"];
    let shapes: Vec<[usize; 3]> = inputs.iter().map(|(hop, context)| [1, 1, hop + context]).collect();
    let tensors: Vec<(&str, &[usize])> = names.into_iter().zip(shapes.iter().map(|s| &s[..])).collect();
    let count = inputs.len();
    let model = backend(signature(&tensors, &[("y", &[1, 1, hop_out])]), move |x, y| {
        let mut sum = 0.0;
        for input in 0..count {
            sum += x.f32(input)?.iter().sum::<f32>();
        }
        y.f32(0)?.fill(sum);
        Ok(())
    });
    let mut config = cut().max_inference(Duration::from_micros(100));
    for (name, (hop, context)) in names.into_iter().zip(inputs) {
        config = config.input(InputTensor::stream(name, *hop).context(*context));
    }
    let config = config.output(OutputTensor::stream("y", hop_out).decay(decay));
    (valid(config.build()), model)
}

#[test]
fn tails_by_hand() {
    let tail = |inputs: &[(usize, usize)], hop_out, decay| {
        let (config, model) = smearing(inputs, hop_out, decay);
        let mut handler = valid(InferenceHandler::builder(config).backend(model).scheduler(Offline).build());
        let host = HostConfig::fixed(48_000.0, inputs[0].0).mode(Mode::Offline);
        let Prepared { audio, report, .. } = valid(handler.prepare(&host));
        assert_eq!(audio.tail(0), Some(report.tail[0]));
        assert_eq!(audio.tail(1), None);
        report.tail[0] - report.latency[0].samples
    };
    assert_eq!(tail(&[(1, 0)], 1, 0), 0);
    assert_eq!(tail(&[(64, 0)], 64, 0), 63);
    assert_eq!(tail(&[(64, 10)], 64, 0), 73);
    assert_eq!(tail(&[(64, 10)], 64, 1000), 1073);
    assert_eq!(tail(&[(64, 10)], 128, 0), 146);
    assert_eq!(tail(&[(64, 10)], 32, 0), 37, "36.5, rounded up");
    assert_eq!(tail(&[(64, 0), (32, 16)], 64, 0), 94, "the longer of the two");
}

#[test]
fn a_flush_gives_what_a_long_run_of_silence_gives_and_nothing_comes_after_the_tail() {
    let mut random = Random(31);
    let mut last_sounds = false;
    for (inputs, hop_out) in [
        (&[(64, 0)][..], 64),
        (&[(64, 10)], 64),
        (&[(16, 100)], 16),
        (&[(12, 5)], 5),
        (&[(5, 12)], 12),
        (&[(64, 3), (32, 40)], 64),
        (&[(8, 0), (12, 1), (20, 7)], 6),
    ] {
        for block in [1, 7, 64, 100] {
            for len in [1, 63, 64, 200, 331] {
                let (config, model) = smearing(inputs, hop_out, 0);
                let builder = InferenceHandler::builder(config).backend(model).scheduler(Offline);
                let mut handler = valid(builder.build());
                let host = HostConfig::varying(48_000.0, block).mode(Mode::Offline);
                let Prepared { mut audio, report, .. } = valid(handler.prepare(&host));
                let tail = report.tail[0] as usize;
                let share = |samples: usize, hop: usize| samples * hop / inputs[0].0;
                let (due, rest) = (share(len, hop_out), tail + 3 * block + 2 * hop_out);
                let whole = share(len, hop_out) + rest;
                let long = whole.div_ceil(hop_out) * inputs[0].0;
                // A host's callbacks: `len` samples of input, then silence.
                let play = |audio: &mut Audio<_, _, _>, count: usize| {
                    let (mut output, mut at) = (Vec::new(), 0);
                    while at < count {
                        let end = (at + block).min(count);
                        for (stream, (hop, _)) in inputs.iter().enumerate() {
                            let mut samples = ramp(share(len, *hop));
                            samples.resize(share(long, *hop), 0.0);
                            let part = &samples[share(at, *hop)..share(end, *hop)];
                            assert!(audio.push(stream, &[part]).is_ok());
                        }
                        let mut out = vec![f32::NAN; share(end, hop_out) - share(at, hop_out)];
                        assert!(audio.pop(0, &mut [&mut out[..]]).is_ok());
                        output.extend(out);
                        at = end;
                    }
                    output
                };
                let right = play(&mut audio, long)[..whole].to_vec();
                audio.reset();
                let mut output = play(&mut audio, len);
                assert_eq!(output.len(), due);
                while output.len() < whole {
                    let size = random.below(2 * block + 1).min(whole - output.len());
                    let mut out = vec![f32::NAN; size];
                    assert!(audio.flush(&mut [&mut out[..]]).is_ok());
                    output.extend(out);
                }
                assert_same(&output, &right, format_args!("{inputs:?} to {hop_out}, {len} in {block}"));
                // A sample that was handed in last is heard for `tail` samples after its own place.
                let end = due + tail;
                assert!(output[end..].iter().all(|s| *s == 0.0), "{inputs:?}: something after the tail");
                last_sounds |= output[..end].last().is_some_and(|s| *s != 0.0);
            }
        }
    }
    assert!(last_sounds, "no tail is as long as it says");
}

#[test]
fn a_flush_in_real_time() {
    let (config, model) = smearing(&[(64, 10)], 64, 0);
    let scheduler = valid(Driven::new(1));
    let mut driver = scheduler.driver();
    let mut handler = valid(InferenceHandler::builder(config).backend(model).scheduler(scheduler).build());
    let Prepared { mut audio, report, .. } = valid(handler.prepare(&HostConfig::fixed(48_000.0, 64)));
    let mut output = Vec::new();
    for k in 0..10 {
        let mut block = vec![1.0f32; 64];
        let status = match k {
            0..3 => audio.process(&mut [&mut block[..]]),
            _ => audio.flush(&mut [&mut block[..]]),
        };
        assert!(status.is_ok());
        while driver.run_one() {}
        output.extend(block);
    }
    assert_eq!(report.latency[0].samples, 64);
    let hop = |value: f32| vec![value; 64];
    let right = [hop(0.0), hop(64.0), hop(74.0), hop(74.0), hop(10.0)].concat();
    assert_same(&output[..320], &right, "three hops of ones, and what the context holds");
    assert!(output[320..].iter().all(|s| *s == 0.0));
    assert_eq!(report.tail[0], 64 + 73);
}
