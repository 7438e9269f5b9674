//! Whatever happened before a reset, the stream after it is that of a session just prepared.

use std::time::Duration;

use anira::prelude::*;
use anira::scheduler::Driver;
use anira::traits::{EmitPart, HopEmit, Hops, InternalState, Result, SessionPlan, Windows, WorkerPart};
use anira_tests::{Random, assert_same, backend, cut, ramp, signature, valid};

const HOP: usize = 16;
const CONTEXT: usize = 5;

/// What goes on from hop to hop.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Memory {
    /// The window's context alone.
    Context,
    /// A state tensor that begins at 0.25 and is at rest at twice the gain.
    Tensor,
    /// The same inside of the engine.
    Inside,
}

/// y = gain·x + half of what came [`CONTEXT`] samples before + z; then z becomes z/2 + gain + the mean of x.
fn answer(x: &[f32], gain: f32, z: &mut f32, y: &mut [f32]) {
    for (i, y) in y.iter_mut().enumerate() {
        *y = gain * x[CONTEXT + i] + 0.5 * x[i] + *z;
    }
    *z = 0.5 * *z + gain + x[CONTEXT..].iter().sum::<f32>() / HOP as f32;
}

fn model(memory: Memory) -> impl Backend {
    let (window, hop) = ([1, 1, CONTEXT + HOP], [1, 1, HOP]);
    let mut inputs = vec![("x", &window[..]), ("gain", &[1][..])];
    let mut outputs = vec![("y", &hop[..])];
    if memory == Memory::Tensor {
        inputs.push(("z", &[1]));
        outputs.push(("z out", &[1]));
    }
    let mut own = 0.25;
    let model = backend(signature(&inputs, &outputs), move |x, y| {
        let (gain, mut z) = match memory {
            Memory::Context => (x.f32(1)?[0], 0.0),
            Memory::Tensor => (x.f32(1)?[0], x.f32(2)?[0]),
            Memory::Inside => (x.f32(1)?[0], own),
        };
        answer(x.f32(0)?, gain, &mut z, y.f32(0)?);
        match memory {
            Memory::Context => {}
            Memory::Tensor => y.f32(1)?[0] = z,
            Memory::Inside => own = z,
        }
        Ok(())
    });
    let inside = memory == Memory::Inside;
    model.internal_state(if inside { InternalState::Inside } else { InternalState::None })
}

fn config(memory: Memory, engines: usize, pre_roll: usize) -> InferenceConfig {
    let mut config = cut()
        .input(InputTensor::stream("x", HOP).context(CONTEXT))
        .input(InputTensor::parameter("gain", [1.0]))
        .output(OutputTensor::stream("y", HOP))
        .engines(engines)
        .pre_roll(pre_roll)
        .max_inference(Duration::from_micros(150));
    if memory == Memory::Tensor {
        config = config
            .input(InputTensor::state("z", "z out").initial([0.25]))
            .output(OutputTensor::state("z out"));
    }
    valid(config.build())
}

/// Sends channels of samples; runs what was submitted before it asks for the output.
fn sent<B: Backend, P: PrePostProcessor, S: Scheduler<anira::EngineOf<B>>>(
    audio: &mut Audio<B, P, S>,
    driver: &mut Option<Driver>,
    channels: &[Vec<f32>],
    sizes: &[usize],
) -> Vec<Vec<f32>> {
    let mut output: Vec<Vec<f32>> = vec![Vec::new(); channels.len()];
    let mut at = 0;
    for &size in sizes {
        let block: Vec<&[f32]> = channels.iter().map(|c| &c[at..at + size]).collect();
        assert!(audio.push(0, &block[..]).is_ok());
        while driver.as_mut().is_some_and(Driver::run_one) {}
        let mut out = vec![vec![f32::NAN; size]; channels.len()];
        let mut slices: Vec<&mut [f32]> = out.iter_mut().map(Vec::as_mut_slice).collect();
        assert!(audio.pop(0, &mut slices[..]).is_ok());
        output.iter_mut().zip(out).for_each(|(all, part)| all.extend(part));
        at += size;
    }
    output
}

