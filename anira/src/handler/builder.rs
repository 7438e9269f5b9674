//! The builder of a handler: configuration, backend, model, processor, scheduler.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anira_scheduler::Pool;
use anira_traits::{
    Backend, Error, HopProcessor, InferenceConfig, LatePolicy, ModelSource, PrePostProcessor, RealtimeSafe,
    Result, Scheduler, StreamPlan,
};

use super::control::Shared;
use super::engine_spec::EngineSpec;
use super::late::{Fallback, LateBlock, LateFunctionMaker, LoadFallback};
use super::member::{Alignment, Member, Planned};
use super::mix::MAX_ENGINES;
use super::prepare::paired;
use super::{EngineOf, InferenceHandler};

/// The longest cross-fade between engines, in samples.
const MAX_SWITCH_FADE: usize = 1 << 20;

/// Collects what an [`InferenceHandler`] is made of. Only [`backend`](Self::backend) must be called.
#[derive(Clone)]
pub struct Builder<B, P, S> {
    config: InferenceConfig,
    backend: B,
    processor: P,
    scheduler: S,
    source: ModelSource,
    options: BTreeMap<String, String>,
    name: String,
    engines: Vec<EngineSpec<B>>,
    switch_fade: usize,
    swappable: bool,
    late_function: Option<LateFunctionMaker>,
    fallback: Option<Arc<dyn LoadFallback>>,
}

impl Builder<(), HopProcessor, Pool> {
    pub(super) fn new(config: InferenceConfig) -> Self {
        Self {
            config,
            backend: (),
            processor: HopProcessor,
            scheduler: Pool::shared(),
            source: ModelSource::None,
            options: BTreeMap::new(),
            name: "session".to_owned(),
            engines: Vec::new(),
            switch_fade: 128,
            swappable: false,
            late_function: None,
            fallback: None,
        }
    }
}

impl<B, P, S> Builder<B, P, S> {
    /// The engine that suits the model, picked when it is loaded: [`Auto`](crate::backends::Auto).
    #[must_use]
    pub fn auto(self) -> Builder<crate::backends::Auto, P, S> {
        self.backend(crate::backends::Auto)
    }

    /// The backend that loads and runs the model. Before any further [engine](Self::engine), which is of its type.
    #[must_use]
    pub fn backend<B2: Backend>(self, backend: B2) -> Builder<B2, P, S> {
        let Self { config, processor, scheduler, source, options, name, switch_fade, .. } = self;
        let Self { swappable, late_function, fallback, .. } = self;
        let engines = Vec::new();
        Builder {
            config,
            backend,
            processor,
            scheduler,
            source,
            options,
            name,
            engines,
            switch_fade,
            swappable,
            late_function,
            fallback,
        }
    }

    /// What stands between streams and tensors; [`HopProcessor`] unless set.
    #[must_use]
    pub fn processor<P2: PrePostProcessor>(self, processor: P2) -> Builder<B, P2, S> {
        self.with(|_, scheduler| (processor, scheduler))
    }

    /// Who runs inferences; the process's shared [`Pool`] unless set.
    #[must_use]
    pub fn scheduler<S2>(self, scheduler: S2) -> Builder<B, P, S2> {
        self.with(|processor, _| (processor, scheduler))
    }

    pub(crate) fn with<P2, S2>(self, change: impl FnOnce(P, S) -> (P2, S2)) -> Builder<B, P2, S2> {
        let Self { config, backend, processor, scheduler, source, options, name, engines, .. } = self;
        let Self { switch_fade, swappable, late_function, fallback, .. } = self;
        let (processor, scheduler) = change(processor, scheduler);
        Builder {
            config,
            backend,
            processor,
            scheduler,
            source,
            options,
            name,
            engines,
            switch_fade,
            swappable,
            late_function,
            fallback,
        }
    }

    /// With this configuration instead.
    pub(crate) fn reconfigured(mut self, change: impl FnOnce(InferenceConfig) -> InferenceConfig) -> Self {
        self.config = change(self.config);
        self
    }

