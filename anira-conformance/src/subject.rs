//! A backend and a specimen, with the steps that all checks take: load, make an engine, feed it, run it, read it.

use std::borrow::Cow;

use anira_traits::{
    Backend, DType, Engine, EngineRequest, InternalState, Model, ModelSource, Signature, TensorData,
    TensorInfo, WorkerScope, shape_text,
};

use crate::Specimen;
use crate::answer::Answer;
use crate::verdict::{Stop, Verdict, fail, skip};

pub(crate) type EngineOf<B> = <<B as Backend>::Model as Model>::Engine;

/// The values of all inputs for one run.
pub(crate) type Feed = Vec<TensorData>;

/// What a check works on.
pub(crate) struct Subject<'a, B> {
    pub(crate) backend: &'a B,
    pub(crate) specimen: &'a Specimen,
    /// Another specimen, or the same if there is one alone.
    pub(crate) other: &'a Specimen,
}

impl<B: Backend> Subject<'_, B> {
    pub(crate) fn load(&self) -> Verdict<B::Model> {
        self.load_from(&self.specimen.source)
    }

    pub(crate) fn load_from(&self, source: &ModelSource) -> Verdict<B::Model> {
        let loaded = self.backend.load(source, &self.specimen.request);
        loaded.map_err(|e| Stop::from(e).at("loading the specimen"))
    }

    /// The file's bytes.
    pub(crate) fn bytes(&self) -> Verdict<Cow<'_, [u8]>> {
        if matches!(self.specimen.source, ModelSource::None) {
            return skip("the specimen has no file");
        }
        Ok(self.specimen.source.bytes()?)
    }

    /// The shapes that most checks use.
    pub(crate) fn shapes(&self, model: &B::Model) -> Verdict<EngineRequest> {
        if let Some(first) = self.specimen.shapes.first() {
            return Ok(first.clone());
        }
        let signature = model.signature();
        let known = |t: &TensorInfo| match t.shape.iter().copied().collect::<Option<Vec<usize>>>() {
            Some(shape) => Ok(shape),
            None => fail(format!(
                "tensor `{}` is {}; name its extents with `Specimen::shapes`",
                t.name,
                shape_text(&t.shape)
            )),
        };
        let inputs = signature.inputs.iter().map(known).collect::<Verdict<_>>()?;
        let outputs = signature.outputs.iter().map(|t| known(t).map(Some)).collect::<Verdict<_>>()?;
        Ok(EngineRequest::new(inputs, outputs))
    }

    pub(crate) fn engine(&self, model: &B::Model) -> Verdict<EngineOf<B>> {
        Self::engine_for(model, &self.shapes(model)?)
    }

    pub(crate) fn engine_for(model: &B::Model, shapes: &EngineRequest) -> Verdict<EngineOf<B>> {
        model.engine(shapes).map_err(|e| Stop::from(e).at("making an engine"))
    }

    /// Whether the model says that it remembers nothing.
    pub(crate) fn forgets(model: &B::Model) -> bool {
        model.internal_state() == InternalState::None
    }

    /// Inputs for the first shapes, other values for every `round`.
    pub(crate) fn feed(&self, model: &B::Model, round: usize) -> Verdict<Feed> {
        Ok(self.feed_for(model.signature(), &self.shapes(model)?, round))
    }

    pub(crate) fn feeds(&self, model: &B::Model, rounds: usize) -> Verdict<Vec<Feed>> {
        (0..rounds).map(|round| self.feed(model, round)).collect()
    }

    pub(crate) fn feed_for(&self, signature: &Signature, shapes: &EngineRequest, round: usize) -> Feed {
        let tensors = signature.inputs.iter().zip(&shapes.inputs).enumerate();
        tensors
            .map(|(i, (info, shape))| {
                let len = shape.iter().product();
                values(info.dtype, len, self.specimen.ranges.get(&i).copied(), round, i)
            })
            .collect()
    }

    /// The answers of a fresh engine to these inputs in turn.
    pub(crate) fn alone(&self, model: &B::Model, feeds: &[Feed]) -> Verdict<Vec<Answer>> {
        let mut engine = self.engine(model)?;
        feeds.iter().map(|feed| run(&mut engine, feed)).collect()
    }

    /// The answer of a fresh engine to the last of these inputs, with as much history as the model remembers.
    pub(crate) fn last_alone(&self, model: &B::Model, feeds: &[Feed]) -> Verdict<Answer> {
        let from = if Self::forgets(model) { feeds.len().saturating_sub(1) } else { 0 };
        let answers = self.alone(model, feeds.get(from..).unwrap_or_default())?;
        answers.into_iter().next_back().map_or_else(|| fail("no run to answer"), Ok)
    }
}

