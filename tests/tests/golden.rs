//! The project's own models on the ONNX engines: what PyTorch says, over any blocks, bit for bit the same everywhere.

#![allow(clippy::unwrap_used, reason = "a test's failure")]

use anira::prelude::*;
use anira_tests::{Random, assert_same, blocks, here, send, valid};
use ndarray::Array1;

/// The largest difference from PyTorch that is allowed, absolute.
const TOLERANCE: f32 = 1e-5;

/// A model, its golden output, and how it is run.
#[derive(Clone, Copy)]
enum Golden {
    Gain,
    Tcn,
    Lstm,
}

impl Golden {
    fn name(self) -> &'static str {
        match self {
            Golden::Gain => "gain",
            Golden::Tcn => "amp-tcn-29k",
            Golden::Lstm => "amp-lstm-2k",
        }
    }

    fn hop(self) -> usize {
        match self {
            Golden::Gain => 512,
            Golden::Tcn => 2048,
            Golden::Lstm => 64,
        }
    }

    fn config(self, engines: usize) -> InferenceConfig {
        let hop = self.hop();
        let builder = InferenceConfig::builder().engines(engines).output(OutputTensor::stream("output", hop));
        valid(match self {
            Golden::Gain => builder.input(InputTensor::stream("input", hop)).build(),
            Golden::Tcn => builder.input(InputTensor::stream("input", hop).context(13_332)).build(),
            Golden::Lstm => builder
                .input(InputTensor::stream("input", hop).shape([1, hop, 1]))
                .input(InputTensor::state("h_in", "h_out"))
                .input(InputTensor::state("c_in", "c_out"))
                .build(),
        })
    }

    fn handler<B, S>(self, backend: B, scheduler: S, engines: usize) -> InferenceHandler<B, HopProcessor, S>
    where
        B: Backend,
        S: Scheduler<anira::EngineOf<B>>,
    {
        let model = here().join("../models").join(format!("{}.onnx", self.name()));
        let builder = InferenceHandler::builder(self.config(engines)).backend(backend);
        valid(builder.source(ModelSource::file(model)).scheduler(scheduler).build())
    }

    fn output(self) -> Vec<f32> {
        npy(&format!("{}.output.npy", self.name()))
    }
}

fn npy(name: &str) -> Vec<f32> {
    let array: Array1<f32> = ndarray_npy::read_npy(here().join("golden").join(name)).unwrap();
    array.to_vec()
}

/// Renders `input` in blocks of these sizes; what comes out, without the latency.
fn render<B: Backend, S: Scheduler<anira::EngineOf<B>>>(
    handler: &mut InferenceHandler<B, HopProcessor, S>,
    input: &[f32],
    pattern: &[usize],
) -> Vec<f32> {
    let longest = pattern.iter().copied().max().unwrap();
    let host = HostConfig::varying(48_000.0, longest).mode(Mode::Offline);
    let Prepared { mut audio, report, .. } = valid(handler.prepare(&host));
    let (output, late) = send(&mut audio, input, &blocks(pattern, input.len()));
    assert_eq!((late, handler.control().last_error()), (0, None));
    output[report.latency[0].samples as usize..].to_vec()
}

/// The blocks.
fn patterns() -> Vec<Vec<usize>> {
    let mut random = Random(2);
    let wild = (0..400).map(|_| random.below(1000)).collect();
    let mut all: Vec<Vec<usize>> = [1, 32, 64, 100, 441, 512, 4096].map(|n| vec![n]).to_vec();
    all.push(wild);
    all
}

#[track_caller]
fn near(got: &[f32], right: &[f32], what: &str) {
    assert!(got.len() > 20_000);
    let worst = (0..got.len()).map(|i| ((got[i] - right[i]).abs(), i)).max_by(|a, b| a.0.total_cmp(&b.0));
    let (error, at) = worst.unwrap();
    assert!(error <= TOLERANCE, "{what}: {error} off at {at}: {}, not {}", got[at], right[at]);
}

/// The golden at one block size, then `samples` of it at each of the others, bit for bit the same.
fn check<B: Backend>(backend: B, golden: Golden, whole: usize, samples: usize, patterns: &[Vec<usize>]) {
    let (input, right) = (npy("input.npy"), golden.output());
    let mut handler = golden.handler(backend, Offline, 1);
    let first = render(&mut handler, &input[..whole], &[512]);
    near(&first, &right, golden.name());
    for pattern in patterns {
        let output = render(&mut handler, &input[..samples], pattern);
        assert!(output.len() + golden.hop() >= samples, "all but less than a hop");
        let what = format!("{} at {:?}", golden.name(), &pattern[..pattern.len().min(3)]);
        assert_same(&output, &first[..output.len()], what);
    }
}

/// As many samples on every scheduler, each bit for bit the same as in the caller's own thread.
fn check_schedulers<B: Backend + Copy>(backend: B, golden: Golden, samples: usize, engines: &[usize]) {
    let input = &npy("input.npy")[..samples];
    let first = render(&mut golden.handler(backend, Offline, 1), input, &[441]);
    let same = |output: Vec<f32>, what: &str| {
        // The latency of other schedulers may differ, not what comes after it.
        let len = output.len().min(first.len());
        assert!(len + 2 * golden.hop() >= samples, "{what}: too little came out");
        assert_same(&output[..len], &first[..len], format_args!("{} on {what}", golden.name()));
    };
    for &engines in engines {
        same(render(&mut golden.handler(backend, Pool::shared(), engines), input, &[441]), "the shared pool");
        let pool = valid(Pool::builder().threads(4).build());
        same(render(&mut golden.handler(backend, pool, engines), input, &[441, 7, 1000]), "four threads");
        same(render(&mut golden.handler(backend, valid(Driven::new(2)), engines), input, &[441]), "driven");
    }
}

/// Samples of the golden input.
const ALL: usize = 24_001;

macro_rules! suite {
    ($engine:ident, $backend:expr) => {
        mod $engine {
            use super::*;

            #[test]
            fn gain_agrees_over_all_blocks() {
                check($backend, Golden::Gain, ALL, ALL, &patterns());
            }

            #[test]
            fn gain_agrees_on_all_schedulers() {
                check_schedulers($backend, Golden::Gain, ALL, &[1, 2]);
            }

            #[test]
            fn lstm_agrees_over_all_blocks() {
                check($backend, Golden::Lstm, ALL, ALL, &patterns());
            }

            #[test]
            fn lstm_agrees_on_all_schedulers() {
                check_schedulers($backend, Golden::Lstm, ALL, &[1]);
            }

            #[test]
            fn tcn_agrees_over_all_blocks() {
                check($backend, Golden::Tcn, ALL, 8_000, &patterns());
            }

            #[test]
            fn tcn_agrees_on_all_schedulers() {
                check_schedulers($backend, Golden::Tcn, 8_000, &[1, 2]);
            }
        }
    };
}

suite!(rten, Rten);
#[cfg(feature = "onnxruntime")]
suite!(onnxruntime, OnnxRuntime);
