//! Values that a file may spell in several ways: one number or many, and options of any simple type.

use anira_traits::{LatePolicy, SchedulingAllowance};
use serde::{Deserialize, Serialize};

/// One number for all elements, or a list with one per element. True counts as 1, false as 0.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(untagged, expecting = "must be a number, true, false or a list of these")]
pub(super) enum Numbers {
    One(Number),
    Many(Vec<Number>),
}

/// A number, or a boolean that stands for one.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(untagged, expecting = "must be a number, true or false")]
pub(super) enum Number {
    Bool(bool),
    Number(f64),
}

impl Number {
    fn value(self) -> f64 {
        match self {
            Self::Bool(truth) => f64::from(u8::from(truth)),
            Self::Number(number) => number,
        }
    }
}

impl Numbers {
    /// As a configuration wants them.
    pub(super) fn values(&self) -> Vec<f64> {
        match self {
            Self::One(number) => vec![number.value()],
            Self::Many(numbers) => numbers.iter().map(|n| n.value()).collect(),
        }
    }

    /// The shortest spelling of these values.
    pub(super) fn of(values: &[f64]) -> Self {
        match values {
            [one] => Self::One(Number::Number(*one)),
            many => Self::Many(many.iter().copied().map(Number::Number).collect()),
        }
    }
}

/// What is heard in place of late samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub(super) enum LateKind {
    /// Zeros.
    Silence,
    /// The input, delayed by the reported latency.
    Dry,
    /// The last whole hop that was heard, over and over.
    Hold,
}

impl From<LateKind> for LatePolicy {
    fn from(kind: LateKind) -> Self {
        match kind {
            LateKind::Silence => Self::Silence,
            LateKind::Dry => Self::Dry,
            LateKind::Hold => Self::Hold,
        }
    }
}

impl LateKind {
    /// As a file would say it; `None` where that is what it means by saying nothing.
    pub(super) fn of(policy: LatePolicy) -> Option<Self> {
        let kinds = [Self::Silence, Self::Dry, Self::Hold];
        kinds.into_iter().find(|kind| LatePolicy::from(*kind) == policy && policy != LatePolicy::default())
    }
}

/// An engine's option; backends read its text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(untagged, expecting = "must be a string, a number, true or false")]
pub(super) enum OptionValue {
    Bool(bool),
    Integer(i64),
    Number(f64),
    Text(String),
}

impl OptionValue {
    pub(super) fn text(&self) -> String {
        match self {
            Self::Bool(truth) => truth.to_string(),
            Self::Integer(number) => number.to_string(),
            Self::Number(number) => number.to_string(),
            Self::Text(text) => text.clone(),
        }
    }
}

/// Milliseconds, or `auto`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged, expecting = "must be a number of milliseconds, or \"auto\"")]
pub(super) enum Allowance {
    Milliseconds(f64),
    Word(AllowanceWord),
}

/// The one word that an allowance can be.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum AllowanceWord {
    /// As long as other sessions may stand in the way.
    Auto,
}

impl Allowance {
    /// As a file would say it; `None` where that is what it means by saying nothing.
    pub(super) fn of(allowance: SchedulingAllowance) -> Option<Self> {
        match allowance {
            SchedulingAllowance::Auto => Some(Self::Word(AllowanceWord::Auto)),
            SchedulingAllowance::Time(time) if !time.is_zero() => {
                Some(Self::Milliseconds(time.as_nanos() as f64 / 1e6))
            }
            _ => None,
        }
    }
}

/// What an input tensor is to the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub(super) enum InputKind {
    /// Audio, hop by hop.
    Stream,
    /// A knob: set from any thread, applied from the next hop on.
    Parameter,
    /// What an inference tells the next one.
    State,
    /// An input that never changes.
    Constant,
}

/// What an output tensor is to the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub(super) enum OutputKind {
    /// Audio, hop by hop.
    Stream,
    /// A reading after each inference.
    Parameter,
    /// What an inference tells the next one.
    State,
}
