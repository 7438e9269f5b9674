//! What fits together, and what is refused.

use std::time::Duration;

use anira::backends::{AnyBackend, Either, Slow, Wait};
use anira::prelude::*;
use anira_tests::{backend, cut, mono, plain, refused, send, signature, valid};

use crate::{RATE, Voice, builder};

#[test]
fn engines_of_two_types_switch() {
    let half = mono(64, |x, y| {
        y.iter_mut().zip(x).for_each(|(y, x)| *y = 0.5 * x);
        Ok(())
    });
    let first = InferenceHandler::builder(plain(64, Duration::ZERO)).backend(Either::Left(Bypass));
    let builder = first.engine(EngineSpec::new(Either::Right(half))).switch_fade(0);
    let mut handler = valid(builder.scheduler(Offline).build());
    let host = HostConfig::fixed(48_000.0, 64).mode(Mode::Offline);
    let Prepared { mut audio, .. } = valid(handler.prepare(&host));
    for engine in [0, 1, 0, 1, 1, 0] {
        assert!(audio.set_engine(engine).is_ok());
        let (out, _) = send(&mut audio, &[8.0; 64], &[64]);
        assert_eq!(out, [[8.0, 4.0][engine]; 64]);
    }
}

#[test]
fn engines_that_are_chosen_while_the_program_runs_switch() {
    let any = |name| valid(AnyBackend::named(name));
    let builder = InferenceHandler::builder(plain(64, Duration::ZERO)).backend(any("bypass"));
    let mut handler = valid(builder.engine(EngineSpec::new(any("bypass"))).build());
    let host = HostConfig::fixed(48_000.0, 64).mode(Mode::Offline);
    let Prepared { mut audio, .. } = valid(handler.prepare(&host));
    for engine in [0, 1, 0] {
        valid(handler.control().set_engine(engine));
        let (out, late) = send(&mut audio, &[8.0; 640], &[64; 10]);
        assert_eq!((&out[320..], late), (&[8.0; 320][..], 0));
    }
    assert_eq!(handler.control().switching().switched, 2);
}

#[test]
fn parameters_and_readings_are_matched_by_name() {
    // The second engine has them in another order, lacks one, and has one of its own.
    let shape = [1, 1, 8];
    let first = backend(
        signature(&[("x", &shape), ("a", &[1]), ("b", &[1])], &[("y", &shape), ("p", &[1]), ("q", &[1])]),
        |x, y| {
            let (a, b) = (x.f32(1)?[0], x.f32(2)?[0]);
            y.f32(0)?.fill(a + 10.0 * b);
            (y.f32(1)?[0], y.f32(2)?[0]) = (a, b);
            Ok(())
        },
    );
    let second = backend(
        signature(
            &[("b", &[1]), ("own", &[1]), ("in", &shape)],
            &[("q", &[1]), ("out", &shape), ("p", &[1])],
        ),
        |x, y| {
            let (b, own) = (x.f32(0)?[0], x.f32(1)?[0]);
            (y.f32(0)?[0], y.f32(2)?[0]) = (100.0 * b, own);
            y.f32(1)?.fill(100.0 * b + own);
            Ok(())
        },
    );
    let streams = || cut().max_inference(Duration::ZERO);
    let config = streams()
        .input(InputTensor::stream("x", 8))
        .input(InputTensor::parameter("a", [1.0]))
        .input(InputTensor::parameter("b", [2.0]))
        .output(OutputTensor::stream("y", 8))
        .output(OutputTensor::parameter("p"))
        .output(OutputTensor::parameter("q"));
    let own = streams()
        .input(InputTensor::parameter("b", [7.0]))
        .input(InputTensor::parameter("own", [0.5]))
        .input(InputTensor::stream("in", 8))
        .output(OutputTensor::parameter("q"))
        .output(OutputTensor::stream("out", 8))
        .output(OutputTensor::parameter("p"));
    let spec = EngineSpec::new(Either::Right(second)).config(valid(own.build()));
    let builder = InferenceHandler::builder(valid(config.build())).backend(Either::Left(first));
    let mut handler = valid(builder.engine(spec).switch_fade(0).scheduler(Offline).build());
    let host = HostConfig::fixed(48_000.0, 8).mode(Mode::Offline);
    let Prepared { mut audio, .. } = valid(handler.prepare(&host));
    let control = handler.control();
    let mut heard = |engine: usize| {
        valid(control.set_engine(engine));
        let (out, _) = send(&mut audio, &[0.0; 8], &[8]);
        (out[0], control.reading("p").unwrap()[0], control.reading("q").unwrap()[0])
    };
    assert_eq!(heard(0), (21.0, 1.0, 2.0));
    assert_eq!(heard(1), (200.5, 0.5, 200.0), "`b` as it is set, `own` as it begins");
    valid(control.set_parameter("b", &[3.0]));
    assert_eq!(heard(1), (300.5, 0.5, 300.0));
    assert_eq!(heard(0), (31.0, 1.0, 3.0));
}

