//! Engines that fail, panic, or answer what is no number: silence exactly there, and everything else as if nothing had been.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anira::prelude::*;
use anira::traits::{EngineRequest, LoadRequest, Signature, TensorView, TensorViewMut};
use anira_tests::{
    assert_same, backend, delayed, fixture, mono, plain, ramp, send, send_settled, signature, valid,
};

use crate::{HOP, WORST, copy, offline, on_own_pool, on_own_pool_with, realtime, rendering};

/// The input, silent in these hops.
fn without(input: &[f32], hops: &[usize]) -> Vec<f32> {
    let lost = |i: usize| hops.contains(&(i / HOP));
    input.iter().enumerate().map(|(i, x)| if lost(i) { 0.0 } else { *x }).collect()
}

/// A backend that does `instead` at the runs that are listed, else copies; and how often it ran.
fn at_runs(
    runs: &'static [u64],
    instead: impl Fn(&mut [f32]) -> Result<(), Error> + Clone + Send + Sync + 'static,
) -> (impl Backend, Arc<AtomicU64>) {
    let count = Arc::new(AtomicU64::new(0));
    let counted = count.clone();
    let model = mono(HOP, move |x, y| {
        copy(x, y)?;
        if runs.contains(&counted.fetch_add(1, Ordering::SeqCst)) { instead(y) } else { Ok(()) }
    });
    (model, count)
}

fn fail(_: &mut [f32]) -> Result<(), Error> {
    Err(Error::new(ErrorKind::Engine, "the sensor is wet"))
}

/// The hops that fail in most of these tests.
const RUNS: &[u64] = &[2, 5, 6];
const HOPS: &[usize] = &[2, 5, 6];

#[test]
fn an_error_silences_its_hop_and_shifts_nothing_in_real_time() {
    let mut handler = on_own_pool(at_runs(RUNS, fail).0, 1);
    let control = handler.control();
    let Prepared { mut audio, report, .. } = valid(handler.prepare(&realtime()));
    let input = ramp(20 * HOP);
    let (output, late) = send_settled(&mut audio, &control, &input, &[HOP; 20]);
    assert_same(&output, &delayed(&without(&input, HOPS), report.latency[0].samples), "silent there alone");
    let telemetry = control.telemetry();
    assert_eq!((late, telemetry.late_samples, telemetry.late_blocks), (3 * HOP as u64, 3 * HOP as u64, 3));
    assert_eq!((telemetry.submitted, telemetry.done, telemetry.failed, telemetry.dropped), (20, 17, 3, 0));
    let error = control.last_error().unwrap();
    assert_eq!(error.kind(), ErrorKind::Engine);
    assert!(error.to_string().contains("the sensor is wet"), "{error}");
    assert_eq!(control.last_error(), None, "taken once");
}

#[test]
fn an_error_silences_its_hop_and_shifts_nothing_offline() {
    let mut handler = offline(at_runs(RUNS, fail).0);
    let Prepared { mut audio, .. } = valid(handler.prepare(&rendering()));
    let input = ramp(20 * HOP);
    let (output, late) = send(&mut audio, &input, &[HOP; 20]);
    assert_same(&output, &without(&input, HOPS), "silent there alone");
    assert_eq!((late, handler.control().telemetry().failed), (3 * HOP as u64, 3));
}

#[test]
fn what_is_no_number_is_a_failure() {
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let spoil = move |y: &mut [f32]| {
            y[HOP - 1] = bad;
            Ok(())
        };
        let mut handler = offline(at_runs(RUNS, spoil).0);
        let control = handler.control();
        let Prepared { mut audio, .. } = valid(handler.prepare(&rendering()));
        let input = ramp(20 * HOP);
        let (output, late) = send(&mut audio, &input, &[HOP; 20]);
        assert_same(&output, &without(&input, HOPS), bad);
        assert_eq!((late, control.telemetry().failed), (3 * HOP as u64, 3), "{bad}");
        assert_eq!(control.last_error().unwrap().kind(), ErrorKind::NonFinite, "{bad}");
    }
}

#[test]
fn a_state_that_is_no_number_is_not_kept() {
    let shape = [1, 1, HOP];
    let tensors = signature(&[("input", &shape), ("z_in", &[2])], &[("output", &shape), ("z_out", &[2])]);
    let model = backend(tensors, |x, y| {
        let (x, z) = (x.f32(0)?, x.f32(1)?);
        y.f32(0)?.fill(z[0]);
        let next = if x[0] == 3.0 { f32::NAN } else { z[1] + 1.0 };
        y.f32(1)?.copy_from_slice(&[z[0] + 1.0, next]);
        Ok(())
    });
    let config = anira_tests::cut()
        .input(InputTensor::stream("input", HOP))
        .input(InputTensor::state("z_in", "z_out"))
        .output(OutputTensor::stream("output", HOP));
    let mut handler =
        valid(InferenceHandler::builder(valid(config.build())).backend(model).scheduler(Offline).build());
    let Prepared { mut audio, .. } = valid(handler.prepare(&rendering()));
    let heard: Vec<f32> = (0..6).map(|n| send(&mut audio, &[n as f32; HOP], &[HOP]).0[0]).collect();
    assert_eq!(heard, [0.0, 1.0, 2.0, 0.0, 3.0, 4.0], "hop 3 is silent and has not been counted");
    assert_eq!(handler.control().last_error().unwrap().kind(), ErrorKind::NonFinite);
}

