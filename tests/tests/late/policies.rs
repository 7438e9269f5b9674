//! Silence, dry signal, held hops: exact samples and counts for all kinds of blocks, fades and moments.

use std::ops::Range;

use anira::prelude::*;
use anira_tests::{Fading, assert_same, delayed, refused, valid};

use crate::{HOP, RATE, Stage, half, noise, policy, right, script, settings, times, truth};

/// When nobody runs anything, in latencies of input: for one; for several; first of all; again while the model fades in; and
/// to the end.
const IDLE: [&[Range<usize>]; 6] =
    [&[10..11], &[10..13], &[0..2], &[10..11, 12..13], &[10..11, 13..14, 15..20], &[19..99]];

#[test]
fn every_policy_fade_block_and_moment_sample_for_sample() {
    for (hop, sizes) in
        [(64, &[64][..]), (64, &[16]), (64, &[48]), (32, &[160]), (150, &[96]), (64, &[1, 100, 37])]
    {
        let host = match sizes {
            [size] => HostConfig::fixed(RATE, *size),
            sizes => HostConfig::varying(RATE, sizes.iter().copied().max().unwrap()),
        };
        for (_, kind) in LatePolicy::ALL {
            for fade in [0, 1, 7, 64, 100, 200] {
                for idle in IDLE {
                    let what = format!("{kind:?} {fade} {hop} {sizes:?} {idle:?}");
                    let config = valid(settings(hop).late_policy(kind).late_fade(fade).build());
                    let mut stage = Stage::new(InferenceHandler::builder(config).backend(half(hop)), &host);
                    let (zero_fill, latency) = (stage.zero_fill, stage.latency);
                    let input = noise(24 * zero_fill, 1);
                    let idle: Vec<_> = idle.iter().map(|i| i.start * zero_fill..i.end * zero_fill).collect();
                    let script = script(sizes, input.len(), &idle);
                    let truth = truth(zero_fill, hop, &script);
                    assert!(truth.late_samples > 0 && truth.heard.contains(&true), "{what}");

                    let output = stage.play(std::slice::from_ref(&input), &script);
                    let replaced = policy(kind, hop, (zero_fill, latency), &input);
                    let (right, _) = right(fade, zero_fill, &truth.heard, &times(&input, 0.5), replaced);
                    assert_same(&output[0], &right, &what);
                    truth.is_told_by(&stage.telemetry(), &what);
                    assert_eq!(stage.audio.latency(0), Some(latency as u64), "{what}");
                }
            }
        }
    }
}

#[test]
fn the_first_late_sample_is_the_last_that_was_heard_and_the_fade_is_as_long_as_was_said() {
    // In numbers, for silence: what the reference says can be read here.
    let config = valid(settings(HOP).late_fade(4).build());
    let mut stage =
        Stage::new(InferenceHandler::builder(config).backend(half(HOP)), &HostConfig::fixed(RATE, HOP));
    assert_eq!(stage.latency, HOP);
    let output = &stage.play(&[vec![2.0; 8 * HOP]], &script(&[HOP], 8 * HOP, &[3 * HOP..4 * HOP]))[0];
    let (gone, back) = (4 * HOP, 5 * HOP);
    assert_eq!(output[gone - 2..gone + 6], [1.0, 1.0, 1.0, 0.75, 0.5, 0.25, 0.0, 0.0]);
    assert_eq!(output[back - 2..back + 6], [0.0, 0.0, 0.2, 0.4, 0.6, 0.8, 1.0, 1.0]);
    assert_eq!(stage.telemetry().late_samples, HOP as u64, "what fades in is not late");
}

