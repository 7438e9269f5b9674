//! Small networks inside the callback, without latency; and the engine that picks itself.

#![cfg(all(feature = "native", feature = "rten"))]
#![allow(clippy::unwrap_used, reason = "a test's failure")]

use anira::backends::{Auto, Native};
use anira::prelude::*;
use anira_tests::zoo::{GAIN, HYBRID, LSTM, TCN_1K, TCN_15K, distance};
use anira_tests::{here, valid};

/// A stream of one channel in hops of so many samples, without a past: the network remembers it.
fn stream(hop: usize) -> InferenceConfig {
    let layout = || "NCT".parse().unwrap();
    let builder = InferenceConfig::builder()
        .input(InputTensor::stream("input", hop).context(0).layout(layout()))
        .output(OutputTensor::stream("output", hop).layout(layout()));
    valid(builder.build())
}

#[test]
fn a_network_that_was_exported_as_a_window_runs_in_the_callback_without_latency() {
    for (golden, hop) in [(&TCN_1K, 64), (&TCN_1K, 1), (&TCN_15K, 64)] {
        let source = ModelSource::file(here().join(format!("../models/{}.onnx", golden.name)));
        let builder = InferenceHandler::builder(stream(hop)).backend(Native).source(source);
        let mut handler = valid(builder.scheduler(Inline).build());
        let Prepared { mut audio, report, .. } = valid(handler.prepare(&HostConfig::fixed(48_000.0, 64)));
        assert_eq!(report.latency[0].samples, 0, "{} in hops of {hop}", golden.name);
        let (input, right) = (golden.input().concat(), golden.output().concat());
        let mut made = Vec::new();
        for block in input.chunks_exact(64).take(100) {
            let mut block = block.to_vec();
            assert!(audio.process(&mut [&mut block[..]]).is_ok());
            made.extend(block);
        }
        let (far, at) = distance(&made, &right[..made.len()]);
        assert!(far < 1e-5, "{} in hops of {hop}: {far} at {at}", golden.name);
    }
}

#[test]
fn auto_takes_the_native_engine_for_what_it_reads_and_says_why_not_for_the_rest() {
    for golden in [&GAIN, &LSTM, &TCN_1K, &HYBRID] {
        // The configuration beside the model has no table for an engine of that name: rten's file will do.
        let file =
            valid(anira::file::ConfigFile::read(here().join(format!("../models/{}.toml", golden.name))));
        let resolved = valid(file.resolve("rten", &here().join("../models")));
        let builder = InferenceHandler::builder(resolved.config).auto().source(resolved.source);
        let mut handler = valid(builder.scheduler(Offline).build());
        assert_eq!(handler.model().engine_name(), "native", "{}: {}", golden.name, handler.model().why());
        let made = golden.render(&mut handler, 3_000, &[480]).concat();
        let (far, at) = distance(&made, &golden.output().concat()[..made.len()]);
        assert!(far < 1e-5, "{}: {far} at {at}", golden.name);
    }
    let fixture = ModelSource::file(here().join("fixtures/upsample.onnx"));
    let model = valid(anira::traits::Backend::load(&Auto, &fixture, &anira::traits::LoadRequest::new()));
    assert_eq!(model.engine_name(), "rten");
    assert!(model.why().contains("not native: ") && model.why().contains("Reshape"), "{}", model.why());
    // Two engines of one session cannot both remember: the next engine is asked.
    let source = ModelSource::file(here().join("../models/amp-tcn-1k.onnx"));
    let two = valid(
        InferenceConfig::builder()
            .input(InputTensor::stream("input", 2_048).context(132))
            .output(OutputTensor::stream("output", 2_048))
            .engines(2)
            .build(),
    );
    let handler = valid(InferenceHandler::builder(two).auto().source(source).scheduler(Offline).build());
    assert_eq!(handler.model().engine_name(), "native", "windows say all: {}", handler.model().why());
}
