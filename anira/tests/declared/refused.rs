//! A declared latency below what the host needs is refused when the session is prepared, with both figures.

use std::time::Duration;

use anira::latency::{LatencyQuery, Rational, latency};
use anira::prelude::*;
use anira::traits::{Signature, TensorInfo};

use super::config;

#[test]
fn one_sample_too_few_is_an_error_that_says_how_many_it_takes() {
    let five_ms = |declared: u64| {
        let output = OutputTensor::stream("wet", 512).latency(12).declared_latency(declared);
        let config = config(512, output).with_max_inference(Duration::from_millis(5));
        InferenceHandler::builder(config).backend(Bypass).build().unwrap()
    };
    let host = HostConfig::fixed(48_000.0, 480);
    for asked in [0, 960, 971] {
        let error = five_ms(asked).prepare(&host).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert_eq!(error.field(), Some("output `wet`: declared_latency"));
        let figures =
            [format!("is {asked}; at least 972"), "adaptation 480 + inference 480 + model 12".to_owned()];
        for figure in figures {
            assert!(error.to_string().contains(&figure), "{error}");
        }
        assert_eq!(five_ms(asked).latency(&host).unwrap_err(), error, "asking first tells the same");
    }
    let report = five_ms(972).prepare(&host).unwrap().report;
    assert_eq!((report.latency[0].samples, report.latency[0].padding), (972, 0));
}

#[test]
fn a_refused_prepare_changes_nothing_and_another_host_may_do() {
    let output = OutputTensor::stream("y", 512).declared_latency(1000);
    let mut handler = InferenceHandler::builder(config(512, output)).backend(Bypass).build().unwrap();
    let Prepared { mut audio, .. } = handler.prepare(&HostConfig::fixed(48_000.0, 128)).unwrap();
    handler.prepare(&HostConfig::fixed(48_000.0, 1024)).unwrap_err();
    assert!(audio.process(&mut [&mut [0.0f32; 128][..]]).is_ok());
    assert_eq!(audio.latency(0), Some(1000));
    for block in [1, 32, 64, 480] {
        let report = handler.prepare(&HostConfig::fixed(48_000.0, block)).unwrap().report;
        assert_eq!(report.latency[0].samples, 1000, "one number for every host that it is enough for");
    }
}

#[test]
fn a_latency_whose_rings_no_machine_holds_is_an_error() {
    let output = OutputTensor::stream("y", 64).declared_latency(1 << 24);
    let config = config(64, output).with_max_inference(Duration::ZERO);
    let mut handler = InferenceHandler::builder(config).backend(Bypass).build().unwrap();
    let host = HostConfig::fixed(48_000.0, 64).channels(64);
    let error = handler.prepare(&host).unwrap_err();
    assert!(error.to_string().contains("declared latency"), "{error}");

    // Output rings alone: a model that only makes sound keeps no history of any input.
    let signature = Signature { inputs: vec![], outputs: vec![TensorInfo::f32("y", &[1, 64, 64])] };
    let silence = FnBackend::new("silence", signature, || |_: &Inputs<'_>, _: &mut Outputs<'_>| Ok(()));
    let output = OutputTensor::stream("y", 64).declared_latency(1 << 24);
    let config = InferenceConfig::builder().output(output).max_inference(Duration::ZERO).build().unwrap();
    let mut handler = InferenceHandler::builder(config).backend(silence).build().unwrap();
    let error = handler.prepare(&HostConfig::fixed(48_000.0, 64)).unwrap_err();
    assert!(error.to_string().contains("declared latency"), "{error}");
}

#[test]
fn the_question_alone_is_answered_the_same() {
    let query = LatencyQuery::new(480u32, 48_000u32, 512, 512, Rational::new(5, 1000).unwrap());
    let error = latency(&query.clone().declared_latency(959)).unwrap_err();
    assert!(error.to_string().starts_with("declared_latency: is 959; at least 960, "), "{error}");
    let padded = latency(&query.clone().declared_latency(1537)).unwrap();
    let plain = latency(&query.clone()).unwrap();
    assert_eq!((padded.samples, padded.padding, padded.zero_fill()), (1537, 577, 1537));
    assert_eq!((padded.slots, padded.output_ring), (plain.slots + 2, plain.output_ring + 577));
    assert_eq!(padded.input_ring, plain.input_ring + 2 * 512);
    let error = latency(&query.declared_latency(u64::MAX)).unwrap_err();
    assert_eq!(error.field(), Some("declared_latency"));
}
