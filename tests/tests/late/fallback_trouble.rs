//! A second model that does not fit, fails, or panics.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anira::prelude::*;
use anira::traits::InferenceConfigBuilder;
use anira_tests::{Quick, assert_same, backend, mono, refused, signature, valid};

use crate::{HOP, RATE, Stage, half, noise, right, script, settings, times, truth};

fn build<B: Backend>(
    main: InferenceConfigBuilder,
    fallback: Fallback<Quick<B>>,
) -> Result<InferenceHandler<Bypass, HopProcessor, Driven>, Error> {
    let config = valid(main.max_inference(std::time::Duration::from_millis(1)).build());
    let builder = InferenceHandler::builder(config).backend(Bypass).fallback(fallback);
    builder.scheduler(valid(Driven::new(1))).build()
}

fn streams(hop_in: usize, hop_out: usize, channels: usize) -> InferenceConfigBuilder {
    InferenceConfig::builder()
        .input(InputTensor::stream("voice", hop_in).channels(channels).layout(valid("NCT".parse())))
        .output(OutputTensor::stream("sound", hop_out).channels(channels).layout(valid("NCT".parse())))
}

#[test]
fn streams_that_are_not_the_first_models_are_refused_naming_both() {
    let own = |config: InferenceConfigBuilder| Fallback::new(Quick(Bypass)).config(valid(config.build()));
    let main = || streams(64, 64, 2);
    assert!(build(main(), own(streams(64, 64, 2))).is_ok());
    let at = |words: &[&str], fallback| {
        refused(build(main(), fallback), ErrorKind::Config, &[&["fallback"], words].concat());
    };
    at(&["input", "voice", "hop", "32", "64"], own(streams(32, 64, 2)));
    at(&["output", "sound", "hop", "128", "64"], own(streams(64, 128, 2)));
    at(&["input", "voice", "channels", "3", "2"], own(streams(64, 64, 3)));
    let delaying = InferenceConfig::builder()
        .input(InputTensor::stream("voice", 64).channels(2).layout(valid("NCT".parse())))
        .output(OutputTensor::stream("sound", 64).channels(2).layout(valid("NCT".parse())).latency(5));
    at(&["output", "sound", "latency", "5", "0"], own(delaying));
    let side = || InputTensor::stream("side", 64);
    at(&["input streams", "2", "1"], own(main().input(side())));
    at(&["output streams", "2", "1"], own(main().output(OutputTensor::stream("more", 64))));
    refused(
        build(main().input(side()), own(main())),
        ErrorKind::Config,
        &["fallback", "input streams", "1", "2"],
    );
}

#[test]
fn one_with_state_is_refused_where_streams_go_out_at_different_times() {
    let two = || settings(HOP).output(OutputTensor::stream("other", HOP));
    let with_state = two().input(InputTensor::state("z_in", "z_out"));
    let own = |config: InferenceConfigBuilder| Fallback::new(Quick(Bypass)).config(valid(config.build()));
    assert!(build(two(), own(two())).is_ok());
    refused(
        build(two(), own(with_state)),
        ErrorKind::Config,
        &["fallback", "state", "several output streams"],
    );
    // Its state makes no matter to the first model's.
    assert!(build(two().input(InputTensor::state("z_in", "z_out")), own(two())).is_ok());
}

/// A session whose fallback fails in the hops that `fails` names by their first sample.
fn failing(
    fails: impl Fn(&[f32]) -> Result<(), Error> + Clone + Send + Sync + 'static,
    fade: usize,
) -> Stage<impl Backend> {
    let spare = mono(HOP, move |x, y| {
        fails(x)?;
        y.iter_mut().zip(x).for_each(|(y, x)| *y = -x);
        Ok(())
    });
    let config = valid(settings(HOP).late_fade(fade).build());
    let builder = InferenceHandler::builder(config).backend(half(HOP)).fallback(Fallback::new(Quick(spare)));
    Stage::new(builder, &HostConfig::fixed(RATE, HOP))
}

