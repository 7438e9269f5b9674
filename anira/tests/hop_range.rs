//! A session of a model of open length takes the hop with the least latency in its host, and says why.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use std::time::Duration;

use anira::HopRange;
use anira::backends::{FnBackend, Inputs, Outputs};
use anira::prelude::*;
use anira::traits::{DType, Signature, TensorInfo};

const RATE: f64 = 48_000.0;

/// Lets its newest samples through, whatever the length.
fn open() -> impl Backend {
    let tensor = |name: &str| TensorInfo::new(name, DType::F32, vec![Some(1), Some(1), None]);
    let signature = Signature { inputs: vec![tensor("x")], outputs: vec![tensor("y")] };
    FnBackend::new("open", signature, || {
        |x: &Inputs<'_>, y: &mut Outputs<'_>| {
            let (x, y) = (x.f32(0)?, y.f32(0)?);
            let context = x.len() - y.len();
            y.copy_from_slice(&x[context..]);
            Ok(())
        }
    })
}

fn config(hop: usize, context: usize, range: Option<HopRange>, micros: u64) -> InferenceConfig {
    let config = InferenceConfig::builder()
        .input(InputTensor::stream("x", hop).context(context))
        .output(OutputTensor::stream("y", hop).shape([1, 1, hop]))
        .max_inference(Duration::from_micros(micros));
    let config = match range {
        Some(range) => config.hop_range(range),
        None => config,
    };
    config.build().unwrap()
}

fn handler(config: InferenceConfig) -> InferenceHandler<impl Backend + use<>, HopProcessor, Driven> {
    let builder = InferenceHandler::builder(config).backend(open());
    builder.scheduler(Driven::new(1).unwrap()).build().unwrap()
}

/// Every hop of the range by itself: hop and latency.
fn one_by_one(
    hops: impl Iterator<Item = usize>,
    host: &HostConfig,
    micros: impl Fn(usize) -> u64,
) -> Vec<(usize, u64)> {
    let of = |hop: usize| {
        let latency = handler(config(hop, 7, None, micros(hop))).latency(host).ok()?;
        Some((hop, latency[0].samples))
    };
    hops.filter_map(of).collect()
}

#[test]
fn it_is_the_least_of_all_and_the_longest_with_that() {
    for block in [48, 64, 100, 480, 512, 1000, 2048] {
        for varying in [false, true] {
            let host =
                if varying { HostConfig::varying(RATE, block) } else { HostConfig::fixed(RATE, block) };
            let range = HopRange::new(32, 1024).multiple(16);
            let all = one_by_one(range.hops(), &host, |_| 900);
            let least = all.iter().map(|(_, latency)| *latency).min().unwrap();
            let longest = all.iter().filter(|(_, latency)| *latency == least).map(|(hop, _)| *hop).max();
            let mut handler = handler(config(512, 7, Some(range), 900));
            let told = handler.latency(&host).unwrap();
            let Prepared { report, audio, .. } = handler.prepare(&host).unwrap();
            let choice = report.hop_choice.clone().unwrap();
            assert_eq!((Some(choice.hop), choice.latency), (longest, least), "block {block}: {choice}");
            assert_eq!(
                (report.hop, report.latency[0].samples, told),
                (choice.hop, least, report.latency.clone())
            );
            assert_eq!(
                (choice.tried, choice.too_slow),
                (range.hops().count(), range.hops().count() - all.len())
            );
            assert_eq!(audio.latency(0), Some(least));
        }
    }
}

#[test]
fn it_says_why() {
    let range = HopRange::new(48, 480).multiple(48);
    let mut handler = handler(config(96, 7, Some(range), 900));
    let said = |handler: &mut InferenceHandler<_, _, _>, block: usize| {
        let report = handler.prepare(&HostConfig::fixed(RATE, block)).unwrap().report;
        report.hop_choice.unwrap().to_string()
    };
    let text = said(&mut handler, 480);
    for word in ["a hop of 480", "480 samples of latency", "of 10 hops", "the configured 96"] {
        assert!(text.contains(word), "`{text}` lacks `{word}`");
    }
}

#[test]
fn what_it_plays_is_the_stream_at_any_host() {
    let range = HopRange::new(32, 1024).multiple(16);
    let mut handler = InferenceHandler::builder(config(512, 7, Some(range), 900))
        .backend(open())
        .scheduler(Offline)
        .build()
        .unwrap();
    let mut hops = Vec::new();
    // There and back, the configured hop among them.
    for block in [480, 64, 1000, 512, 33, 480] {
        let host = HostConfig::fixed(RATE, block).mode(Mode::Offline);
        let Prepared { mut audio, report, .. } = handler.prepare(&host).unwrap();
        hops.push(report.hop);
        let latency = report.latency[0].samples as usize;
        let mut got = Vec::new();
        for k in 0..20 {
            let mut samples: Vec<f32> = (k * block..(k + 1) * block).map(|n| (n + 1) as f32).collect();
            assert!(audio.process(&mut [&mut samples[..]]).is_ok());
            got.extend(samples);
        }
        let right = (0..got.len()).map(|n| n.checked_sub(latency).map_or(0.0, |n| (n + 1) as f32));
        assert!(got.iter().copied().eq(right), "block {block}, hop {}", report.hop);
    }
    assert!(hops.iter().any(|hop| *hop != hops[0]), "{hops:?}");
}

#[test]
fn times_that_grow_with_the_hop_are_counted() {
    // 100 us at 32 samples, 20 ms at 1024: in 20 ms a long hop cannot keep up, and the shortest is quickest.
    let range = HopRange::new(32, 1024).multiple(32).shortest_takes(Duration::from_micros(100));
    let host = HostConfig::fixed(RATE, 32);
    let mut handler = handler(config(512, 7, Some(range), 20_000));
    let choice = handler.prepare(&host).unwrap().report.hop_choice.unwrap();
    assert_eq!((choice.hop, choice.latency, choice.configured), (32, 32, 512));
    assert!(choice.too_slow == 0 || choice.to_string().contains("cannot keep up"), "{choice}");
    // With one time for all hops it takes a long one.
    let range = HopRange::new(32, 1024).multiple(32);
    let choice =
        self::handler(config(512, 7, Some(range), 9_000)).prepare(&host).unwrap().report.hop_choice.unwrap();
    assert!(choice.hop >= 432 && choice.too_slow >= 13, "{choice}");
    assert!(choice.to_string().contains("cannot keep up"), "{choice}");
}

#[test]
fn where_no_hop_keeps_up_the_error_is_that_of_the_configured_one() {
    let mut handler = handler(config(64, 7, Some(HopRange::new(32, 64).multiple(32)), 9_000));
    let error = handler.prepare(&HostConfig::fixed(RATE, 64)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Overload);
    assert!(error.to_string().contains("every hop of 64"), "{error}");
}

#[test]
fn a_model_that_has_not_both_ends_is_refused_and_so_is_what_cannot_follow() {
    let range = HopRange::new(32, 64).multiple(32);
    // The bypass makes its model up for the configured hop.
    let fixed = InferenceHandler::builder(config(64, 0, Some(range), 100)).backend(Bypass).build();
    let error = fixed.unwrap_err();
    for word in ["hop_range", "hop of 32", "input `x`"] {
        assert!(error.to_string().contains(word), "{error}");
    }
    let ranged = || InferenceHandler::builder(config(64, 7, Some(range), 100)).backend(open());
    let refused = |error: Error| assert!(error.to_string().contains("hop_range: is set"), "{error}");
    refused(ranged().swappable(true).build().unwrap_err());
    refused(ranged().fallback(Fallback::new(Bypass)).build().unwrap_err());
}
