//! A second model in place of the first: what it hears, when it runs, and what it remembers.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anira::backends::{FnBackend, Inputs, Outputs};
use anira::prelude::*;
use anira::traits::{InferenceConfigBuilder, InternalState};
use anira_tests::{Quick, assert_same, backend, signature, valid};

use crate::{HOP, RATE, Stage, half, noise, right, script, settings, times, truth};

/// `x[n] - x[n - context]`, counted in `runs`.
fn difference(context: usize, runs: &Arc<AtomicU64>) -> (InferenceConfigBuilder, impl Backend) {
    let runs = runs.clone();
    let tensors = signature(&[("input", &[1, 1, context + HOP])], &[("output", &[1, 1, HOP])]);
    let model = backend(tensors, move |x, y| {
        runs.fetch_add(1, Ordering::Relaxed);
        let x = x.f32(0)?;
        y.f32(0)?.iter_mut().enumerate().for_each(|(i, y)| *y = x[context + i] - x[i]);
        Ok(())
    });
    let config = InferenceConfig::builder()
        .input(InputTensor::stream("input", HOP).context(context))
        .output(OutputTensor::stream("output", HOP))
        .max_inference(Duration::from_millis(1));
    (config, model)
}

fn differences(x: &[f32], context: usize) -> Vec<f32> {
    (0..x.len()).map(|i| x[i] - i.checked_sub(context).map_or(0.0, |i| x[i])).collect()
}

/// The hops of which something is heard of the replacement.
fn hops_replaced(replaced: &[bool], zero_fill: usize) -> u64 {
    replaced[zero_fill..].chunks(HOP).filter(|hop| hop.contains(&true)).count() as u64
}

#[test]
fn without_state_it_runs_for_late_hops_alone_with_a_context_of_its_own() {
    for (context, sizes) in [(0, &[64][..]), (32, &[64]), (200, &[48]), (700, &[1, 150])] {
        for fade in [0, 20, 64, 300] {
            let (main_runs, runs) = (Arc::default(), Arc::default());
            let (config, main) = difference(96, &main_runs);
            let (own, spare) = difference(context, &runs);
            let fallback = Fallback::new(Quick(spare)).config(valid(own.build()));
            let config = valid(config.late_fade(fade).build());
            let builder = InferenceHandler::builder(config).backend(main).fallback(fallback);
            let host = HostConfig::varying(RATE, sizes.iter().copied().max().unwrap());
            let mut stage = Stage::new(builder, &host);
            let before = runs.load(Ordering::Relaxed);
            let input = noise(4000, 1);
            let script = script(sizes, 4000, &[900..1500, 2200..2300, 3000..3400]);
            let truth = truth(stage.zero_fill, HOP, &script);
            let output = stage.play(std::slice::from_ref(&input), &script).remove(0);
            let what = format!("context {context}, fade {fade}, {sizes:?}");
            let spare = differences(&input, context);
            let stand_in = |p: usize, _| (spare[p - stage.zero_fill], false);
            let answer = differences(&input, 96);
            let (right, replaced) = right(fade, stage.zero_fill, &truth.heard, &answer, stand_in);
            assert_same(&output, &right, &what);
            truth.is_told_by(&stage.telemetry(), &what);
            let told = stage.telemetry();
            let hops = hops_replaced(&replaced, stage.zero_fill);
            assert_eq!(runs.load(Ordering::Relaxed) - before, hops, "{what}");
            assert_eq!((told.stood_in, told.stand_in_failed), (hops, 0), "{what}");
        }
    }
}

#[test]
fn the_first_models_own_tensors_serve_where_none_are_named() {
    let config = valid(settings(HOP).late_fade(0).max_inference(Duration::from_micros(600)).build());
    let builder = InferenceHandler::builder(config).backend(half(HOP)).fallback(Fallback::new(Bypass));
    let mut stage = Stage::new(builder, &HostConfig::fixed(RATE, HOP).channels(2));
    let input = [noise(20 * HOP, 1), noise(20 * HOP, 2)];
    let script = script(&[HOP], 20 * HOP, &[5 * HOP..8 * HOP]);
    let truth = truth(stage.zero_fill, HOP, &script);
    let output = stage.play(&input, &script);
    for (output, input) in output.iter().zip(&input) {
        let stand_in = |p: usize, _| (input[p - stage.zero_fill], false);
        let (right, _) = right(0, stage.zero_fill, &truth.heard, &times(input, 0.5), stand_in);
        assert_same(output, &right, "both lanes");
    }
    assert_eq!(stage.telemetry().stood_in, 3, "hops, not lanes");
}

/// A fallback that answers `x + 10 z`, where z says how many hops it has heard. It has to hear every hop, late or not.
fn hears_every_hop<B: Backend>(own: InferenceConfigBuilder, spare: B, what: &str) {
    let fallback = Fallback::new(Quick(spare)).config(valid(own.build()));
    let config = valid(settings(HOP).late_fade(30).build());
    let builder = InferenceHandler::builder(config).backend(half(HOP)).fallback(fallback);
    let mut stage = Stage::new(builder, &HostConfig::varying(RATE, 100));
    let input = noise(3000, 1);
    let script = script(&[100, 29], 3000, &[900..1300, 2200..2300]);
    let truth = truth(stage.zero_fill, HOP, &script);
    let zero_fill = stage.zero_fill;
    let alone = |s: usize| input[s] + 10.0 * (s / HOP) as f32;
    let stand_in = |p: usize, _| (alone(p - zero_fill), false);
    let (right, _) = right(30, zero_fill, &truth.heard, &times(&input, 0.5), stand_in);
    let hops = (3000 - zero_fill).div_ceil(HOP) as u64;
    for round in 1..4 {
        let output = stage.play(std::slice::from_ref(&input), &script).remove(0);
        assert_same(&output, &right, format_args!("{what}, after {} resets", round - 1));
        assert_eq!(stage.telemetry().stood_in, round * hops, "{what}: every hop, once");
        stage.audio.reset();
    }
}

