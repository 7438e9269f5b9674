//! A second, cheaper model that answers inside the callback when the first is late: [`Fallback`].

#![deny(clippy::indexing_slicing, clippy::panic, clippy::unreachable)]

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use anira_realtime::FlushToZero;
use anira_traits::{
    Backend, Engine, Error, HopProcessor, HopWorker, InferenceConfig, InternalState, LoadRequest, Model,
    ModelSource, PrePostProcessor, RealtimeSafe, Result, SessionPlan, Span, StreamPlan, Windows,
};

use super::Material;
use crate::bind::{Binding, bind};
use crate::handler::EngineOf;
use crate::handler::crew::{self, Crew, Layout, Parameters, Start};
use crate::handler::payload::{Answer, Planar};
use crate::shared;

/// A second model, cheap enough for the callback, that is heard where the first one is late.
///
/// Its engine runs on the audio thread, so only one that is [`RealtimeSafe`] compiles. It has the streams of the first model:
/// as many, of the same hops and channels; its context may be shorter. A model without state runs for the hops that are late,
/// and costs nothing otherwise. One with state runs for every hop as it is handed out, so that its state is right when it is
/// needed. It answers for whole hops: one inference per hop in a callback, with the parameters as they are then.
#[derive(Clone, Debug)]
pub struct Fallback<B> {
    backend: B,
    source: ModelSource,
    config: Option<InferenceConfig>,
    options: BTreeMap<String, String>,
}

impl<B: Backend> Fallback<B> {
    /// A model of this backend that needs no file, and has the tensors of the first model.
    #[must_use]
    pub fn new(backend: B) -> Self {
        Self { backend, source: ModelSource::None, config: None, options: BTreeMap::new() }
    }

    /// Where the model comes from.
    #[must_use]
    pub fn source(mut self, source: ModelSource) -> Self {
        self.source = source;
        self
    }

    /// What its tensors are, where they are not those of the first model. Parameters are matched by name; times, engines and
    /// policies in it are not looked at.
    #[must_use]
    pub fn config(mut self, config: InferenceConfig) -> Self {
        self.config = Some(config);
        self
    }

    /// Options for the backend, by name.
    #[must_use]
    pub fn options(mut self, options: impl IntoIterator<Item = (String, String)>) -> Self {
        self.options.extend(options);
        self
    }
}

/// A fallback before it is loaded, whichever its backend. Control thread.
pub(in crate::handler) trait LoadFallback: Send + Sync {
    /// Loads it for a session of this configuration and these streams.
    fn load(
        &self,
        config: &InferenceConfig,
        inputs: &[StreamPlan],
        outputs: &[StreamPlan],
    ) -> Result<Arc<dyn FallbackModel>>;
}

/// A loaded fallback. Control thread.
pub(in crate::handler) trait FallbackModel: Send + Sync {
    /// The samples in front of the hop that it hears, per input stream.
    fn contexts(&self) -> Vec<usize>;

    /// Makes what runs, for a session of this plan whose parameters have these names and values.
    fn make(&self, plan: &SessionPlan, parameters: &[(&str, &[f64])]) -> Result<Box<dyn Spare>>;
}

/// A fallback that runs. Audio thread; wait-free but for the inference.
pub(in crate::handler) trait Spare: Send {
    /// Whether it has to hear every hop.
    fn is_always_run(&self) -> bool;

