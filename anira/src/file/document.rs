//! The shape of a configuration file, as serde sees it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::scalar::{LateKind, OptionValue};
use super::tensor::{InputEntry, OutputEntry};

/// The version of the format that this crate reads and writes.
pub const VERSION: u32 = 1;

/// A configuration file: read, written, and [resolved](Self::resolve) for one engine. See the
/// [module](crate::file).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConfigFile {
    pub(super) version: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) sample_rate: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) max_inference_ms: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) warm_up: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) engines: Option<usize>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) blocking_ratio: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) priority: Option<i32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) max_catch_up: Option<usize>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) align_outputs: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) late_policy: Option<LateKind>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) late_fade: Option<usize>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) pre_roll: Option<usize>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) engine: BTreeMap<String, EngineEntry>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) input: Vec<InputEntry>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) output: Vec<OutputEntry>,
    /// The file it was read from, for messages.
    #[serde(skip)]
    pub(super) origin: Option<PathBuf>,
}

/// `[engine.NAME]`: the model file for one engine, its options, and where its tensors differ.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EngineEntry {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) file: Option<PathBuf>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) options: BTreeMap<String, OptionValue>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) input: BTreeMap<String, Override>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) output: BTreeMap<String, Override>,
}

/// `[engine.NAME.input.TENSOR]`: what differs for this engine's model file.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Override {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) shape: Option<Vec<usize>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) layout: Option<String>,
}

impl ConfigFile {
    /// The model's name, for people.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// The engines that the file names, in alphabetical order.
    pub fn engines(&self) -> impl Iterator<Item = &str> {
        self.engine.keys().map(String::as_str)
    }
}