#[test]
fn with_a_state_tensor_it_hears_every_hop_and_a_reset_takes_it_back() {
    let shape = [1, 1, HOP];
    let tensors = signature(&[("input", &shape), ("z_in", &[1])], &[("output", &shape), ("z_out", &[1])]);
    let spare = backend(tensors, |x, y| {
        let z = x.f32(1)?[0];
        y.f32(0)?.iter_mut().zip(x.f32(0)?).for_each(|(y, x)| *y = x + 10.0 * z);
        y.f32(1)?[0] = z + 1.0;
        Ok(())
    });
    hears_every_hop(settings(HOP).input(InputTensor::state("z_in", "z_out")), spare, "a tensor");
}

#[test]
fn with_a_state_inside_it_hears_every_hop_and_a_reset_takes_it_back() {
    let shape = [1, 1, HOP];
    let spare = FnBackend::new("inside", signature(&[("input", &shape)], &[("output", &shape)]), || {
        let mut heard = 0.0;
        move |x: &Inputs<'_>, y: &mut Outputs<'_>| {
            y.f32(0)?.iter_mut().zip(x.f32(0)?).for_each(|(y, x)| *y = x + 10.0 * heard);
            heard += 1.0;
            Ok(())
        }
    });
    hears_every_hop(settings(HOP), spare.internal_state(InternalState::Inside), "inside");
}

#[test]
fn a_wrong_block_takes_no_hop_from_its_state() {
    let shape = [1, 1, HOP];
    let tensors = signature(&[("input", &shape), ("z_in", &[1])], &[("output", &shape), ("z_out", &[1])]);
    let spare = backend(tensors, |x, y| {
        let z = x.f32(1)?[0];
        y.f32(0)?.fill(z);
        y.f32(1)?[0] = z + 1.0;
        Ok(())
    });
    let own = settings(HOP).input(InputTensor::state("z_in", "z_out"));
    let fallback = Fallback::new(Quick(spare)).config(valid(own.build()));
    let config = valid(settings(HOP).late_fade(0).build());
    let builder = InferenceHandler::builder(config).backend(half(HOP)).fallback(fallback);
    let mut stage = Stage::new(builder, &HostConfig::fixed(RATE, HOP));
    let late = [(HOP, false); 3];
    let _ = stage.play(&[noise(3 * HOP, 1)], &late);
    let (mut left, mut right) = ([1.0f32; HOP], [1.0; HOP]);
    assert_eq!(stage.audio.process(&mut [&mut left[..], &mut right[..]]).fault, Some(Fault::Channels));
    // Hops 0 and 1 were played, 2 was passed over.
    let output = stage.play(&[noise(HOP, 1)], &late[..1]).remove(0);
    assert_eq!(output, [3.0; HOP]);
}

#[test]
fn parameters_are_the_sessions_by_name() {
    let shape = [1, 1, HOP];
    let tensors = |names: [&str; 2]| {
        signature(&[("input", &shape), (names[0], &[1]), (names[1], &[1])], &[("output", &shape)])
    };
    // The session has `drive` and `gain`, the fallback `own` and `gain`, at other places.
    let main = backend(tensors(["drive", "gain"]), |x, y| {
        let (drive, gain) = (x.f32(1)?[0], x.f32(2)?[0]);
        y.f32(0)?.fill(100.0 * drive + gain);
        Ok(())
    });
    let spare = backend(tensors(["gain", "own"]), |x, y| {
        let (gain, own) = (x.f32(1)?[0], x.f32(2)?[0]);
        y.f32(0)?.fill(-100.0 * own - gain);
        Ok(())
    });
    let with = |a: &str, at: f64, b: &str, bt: f64| {
        settings(HOP).input(InputTensor::parameter(a, [at])).input(InputTensor::parameter(b, [bt]))
    };
    let fallback = Fallback::new(Quick(spare)).config(valid(with("gain", 50.0, "own", 7.0).build()));
    let config = valid(with("drive", 2.0, "gain", 3.0).late_fade(0).build());
    let builder = InferenceHandler::builder(config).backend(main).fallback(fallback);
    let mut stage = Stage::new(builder, &HostConfig::fixed(RATE, HOP));
    let mut hear = |runs: bool| stage.play(&[noise(HOP, 1)], &[(HOP, runs)])[0][HOP - 1];
    assert_eq!([hear(true), hear(false), hear(false)], [0.0, 203.0, -703.0]);
    valid(stage.control.set_parameter("gain", &[4.0]));
    valid(stage.control.set_parameter("drive", &[5.0]));
    let mut hear = |runs: bool| stage.play(&[noise(HOP, 1)], &[(HOP, runs)])[0][HOP - 1];
    assert_eq!([hear(true), hear(true)], [-704.0, 504.0], "as they are now");
    // A prepare does not take back what was set.
    stage.audio = valid(stage.handler.prepare(&HostConfig::fixed(RATE, HOP))).audio;
    let mut hear = |runs: bool| stage.play(&[noise(HOP, 1)], &[(HOP, runs)])[0][HOP - 1];
    assert_eq!([hear(false), hear(false)], [0.0, -704.0]);
}
