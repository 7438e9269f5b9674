//! The contract of every backend, on those of this crate. Alone in this binary, because it counts allocations.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use std::time::Duration;

use anira_backend_custom::{Bypass, Either, FnBackend, Inputs, Outputs, Slow, Wait};
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

type SlowOrNot = Either<Slow<Bypass>, Bypass>;

conformance_tests!(either, SlowOrNot::Right(Bypass), bypassed());
