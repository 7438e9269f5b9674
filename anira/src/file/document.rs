//! The shape of a configuration file, as serde sees it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::scalar::{Allowance, LateKind, OptionValue};
use super::tensor::{InputEntry, OutputEntry};

/// The version of the format that this crate reads and writes.
pub const VERSION: u32 = 1;

/// A configuration file: read, written, and [resolved](Self::resolve) for one engine. See the
/// [module](crate::file).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(transform = super::schema::file))]
#[serde(deny_unknown_fields)]
pub struct ConfigFile {
    /// The version of this format: 1.
    pub(super) version: u32,
    /// The model's name, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<String>,
    /// Hz: the rate that the model was made for; another one is refused. Any rate if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) sample_rate: Option<f64>,
    /// Milliseconds: the longest that one inference takes. It decides the latency, and real time needs it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) max_inference_ms: Option<f64>,
    /// Milliseconds that a worker may need before it begins, added to `max_inference_ms`; or "auto": as long as inferences of other
    /// sessions may stand in the way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "serde_json::Value"))]
    pub(super) scheduling_allowance_ms: Option<Allowance>,
    /// Inferences on silence before the first real one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) warm_up: Option<u32>,
    /// Inferences that may run at once; 1 for a model with state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) engines: Option<usize>,
    /// Share of a block's time that a callback may wait for results.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) blocking_ratio: Option<f64>,
    /// Before other sessions (higher) or after them (lower).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) priority: Option<i32>,
    /// Hops that may wait although their time has passed; older ones are dropped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) max_catch_up: Option<usize>,
    /// Whether all output streams are delayed by the same time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) align_outputs: Option<bool>,
    /// What is heard in place of late samples.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) late_policy: Option<LateKind>,
    /// Samples of the fade between the model's output and what stands in for it; 0 for a cut.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) late_fade: Option<usize>,
    /// Samples of silence that the model hears before a stream begins, rounded up to whole hops.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) pre_roll: Option<usize>,
    /// Samples that a model with state hears before it is heard itself, where a session switches to it while sound runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) lead_in: Option<usize>,
    /// Whether inferences are left out while input and state are at rest: the output is the same, bit for bit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) skip_silence: Option<bool>,
    /// The hops of which a session takes the one with the least latency in its host, for a model whose length is open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) hop_range: Option<RangeEntry>,
    /// A model file for each engine, by its name: native, rten, onnxruntime, torch, tflite, litert, bypass, or a backend of your own.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) engine: BTreeMap<String, EngineEntry>,
    /// What each input tensor is; all of a model's inputs are listed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) input: Vec<InputEntry>,
    /// What each output tensor is; one that is not listed is ignored.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) output: Vec<OutputEntry>,
    /// The file it was read from, for messages.
    #[serde(skip)]
    pub(super) origin: Option<PathBuf>,
}

/// `[hop_range]`: the hops to choose from.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(transform = super::schema::range))]
#[serde(deny_unknown_fields)]
pub(super) struct RangeEntry {
    /// The shortest hop, in samples of input stream 0.
    pub(super) from: usize,
    /// The longest hop.
    pub(super) to: usize,
    /// Samples that every hop is a multiple of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) multiple: Option<usize>,
    /// Milliseconds: the longest that one inference takes at the shortest hop; `max_inference_ms` is that at the longest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) shortest_takes_ms: Option<f64>,
}

/// `[engine.NAME]`: the model file for one engine, its options, and where its tensors differ.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(transform = super::schema::engine))]
#[serde(deny_unknown_fields)]
pub(super) struct EngineEntry {
    /// The model file; a relative path starts at the configuration's folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) file: Option<PathBuf>,
    /// What this engine alone understands; an option that it does not know is refused.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) options: BTreeMap<String, OptionValue>,
    /// Where this engine's file differs, by the `name` of the input tensor.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) input: BTreeMap<String, Override>,
    /// Where this engine's file differs, by the `name` of the output tensor.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) output: BTreeMap<String, Override>,
}

/// `[engine.NAME.input.TENSOR]`: what differs for this engine's model file.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(transform = super::schema::place))]
#[serde(deny_unknown_fields)]
pub(super) struct Override {
    /// The tensor's name in this engine's file; `#0`, `#1`, … is a tensor by its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<String>,
    /// Extents, outermost first, at most 2^31 elements.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) shape: Option<Vec<usize>>,
    /// One letter per dimension, outermost first: N rows, C channels, T time. For streams.
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