#[test]
fn what_is_held_was_heard_whole() {
    // Hop 3 comes late, but before hop 4, which is late too: it was never heard, and is not held. (The state lets it run.)
    let (config, model) = crate::backlog::half_with_state();
    let config = valid(config.late_policy(LatePolicy::Hold).late_fade(0).build());
    let mut stage =
        Stage::new(InferenceHandler::builder(config).backend(model), &HostConfig::fixed(RATE, HOP));
    let input: Vec<f32> = (0..8 * HOP).map(|i| (2 * (i / HOP)) as f32).collect();
    let mut output = Vec::new();
    for (n, block) in input.chunks(HOP).enumerate() {
        output.extend(stage.play(&[block.to_vec()], &[(HOP, false)]).remove(0));
        // The fourth callback is followed by none, the fifth by the run that it lacked, the sixth by both that are left.
        let runs = [1, 1, 1, 0, 1, 2, 1, 1][n];
        (0..runs).for_each(|_| assert!(stage.driver.run_one()));
    }
    let hops: Vec<f32> = output.chunks(HOP).map(|hop| hop[0]).collect();
    assert_eq!(hops, [0.0, 0.0, 1.0, 2.0, 2.0, 2.0, 5.0, 6.0]);
    assert!(output.chunks(HOP).all(|hop| hop.iter().all(|s| *s == hop[0])), "cuts are at hops");
}

#[test]
fn what_is_dry_is_delayed_by_the_models_latency_too() {
    for delay in [1, 10, 63, 64, 100] {
        let config = InferenceConfig::builder()
            .input(InputTensor::stream("input", HOP))
            .output(OutputTensor::stream("output", HOP).latency(delay as u64))
            .late_policy(LatePolicy::Dry)
            .late_fade(16)
            .max_inference(std::time::Duration::from_millis(1));
        let host = HostConfig::varying(RATE, 80);
        let mut stage =
            Stage::new(InferenceHandler::builder(valid(config.build())).backend(half(HOP)), &host);
        assert_eq!(stage.latency, stage.zero_fill + delay);
        let input = noise(3000, 2);
        let script = script(&[80, 33], input.len(), &[700..1300]);
        let truth = truth(stage.zero_fill, HOP, &script);
        let output = stage.play(std::slice::from_ref(&input), &script).remove(0);
        let replaced = policy(LatePolicy::Dry, HOP, (stage.zero_fill, stage.latency), &input);
        let (right, _) = right(16, stage.zero_fill, &truth.heard, &times(&input, 0.5), replaced);
        assert_same(&output, &right, format_args!("{delay}"));
        // In the middle of it nothing is left of the step: it is the input, as late as the host was told.
        let late = truth.heard.iter().position(|heard| !heard).unwrap();
        let middle = late + 16..late + 400;
        assert_same(&output[middle.clone()], &delayed(&input, stage.latency as u64)[middle], "the input");
    }
}

#[test]
fn a_bypass_over_what_is_late() {
    // The switch's own fade goes from what is heard, replaced or not, to the input, and back.
    for (_, kind) in LatePolicy::ALL {
        let config = valid(settings(HOP).late_policy(kind).late_fade(40).build());
        let host = HostConfig::varying(RATE, 50);
        let mut stage = Stage::new(InferenceHandler::builder(config).backend(half(HOP)), &host);
        let input = noise(4000, 3);
        let script = script(&[50], input.len(), &[900..1500, 2100..2200]);
        let mut output = Vec::new();
        for (n, step) in script.iter().enumerate() {
            match n {
                20 => stage.audio.set_bypass(true),
                45 => stage.audio.set_bypass(false),
                _ => {}
            }
            output.extend(stage.play(&[input[n * 50..(n + 1) * 50].to_vec()], &[*step]).remove(0));
        }
        let truth = truth(stage.zero_fill, HOP, &script);
        let replaced = policy(kind, HOP, (stage.zero_fill, stage.latency), &input);
        let (wet, _) = right(40, stage.zero_fill, &truth.heard, &times(&input, 0.5), replaced);
        let dry = delayed(&input, stage.latency as u64);
        let mut fade = 0usize;
        let mix = |(p, (wet, dry)): (usize, (&f32, &f32))| {
            fade = if (1000..2250).contains(&p) { (fade + 1).min(128) } else { fade.saturating_sub(1) };
            match fade {
                0 => *wet,
                128 => *dry,
                at => wet + (dry - wet) * (at as f32 / 128.0),
            }
        };
        let right: Vec<f32> = wet.iter().zip(&dry).enumerate().map(mix).collect();
        assert_same(&output, &right, format_args!("{kind:?}"));
        truth.is_told_by(&stage.telemetry(), "counted also where it is not heard");
    }
}

