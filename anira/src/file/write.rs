//! Writing a configuration file: for a model whose tensors were found out, or to convert JSON to TOML.

use std::path::PathBuf;

use anira_traits::{Error, ErrorKind, HopRange, InferenceConfig, Result};

use super::document::{EngineEntry, RangeEntry};
use super::scalar::{Allowance, LateKind};
use super::tensor::{InputEntry, OutputEntry};
use super::{ConfigFile, VERSION};

impl RangeEntry {
    fn of(range: HopRange) -> Self {
        Self {
            from: range.from(),
            to: range.to(),
            multiple: (range.step() != 1).then_some(range.step()),
            shortest_takes_ms: range.time_at_from().map(|time| time.as_nanos() as f64 / 1e6),
        }
    }
}

impl ConfigFile {
    /// The file that resolves to this configuration. It names no engine yet: see [`with_engine`](Self::with_engine).
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] for a role that files have no word for.
    pub fn from_config(config: &InferenceConfig) -> Result<Self> {
        let (warm_up, engines, catch_up) = (config.warm_up(), config.engines(), config.max_catch_up());
        Ok(Self {
            version: VERSION,
            name: None,
            sample_rate: config.sample_rate(),
            max_inference_ms: config.max_inference().map(|time| time.as_nanos() as f64 / 1e6),
            scheduling_allowance_ms: Allowance::of(config.scheduling_allowance()),
            warm_up: (warm_up > 0).then_some(warm_up),
            engines: (engines != 1).then_some(engines),
            blocking_ratio: (config.blocking_ppm() > 0).then(|| f64::from(config.blocking_ppm()) / 1e6),
            priority: (config.priority() != 0).then_some(config.priority()),
            max_catch_up: (catch_up != 4).then_some(catch_up),
            align_outputs: config.align_outputs().then_some(true),
            late_policy: LateKind::of(config.late_policy()),
            late_fade: (config.late_fade() != 64).then_some(config.late_fade()),
            pre_roll: (config.pre_roll() > 0).then_some(config.pre_roll()),
            lead_in: config.lead_in(),
            skip_silence: config.skip_silence().then_some(true),
            hop_range: config.hop_range().map(RangeEntry::of),
            engine: Default::default(),
            input: config.inputs().iter().map(InputEntry::of).collect::<Result<_>>()?,
            output: config.outputs().iter().map(OutputEntry::of).collect::<Result<_>>()?,
            origin: None,
        })
    }

    /// The same file with this model file for `engine`.
    #[must_use]
    pub fn with_engine(mut self, engine: impl Into<String>, file: impl Into<PathBuf>) -> Self {
        self.engine.insert(engine.into(), EngineEntry { file: Some(file.into()), ..EngineEntry::default() });
        self
    }

    /// The same file under this name, for people.
    #[must_use]
    pub fn with_name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// The file as TOML.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] for what TOML cannot hold: a path that is not UTF-8, a number beyond 63 bits.
    pub fn to_toml(&self) -> Result<String> {
        toml::to_string(self).map_err(|error| Error::new(ErrorKind::Config, error.to_string()))
    }

    /// The file as JSON, indented.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] for what JSON cannot hold: a path that is not UTF-8.
    pub fn to_json(&self) -> Result<String> {
        serde_json::to_string_pretty(self).map_err(|error| Error::new(ErrorKind::Config, error.to_string()))
    }
}
