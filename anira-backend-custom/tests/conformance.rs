//! The contract of every backend, on those of this crate. Alone in this binary, because it counts allocations.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use std::time::Duration;

use anira_backend_custom::{
    Bypass, Chain, DelayLine, Either, FnBackend, Gain, Inputs, Outputs, Slow, Sum, Wait,
};
use anira_conformance::{CountingAllocator, Specimen, conformance_tests};
use anira_traits::*;

#[global_allocator]
static COUNTING: CountingAllocator = CountingAllocator;

/// Nothing here reads a file, and nothing allocates while it runs.
fn specimen(name: &str) -> Specimen {
    Specimen::new(name, ModelSource::None).max_allocations(0)
}

fn bypassed() -> Vec<Specimen> {
    let streams = InferenceConfig::builder()
        .input(InputTensor::stream("in", 32).context(8).channels(2))
        .input(InputTensor::parameter("p", [0.5]))
        .input(InputTensor::state("h_in", "h_out").initial([0.0; 3]))
        .output(OutputTensor::stream("out", 64).channels(2))
        .output(OutputTensor::parameter("p_out"))
        .build()
        .unwrap();
    vec![
        specimen("mono").shapes([vec![1, 1, 512]], [vec![1, 1, 512]]).reference(
            [TensorData::F32((0..512).map(|i| i as f32).collect())],
            [TensorData::F32((0..512).map(|i| i as f32).collect())],
            0.0,
        ),
        specimen("streams, a parameter, a state").config(streams),
    ]
}

conformance_tests!(bypass, Bypass, bypassed());

/// An integer decides how often x is added to itself; fails beyond a hundred times.
fn sums() -> impl Backend {
    let signature = Signature {
        inputs: vec![
            TensorInfo::new("x", DType::F32, vec![Some(1), None]),
            TensorInfo::new("times", DType::I64, vec![Some(1)]),
        ],
        outputs: vec![TensorInfo::new("y", DType::F32, vec![Some(1), None])],
    };
    FnBackend::new("sums", signature, || {
        |inputs: &Inputs<'_>, outputs: &mut Outputs<'_>| {
            let times =
                inputs.view(1).and_then(TensorView::i64).and_then(|t| t.first().copied()).unwrap_or(0);
            if times > 100 {
                return Err(Error::new(ErrorKind::Engine, "more than a hundred times"));
            }
            outputs.f32(0)?.iter_mut().zip(inputs.f32(0)?).for_each(|(y, x)| *y = x * times as f32);
            Ok(())
        }
    })
}

fn summed() -> Vec<Specimen> {
    vec![
        specimen("sums")
            .shapes([vec![1, 64], vec![1]], [vec![1, 64]])
            .shapes([vec![1, 480], vec![1]], [vec![1, 480]])
            .range(1, 1.0..=100.0)
            .failing([TensorData::F32(vec![1.0; 64]), TensorData::I64(vec![101])]),
    ]
}

conformance_tests!(closure, sums(), summed());

/// A closure that remembers, and says so.
fn one_pole() -> impl Backend {
    let signature = Signature {
        inputs: vec![TensorInfo::f32("x", &[1, 1, 64])],
        outputs: vec![TensorInfo::f32("y", &[1, 1, 64])],
    };
    FnBackend::new("one-pole", signature, || {
        let mut memory = 0.0f32;
        move |inputs: &Inputs<'_>, outputs: &mut Outputs<'_>| {
            for (y, x) in outputs.f32(0)?.iter_mut().zip(inputs.f32(0)?) {
                memory += 0.1 * (x - memory);
                *y = memory;
            }
            Ok(())
        }
    })
    .internal_state(InternalState::Inside)
}

conformance_tests!(closure_that_remembers, one_pole(), [specimen("one pole")]);

conformance_tests!(slow, Slow::new(Bypass, Duration::from_micros(50), Wait::Spin), bypassed());

conformance_tests!(gain, Gain(1.0), bypassed());

// Shorter than a run: an answer that comes a run late is what the kit calls stale.
conformance_tests!(delay_line, DelayLine(7), [specimen("mono")]);

conformance_tests!(chain, Chain::new(Gain(2.0), DelayLine(3)), [specimen("mono")]);

conformance_tests!(sum, Sum::new(Gain(2.0), DelayLine(3)), [specimen("mono")]);

/// Small networks: from files of every kind, and one made in code.
#[cfg(feature = "native")]
mod small {
    use std::path::{Path, PathBuf};

    use anira_backend_custom::native::{Activation, Conv1d, Native, Network, NetworkBackend};

    use super::*;

    fn root() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
    }

    fn of_file(path: &str) -> Specimen {
        Specimen::new(path, ModelSource::file(root().join(path))).max_allocations(0)
    }

    /// What a session says of a stream of one channel.
    fn mono(context: usize) -> InferenceConfig {
        InferenceConfig::builder()
            .input(InputTensor::stream("input", 64).context(context).layout("NCT".parse().unwrap()))
            .output(OutputTensor::stream("output", 64).layout("NCT".parse().unwrap()))
            .build()
            .unwrap()
    }

    /// Of what any length fits, the length of a hop.
    const SHAPE: [[usize; 3]; 1] = [[1, 1, 64]];

    fn files() -> Vec<Specimen> {
        vec![
            of_file("models/gain.onnx"),
            of_file("models/amp-tcn-1k.onnx"),
            of_file("models/amp-knob-4k.onnx").range(1, 0.0..=1.0),
            of_file("models/amp-lstm-2k.onnx").shapes(
                [vec![1, 64, 1], vec![1, 1, 20], vec![1, 1, 20]],
                [vec![1, 64, 1], vec![1, 1, 20], vec![1, 1, 20]],
            ),
            of_file("anira-backend-custom/tests/files/wavenet.nam")
                .config(mono(0))
                .shapes(SHAPE.map(Vec::from), SHAPE.map(Vec::from)),
            of_file("anira-backend-custom/tests/files/rtneural-gru.json")
                .config(mono(0))
                .shapes(SHAPE.map(Vec::from), SHAPE.map(Vec::from)),
        ]
    }

    conformance_tests!(native, Native, files());

    fn network() -> NetworkBackend {
        let mut net = Network::new();
        let x = net.input(1).unwrap();
        let y = net.conv(x, Conv1d::new(1, 5, 3, [0.3; 15]).dilation(7)).unwrap();
        let y = net.activate(y, Activation::Tanh).unwrap();
        let y = net.conv(y, Conv1d::dense(5, 1, [0.2, -0.1, 0.4, 0.3, 0.5])).unwrap();
        net.output(y).unwrap();
        NetworkBackend::new(net)
    }

    fn made_in_code() -> Specimen {
        specimen("a network made in code").config(mono(0)).shapes(SHAPE.map(Vec::from), SHAPE.map(Vec::from))
    }

    conformance_tests!(network, network(), [made_in_code()]);
}

type SlowOrNot = Either<Slow<Bypass>, Bypass>;

conformance_tests!(either, SlowOrNot::Right(Bypass), bypassed());