#[test]
fn what_cannot_be_heard_in_the_same_place_is_refused_by_name() {
    let voices = |second: Voice| builder(&[Voice::new(64, 1.0, 10), second], 64).build();
    refused(
        voices(Voice::new(32, 1.0, 10)),
        ErrorKind::Config,
        &["engine 1", "input `x`", "hop", "is 32", "64"],
    );
    let build = |own: InferenceConfig| {
        let builder = InferenceHandler::builder(plain(64, Duration::ZERO)).backend(Bypass);
        builder.engine(EngineSpec::new(Bypass).config(own)).build()
    };
    let own = || cut().input(InputTensor::stream("input", 64)).max_inference(Duration::ZERO);
    refused(build(valid(own().build())), ErrorKind::Config, &["engine 1", "output streams", "is 0", "1"]);
    let stereo = own().output(OutputTensor::stream("output", 64).channels(2));
    refused(
        build(valid(stereo.build())),
        ErrorKind::Config,
        &["engine 1", "output `output`", "channels", "is 2"],
    );
    // A delay of one sample at twice the rate is half a sample of the input.
    let rates = |latency: u64| {
        let config = cut()
            .input(InputTensor::stream("input", 64))
            .output(OutputTensor::stream("output", 128).latency(latency));
        valid(config.max_inference(Duration::ZERO).build())
    };
    let builder = InferenceHandler::builder(rates(0)).backend(Bypass);
    let refusal = builder.engine(EngineSpec::new(Bypass).config(rates(1))).build();
    refused(refusal, ErrorKind::Config, &["engine 0", "latency", "whole number of samples"]);
    // Readings that the session promises.
    let reads =
        valid(own().output(OutputTensor::stream("output", 64)).output(OutputTensor::parameter("p")).build());
    let builder = InferenceHandler::builder(reads).backend(Bypass);
    let refusal = builder.engine(EngineSpec::new(Bypass).config(plain(64, Duration::ZERO))).build();
    refused(refusal, ErrorKind::Config, &["engine 1", "`p`", "missing"]);
}

#[test]
fn state_wants_one_engine_at_once_and_real_time_wants_times() {
    let state = cut()
        .input(InputTensor::stream("input", 64))
        .input(InputTensor::state("h_in", "h_out"))
        .output(OutputTensor::stream("output", 64))
        .max_inference(Duration::ZERO);
    let two = cut()
        .input(InputTensor::stream("input", 64))
        .output(OutputTensor::stream("output", 64))
        .max_inference(Duration::ZERO)
        .engines(2);
    let builder = InferenceHandler::builder(valid(two.build())).backend(Bypass);
    let refusal = builder.engine(EngineSpec::new(Bypass).config(valid(state.build()))).build();
    refused(refusal, ErrorKind::Config, &["engines", "is 2", "1"]);
    let untold = cut().input(InputTensor::stream("input", 64)).output(OutputTensor::stream("output", 64));
    let builder = InferenceHandler::builder(plain(64, Duration::ZERO)).backend(Bypass);
    let builder = builder.engine(EngineSpec::new(Bypass).config(valid(untold.build())));
    let mut handler = valid(builder.build());
    let refusal = handler.prepare(&HostConfig::fixed(48_000.0, 64));
    refused(refusal, ErrorKind::Config, &["engine 1", "max_inference", "not set"]);
    valid(handler.prepare(&HostConfig::fixed(48_000.0, 64).mode(Mode::Offline)));
}

#[test]
fn two_that_cannot_keep_up_together_are_refused_unless_they_never_run_together() {
    let voices = [Voice::new(64, 1.0, 40), Voice::new(64, 1.0, 40)];
    let prepared =
        |fade| valid(builder(&voices, fade).build()).prepare(&HostConfig::fixed(RATE, 64)).map(drop);
    refused(prepared(64), ErrorKind::Overload, &["cannot keep up", "0.08 ms"]);
    valid(prepared(0));
}

#[test]
fn numbers_beyond_sense_are_refused() {
    let voice = Voice::new(64, 1.0, 1);
    refused(
        builder(std::slice::from_ref(&voice), (1 << 20) + 1).build(),
        ErrorKind::Config,
        &["switch_fade", "1048577", "1048576"],
    );
    refused(builder(&vec![voice; 9], 0).build(), ErrorKind::Config, &["engines to switch between", "9", "8"]);
}

#[test]
fn admission_counts_both() {
    let pool = valid(anira::scheduler::Pool::builder().threads(1).build());
    let utilisation = |fade: usize| {
        let voices = [Voice::new(64, 1.0, 10), Voice::new(64, 1.0, 20), Voice::new(64, 1.0, 5)];
        let mut handler = valid(builder(&voices, fade).scheduler(pool.clone()).build());
        let Prepared { report, .. } = valid(handler.prepare(&HostConfig::fixed(RATE, 64)));
        (report.admission.unwrap().utilisation * 64.0).round()
    };
    assert_eq!((utilisation(64), utilisation(0)), (30.0, 20.0));
}

#[test]
fn threads_of_a_pool_run_two_engines_of_two_types() {
    // In real time, settled after every block.
    let slow = Slow::new(Bypass, Duration::ZERO, Wait::Spin);
    let builder =
        InferenceHandler::builder(plain(64, Duration::from_micros(300))).backend(Either::Left(Bypass));
    let mut handler = valid(builder.engine(EngineSpec::new(Either::Right(slow))).build());
    let control = handler.control();
    let Prepared { mut audio, report, .. } = valid(handler.prepare(&HostConfig::fixed(48_000.0, 64)));
    let (ramp, latency) = (anira_tests::ramp(64 * 200), report.latency[0].samples);
    let (mut got, mut late) = (Vec::new(), 0);
    for (k, block) in ramp.chunks(64).enumerate() {
        assert!(audio.set_engine(k / 3 % 2).is_ok());
        let (out, missed) = anira_tests::send_settled(&mut audio, &control, block, &[64]);
        got.extend(out);
        late += missed;
    }
    anira_tests::assert_same(&got, &anira_tests::delayed(&ramp, latency), "two that let through");
    assert_eq!(late, 0);
    assert!(control.switching().switched > 20);
}