    /// Answers a hop, unless that is what it answered last.
    fn run(&mut self, hop: u64, material: Material<'_>);

    /// The answer to the hop that was run last; silence if there is none.
    fn hop(&self, stream: usize, channel: usize) -> &[f32];

    /// A fresh stream.
    fn reset(&mut self);
}

impl<B: Backend> LoadFallback for Fallback<B>
where
    EngineOf<B>: RealtimeSafe,
{
    fn load(
        &self,
        config: &InferenceConfig,
        inputs: &[StreamPlan],
        outputs: &[StreamPlan],
    ) -> Result<Arc<dyn FallbackModel>> {
        let config = self.config.as_ref().unwrap_or(config);
        let mut request = LoadRequest::new().config(config.clone());
        request.options = self.options.clone();
        let model = shared::load(&self.backend, &self.source, &request)?;
        let binding = bind(config, model.signature())?;
        let engine = model.engine(&binding.request)?;
        let own = binding.outputs(|tensor| engine.output(tensor).map(|t| t.len()))?;
        check("input", inputs, &binding.inputs)?;
        check("output", outputs, &own)?;
        let remembers = model.internal_state() == InternalState::Inside;
        if remembers && config.pre_roll() > 0 {
            let right =
                "0 for a fallback that remembers inside its engine: every reset would run it in the callback";
            return Err(Error::config("pre_roll", config.pre_roll(), right));
        }
        if (remembers || !binding.states.is_empty()) && outputs.len() > 1 {
            let right = "a fallback without state, where the session has several output streams";
            return Err(Error::config("fallback", "a model with state", right));
        }
        Ok(Arc::new(Loaded::<B> { model, binding, outputs: own, pre_roll: config.pre_roll() }))
    }
}

/// The streams of the two models have to be the same.
fn check(what: &str, session: &[StreamPlan], own: &[StreamPlan]) -> Result<()> {
    if session.len() != own.len() {
        let right = format!("{}, as many as the model has", session.len());
        return Err(Error::config(format!("{what} streams"), own.len(), right).at("fallback"));
    }
    for (session, own) in session.iter().zip(own) {
        // Another delay of its own would shift what is heard in its place.
        let fields = [
            ("hop", session.hop as u64, own.hop as u64),
            ("channels", session.channels as u64, own.channels as u64),
            ("latency", session.latency, own.latency),
        ];
        for (field, right, value) in fields {
            if right != value {
                let right = format!("{right}, that of the model's `{}`", session.name);
                let error = Error::config(field, value, right);
                return Err(error.at(format!("fallback, {what} `{}`", own.name)));
            }
        }
    }
    Ok(())
}

struct Loaded<B: Backend> {
    model: Arc<B::Model>,
    binding: Binding,
    outputs: Vec<StreamPlan>,
    pre_roll: usize,
}

impl<B: Backend> FallbackModel for Loaded<B>
where
    EngineOf<B>: RealtimeSafe,
{
    fn contexts(&self) -> Vec<usize> {
        self.binding.inputs.iter().map(|s| s.context).collect()
    }

    fn make(&self, plan: &SessionPlan, parameters: &[(&str, &[f64])]) -> Result<Box<dyn Spare>> {
        let mut own = SessionPlan::new(self.binding.inputs.clone(), self.outputs.clone());
        (own.lanes, own.sample_rate) = (plan.lanes, plan.sample_rate);
        let remembers = self.model.internal_state() == InternalState::Inside;
        let layout = Arc::new(Layout::new(self.binding.clone(), &own, self.pre_roll, remembers));
        let of_session = |name: &str| parameters.iter().position(|(known, _)| *known == name);
        let from: Vec<_> = self.binding.parameters.iter().map(|p| of_session(&p.name)).collect();
        let values = self.binding.parameters.iter().zip(&from).map(|(own, from)| {
            let set = from.and_then(|index| parameters.get(index)).map(|(_, values)| *values);
            // What the two have of the same name and length is one parameter.
            set.filter(|values| values.len() == own.default.len()).unwrap_or(&own.default).to_vec()
        });
        let parameters: Box<Parameters> = values.map(Vec::into_boxed_slice).collect();
        let answer = Answer {
            hops: own.outputs.iter().map(|s| Planar::new(s.channels * own.lanes, s.hop)).collect(),
            readings: self.binding.readings.iter().map(|r| vec![0.0; r.len].into_boxed_slice()).collect(),
        };
        let (parts, _) = HopProcessor.split(&own)?;
        let engines = crew::engines(&*self.model, &self.binding, own.lanes, &mut Vec::new())?;
        let mut crew = Crew::new(engines, parts, layout)?;
        // Once: an engine's first inference is seldom its quickest, and this one has the callback's time.
        crew.make_ready(1, &parameters, &answer)?;
        let windows = |s: &StreamPlan| Planar::new(s.channels * own.lanes, s.window());
        Ok(Box::new(Running {
            crew,
            parameters,
            answer,
            from: from.into_boxed_slice(),
            windows: own.inputs.iter().map(windows).collect(),
            contexts: own.inputs.iter().map(|s| (s.hop, s.context)).collect(),
            always: remembers || !self.binding.states.is_empty(),
            generation: 0,
            answered: None,
            dead: false,
        }))
    }
}

struct Running<E> {
    crew: Crew<E, HopWorker>,
    parameters: Box<Parameters>,
    answer: Answer,
    /// Per parameter: its number in the session.
    from: Box<[Option<usize>]>,
    windows: Box<[Planar]>,
    /// Per input stream: hop and context.
    contexts: Box<[(usize, usize)]>,
    always: bool,
    generation: u64,
    /// The hop that was run last, and whether it was answered.
    answered: Option<(u64, bool)>,
    /// The engine panicked.
    dead: bool,
}

impl<E: Engine> Spare for Running<E> {
    fn is_always_run(&self) -> bool {
        self.always
    }

