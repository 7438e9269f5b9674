//! `[[input]]` and `[[output]]`: one tensor each, and what its role asks for.

use anira_traits::{Error, InputRole, InputTensor, Layout, OutputRole, OutputTensor, Result};
use serde::{Deserialize, Serialize};

use super::document::Override;
use super::scalar::{InputKind, Numbers, OutputKind};

/// `[[input]]`. Which fields may stand here is decided by the role.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(transform = super::schema::input))]
#[serde(deny_unknown_fields)]
pub(super) struct InputEntry {
    /// The tensor's name.
    pub(super) name: String,
    /// What the tensor is to the stream. It decides which other keys belong here.
    pub(super) role: InputKind,
    /// Samples per channel that are new in each inference. For streams, which need it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) hop: Option<usize>,
    /// Past samples before the hop; what the tensor has room for if left out. For streams.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) context: Option<usize>,
    /// Channels; the tensor's if left out. For streams.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) channels: Option<usize>,
    /// One letter per dimension, outermost first: N rows, C channels, T time. Guessed if left out: time is the longest. For streams.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) layout: Option<String>,
    /// Extents, outermost first, at most 2^31 elements. The model's if left out; needed where that leaves several open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) shape: Option<Vec<usize>>,
    /// A number for all elements, or one per element. For parameters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) default: Option<Numbers>,
    /// The `name` of the output that feeds this state, which needs it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) from: Option<String>,
    /// A number for all elements, or one per element; zeros if left out. For states.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) initial: Option<Numbers>,
    /// A number for all elements, or one per element. For constants, which need it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) values: Option<Numbers>,
    /// The name in the model files, where it is another; `#0`, `#1`, … is a tensor by its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) model_name: Option<String>,
}

/// `[[output]]`. Which fields may stand here is decided by the role.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(transform = super::schema::output))]
#[serde(deny_unknown_fields)]
pub(super) struct OutputEntry {
    /// The tensor's name.
    pub(super) name: String,
    /// What the tensor is to the stream. It decides which other keys belong here.
    pub(super) role: OutputKind,
    /// Samples per channel that each inference yields. For streams, which need it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) hop: Option<usize>,
    /// Channels; the tensor's if left out. For streams.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) channels: Option<usize>,
    /// Samples: the delay of the model itself. For streams.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) latency: Option<u64>,
    /// Samples: the whole latency, `latency` included, that the host is told and that is kept; the smallest that holds if left out. For streams.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) declared_latency: Option<u64>,
    /// Samples that the model still sounds after its input has ended. For streams.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) decay: Option<u64>,
    /// One letter per dimension, outermost first: N rows, C channels, T time. Guessed if left out: time is the longest. For streams.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) layout: Option<String>,
    /// Extents, outermost first, at most 2^31 elements. The model's if left out; needed where that leaves several open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) shape: Option<Vec<usize>>,
    /// The name in the model files, where it is another; `#0`, `#1`, … is a tensor by its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) model_name: Option<String>,
}

impl InputEntry {
    /// The tensor as the configuration has it, with what an engine overrides.
    pub(super) fn tensor(&self, over: Option<&Override>) -> Result<InputTensor> {
        let at = |error: Error| error.at(format!("input `{}`", self.name));
        self.unfit(over).map_or(Ok(()), Err).map_err(at)?;
        let role = self.role().map_err(at)?;
        let mut tensor = InputTensor::new(self.name.clone(), role);
        let own = Override {
            name: self.model_name.clone(),
            shape: self.shape.clone(),
            layout: self.layout.clone(),
        };
        let place = Place::of(&own, over).map_err(at)?;
        (tensor.model_name, tensor.shape, tensor.layout) = (place.name, place.shape, place.layout);
        Ok(tensor)
    }

    fn role(&self) -> Result<InputRole> {
        Ok(match self.role {
            InputKind::Stream => InputRole::Stream {
                hop: self.hop.ok_or_else(missing_hop)?,
                context: self.context,
                channels: self.channels,
            },
            InputKind::Parameter => {
                InputRole::Parameter { default: self.default.as_ref().map_or(vec![0.0], Numbers::values) }
            }
            InputKind::State => InputRole::State {
                from: self.from.clone().ok_or_else(|| {
                    Error::config(
                        "from",
                        "missing",
                        "name the output that feeds this state: from = \"h_out\"",
                    )
                })?,
                initial: self.initial.as_ref().map_or(Vec::new(), Numbers::values),
            },
            InputKind::Constant => InputRole::Constant {
                values: self.values.as_ref().map(Numbers::values).ok_or_else(|| {
                    Error::config("values", "missing", "one value per element, or one for all: values = 1.0")
                })?,
            },
        })
    }

    /// The error for a field that does not belong to the role.
    fn unfit(&self, over: Option<&Override>) -> Option<Error> {
        let present = [
            ("hop", self.hop.is_some()),
            ("context", self.context.is_some()),
            ("channels", self.channels.is_some()),
            ("layout", self.layout.is_some() || over.is_some_and(|o| o.layout.is_some())),
            ("default", self.default.is_some()),
            ("from", self.from.is_some()),
            ("initial", self.initial.is_some()),
            ("values", self.values.is_some()),
        ];
        let (role, belonging): (_, &[&str]) = match self.role {
            InputKind::Stream => ("stream", &["hop", "context", "channels", "layout"]),
            InputKind::Parameter => ("parameter", &["default"]),
            InputKind::State => ("state", &["from", "initial"]),
            InputKind::Constant => ("constant", &["values"]),
        };
        unfit(&present, role, belonging)
    }