#[test]
fn a_hop_that_it_fails_to_answer_is_silent_and_counted() {
    let input: Vec<f32> = (0..20 * HOP).map(|i| (i / HOP) as f32 + 1.0).collect();
    let not_a_number = mono(HOP, |x, y| {
        y.fill(if x[0] == 8.0 { f32::NAN } else { -x[0] });
        Ok(())
    });
    let config = valid(settings(HOP).late_fade(16).build());
    let builder =
        InferenceHandler::builder(config).backend(half(HOP)).fallback(Fallback::new(Quick(not_a_number)));
    let mut nan = Stage::new(builder, &HostConfig::fixed(RATE, HOP));
    let fails = |x: &[f32]| match x[0] {
        8.0 => Err(Error::new(ErrorKind::Engine, "on purpose")),
        _ => Ok(()),
    };
    let mut failed = failing(fails, 16);
    let script = script(&[HOP], input.len(), &[5 * HOP..10 * HOP]);
    let truth = truth(HOP, HOP, &script);
    let stand_in = |p: usize, _| match input[p - HOP] {
        8.0 => (0.0, false),
        x => (-x, false),
    };
    let (right, _) = right(16, HOP, &truth.heard, &times(&input, 0.5), stand_in);
    for output in
        [nan.play(std::slice::from_ref(&input), &script), failed.play(std::slice::from_ref(&input), &script)]
    {
        assert_same(&output[0], &right, "one hop of silence among the others");
    }
    for told in [nan.telemetry(), failed.telemetry()] {
        // Five hops were late; into a sixth the model faded in.
        assert_eq!((told.stood_in, told.stand_in_failed), (5, 1));
        truth.is_told_by(&told, "the first model's counts");
    }
    assert!(failed.control.last_error().is_none(), "an error is not kept from the audio thread");
}

#[test]
fn one_that_panics_is_never_run_again_and_the_session_lives() {
    let calls = Arc::new(AtomicU64::new(0));
    let count = calls.clone();
    let panics = move |x: &[f32]| {
        count.fetch_add(1, Ordering::Relaxed);
        assert!(x[0] != 7.0, "on purpose");
        Ok(())
    };
    let mut stage = failing(panics, 0);
    let before = calls.load(Ordering::Relaxed);
    let input: Vec<f32> = (0..20 * HOP).map(|i| (i / HOP) as f32 + 1.0).collect();
    let script = script(&[HOP], input.len(), &[4 * HOP..9 * HOP, 12 * HOP..14 * HOP]);
    let truth = truth(HOP, HOP, &script);
    for round in 0..2u64 {
        let output = stage.play(std::slice::from_ref(&input), &script).remove(0);
        let stand_in = |p: usize, _| match input[p - HOP] {
            x if x < 7.0 && round == 0 => (-x, false),
            _ => (0.0, false),
        };
        let (right, _) = right(0, HOP, &truth.heard, &times(&input, 0.5), stand_in);
        assert_same(&output, &right, format_args!("round {round}"));
        // Hops 5 and 6 were answered; 7 panicked; nobody asked again, also not after a reset.
        assert_eq!(calls.load(Ordering::Relaxed) - before, 3, "round {round}");
        let told = stage.telemetry();
        assert_eq!((told.stood_in, told.stand_in_failed), (2, 5 + 7 * round));
        stage.audio.reset();
    }
    // The control side makes a fresh one.
    stage.audio = valid(stage.handler.prepare(&HostConfig::fixed(RATE, HOP))).audio;
    let told = stage.telemetry().stood_in;
    let _ = stage.play(&[noise(4 * HOP, 1)], &[(HOP, false); 4]);
    assert_eq!(stage.telemetry().stood_in, told + 3);
}

#[test]
fn a_failure_is_not_committed_to_its_state() {
    let shape = [1, 1, HOP];
    let tensors = signature(&[("input", &shape), ("z_in", &[1])], &[("output", &shape), ("z_out", &[1])]);
    let spare = backend(tensors, |x, y| {
        let z = x.f32(1)?[0];
        y.f32(0)?.fill(z);
        y.f32(1)?[0] = z + 1.0;
        if x.f32(0)?[0] == 2.0 {
            return Err(Error::new(ErrorKind::Engine, "on purpose"));
        }
        Ok(())
    });
    let own = settings(HOP).input(InputTensor::state("z_in", "z_out"));
    let fallback = Fallback::new(Quick(spare)).config(valid(own.build()));
    let config = valid(settings(HOP).late_fade(0).build());
    let builder = InferenceHandler::builder(config).backend(half(HOP)).fallback(fallback);
    let mut stage = Stage::new(builder, &HostConfig::fixed(RATE, HOP));
    let input: Vec<f32> = (0..6 * HOP).map(|i| (i / HOP) as f32).collect();
    let output = stage.play(&[input], &[(HOP, false); 6]).remove(0);
    let hops: Vec<f32> = output.chunks(HOP).map(|hop| hop[0]).collect();
    assert_eq!(hops, [0.0, 0.0, 1.0, 0.0, 2.0, 3.0]);
}
