//! Engines that run one block over and over.

use std::time::Instant;

use anira::backends::native::NetworkBackend;
use anira::backends::{Native, OnnxRuntime, Rten};
use anira::realtime::FlushToZero;
use anira::traits::{Backend, Engine, EngineRequest, LoadRequest, Model, TensorView, TensorViewMut};
use anira::{InferenceConfig, InputTensor, ModelSource, OutputTensor, Result};

use super::case::{Case, Origin, Tensors};

/// What the windows of `models/` were exported for.
const HOP: usize = 2_048;

/// What an engine hears.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Noise {
    Loud,
    /// As loud as 1e-39: every number below what floats hold in full.
    Denormal,
}

/// An engine, its inputs filled.
pub(super) trait Contestant {
    /// The time of one run in nanoseconds, taken over as many as the clock needs; with flush-to-zero or without.
    fn burst(&mut self, flush: bool) -> Result<f64>;
}

/// Makes one of a file; `None` where there is no file.
pub(super) type Make = fn(&Case, usize) -> Result<Option<Box<dyn Contestant>>>;

pub(super) fn native(case: &Case, block: usize, noise: Noise) -> Result<Box<dyn Contestant>> {
    match &case.origin {
        Origin::Made(network) => {
            let model = NetworkBackend::new(network.clone()).load(&ModelSource::None, &LoadRequest::new())?;
            new(&model, shapes(Tensors::Window(0), block), noise)
        }
        Origin::File(path, tensors) => {
            // For a session: then the native engine takes new samples alone.
            let config = InferenceConfig::builder()
                .input(InputTensor::stream("input", block))
                .output(OutputTensor::stream("output", block))
                .build()?;
            let model = Native.load(&ModelSource::file(path), &LoadRequest::new().config(config))?;
            let tensors = if let Tensors::Window(_) = tensors { Tensors::Window(0) } else { *tensors };
            new(&model, shapes(tensors, block), noise)
        }
    }
}

pub(super) fn rten(case: &Case, block: usize) -> Result<Option<Box<dyn Contestant>>> {
    general(&Rten, case, block)
}

pub(super) fn onnxruntime(case: &Case, block: usize) -> Result<Option<Box<dyn Contestant>>> {
    general(&OnnxRuntime, case, block)
}

fn general<B: Backend>(backend: &B, case: &Case, block: usize) -> Result<Option<Box<dyn Contestant>>> {
    let Origin::File(path, tensors) = &case.origin else { return Ok(None) };
    let source = match tensors {
        Tensors::Window(past) => ModelSource::memory(for_block(std::fs::read(path)?, *past, block)),
        _ => ModelSource::file(path),
    };
    let model = backend.load(&source, &LoadRequest::new())?;
    new(&model, shapes(*tensors, block), Noise::Loud).map(Some)
}

/// A file that was exported for a hop of [`HOP`] as if for another one: in ONNX's messages the extents of the shapes take
/// the same bytes.
fn for_block(mut bytes: Vec<u8>, past: usize, block: usize) -> Vec<u8> {
    // A dimension, its length, the field of its value, the value in seven bits and the rest.
    let extent = |n: usize| [0x0a, 3, 8, 0x80 | (n & 0x7f) as u8, (n >> 7) as u8];
    for (old, new) in [(past + HOP, past + block), (HOP, block)] {
        let (old, new) = (extent(old), extent(new));
        let places: Vec<_> = (0..bytes.len()).filter(|at| bytes[*at..].starts_with(&old)).collect();
        for at in places {
            bytes[at..at + old.len()].copy_from_slice(&new);
        }
    }
    bytes
}

fn shapes(tensors: Tensors, block: usize) -> EngineRequest {
    let (inputs, outputs) = match tensors {
        Tensors::Window(past) => (vec![vec![1, 1, past + block]], vec![vec![1, 1, block]]),
        Tensors::Sequence(state) => {
            let all = vec![vec![1, block, 1], vec![1, 1, state], vec![1, 1, state]];
            (all.clone(), all)
        }
        Tensors::Windows { samples, .. } => (vec![vec![block, 1, samples]], vec![vec![block, 1]]),
    };
    EngineRequest::new(inputs, outputs.into_iter().map(Some).collect())
}

fn new<M: Model>(model: &M, request: EngineRequest, noise: Noise) -> Result<Box<dyn Contestant>> {
    let mut engine = model.engine(&request)?;
    let mut seed = 1u32;
    if let Some(x) = engine.input(0).and_then(TensorViewMut::f32_mut) {
        x.iter_mut().for_each(|x| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            *x = (seed >> 8) as f32 / (1 << 24) as f32 - 0.5;
            if noise == Noise::Denormal {
                *x *= 1e-39;
            }
        });
    }
    let states = vec![Vec::new(); request.inputs.len().saturating_sub(1)];
    Ok(Box::new(Running { engine, states }))
}

struct Running<E> {
    engine: E,
    /// Room for what goes from output to input, from the second tensor on.
    states: Vec<Vec<f32>>,
}

impl<E: Engine> Running<E> {
    /// One run; the state it ends with begins the next.
    fn run(&mut self) -> Result<()> {
        self.engine.run()?;
        for (at, state) in self.states.iter_mut().enumerate() {
            state.clear();
            state.extend_from_slice(self.engine.output(at + 1).and_then(TensorView::f32).unwrap_or_default());
            if let Some(input) = self.engine.input(at + 1).and_then(TensorViewMut::f32_mut) {
                input.iter_mut().zip(&*state).for_each(|(input, state)| *input = *state);
            }
        }
        Ok(())
    }
}

/// Not inlined: all arithmetic stays between the guard's ends.
#[inline(never)]
fn timed<E: Engine>(running: &mut Running<E>, flush: bool) -> Result<f64> {
    let _guard = flush.then(FlushToZero::new);
    let (mut runs, begin) = (0u32, Instant::now());
    loop {
        running.run()?;
        runs += 1;
        let nanos = begin.elapsed().as_nanos();
        if nanos >= 20_000 {
            return Ok(nanos as f64 / f64::from(runs));
        }
    }
}

impl<E: Engine> Contestant for Running<E> {
    fn burst(&mut self, flush: bool) -> Result<f64> {
        let mut result = Ok(0.0);
        match E::SCOPE {
            Some(scope) => scope(&mut || result = timed(self, flush)),
            None => result = timed(self, flush),
        }
        result
    }
}
