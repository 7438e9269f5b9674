//! Channels, lanes and output streams: each has its own way out and back.

use std::time::Duration;

use anira::prelude::*;
use anira::traits::Layout;
use anira_tests::{assert_same, backend, signature, valid};

use crate::{HOP, RATE, Stage, noise, policy, right, script, settings, times, truth};

#[test]
fn two_channels_in_two_lanes() {
    for (_, kind) in LatePolicy::ALL {
        let planar = || valid("NCT".parse::<Layout>());
        let shape = [1, 2, HOP];
        let tensors = signature(&[("input", &shape)], &[("output", &shape)]);
        let model = backend(tensors, |x, y| {
            y.f32(0)?.iter_mut().zip(x.f32(0)?).for_each(|(y, x)| *y = 0.5 * x);
            Ok(())
        });
        let config = InferenceConfig::builder()
            .input(InputTensor::stream("input", HOP).layout(planar()))
            .output(OutputTensor::stream("output", HOP).layout(planar()))
            .late_policy(kind)
            .late_fade(90)
            .max_inference(Duration::from_micros(600));
        let host = HostConfig::varying(RATE, 100).channels(4);
        let mut stage = Stage::new(InferenceHandler::builder(valid(config.build())).backend(model), &host);
        let input: Vec<_> = (1..5).map(|seed| noise(3000, seed)).collect();
        let script = script(&[100, 3, 64], 3000, &[800..1000, 1100..1164, 2000..2300]);
        let output = stage.play(&input, &script);
        let truth = truth(stage.zero_fill, HOP, &script);
        for (output, input) in output.iter().zip(&input) {
            let replaced = policy(kind, HOP, (stage.zero_fill, stage.latency), input);
            let (right, _) = right(90, stage.zero_fill, &truth.heard, &times(input, 0.5), replaced);
            assert_same(output, &right, format_args!("{kind:?}"));
        }
        truth.is_told_by(&stage.telemetry(), "samples per channel");
    }
}

#[test]
fn outputs_of_different_hops_go_their_own_ways() {
    for (_, kind) in LatePolicy::ALL {
        // The second output has half the rate, and so no input to be dry with.
        let tensors = signature(
            &[("main", &[1, 1, HOP]), ("side", &[1, 1, HOP])],
            &[("whole", &[1, 1, HOP]), ("halved", &[1, 1, HOP / 2])],
        );
        let model = backend(tensors, |x, y| {
            y.f32(0)?.iter_mut().zip(x.f32(0)?).for_each(|(y, x)| *y = 0.5 * x);
            y.f32(1)?.iter_mut().zip(x.f32(1)?.iter().step_by(2)).for_each(|(y, x)| *y = -x);
            Ok(())
        });
        let config = settings_of_two().late_policy(kind).late_fade(50);
        let host = HostConfig::varying(RATE, 96);
        let mut stage = Stage::new(InferenceHandler::builder(valid(config.build())).backend(model), &host);
        let zero_fills = [stage.zero_fill, stage.audio.latency(1).unwrap() as usize];
        let (main, side) = (noise(4000, 1), noise(4000, 2));
        let script = script(&[96, 32], 4000, &[700..1000, 1100..1164, 2000..2300]);
        let (mut whole, mut halved) = (vec![0.0; 4000], vec![0.0; 2000]);
        let (mut at, mut late) = (0, [0, 0]);
        for &(frames, runs) in &script {
            let (block, less) = (at..at + frames, at / 2..(at + frames) / 2);
            assert!(stage.audio.push(0, &[&main[block.clone()]]).is_ok());
            assert!(stage.audio.push(1, &[&side[block.clone()]]).is_ok());
            late[0] += stage.audio.pop(0, &mut [&mut whole[block]]).late_samples;
            late[1] += stage.audio.pop(1, &mut [&mut halved[less]]).late_samples;
            at += frames;
            while runs && stage.driver.run_one() {}
        }
        let truths = [truth(zero_fills[0], HOP, &script), truth_of_halved(zero_fills[1], &script)];
        let halves: Vec<f32> = side.iter().step_by(2).map(|x| -x).collect();
        let cases = [
            (&whole, times(&main, 0.5), &main, HOP, kind),
            (&halved, halves, &side, HOP / 2, without_dry(kind)),
        ];
        for (n, (output, answer, dry, hop, kind)) in cases.into_iter().enumerate() {
            let zero_fill = zero_fills[n];
            let replaced = policy(kind, hop, (zero_fill, zero_fill), dry);
            let (right, _) = right(50, zero_fill, &truths[n].heard, &answer, replaced);
            assert_same(output, &right, format_args!("{kind:?}, output {n}"));
            assert!(late[n] > 0 && late[n] == truths[n].late_samples, "{kind:?}, output {n}");
        }
        assert_eq!(stage.telemetry().late_samples, late[0] + late[1]);
    }
}