    /// The entry that says this of a tensor.
    pub(super) fn of(tensor: &InputTensor) -> Result<Self> {
        let mut entry = Self {
            name: tensor.name.clone(),
            role: InputKind::Stream,
            hop: None,
            context: None,
            channels: None,
            layout: tensor.layout.as_ref().map(Layout::to_string),
            shape: tensor.shape.clone(),
            default: None,
            from: None,
            initial: None,
            values: None,
            model_name: tensor.model_name.clone(),
        };
        match &tensor.role {
            InputRole::Stream { hop, context, channels } => {
                (entry.hop, entry.context, entry.channels) = (Some(*hop), *context, *channels);
            }
            InputRole::Parameter { default } => {
                (entry.role, entry.default) = (InputKind::Parameter, Some(Numbers::of(default)));
            }
            InputRole::State { from, initial } => {
                (entry.role, entry.from) = (InputKind::State, Some(from.clone()));
                entry.initial = (!initial.is_empty()).then(|| Numbers::of(initial));
            }
            InputRole::Constant { values } => {
                (entry.role, entry.values) = (InputKind::Constant, Some(Numbers::of(values)));
            }
            other => return Err(unwritable(&tensor.name, other)),
        }
        Ok(entry)
    }
}

impl OutputEntry {
    /// The tensor as the configuration has it, with what an engine overrides.
    pub(super) fn tensor(&self, over: Option<&Override>) -> Result<OutputTensor> {
        let at = |error: Error| error.at(format!("output `{}`", self.name));
        let present = [
            ("hop", self.hop.is_some()),
            ("channels", self.channels.is_some()),
            ("latency", self.latency.is_some()),
            ("declared_latency", self.declared_latency.is_some()),
            ("decay", self.decay.is_some()),
            ("layout", self.layout.is_some() || over.is_some_and(|o| o.layout.is_some())),
        ];
        let (role, belonging): (_, &[&str]) = match self.role {
            OutputKind::Stream => {
                ("stream", &["hop", "channels", "latency", "declared_latency", "decay", "layout"])
            }
            OutputKind::Parameter => ("parameter", &[]),
            OutputKind::State => ("state", &[]),
        };
        unfit(&present, role, belonging).map_or(Ok(()), Err).map_err(at)?;
        let role = match self.role {
            OutputKind::Stream => OutputRole::Stream {
                hop: self.hop.ok_or_else(missing_hop).map_err(at)?,
                channels: self.channels,
                latency: self.latency.unwrap_or(0),
                declared_latency: self.declared_latency,
                decay: self.decay.unwrap_or(0),
            },
            OutputKind::Parameter => OutputRole::Parameter,
            OutputKind::State => OutputRole::State,
        };
        let mut tensor = OutputTensor::new(self.name.clone(), role);
        let own = Override {
            name: self.model_name.clone(),
            shape: self.shape.clone(),
            layout: self.layout.clone(),
        };
        let place = Place::of(&own, over).map_err(at)?;
        (tensor.model_name, tensor.shape, tensor.layout) = (place.name, place.shape, place.layout);
        Ok(tensor)
    }

    /// The entry that says this of a tensor.
    pub(super) fn of(tensor: &OutputTensor) -> Result<Self> {
        let mut entry = Self {
            name: tensor.name.clone(),
            role: OutputKind::Stream,
            hop: None,
            channels: None,
            latency: None,
            declared_latency: None,
            decay: None,
            layout: tensor.layout.as_ref().map(Layout::to_string),
            shape: tensor.shape.clone(),
            model_name: tensor.model_name.clone(),
        };
        match &tensor.role {
            OutputRole::Stream { hop, channels, latency, declared_latency, decay } => {
                (entry.hop, entry.channels) = (Some(*hop), *channels);
                entry.latency = (*latency > 0).then_some(*latency);
                entry.declared_latency = *declared_latency;
                entry.decay = (*decay > 0).then_some(*decay);
            }
            OutputRole::Parameter => entry.role = OutputKind::Parameter,
            OutputRole::State => entry.role = OutputKind::State,
            other => return Err(unwritable(&tensor.name, other)),
        }
        Ok(entry)
    }
}

/// Where a tensor is in the model file and how it lies there.
struct Place {
    name: Option<String>,
    shape: Option<Vec<usize>>,
    layout: Option<Layout>,
}

impl Place {
    fn of(own: &Override, over: Option<&Override>) -> Result<Self> {
        let layout = over.and_then(|o| o.layout.as_deref()).or(own.layout.as_deref());
        Ok(Self {
            name: over.and_then(|o| o.name.clone()).or(own.name.clone()),
            shape: over.and_then(|o| o.shape.clone()).or(own.shape.clone()),
            layout: layout.map(str::parse).transpose()?,
        })
    }
}

fn missing_hop() -> Error {
    Error::config("hop", "missing", "a stream needs its new samples per inference: hop = 512")
}

fn unfit(present: &[(&'static str, bool)], role: &str, belonging: &[&str]) -> Option<Error> {
    let (field, _) = present.iter().find(|(field, is)| *is && !belonging.contains(field))?;
    let right = match belonging {
        [] => "leave it out".to_owned(),
        fields => format!("this role has: {}", fields.join(", ")),
    };
    Some(Error::config(*field, format_args!("given for the role `{role}`"), right))
}

fn unwritable(name: &str, role: &impl std::fmt::Debug) -> Error {
    let message = format!("the role {role:?} cannot be written to a configuration file");
    Error::new(anira_traits::ErrorKind::Unsupported, message).at(format!("tensor `{name}`"))
}
