//! A configuration from a model's shapes alone: what the tensors most likely mean, and what was assumed.
//!
//! Shapes say a lot: the output's length is the hop, what the input has more than that is context, an output that
//! looks like an input is a state. They do not say how long an inference takes, what a knob is called, or which rate
//! a model was trained at. What was assumed rather than read is told in [`Suggestion::notes`].
//!
//! ```
//! use anira_traits::{Signature, TensorInfo};
//!
//! let signature = Signature {
//!     inputs: vec![TensorInfo::f32("input", &[1, 1, 15_380])],
//!     outputs: vec![TensorInfo::f32("output", &[1, 1, 2_048])],
//! };
//! let suggestion = anira::suggest::suggest(&signature)?;
//! let right = anira_traits::InferenceConfig::builder()
//!     .input(anira_traits::InputTensor::stream("input", 2_048).context(13_332).layout("NCT".parse()?))
//!     .output(anira_traits::OutputTensor::stream("output", 2_048).layout("NCT".parse()?))
//!     .build()?;
//! assert_eq!(suggestion.config, right);
//! # Ok::<(), anira_traits::Error>(())
//! ```

mod state;
mod stream;
#[cfg(test)]
mod tests;

use anira_traits::{
    Error, InferenceConfig, InputTensor, OutputTensor, Result, Signature, TensorInfo, shape_text,
};

use stream::Streams;

/// The hop that is suggested where a model takes any length.
pub const OPEN_HOP: usize = 512;

/// What [`suggest`] made of a signature.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Suggestion {
    /// The configuration.
    pub config: InferenceConfig,
    /// What was assumed, each a sentence that says how to change it.
    pub notes: Vec<String>,
}

/// Derives a configuration from a model's tensors. Pure; any thread that may allocate.
///
/// # Errors
/// [`ErrorKind::Config`](anira_traits::ErrorKind::Config) if the shapes do not say enough, with what to write in a
/// configuration file instead.
pub fn suggest(signature: &Signature) -> Result<Suggestion> {
    let mut notes = Vec::new();
    let pairs = state::pairs(signature, &mut notes);
    let streams = Streams::find(signature, &pairs, &mut notes)?;
    let mut builder = InferenceConfig::builder();
    for (i, info) in signature.inputs.iter().enumerate() {
        if let Some(stream) = streams.input(i) {
            builder = builder.input(stream.input(info)?);
            continue;
        }
        let tensor = match pairs.iter().find(|(input, _)| *input == i) {
            Some(&(_, output)) => InputTensor::state(&info.name, &signature.outputs[output].name),
            None => {
                notes.push(format!(
                    "`{}` {} {} is taken as a parameter that starts at 0: set `default` to what the model expects.",
                    info.name,
                    info.dtype,
                    shape_text(&info.shape)
                ));
                InputTensor::parameter(&info.name, [0.0])
            }
        };
        let tensor = match closed(info, &mut notes)? {
            Some(shape) => tensor.shape(shape),
            None => tensor,
        };
        builder = builder.input(tensor);
    }
    for (i, info) in signature.outputs.iter().enumerate() {
        let tensor = if let Some(stream) = streams.output(i) {
            stream.output(info)?
        } else if pairs.iter().any(|(_, output)| *output == i) {
            OutputTensor::state(&info.name)
        } else if info.shape.iter().skip(1).any(Option::is_none) {
            notes.push(format!(
                "`{}` {} is left out: its size is not known. List it with a `shape` to read it.",
                info.name,
                shape_text(&info.shape)
            ));
            continue;
        } else {
            OutputTensor::parameter(&info.name)
        };
        builder = builder.output(tensor);
    }
    Ok(Suggestion { config: builder.build()?, notes })
}

/// The shape to ask for where a tensor that is no stream leaves dimensions open: a batch of 1. Anything else cannot
/// be known.
fn closed(info: &TensorInfo, notes: &mut Vec<String>) -> Result<Option<Vec<usize>>> {
    let open = info.shape.iter().filter(|d| d.is_none()).count();
    let batch = match info.shape.as_slice() {
        [_] => false,
        [_, second, _] if second.is_none() => true,
        other => other.first().is_some_and(Option::is_none),
    };
    match open {
        0 => Ok(None),
        1 if batch => {
            let shape: Vec<usize> = info.shape.iter().map(|d| d.unwrap_or(1)).collect();
            notes.push(format!(
                "`{}` leaves a dimension open: taken as 1, a batch of one; if that is wrong, correct `shape`.",
                info.name
            ));
            Ok(Some(shape))
        }
        _ => Err(underivable(
            "shape",
            info,
            "the model leaves it open; write a configuration file that gives this tensor a `shape`",
        )),
    }
}

/// The error for a tensor whose shape does not say what it means.
fn underivable(field: &'static str, info: &TensorInfo, right: &str) -> Error {
    Error::config(field, format_args!("{} {}", info.dtype, shape_text(&info.shape)), right)
        .at(format!("tensor `{}`", info.name))
}
