//! States that the library feeds back, and constants.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anira::prelude::*;
use anira::traits::{DType, Signature, TensorInfo};
use anira_tests::{Random, assert_same, backend, blocks, ramp, send, signature, valid};

use crate::{rendering, rendering_varying};

const HOP: usize = 16;

/// A running sum over the whole stream in `z`, and in `n` (int64) the number of hops, which is added to each sample.
/// Fails without a trace at the runs whose number `fails` accepts.
fn summing(fails: impl Fn(u64) -> bool + Clone + Send + Sync + 'static) -> impl Backend {
    let shape = [1, 1, HOP];
    let mut tensors: Signature =
        signature(&[("input", &shape), ("z_in", &[1, 1])], &[("output", &shape), ("z_out", &[1, 1])]);
    tensors.inputs.push(TensorInfo::new("n_in", DType::I64, [Some(1)]));
    tensors.outputs.push(TensorInfo::new("n_out", DType::I64, [Some(1)]));
    let runs = Arc::new(AtomicU64::new(0));
    backend(tensors, move |x, y| {
        let mut sum = x.f32(1)?[0];
        let Some(&[count]) = x.view(2).and_then(|v| v.i64()) else {
            return Err(Error::new(ErrorKind::DType, "n_in"));
        };
        for (y, x) in y.f32(0)?.iter_mut().zip(x.f32(0)?) {
            sum += x;
            *y = sum + count as f32;
        }
        y.f32(1)?[0] = sum;
        if let Some(out) = y.view(2).and_then(|v| v.i64_mut()) {
            out[0] = count + 1;
        }
        // At the very end: all outputs, the states among them, are written already.
        if fails(runs.fetch_add(1, Ordering::Relaxed)) {
            return Err(Error::new(ErrorKind::Engine, "on purpose"));
        }
        Ok(())
    })
}

fn config(z: &[f64], n: &[f64]) -> InferenceConfig {
    valid(
        anira_tests::cut()
            .input(InputTensor::stream("input", HOP))
            .input(InputTensor::state("z_in", "z_out").initial(z))
            .input(InputTensor::state("count", "counted").model_name("n_in").initial(n))
            .output(OutputTensor::stream("output", HOP))
            .output(OutputTensor::state("counted").model_name("n_out"))
            .build(),
    )
}

/// What one long run gives; hops that `fails` accepts are silent and leave no trace.
fn long_run(input: &[f32], z: f32, n: f32, fails: impl Fn(u64) -> bool) -> Vec<f32> {
    let (mut sum, mut count, mut output) = (z, n, Vec::new());
    for (k, hop) in input.chunks_exact(HOP).enumerate() {
        if fails(k as u64) {
            output.extend([0.0; HOP]);
            continue;
        }
        for x in hop {
            sum += x;
            output.push(sum + count);
        }
        count += 1.0;
    }
    output.resize(input.len(), 0.0);
    output
}

fn ones(len: usize) -> Vec<f32> {
    (0..len).map(|n| (n % 3) as f32).collect()
}

#[test]
fn blocks_of_any_size_give_what_one_long_run_gives_on_any_scheduler() {
    fn check<S: Scheduler<anira::EngineOf<B>> + Clone, B: Backend>(
        backend: impl Fn() -> B,
        scheduler: S,
        sizes: &[usize],
        host: HostConfig,
    ) {
        let input = ones(sizes.iter().sum());
        let builder = InferenceHandler::builder(config(&[], &[])).backend(backend());
        let mut handler = valid(builder.scheduler(scheduler).build());
        let Prepared { mut audio, report, .. } = valid(handler.prepare(&host));
        let (output, late) = send(&mut audio, &input, sizes);
        let right = anira_tests::delayed(&long_run(&input, 0.0, 0.0, |_| false), report.latency[0].samples);
        let whole = output.len() / HOP * HOP;
        assert_same(&output[..whole], &right[..whole], format_args!("{:?}", &sizes[..3]));
        assert_eq!(late, 0);
    }
    let mut random = Random(3);
    let wild: Vec<usize> = (0..300).map(|_| random.below(40)).collect();
    let made = || summing(|_| false);
    for block in [1, 7, 16, 100] {
        check(made, Offline, &blocks(&[block], 100 * block), rendering(block));
    }
    check(made, Offline, &wild, rendering_varying(40));
    check(made, Pool::shared(), &wild, rendering_varying(40));
    check(made, valid(Pool::builder().threads(4).build()), &wild, rendering_varying(40));
    check(made, valid(Driven::new(3)), &wild, rendering_varying(40));
}