#[test]
fn nan_from_the_host_is_silence_for_as_long_as_the_model_sees_it() {
    let window = HOP + 100;
    let tensors = signature(&[("input", &[1, 1, window])], &[("output", &[1, 1, HOP])]);
    let model = backend(tensors, |x, y| {
        let x = x.f32(0)?;
        y.f32(0)?.iter_mut().enumerate().for_each(|(i, y)| *y = x[100 + i] + 0.0 * x[i]);
        Ok(())
    });
    let config = anira_tests::cut()
        .input(InputTensor::stream("input", HOP))
        .output(OutputTensor::stream("output", HOP));
    let mut handler =
        valid(InferenceHandler::builder(valid(config.build())).backend(model).scheduler(Offline).build());
    let Prepared { mut audio, .. } = valid(handler.prepare(&rendering()));
    let mut input = ramp(12 * HOP);
    let clean = input.clone();
    // In hop 3; 100 samples later, in hop 4, it leaves the context.
    input[3 * HOP + 20] = f32::NAN;
    let (output, late) = send(&mut audio, &input, &[HOP; 12]);
    assert_same(&output, &without(&clean, &[3, 4]), "hops 3 and 4");
    assert_eq!(late, 2 * HOP as u64);
}

#[test]
fn a_model_that_divides_by_zero_is_never_heard() {
    let builder = InferenceHandler::builder(plain(64, WORST)).backend(Rten).source(fixture("nan.onnx"));
    let mut handler = valid(builder.scheduler(Offline).build());
    let control = handler.control();
    let Prepared { mut audio, .. } = valid(handler.prepare(&rendering()));
    for input in [[0.0; 64], [1.0; 64]] {
        assert_eq!(send(&mut audio, &input, &[64]), (vec![0.0; 64], 64));
        assert_eq!(control.last_error().unwrap().kind(), ErrorKind::NonFinite);
    }
    assert_eq!((control.telemetry().done, control.telemetry().failed), (0, 2));
}

fn explode(_: &mut [f32]) -> Result<(), Error> {
    panic!("boom number {}", 7)
}

#[test]
fn an_engine_that_panicked_is_never_run_again() {
    let (model, runs) = at_runs(&[2], explode);
    let mut handler = on_own_pool(model, 1);
    let control = handler.control();
    let Prepared { mut audio, report, .. } = valid(handler.prepare(&realtime()));
    let input = ramp(12 * HOP);
    let (output, late) = send_settled(&mut audio, &control, &input[..4 * HOP], &[HOP; 4]);
    let error = control.last_error().unwrap();
    assert_eq!(error.kind(), ErrorKind::Panicked);
    assert!(error.to_string().contains("boom number 7"), "{error}");
    assert_eq!(late, HOP as u64);
    let latency = report.latency[0].samples;
    let right = delayed(&without(&input, &(2..12).collect::<Vec<_>>()), latency);
    assert_same(&output, &right[..4 * HOP], "before");
    // A reset does not bring it back either.
    audio.reset();
    let (output, _) = send_settled(&mut audio, &control, &input, &[HOP; 12]);
    assert_same(&output, &[0.0; 12 * HOP], "after");
    assert_eq!(control.last_error().unwrap().kind(), ErrorKind::Panicked, "each hop says why");
    assert_eq!((runs.load(Ordering::SeqCst), control.telemetry().failed), (3, 1 + 1 + 12));
    // The control side replaces it.
    let Prepared { mut audio, .. } = valid(handler.prepare(&realtime()));
    let (output, late) = send_settled(&mut audio, &control, &input, &[HOP; 12]);
    assert_same(&output, &delayed(&input, latency), "a new engine");
    assert_eq!(late, 0);
}

#[test]
fn of_several_engines_the_others_go_on() {
    let (model, _) = at_runs(&[3, 7], explode);
    let config = anira_tests::cut()
        .input(InputTensor::stream("input", HOP))
        .output(OutputTensor::stream("output", HOP))
        .max_inference(WORST)
        .engines(3);
    let mut handler = on_own_pool_with(valid(config.build()), model, 3);
    let control = handler.control();
    let Prepared { mut audio, report, .. } = valid(handler.prepare(&realtime()));
    assert_eq!(report.engines, 3);
    let input = ramp(40 * HOP);
    let (output, late) = send_settled(&mut audio, &control, &input, &[HOP; 40]);
    assert_same(&output, &delayed(&without(&input, &[3, 7]), report.latency[0].samples), "two hops lost");
    assert_eq!((late, control.telemetry().failed, control.telemetry().done), (2 * HOP as u64, 2, 38));
}