fn settings_of_two() -> anira::traits::InferenceConfigBuilder {
    InferenceConfig::builder()
        .input(InputTensor::stream("main", HOP))
        .input(InputTensor::stream("side", HOP))
        .output(OutputTensor::stream("whole", HOP))
        .output(OutputTensor::stream("halved", HOP / 2))
        .max_inference(Duration::from_millis(1))
}

fn without_dry(policy: LatePolicy) -> LatePolicy {
    if policy == LatePolicy::Dry { LatePolicy::Silence } else { policy }
}

/// As [`truth`], for an output of half the rate.
fn truth_of_halved(zero_fill: usize, of_input: &[(usize, bool)]) -> crate::Truth {
    // A hop is complete at the same callback; its samples go out at half the pace.
    let halved: Vec<_> = of_input.iter().map(|(frames, runs)| (frames / 2, *runs)).collect();
    truth(zero_fill, HOP / 2, &halved)
}

#[test]
fn a_hop_that_comes_in_the_middle_of_itself() {
    // Blocks of a quarter hop: the first half of a hop is late, the second is there.
    for (_, kind) in LatePolicy::ALL {
        let config = valid(settings(HOP).late_policy(kind).late_fade(5).build());
        let host = HostConfig::fixed(RATE, 16);
        let mut stage = Stage::new(InferenceHandler::builder(config).backend(crate::half(HOP)), &host);
        let input = noise(1600, 6);
        // The inference of hop 9 ends two callbacks after its first sample was wanted.
        let start = 10 * HOP - 16;
        let wanted = 9 * HOP + stage.zero_fill;
        let script = script(&[16], input.len(), &[start..wanted + 16]);
        let truth = truth(stage.zero_fill, HOP, &script);
        let output = stage.play(std::slice::from_ref(&input), &script).remove(0);
        assert_eq!(truth.late_samples, 32, "half a hop");
        let replaced = policy(kind, HOP, (stage.zero_fill, stage.latency), &input);
        let (right, _) = right(5, stage.zero_fill, &truth.heard, &times(&input, 0.5), replaced);
        assert_same(&output, &right, format_args!("{kind:?}"));
        truth.is_told_by(&stage.telemetry(), format_args!("{kind:?}"));
    }
}

#[test]
fn a_hop_that_one_output_can_still_use_is_run_for_it() {
    // Two outputs of one hop; the second declares so much latency that a stall of four hops does not make it late.
    let two = || {
        let tensors =
            signature(&[("main", &[1, 1, HOP])], &[("first", &[1, 1, HOP]), ("second", &[1, 1, HOP])]);
        backend(tensors, |x, y| {
            y.f32(0)?.copy_from_slice(x.f32(0)?);
            y.f32(1)?.copy_from_slice(x.f32(0)?);
            Ok(())
        })
    };
    let spare = 8 * HOP;
    let config = anira_tests::cut()
        .input(InputTensor::stream("main", HOP))
        .output(OutputTensor::stream("first", HOP))
        .output(OutputTensor::stream("second", HOP).declared_latency(spare as u64))
        .max_inference(Duration::from_millis(1));
    let builder = InferenceHandler::builder(valid(config.build())).backend(two());
    let mut stage = Stage::new(builder, &HostConfig::fixed(RATE, HOP));
    let input = noise(40 * HOP, 3);
    let (mut second, mut late) = (vec![0.0; input.len()], [0, 0]);
    for (n, block) in input.chunks(HOP).enumerate() {
        assert!(stage.audio.push(0, &[block]).is_ok());
        late[0] += stage.audio.pop(0, &mut [&mut [0.0; HOP][..]]).late_samples;
        let status = stage.audio.pop(1, &mut [&mut second[n * HOP..(n + 1) * HOP]]);
        late[1] += status.late_samples;
        while !(10..14).contains(&n) && stage.driver.run_one() {}
    }
    assert!(late[0] >= 4 * HOP as u64, "the stall is heard in the first: {late:?}");
    assert_eq!((late[1], stage.telemetry().dropped), (0, 0), "and not in the second");
    assert_same(&second, &anira_tests::delayed(&input, spare as u64), "the second output");
}