    fn run(&mut self, hop: u64, material: Material<'_>) {
        if self.answered.is_some_and(|(last, _)| last == hop) {
            return;
        }
        for (values, from) in self.parameters.iter_mut().zip(&self.from) {
            let now = from.and_then(|index| material.parameters.get(index)).map(|values| &*values.now);
            if let Some(now) = now.filter(|now| now.len() == values.len()) {
                values.iter_mut().zip(now).for_each(|(to, from)| *to = *from);
            }
        }
        for (stream, (windows, (len, context))) in self.windows.iter_mut().zip(&self.contexts).enumerate() {
            let start = (hop * *len as u64) as i64 - *context as i64;
            let mut channel = 0;
            while let Some(window) = windows.channel_mut(channel) {
                material.history.read(stream, channel, start, window);
                channel += 1;
            }
        }
        let Self { crew, parameters, answer, windows, generation, dead, .. } = self;
        let start = Start { generation: *generation, joined: 0 };
        let answered = !*dead && {
            // The callback's thread is not ours: its control register is put back as it was.
            let _denormals = FlushToZero::new();
            let run = || crew.run(start, parameters, answer, Kept(windows), |_| ()).is_ok();
            // An engine that panics breaks its promise; it must not take the host with it.
            catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|_| {
                *dead = true;
                false
            })
        };
        self.answered = Some((hop, answered));
        material.telemetry.count_stood_in(answered);
    }

    fn hop(&self, stream: usize, channel: usize) -> &[f32] {
        match self.answered {
            Some((_, true)) => {
                self.answer.hops.get(stream).and_then(|h| h.channel(channel)).unwrap_or_default()
            }
            _ => &[],
        }
    }

    fn reset(&mut self) {
        self.generation += 1;
        self.answered = None;
    }
}

/// Windows that were copied out of the history.
#[derive(Clone, Copy)]
struct Kept<'a>(&'a [Planar]);

impl Windows for Kept<'_> {
    fn span(&self, stream: usize, channel: usize) -> Span<'_> {
        self.0.get(stream).and_then(|w| w.channel(channel)).map_or(Span::default(), Span::from_slice)
    }
}

impl Debug for dyn LoadFallback {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LoadFallback").finish_non_exhaustive()
    }
}

impl Debug for dyn FallbackModel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FallbackModel").field("contexts", &self.contexts()).finish_non_exhaustive()
    }
}