#[test]
fn a_session_begins_at_the_initial_values_and_so_does_a_reset() {
    let mut handler = valid(
        InferenceHandler::builder(config(&[1000.0], &[-5.0]))
            .backend(summing(|_| false))
            .scheduler(Offline)
            .build(),
    );
    let input = ones(10 * HOP);
    let right = long_run(&input, 1000.0, -5.0, |_| false);
    let Prepared { mut audio, .. } = valid(handler.prepare(&rendering(HOP)));
    for round in 0..3 {
        let output = send(&mut audio, &input, &[HOP; 10]).0;
        assert_same(&output, &right, format_args!("round {round}"));
        audio.reset();
    }
    let Prepared { mut audio, .. } = valid(handler.prepare(&rendering(HOP)));
    assert_same(&send(&mut audio, &input, &[HOP; 10]).0, &right, "after another prepare");
}

#[test]
fn a_reset_within_a_hop_begins_a_whole_one() {
    let backend = summing(|_| false);
    let mut handler =
        valid(InferenceHandler::builder(config(&[], &[])).backend(backend).scheduler(Offline).build());
    let Prepared { mut audio, report, .. } = valid(handler.prepare(&rendering_varying(HOP)));
    let _ = send(&mut audio, &ramp(HOP + 5), &[HOP, 5]);
    audio.reset();
    let input = ones(5 * HOP);
    let right = anira_tests::delayed(&long_run(&input, 0.0, 0.0, |_| false), report.latency[0].samples);
    let output = send(&mut audio, &input, &[3; 5 * HOP / 3]).0;
    assert_same(&output, &right[..output.len()], "the five samples are gone");
}

#[test]
fn a_failed_run_leaves_both_states_as_they_were() {
    let fails = |n: u64| [0, 3, 4, 9].contains(&n);
    let mut handler =
        valid(InferenceHandler::builder(config(&[], &[])).backend(summing(fails)).scheduler(Offline).build());
    let control = handler.control();
    let input = ones(12 * HOP);
    let Prepared { mut audio, .. } = valid(handler.prepare(&rendering(HOP)));
    let (output, late) = send(&mut audio, &input, &[HOP; 12]);
    assert_same(&output, &long_run(&input, 0.0, 0.0, fails), "as if the failed hops had not been");
    assert_eq!((late, control.telemetry().failed), (4 * HOP as u64, 4));
}

/// Two channels of a mono model: channel 1 is 100 times channel 0.
fn two_lanes<B: Backend>(backend: B, hops: usize) -> (Vec<f32>, Vec<f32>, TelemetryOf) {
    let mut handler =
        valid(InferenceHandler::builder(config(&[], &[])).backend(backend).scheduler(Offline).build());
    let control = handler.control();
    let Prepared { mut audio, report, .. } = valid(handler.prepare(&rendering(HOP).channels(2)));
    assert_eq!(report.lanes, 2);
    let mut left = ones(hops * HOP);
    let mut right: Vec<f32> = left.iter().map(|x| 100.0 * x).collect();
    for (left, right) in left.chunks_mut(HOP).zip(right.chunks_mut(HOP)) {
        assert_eq!(audio.process(&mut [left, right]).fault, None);
    }
    (left, right, (control.telemetry().done, control.telemetry().failed))
}

/// Hops done and failed.
type TelemetryOf = (u64, u64);