fn sizes(random: &mut Random, count: usize) -> Vec<usize> {
    (0..count).map(|_| random.below(41)).collect()
}

fn noise(random: &mut Random, len: usize) -> Vec<f32> {
    (0..len).map(|_| random.below(2001) as f32 / 1000.0 - 1.0).collect()
}

/// After each of many resets: what a handler of its own gives, prepared with the same parameters.
fn check<B: Backend, P: PrePostProcessor, S: Scheduler<anira::EngineOf<B>>>(
    make: impl Fn() -> (InferenceHandler<B, P, S>, Option<Driver>),
    host: &HostConfig,
    channels: usize,
    what: &str,
) {
    let mut random = Random(what.len() as u64);
    let prepared = |gain: f64| {
        let (mut handler, driver) = make();
        if !handler.control().parameters().is_empty() {
            valid(handler.control().set_parameter("gain", &[gain]));
        }
        let Prepared { audio, .. } = valid(handler.prepare(host));
        (handler, audio, driver)
    };
    let (_handler, mut audio, mut driver) = prepared(3.0);
    for round in 0..12 {
        let before = sizes(&mut random, [0, 1, 2, 30][round % 4]);
        let junk: Vec<_> = (0..channels).map(|_| noise(&mut random, before.iter().sum())).collect();
        sent(&mut audio, &mut driver, &junk, &before);
        // In the middle of a hop, with hops that nobody has run, twice in a row.
        if round % 3 == 0 {
            let some: Vec<_> = (0..channels).map(|_| noise(&mut random, 30)).collect();
            let block: Vec<&[f32]> = some.iter().map(Vec::as_slice).collect();
            assert!(audio.push(0, &block[..]).is_ok());
        }
        (0..=round % 2).for_each(|_| audio.reset());
        let sizes = sizes(&mut random, 20);
        let input: Vec<_> = (0..channels).map(|_| noise(&mut random, sizes.iter().sum())).collect();
        let (_other, mut fresh, mut other) = prepared(3.0);
        let right = sent(&mut fresh, &mut other, &input, &sizes);
        let got = sent(&mut audio, &mut driver, &input, &sizes);
        for (got, right) in got.iter().zip(&right) {
            assert_same(got, right, format_args!("{what}, round {round}"));
        }
        assert!(right[0].iter().any(|s| *s != 0.0));
    }
}

#[test]
fn whatever_the_model_remembers() {
    for memory in [Memory::Context, Memory::Tensor, Memory::Inside] {
        for (channels, pre_roll) in [(1, 0), (2, 0), (1, 37), (2, 16)] {
            for engines in [1, 3] {
                if engines > 1 && memory != Memory::Context {
                    continue;
                }
                let what = format!("{memory:?}, {channels} channels, pre-roll {pre_roll}, {engines} engines");
                let host = HostConfig::varying(48_000.0, 40).channels(channels);
                let make = || {
                    let builder = InferenceHandler::builder(config(memory, engines, pre_roll));
                    (valid(builder.backend(model(memory)).scheduler(Offline).build()), None)
                };
                check(make, &host.mode(Mode::Offline), channels, &what);
                let make = || {
                    let scheduler = valid(Driven::new(engines));
                    let driver = scheduler.driver();
                    let builder = InferenceHandler::builder(config(memory, engines, pre_roll));
                    let handler = valid(builder.backend(model(memory)).scheduler(scheduler).build());
                    (handler, Some(driver))
                };
                check(make, &host, channels, &what);
            }
        }
    }
}