    /// Where the model comes from; backends that make up their model need none.
    #[must_use]
    pub fn source(mut self, source: ModelSource) -> Self {
        self.source = source;
        self
    }

    /// Options for the backend, by name.
    #[must_use]
    pub fn options(mut self, options: impl IntoIterator<Item = (String, String)>) -> Self {
        self.options.extend(options);
        self
    }

    /// The session's name in reports.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }
}

impl<B, P, S> Builder<B, P, S> {
    /// What is heard where samples are late, by a function of yours; it goes before the configuration's policy. `make` makes
    /// one for every prepare, on a control thread. The function runs **on the audio thread**, for pieces of at most 64 samples
    /// of one channel, which it fills: no allocation, lock, system call or panic. It is called while samples are late,
    /// and as long as the model fades in again.
    #[must_use]
    pub fn late_function<F>(mut self, make: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: FnMut(&LateBlock<'_>, &mut [f32]) + Send + 'static,
    {
        self.late_function = Some(Arc::new(move || Box::new(make())));
        self
    }

    /// A second, cheaper model that is heard where samples are late; it goes before any function and policy.
    #[must_use]
    pub fn fallback<F: Backend>(mut self, fallback: Fallback<F>) -> Self
    where
        EngineOf<F>: RealtimeSafe,
    {
        self.fallback = Some(Arc::new(fallback));
        self
    }
}

impl<B: Backend, P, S> Builder<B, P, S> {
    /// One engine more, between which and the others [`Audio::set_engine`](crate::Audio::set_engine) switches; the first is number 0,
    /// those that are added count from 1. Engines of two types: a backend that is an [`Either`](crate::backends::Either), or an
    /// [`AnyBackend`](crate::backends::AnyBackend).
    ///
    /// Two engines run while one fades into the other, so latency and admission count on the time of both, the two that take
    /// longest; with a [fade](Self::switch_fade) of 0 and engines without state there are never two, and they count on the longest.
    #[must_use]
    pub fn engine(mut self, engine: EngineSpec<B>) -> Self {
        self.engines.push(engine);
        self
    }

    /// Samples, of output stream 0, of the cross-fade from engine to engine; 128 unless set, 0 for a cut between two hops.
    #[must_use]
    pub fn switch_fade(mut self, samples: usize) -> Self {
        self.switch_fade = samples;
        self
    }

    /// Whether models may be [exchanged](InferenceHandler::swap) while sound runs; no unless set. The old engine and the new one run
    /// side by side then, so that latency and admission count on twice the longest time, unless they never do (see
    /// [`engine`](Self::engine)).
    #[must_use]
    pub fn swappable(mut self, swappable: bool) -> Self {
        self.swappable = swappable;
        self
    }
}

impl<B: Backend, P: PrePostProcessor, S: Scheduler<EngineOf<B>>> Builder<B, P, S> {
    /// Loads the models, checks the configurations against them, and tries one engine of each. Control thread; may block.
    ///
    /// # Errors
    /// The backend's, of loading; [`ErrorKind::Config`](crate::ErrorKind::Config), [`ErrorKind::Shape`](crate::ErrorKind::Shape) and
    /// [`ErrorKind::DType`](crate::ErrorKind::DType) where configuration and model don't fit, naming the tensor, the field, and both
    /// sides. Those of a further engine name it by its number.
    pub fn build(self) -> Result<InferenceHandler<B, P, S>> {
        if self.engines.len() >= MAX_ENGINES {
            let right = format!("at most {MAX_ENGINES} in all");
            return Err(Error::config("engines to switch between", self.engines.len() + 1, right));
        }
        if self.switch_fade > MAX_SWITCH_FADE {
            let right = format!("from 0 to {MAX_SWITCH_FADE} samples");
            return Err(Error::config("switch_fade", self.switch_fade, right));
        }
        let stateful = self.processor.is_stateful();
        let first = EngineSpec::new(self.backend)
            .source(self.source)
            .config(self.config.clone())
            .options(self.options);
        let mut members = vec![Member::load(&first, &self.config, stateful)?];
        for (index, spec) in self.engines.iter().enumerate() {
            let member = Member::load(spec, &self.config, stateful);
            let fits = |member: Member<B>| member.check_among(&members[0]).map(|()| member);
            let member = member.and_then(fits).map_err(|e| e.at(format!("engine {}", index + 1)))?;
            members.push(member);
        }
        let is_plain = members.len() == 1 && !self.swappable && self.fallback.is_none();
        check_range(&members[0], is_plain, stateful)?;
        if self.config.engines() > 1 && members.iter().any(Member::remembers) {
            let right = "1: the model or its processor remembers from hop to hop";
            return Err(Error::config("engines", self.config.engines(), right));
        }
        members.iter().enumerate().try_for_each(|(index, member)| {
            let named = |e: Error| if index > 0 { e.at(format!("engine {index}")) } else { e };
            member.check_silence(&self.config).map_err(named)
        })?;
        let alignment = Alignment::of(members.iter())?;
        let (inputs, outputs) = (&members[0].binding.inputs, &members[0].outputs);
        let replaced = self.fallback.is_some() || self.late_function.is_some();
        check_late(&self.config, replaced, inputs, outputs)?;
        let fallback = self.fallback.as_ref().map(|f| {
            let delayed = |(plan, latency): (&StreamPlan, &u64)| plan.clone().with_latency(*latency);
            let outputs: Vec<_> = outputs.iter().zip(&alignment.latencies).map(delayed).collect();
            f.load(&self.config, inputs, &outputs)
        });
        let fallback = fallback.transpose().map_err(|e| e.at("fallback"))?;
        Ok(InferenceHandler {
            shared: Arc::new(Shared::new(&members[0].binding, members.len())),
            config: self.config,
            processor: self.processor,
            scheduler: self.scheduler,
            planned: members.iter().map(Planned::of).collect(),
            members,
            alignment,
            switch_fade: self.switch_fade,
            swappable: self.swappable,
            late_function: self.late_function,
            fallback,
            jitter: Duration::ZERO,
            name: self.name,
            running: Vec::new(),
            record: 0,
            origin: anira_scheduler::Origin::here(),
        })
    }
}

/// A model has to have both ends of its range of hops.
fn check_range<B: Backend>(first: &Member<B>, is_plain: bool, stateful: bool) -> Result<()> {
    let Some(range) = first.config.hop_range() else { return Ok(()) };
    if !is_plain {
        let right = "none, or a session of one engine that is not exchanged, without a fallback";
        return Err(Error::config("hop_range", "set", right));
    }
    for hop in range.hops().take(1).chain(range.hops().last()) {
        let tried = Member::<B>::of(first.model.clone(), first.config.at_hop(hop), stateful);
        tried.map_err(|e| e.at(format!("hop_range: at a hop of {hop}")))?;
    }
    Ok(())
}

/// What stands in for late samples has to have something to stand in with.
fn check_late(
    config: &InferenceConfig,
    replaced: bool,
    inputs: &[StreamPlan],
    outputs: &[StreamPlan],
) -> Result<()> {
    let dry = config.late_policy() == LatePolicy::Dry && !replaced;
    if dry && !outputs.is_empty() && !paired(inputs, outputs).contains(&true) {
        let right =
            "`silence` or `hold`: no output stream has an input stream of its number, hop and channels";
        return Err(Error::config("late_policy", "`dry`", right));
    }
    Ok(())
}

impl<B: std::fmt::Debug, P: std::fmt::Debug, S: std::fmt::Debug> std::fmt::Debug for Builder<B, P, S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Builder")
            .field("name", &self.name)
            .field("config", &self.config)
            .field("backend", &self.backend)
            .field("source", &self.source)
            .field("options", &self.options)
            .field("engines", &self.engines)
            .field("switch_fade", &self.switch_fade)
            .field("swappable", &self.swappable)
            .field("processor", &self.processor)
            .field("scheduler", &self.scheduler)
            .finish_non_exhaustive()
    }
}
