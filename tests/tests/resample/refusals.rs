//! What cannot be resampled: errors that say what and where, and change nothing.

use anira::prelude::*;
use anira_tests::{cut, mono, refused, valid};

use super::{HOP, config, noise, offline, send, sizes};

#[test]
fn ratios_at_the_limits() {
    let mut handler = offline(config(48e3, 100));
    let host = HostConfig::varying(44.1e3, 100).mode(Mode::Offline);
    let (mut audio, report) = valid(handler.prepare_resampled(&host));
    let host = |rate: f64| HostConfig::fixed(rate, 64).mode(Mode::Offline);
    for (rate, words) in [
        (187.0, &["sample_rate", "187 Hz", "1/256", "48000 Hz"][..]),
        (10e6 + 1.0, &["sample_rate", "10000001", "from 1 to 10000000"]),
        (0.0, &["sample_rate", "0", "from 1 to 10000000"]),
        (-48e3, &["sample_rate", "-48000"]),
        (f64::NAN, &["sample_rate", "NaN"]),
        (44_100.000_1, &["sample_rate", "44100.0001", "three decimals"]),
        (44_100.001, &["sample_rate", "44100001", "smaller whole numbers"]),
    ] {
        refused(handler.prepare_resampled(&host(rate)), ErrorKind::Host, words);
    }
    // As far as it goes.
    for rate in [187.5, 12_288_000.0 / 256.0 * 200.0] {
        valid(handler.prepare_resampled(&host(rate)));
    }
    // A block that is too long at the model's rate.
    let long = HostConfig::fixed(375.0, 1 << 20).mode(Mode::Offline);
    refused(handler.prepare_resampled(&long), ErrorKind::Host, &["at the model's rate", "block"]);
    // The sound goes on.
    let output = send(&mut audio, &[noise(1, 3000)], sizes(100, Some(1)));
    assert!(output[0][report.latency as usize..].iter().any(|x| *x != 0.0));
}

#[test]
fn models_that_say_too_little_or_have_other_streams() {
    let host = HostConfig::fixed(44.1e3, 64).mode(Mode::Offline);
    let build = |config: anira::traits::InferenceConfigBuilder| {
        let copy = mono(HOP, |x, y| {
            y.copy_from_slice(x);
            Ok(())
        });
        valid(InferenceHandler::builder(valid(config.build())).backend(copy).scheduler(Offline).build())
    };
    let plain = || cut().input(InputTensor::stream("input", HOP)).output(OutputTensor::stream("output", HOP));
    refused(build(plain()).prepare_resampled(&host), ErrorKind::Config, &["sample_rate", "not set"]);
    for rate in [0.0, -1.0, f64::INFINITY] {
        refused(plain().sample_rate(rate).build(), ErrorKind::Config, &["sample_rate", "from 1 to 10000000"]);
    }
    let config = cut()
        .input(InputTensor::stream("input", HOP))
        .input(InputTensor::stream("side", HOP))
        .output(OutputTensor::stream("output", HOP))
        .sample_rate(48e3);
    let mut two =
        valid(InferenceHandler::builder(valid(config.build())).backend(Bypass).scheduler(Offline).build());
    refused(two.prepare_resampled(&host), ErrorKind::Config, &["streams", "[64, 64]", "one input stream"]);
    // Without resampling, another rate is refused as ever.
    let mut other = build(plain().sample_rate(48e3));
    refused(other.prepare(&host), ErrorKind::Host, &["sample_rate", "44100", "48000"]);
}