#[test]
fn after_a_reset_nothing_is_left_of_what_was_late() {
    for (_, kind) in LatePolicy::ALL {
        let config = || valid(settings(HOP).late_policy(kind).late_fade(100).build());
        let host = HostConfig::varying(RATE, 100);
        let new = || Stage::new(InferenceHandler::builder(config()).backend(half(HOP)), &host);
        let input = noise(3000, 4);
        // The stream after it begins with hops that are late.
        let after = script(&[70, 100], input.len(), &[0..300, 1000..1200]);
        let fresh = new().play(std::slice::from_ref(&input), &after);
        let begun = script(&[100], 1500, &[1000..9999]);
        // While something is replaced; while the model fades in; in the model.
        for until in [14, 15, 8] {
            let mut stage = new();
            let mut before = begun[..until].to_vec();
            if until == 15 {
                before[13].1 = true;
            }
            let _ = stage.play(&[noise(3000, 5)], &before);
            stage.audio.reset();
            let output = stage.play(std::slice::from_ref(&input), &after);
            assert_same(&output[0], &fresh[0], format_args!("{kind:?} {until}"));
        }
    }
}

#[test]
fn what_a_wrong_block_silenced_counts_as_silence_that_was_heard() {
    let config = valid(settings(HOP).late_fade(8).late_policy(LatePolicy::Hold).build());
    let mut stage =
        Stage::new(InferenceHandler::builder(config).backend(half(HOP)), &HostConfig::fixed(RATE, HOP));
    let on = (HOP, true);
    let _ = stage.play(&[vec![2.0; 4 * HOP]], &[on, on, on, (HOP, false)]);
    let mut wrong = [[3.0f32; HOP], [3.0; HOP]];
    let [left, right] = &mut wrong;
    let status = stage.audio.process(&mut [&mut left[..], &mut right[..]]);
    assert_eq!((status.fault, wrong), (Some(Fault::Channels), [[0.0; HOP]; 2]));
    // Late: from silence to silence; nothing that was heard before the wrong block is held.
    let output = stage.play(&[vec![2.0; 3 * HOP]], &[on, on, on]);
    assert!(output[0][..HOP].iter().all(|s| *s == 0.0), "{:?}", &output[0][..8]);
    assert_eq!(output[0][2 * HOP..], [1.0; HOP]);
}

#[test]
fn dry_is_refused_where_no_output_has_an_input() {
    let config = InferenceConfig::builder()
        .input(InputTensor::stream("input", 64))
        .output(OutputTensor::stream("output", 32))
        .late_policy(LatePolicy::Dry)
        .max_inference(std::time::Duration::from_millis(1));
    let config = valid(config.build());
    let build = || InferenceHandler::builder(config.clone()).backend(Bypass).scheduler(valid(Driven::new(1)));
    refused(build().build(), ErrorKind::Config, &["late_policy", "dry", "silence", "hold"]);
    // What goes before the policy makes it meaningless, and is no error.
    let function = || |_: &anira::LateBlock<'_>, out: &mut [f32]| out.fill(0.0);
    assert!(build().late_function(function).build().is_ok());
}

#[test]
fn the_rule_itself_has_no_jump() {
    // What the library is compared with: a step of 1 into a replacement and back, in a fade of 9, moves by a tenth at most.
    let mut fading = Fading::new(9);
    let model = |p: usize| (!(20..40).contains(&p)).then_some(1.0);
    let heard: Vec<f32> = (0..80).map(|p| fading.next(model(p), 0.0, false)).collect();
    assert!(heard.windows(2).all(|w| (w[1] - w[0]).abs() < 0.112), "{heard:?}");
    assert_eq!((heard[20], heard[29], heard[39], heard[49]), (1.0, 0.0, 0.0, 1.0));
}