#[test]
fn lanes_have_states_of_their_own() {
    let (left, right, _) = two_lanes(summing(|_| false), 10);
    let input = ones(10 * HOP);
    let loud: Vec<f32> = input.iter().map(|x| 100.0 * x).collect();
    assert_same(&left, &long_run(&input, 0.0, 0.0, |_| false), "left");
    assert_same(&right, &long_run(&loud, 0.0, 0.0, |_| false), "right");
}

#[test]
fn where_one_lane_fails_no_lane_remembers() {
    // Runs 0 and 1 are the first hop's lanes, 2 and 3 the second's: there the second lane fails, after the first succeeded.
    let (left, right, counts) = two_lanes(summing(|n| n == 3), 6);
    let fails = |n| n == 1;
    let input = ones(6 * HOP);
    let loud: Vec<f32> = input.iter().map(|x| 100.0 * x).collect();
    assert_same(&left, &long_run(&input, 0.0, 0.0, fails), "left");
    assert_same(&right, &long_run(&loud, 0.0, 0.0, fails), "right");
    assert_eq!(counts, (5, 1));
}

#[test]
fn what_a_closure_remembers_itself_is_forgotten_at_a_reset() {
    let shape = [1, 1, HOP];
    let mut sum = 0.0;
    let model = backend(signature(&[("input", &shape)], &[("output", &shape)]), move |x, y| {
        for (y, x) in y.f32(0)?.iter_mut().zip(x.f32(0)?) {
            sum += x;
            *y = sum;
        }
        Ok(())
    });
    let model = model.internal_state(anira::traits::InternalState::Inside);
    let config = anira_tests::plain(HOP, std::time::Duration::ZERO);
    let mut handler = valid(InferenceHandler::builder(config).backend(model).scheduler(Offline).build());
    let Prepared { mut audio, .. } = valid(handler.prepare(&rendering(HOP).channels(2)));
    for round in 0..3 {
        let (mut a, mut b) = (vec![1.0f32; 3 * HOP], vec![10.0f32; 3 * HOP]);
        for (a, b) in a.chunks_mut(HOP).zip(b.chunks_mut(HOP)) {
            assert!(audio.process(&mut [a, b]).is_ok());
        }
        assert_same(&a, &ramp(3 * HOP), format_args!("round {round}: an engine for each lane"));
        assert_eq!(b[3 * HOP - 1], 30.0 * HOP as f32);
        audio.reset();
    }
}

#[test]
fn constants_of_several_types_are_there_at_every_run() {
    let shape = [1, 1, HOP];
    let mut tensors = signature(&[("input", &shape), ("weights", &[2, 2])], &[("output", &shape)]);
    tensors.inputs.push(TensorInfo::new("rate", DType::I64, [Some(1)]));
    tensors.inputs.push(TensorInfo::new("flags", DType::Bool, [Some(3)]));
    let model = backend(tensors, |x, y| {
        let Some(rate) = x.view(2).and_then(|v| v.i64()) else { return Err(wrong()) };
        let Some(flags) = x.view(3).and_then(|v| v.bools()) else { return Err(wrong()) };
        let sum: f32 =
            x.f32(1)?.iter().sum::<f32>() + rate[0] as f32 + flags.iter().filter(|f| **f).count() as f32;
        y.f32(0)?.fill(sum);
        Ok(())
    });
    let config = anira_tests::cut()
        .input(InputTensor::stream("input", HOP))
        .input(InputTensor::constant("weights", [1.0, 2.0, 3.0, 4.0]))
        .input(InputTensor::constant("rate", [48_000.0]))
        .input(InputTensor::constant("flags", [1.0]))
        .output(OutputTensor::stream("output", HOP))
        .warm_up(3)
        .engines(3);
    let mut handler =
        valid(InferenceHandler::builder(valid(config.build())).backend(model).scheduler(Offline).build());
    let Prepared { mut audio, .. } = valid(handler.prepare(&rendering(HOP)));
    for _ in 0..3 {
        assert_same(&send(&mut audio, &ramp(4 * HOP), &[HOP; 4]).0, &[48_013.0; 4 * HOP], "constants");
        audio.reset();
    }
}

fn wrong() -> Error {
    Error::new(ErrorKind::DType, "a constant of another type")
}
