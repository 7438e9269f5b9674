//! What an engine of a session is loaded from: [`EngineSpec`].

use std::collections::BTreeMap;

use anira_traits::{Backend, InferenceConfig, ModelSource};

/// An engine of a session, besides its first or in the place of one: a backend, a model, its options, and its own configuration where
/// its tensors are not those of the first.
///
/// All engines of a session have its streams: as many, of the same hops and channels. Contexts, states and names may differ, so may
/// latencies: the quicker ones are given older samples, so that all of them are heard in the same place. Parameters are matched by
/// name; one that an engine does not have is ignored by it. Readings of the session are needed.
#[derive(Clone, Debug)]
pub struct EngineSpec<B> {
    pub(super) backend: B,
    pub(super) source: ModelSource,
    pub(super) config: Option<InferenceConfig>,
    pub(super) options: BTreeMap<String, String>,
}

impl<B: Backend> EngineSpec<B> {
    /// An engine of this backend that needs no file, with the tensors of the session's first.
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

    /// What its tensors are, how long it takes, how much it has to hear, where that is not as the first engine's. What belongs to a
    /// session (engines at once, waiting, priority, policies) is not looked at.
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
