//! Small networks inside the callback: every layer that `native` has is watched.

use anira::backends::Native;
use anira::prelude::*;

use super::{Case, drop_watched};
use crate::callback::{Watch, everything};
use crate::zoo::{GAIN, HYBRID, KNOB, LSTM, STEREO, TCN_1K, TCN_15K};
use crate::{here, valid};

/// Files of one channel that are read as streams, beside the models of the repository.
const FILES: [&str; 6] = [
    "lstm.nam",
    "wavenet.nam",
    "wavenet-gated.nam",
    "rtneural-conv.json",
    "rtneural-gru.json",
    "rtneural-lstm.json",
];
/// Samples of a hop of theirs.
const HOP: usize = 16;
const ROUNDS: usize = 10;

/// A session for each model.
pub(super) fn inline() -> Vec<Case> {
    let mut cases = Vec::new();
    for golden in [&GAIN, &TCN_1K, &TCN_15K, &LSTM, &HYBRID, &STEREO, &KNOB] {
        cases.push(Case::new(format!("inline, native, {}", golden.name), move |watch| {
            let builder = golden.builder(Native, 1, std::time::Duration::ZERO).scheduler(Inline);
            play(valid(builder.build()), golden.channels, watch);
        }));
    }
    for file in FILES {
        cases.push(Case::new(format!("inline, native, {file}"), move |watch| {
            let source = ModelSource::file(here().join("../anira-backend-custom/tests/files").join(file));
            let layout = || valid("NCT".parse());
            let config = InferenceConfig::builder()
                .input(InputTensor::stream("input", HOP).context(0).layout(layout()))
                .output(OutputTensor::stream("output", HOP).layout(layout()));
            let builder = InferenceHandler::builder(valid(config.build())).backend(Native).source(source);
            play(valid(builder.scheduler(Inline).build()), 1, watch);
        }));
    }
    cases
}

fn play(mut handler: InferenceHandler<Native, HopProcessor, Inline>, channels: usize, watch: &mut Watch<'_>) {
    let control = handler.control();
    let host = HostConfig::varying(48_000.0, 512).channels(channels);
    let Prepared { mut audio, .. } = valid(handler.prepare(&host));
    everything(&mut audio, (channels, 512, ROUNDS), watch, || ());
    let told = control.telemetry();
    assert!(told.done > 0 && told.failed == 0 && told.late_samples == 0, "{told:?}");
    // What is no number makes the network fail, in the callback itself.
    for wild in [f32::NAN, f32::INFINITY] {
        let mut block = vec![vec![wild; 512]; channels];
        let mut block: Vec<&mut [f32]> = block.iter_mut().map(|channel| &mut channel[..]).collect();
        watch("process what is no number", &mut || _ = audio.process(&mut block[..]));
    }
    let told = control.telemetry();
    assert!(told.failed > 0, "{told:?}");
    drop_watched(audio, "drop", watch);
}
