//! The builder of a handler: configuration, backend, model, processor, scheduler.

use std::collections::BTreeMap;
use std::sync::Arc;

use anira_scheduler::Pool;
use anira_traits::{
    Backend, Engine, Error, ErrorKind, HopProcessor, InferenceConfig, InternalState, LatePolicy, LoadRequest,
    Model, ModelSource, PrePostProcessor, RealtimeSafe, Result, Scheduler, StreamPlan,
};

use super::control::Shared;
use super::late::{Fallback, LateBlock, LateFunctionMaker, LoadFallback};
use super::prepare::paired;
use super::{EngineOf, InferenceHandler};
use crate::bind::bind;
use crate::shared;

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
            late_function: None,
            fallback: None,
        }
    }
}

impl<B, P, S> Builder<B, P, S> {
    /// The backend that loads and runs the model.
    #[must_use]
    pub fn backend<B2: Backend>(self, backend: B2) -> Builder<B2, P, S> {
        let Self { config, processor, scheduler, source, options, name, late_function, fallback, .. } = self;
        Builder { config, backend, processor, scheduler, source, options, name, late_function, fallback }
    }

    /// What stands between streams and tensors; [`HopProcessor`] unless set.
    #[must_use]
    pub fn processor<P2: PrePostProcessor>(self, processor: P2) -> Builder<B, P2, S> {
        let Self { config, backend, scheduler, source, options, name, late_function, fallback, .. } = self;
        Builder { config, backend, processor, scheduler, source, options, name, late_function, fallback }
    }

    /// Who runs inferences; the process's shared [`Pool`] unless set.
    #[must_use]
    pub fn scheduler<S2>(self, scheduler: S2) -> Builder<B, P, S2> {
        let Self { config, backend, processor, source, options, name, late_function, fallback, .. } = self;
        Builder { config, backend, processor, scheduler, source, options, name, late_function, fallback }
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

impl<B: Backend, P: PrePostProcessor, S: Scheduler<EngineOf<B>>> Builder<B, P, S> {
    /// Loads the model, checks the configuration against it, and tries one engine. Control thread; may block.
    ///
    /// # Errors
    /// The backend's, of loading; [`ErrorKind::Config`], [`ErrorKind::Shape`] and [`ErrorKind::DType`] where configuration
    /// and model don't fit, naming the tensor, the field, and both sides.
    pub fn build(self) -> Result<InferenceHandler<B, P, S>> {
        let mut request = LoadRequest::new().config(self.config.clone());
        request.options = self.options.clone();
        let model = shared::load(&self.backend, &self.source, &request)?;
        let binding = bind(&self.config, model.signature())?;
        let remembers = model.internal_state() == InternalState::Inside;
        if self.config.engines() > 1 && (remembers || self.processor.is_stateful()) {
            let right = "1: the model or its processor remembers from hop to hop";
            return Err(Error::config("engines", self.config.engines(), right));
        }
        let engine = model.engine(&binding.request)?;
        let outputs = binding.outputs(|tensor| engine.output(tensor).map(|t| t.len()))?;
        check_sizes(&engine, &binding.inputs, &outputs)?;
        for reading in &binding.readings {
            let len = engine.output(reading.tensor).map_or(0, |t| t.len());
            if len != reading.len {
                let right = format!("the engine yields {len}");
                let error = Error::config("elements", reading.len, right).of_kind(ErrorKind::Shape);
                return Err(error.at(format!("output `{}`", reading.name)));
            }
        }
        self.check_late(&binding.inputs, &outputs)?;
        let fallback = self.fallback.as_ref().map(|f| f.load(&self.config, &binding.inputs, &outputs));
        let fallback = fallback.transpose().map_err(|e| e.at("fallback"))?;
        Ok(InferenceHandler {
            shared: Arc::new(Shared::new(&binding)),
            config: self.config,
            model,
            processor: self.processor,
            scheduler: self.scheduler,
            binding,
            outputs,
            late_function: self.late_function,
            fallback,
            name: self.name,
            // The first engine proved the model; it serves the first session.
            spare: vec![engine],
            running: Vec::new(),
            origin: anira_scheduler::Origin::here(),
        })
    }
}

impl<B, P, S> Builder<B, P, S> {
    /// What stands in for late samples has to have something to stand in with.
    fn check_late(&self, inputs: &[StreamPlan], outputs: &[StreamPlan]) -> Result<()> {
        let replaced = self.fallback.is_some() || self.late_function.is_some();
        let dry = self.config.late_policy() == LatePolicy::Dry && !replaced;
        if dry && !outputs.is_empty() && !paired(inputs, outputs).contains(&true) {
            let right =
                "`silence` or `hold`: no output stream has an input stream of its number, hop and channels";
            return Err(Error::config("late_policy", "`dry`", right));
        }
        Ok(())
    }
}

impl<B: std::fmt::Debug, P: std::fmt::Debug, S: std::fmt::Debug> std::fmt::Debug for Builder<B, P, S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Builder")
            .field("name", &self.name)
            .field("config", &self.config)
            .field("backend", &self.backend)
            .field("source", &self.source)
            .field("options", &self.options)
            .field("processor", &self.processor)
            .field("scheduler", &self.scheduler)
            .finish_non_exhaustive()
    }
}

/// Every stream's last element must lie inside its tensor.
fn check_sizes(engine: &impl Engine, inputs: &[StreamPlan], outputs: &[StreamPlan]) -> Result<()> {
    // Inputs were requested in these very shapes; an output may differ from what its model declares.
    debug_assert!(inputs.iter().all(|plan| plan.rows * plan.step() == plan.hop));
    for plan in outputs {
        let have = engine.output(plan.tensor).map_or(0, |t| t.len());
        let want = plan.rows * plan.channels * plan.row_len();
        if have != want {
            let right = format!("the engine yields {have} elements, the layout needs {want}");
            let error = Error::config("shape", "another than configured", right).of_kind(ErrorKind::Shape);
            return Err(error.at(format!("output `{}`", plan.name)));
        }
    }
    Ok(())
}