#[test]
fn rendering_ends_although_every_engine_panicked() {
    for threads in [1, 4] {
        let config = anira_tests::cut()
            .input(InputTensor::stream("input", HOP))
            .output(OutputTensor::stream("output", HOP))
            .engines(2);
        let model = mono(HOP, |_, y| explode(y));
        let mut handler = on_own_pool_with(valid(config.build()), model, threads);
        let control = handler.control();
        let Prepared { mut audio, .. } = valid(handler.prepare(&rendering()));
        let (output, late) = send(&mut audio, &ramp(100 * HOP), &[HOP; 100]);
        assert_same(&output, &[0.0; 100 * HOP], "silence");
        assert_eq!((late, control.telemetry().failed), (100 * HOP as u64, 100));
    }
}

#[test]
fn another_session_on_the_same_pool_does_not_notice() {
    let pool = valid(Pool::builder().threads(1).build());
    let made = |model| {
        valid(InferenceHandler::builder(config_of_two()).backend(model).scheduler(pool.clone()).build())
    };
    let (mut bad, mut good) = (made(at_runs(&[1], explode).0), made(at_runs(&[], explode).0));
    let (bad_control, good_control) = (bad.control(), good.control());
    let Prepared { audio: mut bad_audio, .. } = valid(bad.prepare(&realtime()));
    let Prepared { audio: mut good_audio, report, .. } = valid(good.prepare(&realtime()));
    let input = ramp(20 * HOP);
    let mut output = Vec::new();
    for block in input.chunks(HOP) {
        let _ = send_settled(&mut bad_audio, &bad_control, block, &[HOP]);
        let (samples, late) = send_settled(&mut good_audio, &good_control, block, &[HOP]);
        assert_eq!(late, 0);
        output.extend(samples);
    }
    assert_same(&output, &delayed(&input, report.latency[0].samples), "the good one");
    assert_eq!((bad_control.telemetry().done, good_control.last_error()), (1, None));
    assert_eq!(pool.running(), 1, "the worker lives");
}

fn config_of_two() -> InferenceConfig {
    plain(HOP, WORST / 2)
}

/// A backend like another, whose first engines (as many as said) cannot be reset any more.
struct Jammed<B>(B, u64);

struct JammedModel<M>(M, u64, AtomicU64);

struct JammedEngine<E>(E, bool);

impl<B: Backend> Backend for Jammed<B> {
    type Model = JammedModel<B::Model>;

    fn name(&self) -> &str {
        "jammed"
    }

    fn load(&self, source: &ModelSource, request: &LoadRequest) -> Result<Self::Model, Error> {
        Ok(JammedModel(self.0.load(source, request)?, self.1, AtomicU64::new(0)))
    }
}

impl<M: Model> Model for JammedModel<M> {
    type Engine = JammedEngine<M::Engine>;

    fn signature(&self) -> &Signature {
        self.0.signature()
    }

    fn engine(&self, request: &EngineRequest) -> Result<Self::Engine, Error> {
        let jammed = self.2.fetch_add(1, Ordering::SeqCst) < self.1;
        Ok(JammedEngine(self.0.engine(request)?, jammed))
    }
}

impl<E: Engine> Engine for JammedEngine<E> {
    fn input(&mut self, index: usize) -> Option<TensorViewMut<'_>> {
        self.0.input(index)
    }

    fn output(&self, index: usize) -> Option<TensorView<'_>> {
        self.0.output(index)
    }

    fn run(&mut self) -> Result<(), Error> {
        self.0.run()
    }

    fn reset(&mut self) -> Result<(), Error> {
        if self.1 { Err(Error::new(ErrorKind::Engine, "jammed")) } else { self.0.reset() }
    }
}

#[test]
fn engines_that_cannot_be_reset_leave_their_slots_to_those_that_can() {
    let config = anira_tests::cut()
        .input(InputTensor::stream("input", HOP))
        .output(OutputTensor::stream("output", HOP))
        .max_inference(WORST)
        .engines(3);
    let mut handler = on_own_pool_with(valid(config.build()), Jammed(mono(HOP, copy), 2), 3);
    let control = handler.control();
    let Prepared { mut audio, report, .. } = valid(handler.prepare(&realtime()));
    let latency = report.latency[0].samples;
    let input = ramp(60 * HOP);
    let (output, late) = send_settled(&mut audio, &control, &input, &[HOP; 60]);
    assert_same(&output, &delayed(&input, latency), "before the reset all are well");
    assert_eq!(late, 0);
    audio.reset();
    let (_, late) = send_settled(&mut audio, &control, &input, &[HOP; 60]);
    // Each of the two fails the slot by which it finds out, if it ever gets one, and no other.
    assert!(late <= 2 * HOP as u64, "{late} samples late");
    assert_eq!(control.telemetry().failed * HOP as u64, late);
}
