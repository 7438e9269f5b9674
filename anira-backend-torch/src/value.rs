//! What a method gives, as a row of tensors.

use anira_traits::{Error, ErrorKind, Result};
use tch::{IValue, Tensor};

/// Tuples within tuples.
const MAX_DEPTH: usize = 8;

/// Calls `action` with every tensor of a tensor, tuple or list, in order; tuples and lists within are opened.
///
/// # Errors
/// [`ErrorKind::Unsupported`] for anything else, by its name; those of `action`.
pub(crate) fn each(value: &IValue, action: &mut dyn FnMut(&Tensor) -> Result<()>) -> Result<()> {
    walk(value, 0, action)
}

fn walk(value: &IValue, depth: usize, action: &mut dyn FnMut(&Tensor) -> Result<()>) -> Result<()> {
    match value {
        IValue::Tensor(tensor) => action(tensor),
        IValue::TensorList(tensors) => tensors.iter().try_for_each(action),
        IValue::Tuple(values) | IValue::GenericList(values) if depth < MAX_DEPTH => {
            values.iter().try_for_each(|value| walk(value, depth + 1, action))
        }
        other => {
            let text =
                format!("the method gives {}; tensors, tuples and lists of them can be outputs", kind(other));
            Err(Error::new(ErrorKind::Unsupported, text))
        }
    }
}

fn kind(value: &IValue) -> &'static str {
    match value {
        IValue::None => "None",
        IValue::Double(_) => "a float",
        IValue::Int(_) => "an int",
        IValue::Bool(_) => "a bool",
        IValue::String(_) => "a text",
        IValue::GenericDict(_) => "a dictionary",
        IValue::Object(_) => "an object",
        IValue::Tuple(_) | IValue::GenericList(_) => "tuples nested too deeply",
        IValue::IntList(_) | IValue::DoubleList(_) | IValue::BoolList(_) | IValue::StringList(_) => {
            "a list of numbers"
        }
        _ => "something else",
    }
}