/// Numbers that look random, differ from round to round in every element of an integer tensor, and are always the same.
fn values(dtype: DType, len: usize, range: Option<(f64, f64)>, round: usize, tensor: usize) -> TensorData {
    let mut data = TensorData::zeros(dtype, len);
    let float = matches!(dtype, DType::F32 | DType::F64 | DType::F16);
    let (low, high) = range.unwrap_or(match dtype {
        DType::Bool => (0.0, 1.0),
        _ if float => (-1.0, 1.0),
        _ => (0.0, 100.0),
    });
    let mut noise = Noise::new(tensor as u64 + 1);
    if float {
        noise = Noise::new(((tensor as u64 + 1) << 32) | (round as u64 + 1));
    }
    let mut view = data.view_mut();
    for i in 0..len {
        let x = noise.unit();
        let value = if float {
            low + (high - low) * x
        } else {
            let span = (high - low).floor() + 1.0;
            low + ((x * span).floor() + (round * 7) as f64) % span
        };
        view.set_number(i, value);
    }
    data
}

/// A small generator of numbers that look random.
pub(crate) struct Noise(u64);

impl Noise {
    pub(crate) fn new(seed: u64) -> Self {
        let mut noise = Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        (0..8).for_each(|_| noise.0 = noise.next());
        noise
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// At least 0, less than 1.
    pub(crate) fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    pub(crate) fn below(&mut self, n: usize) -> usize {
        (self.next() % n.max(1) as u64) as usize
    }
}

/// Writes the inputs, runs, reads the outputs.
pub(crate) fn run<E: Engine>(engine: &mut E, feed: &Feed) -> Verdict<Answer> {
    write(engine, feed)?;
    engine.run().map_err(|e| Stop::from(e).at("a run"))?;
    Ok(read(engine))
}

pub(crate) fn write<E: Engine>(engine: &mut E, feed: &Feed) -> Verdict<()> {
    for (i, data) in feed.iter().enumerate() {
        let Some(target) = engine.input(i) else { return fail(format!("the engine has no input {i}")) };
        target.copy_from(data.view()).map_err(|e| Stop::from(e).at(&format!("writing input {i}")))?;
    }
    Ok(())
}

/// All outputs that the engine shows.
pub(crate) fn read<E: Engine>(engine: &E) -> Answer {
    let mut answer = Vec::new();
    while let Some(view) = engine.output(answer.len()) {
        let mut data = TensorData::zeros(view.dtype(), view.len());
        let copied = data.view_mut().copy_from(view).is_ok();
        answer.push(copied.then_some(data));
        if answer.len() > MOST_OUTPUTS {
            break;
        }
    }
    answer
}

/// Where an engine that has an output for every index is left; `tensors` finds it.
const MOST_OUTPUTS: usize = 10_000;

/// Runs `body` where a worker would run engines of this type, and gives what it returns.
pub(crate) fn in_scope<T: Send>(
    scope: Option<WorkerScope>,
    body: impl FnOnce() -> Verdict<T> + Send,
) -> Verdict<T> {
    let Some(scope) = scope else { return body() };
    let (mut body, mut result) = (Some(body), None);
    scope(&mut || {
        if let Some(body) = body.take() {
            result = Some(body());
        }
    });
    result.unwrap_or_else(|| fail("the scope returned without having called its body"))
}