#[test]
fn a_pre_roll_is_whole_hops_of_silence_with_the_parameters_at_their_defaults() {
    // z: 0.25, then z/2 + 1 for each hop of silence.
    for (pre_roll, z) in [(0, 0.25), (1, 1.125), (16, 1.125), (17, 1.5625), (37, 1.781_25), (48, 1.781_25)] {
        for memory in [Memory::Tensor, Memory::Inside] {
            let builder = InferenceHandler::builder(config(memory, 1, pre_roll)).backend(model(memory));
            let mut handler = valid(builder.scheduler(Offline).build());
            valid(handler.control().set_parameter("gain", &[3.0]));
            let host = HostConfig::fixed(48_000.0, HOP).mode(Mode::Offline);
            let Prepared { mut audio, report, .. } = valid(handler.prepare(&host));
            let latency = report.latency[0].samples as usize;
            for round in 0..3 {
                let output = sent(&mut audio, &mut None, &[vec![0.0; 8 * HOP]], &[HOP; 8]);
                assert_eq!(output[0][..latency], vec![0.0; latency]);
                assert_eq!(output[0][latency], z, "{memory:?}, {pre_roll} samples, round {round}");
                assert_eq!(output[0][latency + HOP], z / 2.0 + 3.0, "then the gain is what was set");
                audio.reset();
                // And a change in the middle of a stream is not what a pre-roll hears.
                valid(handler.control().set_parameter("gain", &[3.0]));
            }
        }
    }
}

/// Adds up all samples that it ever saw, on the worker.
struct Summing;

struct Sum(f32);

impl PrePostProcessor for Summing {
    type Worker = Sum;
    type Emit = HopEmit;

    fn split(&self, plan: &SessionPlan) -> Result<(Vec<Sum>, HopEmit)> {
        Ok(((0..plan.engines * plan.lanes).map(|_| Sum(0.0)).collect(), HopEmit))
    }

    fn is_stateful(&self) -> bool {
        true
    }
}

impl WorkerPart for Sum {
    fn prepare<E: Engine>(&mut self, windows: &impl Windows, engine: &mut E) -> Result<()> {
        let tensor = engine.input(0).and_then(|t| t.f32_mut()).ok_or(Error::new(ErrorKind::DType, "x"))?;
        for (cell, sample) in tensor.iter_mut().zip(windows.span(0, 0).iter()) {
            self.0 += sample;
            *cell = self.0;
        }
        Ok(())
    }

    fn finish<E: Engine>(&mut self, engine: &E, hops: &mut impl Hops) -> Result<()> {
        let tensor = engine.output(0).and_then(|t| t.f32()).ok_or(Error::new(ErrorKind::DType, "y"))?;
        hops.channel(0, 0).copy_from_slice(tensor);
        Ok(())
    }

    fn reset(&mut self) {
        self.0 = 0.0;
    }
}

const _: fn() = || {
    fn emits<T: EmitPart>() {}
    emits::<HopEmit>();
};

#[test]
fn what_a_processor_remembers() {
    let make = || {
        let config = cut()
            .input(InputTensor::stream("x", HOP))
            .output(OutputTensor::stream("y", HOP))
            .max_inference(Duration::from_micros(150));
        let scheduler = valid(Driven::new(1));
        let driver = scheduler.driver();
        let builder = InferenceHandler::builder(valid(config.build())).backend(Bypass).processor(Summing);
        (valid(builder.scheduler(scheduler).build()), Some(driver))
    };
    for channels in [1, 2] {
        let host = HostConfig::varying(48_000.0, 40).channels(channels);
        check(make, &host, channels, "a sum");
    }
    let (mut handler, mut driver) = make();
    let Prepared { mut audio, report, .. } = valid(handler.prepare(&HostConfig::fixed(48_000.0, HOP)));
    for _ in 0..3 {
        let output = sent(&mut audio, &mut driver, &[vec![1.0; 10 * HOP]], &[HOP; 10]);
        let right = anira_tests::delayed(&ramp(10 * HOP), report.latency[0].samples);
        assert_same(&output[0], &right, "a sum of ones from the beginning");
        audio.reset();
    }
}
