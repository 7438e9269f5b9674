//! What a prepare refuses: the field, the value, and what would be right.

use std::time::Duration;

use anira::prelude::*;
use anira_tests::{Gate, mono, plain, refused, valid};

use crate::{HOP, WORST, config, copy, offline, on_own_pool, realtime, rendering};

fn stereo() -> InferenceConfig {
    let planar = || valid("NCT".parse());
    valid(
        anira_tests::cut()
            .input(InputTensor::stream("input", HOP).channels(2).layout(planar()))
            .output(OutputTensor::stream("output", HOP).channels(2).layout(planar()))
            .max_inference(Duration::from_micros(100))
            .build(),
    )
}

fn bypass(config: InferenceConfig) -> InferenceHandler<Bypass, HopProcessor, Pool> {
    valid(InferenceHandler::builder(config).backend(Bypass).build())
}

#[test]
fn a_model_that_cannot_keep_up_with_the_figures() {
    let mut handler = bypass(plain(HOP, Duration::from_millis(2)));
    refused(
        handler.prepare(&realtime()),
        ErrorKind::Overload,
        &["2 ms", "64 samples", "48000 Hz", "1.333333 ms"],
    );
    refused(handler.latency(&realtime()), ErrorKind::Overload, &["max_inference"]);
    // At a lower rate it can.
    valid(handler.prepare(&HostConfig::fixed(22_050.0, HOP)));
    // Two lanes take twice as long.
    let mut handler = bypass(plain(HOP, WORST));
    valid(handler.prepare(&realtime()));
    refused(handler.prepare(&realtime().channels(2)), ErrorKind::Overload, &["2.666 ms"]);
}

#[test]
fn more_engines_than_workers_do_not_make_it_faster() {
    let config = || {
        anira_tests::cut()
            .input(InputTensor::stream("input", HOP))
            .output(OutputTensor::stream("output", HOP))
            .max_inference(2 * WORST)
            .engines(2)
    };
    let mut one = crate::on_own_pool_with(valid(config().build()), Bypass, 1);
    refused(one.prepare(&realtime()), ErrorKind::Overload, &["there are 1"]);
    let mut two = crate::on_own_pool_with(valid(config().build()), Bypass, 2);
    valid(two.prepare(&realtime()));
}

#[test]
fn a_rate_that_the_model_was_not_made_for() {
    let config = anira_tests::cut()
        .input(InputTensor::stream("input", HOP))
        .output(OutputTensor::stream("output", HOP))
        .sample_rate(44_100.0)
        .max_inference(Duration::ZERO);
    let mut handler = bypass(valid(config.build()));
    refused(handler.prepare(&realtime()), ErrorKind::Host, &["sample_rate", "48000", "44100"]);
    refused(handler.prepare(&rendering()), ErrorKind::Host, &["sample_rate"]);
    valid(handler.prepare(&HostConfig::fixed(44_100.0, HOP)));
}

#[test]
fn channels_that_the_model_does_not_divide() {
    let mut handler = bypass(stereo());
    for channels in [1, 3, 5] {
        let words = ["channels", &channels.to_string(), "multiple of the 2 channels", "`input`"];
        refused(handler.prepare(&realtime().channels(channels)), ErrorKind::Host, &words);
    }
    assert_eq!(valid(handler.prepare(&realtime().channels(6))).report.lanes, 3);
    assert_eq!(valid(handler.prepare(&realtime())).report.lanes, 1);
}

#[test]
fn real_time_without_a_worst_time() {
    let config = anira_tests::cut()
        .input(InputTensor::stream("input", HOP))
        .output(OutputTensor::stream("output", HOP));
    let mut handler = bypass(valid(config.build()));
    refused(handler.prepare(&realtime()), ErrorKind::Config, &["max_inference", "not set"]);
    assert_eq!(valid(handler.prepare(&rendering())).report.latency[0].inference, 0);
}

#[test]
fn real_time_in_the_callers_own_thread_with_any_engine() {
    let mut handler = offline(mono(HOP, copy));
    refused(handler.prepare(&realtime()), ErrorKind::Host, &["mode", "real time", "offline"]);
    valid(handler.prepare(&rendering()));
}

#[test]
fn nonsense_from_the_host() {
    let mut handler = bypass(config());
    for (host, word) in [
        (HostConfig::fixed(f64::NAN, HOP), "sample_rate"),
        (HostConfig::fixed(-1.0, HOP), "sample_rate"),
        (HostConfig::fixed(48_000.0, 0), "block"),
        (HostConfig::varying(48_000.0, usize::MAX), "block"),
        (realtime().block(BlockSize::Varying { min: 9, max: 8 }), "minimum"),
        (realtime().channels(0), "channels"),
    ] {
        refused(handler.prepare(&host), ErrorKind::Host, &[word]);
        refused(handler.latency(&host), ErrorKind::Host, &[word]);
    }
}

#[test]
fn what_is_asked_beforehand_is_what_is_then_given() {
    let mut handler = bypass(config());
    for host in [realtime(), rendering(), HostConfig::varying(44_100.0, 333), HostConfig::fixed(32_000.0, 1)]
    {
        let asked = valid(handler.latency(&host));
        let Prepared { audio, report, .. } = valid(handler.prepare(&host));
        assert_eq!(asked, report.latency);
        assert_eq!(audio.latency(0), Some(asked[0].samples));
        let parts = asked[0].adaptation + asked[0].inference + asked[0].model;
        assert_eq!(parts, asked[0].samples);
    }
}

#[test]
fn an_engine_that_fails_to_warm_up() {
    let gate = Gate::new();
    let counted = gate.clone();
    let model = mono(HOP, move |_, _| {
        counted.pass();
        if counted.arrivals() >= 3 { Err(Error::new(ErrorKind::Engine, "too cold")) } else { Ok(()) }
    });
    let config = anira_tests::cut()
        .input(InputTensor::stream("input", HOP))
        .output(OutputTensor::stream("output", HOP))
        .warm_up(2)
        .max_inference(WORST);
    let mut handler = crate::on_own_pool_with(valid(config.build()), model, 1);
    valid(handler.prepare(&realtime()));
    assert_eq!(gate.arrivals(), 2, "as often as was asked");
    refused(handler.prepare(&realtime()), ErrorKind::Engine, &["too cold"]);
    let _ = on_own_pool(Bypass, 1);
}

#[test]
fn more_memory_than_a_machine_has_is_refused_before_it_is_asked_for() {
    let config = anira_tests::plain(1 << 22, std::time::Duration::ZERO);
    let mut handler = valid(InferenceHandler::builder(config).backend(Bypass).build());
    let error = handler.prepare(&HostConfig::fixed(48e3, 64).channels(1024)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Host);
    assert!(error.to_string().contains("memory: is "), "{error}");
}
