//! What a caller asks for against what a model says: the same for every engine.

use anira_traits::{Error, ErrorKind, Result, TensorInfo};

use crate::graph_proto::MAX_ELEMENTS;

/// Refuses a request with another number of tensors than the model has.
pub(crate) fn check_count(what: &'static str, own: usize, asked: usize) -> Result<()> {
    if own == asked {
        return Ok(());
    }
    let text = format!("the request has {asked} shapes; the model has {own} {what}");
    Err(Error::new(ErrorKind::Shape, text).at(what))
}

/// The number of elements, if the shape fits what the model says.
pub(crate) fn check_shape(info: &TensorInfo, shape: &[usize]) -> Result<usize> {
    let at = |text: String| Error::new(ErrorKind::Shape, text).at(format!("tensor `{}`", info.name));
    let fits = info.shape.len() == shape.len()
        && info.shape.iter().zip(shape).all(|(own, n)| own.is_none_or(|own| own == *n));
    if !fits {
        let own = anira_traits::shape_text(&info.shape);
        return Err(at(format!("shape is {shape:?}; the model's is {own}")));
    }
    let len = shape.iter().try_fold(1usize, |n, d| n.checked_mul(*d));
    match len {
        Some(len @ 1..=MAX_ELEMENTS) => Ok(len),
        _ => Err(at(format!("shape is {shape:?}; from 1 to {MAX_ELEMENTS} elements"))),
    }
}
