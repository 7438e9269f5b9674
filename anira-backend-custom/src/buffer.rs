//! The memory of an engine's tensors: allocated once, in the shapes that a request names.

use anira_traits::{Error, ErrorKind, Result, TensorData, TensorInfo, shape_text};

/// The most elements that one tensor may have: 2³¹.
pub(crate) const MAX_ELEMENTS: usize = 1 << 31;

/// One tensor's elements, with their extents.
#[derive(Debug)]
pub(crate) struct Buffer {
    pub(crate) shape: Vec<usize>,
    pub(crate) data: TensorData,
}

impl Buffer {
    /// A zeroed buffer of this shape for this tensor.
    fn new(info: &TensorInfo, shape: &[usize]) -> Result<Self> {
        let len = shape.iter().try_fold(1usize, |n, d| n.checked_mul(*d)).filter(|n| *n <= MAX_ELEMENTS);
        let Some(len) = len else {
            let text = format!("shape is {shape:?}; at most 2^31 elements");
            return Err(Error::new(ErrorKind::Shape, text).at(format!("tensor `{}`", info.name)));
        };
        Ok(Self { shape: shape.to_vec(), data: TensorData::zeros(info.dtype, len) })
    }
}

/// Buffers for the inputs, each in the shape that the request names.
pub(crate) fn inputs(infos: &[TensorInfo], shapes: &[Vec<usize>]) -> Result<Vec<Buffer>> {
    check_count("inputs", infos, shapes.len())?;
    infos.iter().zip(shapes).map(|(info, shape)| fitting(info, shape)).collect()
}

/// Buffers for the outputs; where the request names no shape, the model's own.
pub(crate) fn outputs(infos: &[TensorInfo], shapes: &[Option<Vec<usize>>]) -> Result<Vec<Buffer>> {
    check_count("outputs", infos, shapes.len())?;
    infos
        .iter()
        .zip(shapes)
        .map(|(info, shape)| match shape {
            Some(shape) => fitting(info, shape),
            None => fitting(info, &own_shape(info)?),
        })
        .collect()
}

/// Checks the outputs that a request names, without making them.
pub(crate) fn check(infos: &[TensorInfo], shapes: &[Option<Vec<usize>>]) -> Result<()> {
    check_count("outputs", infos, shapes.len())?;
    infos.iter().zip(shapes).try_for_each(|(info, shape)| match shape {
        Some(shape) => fits(info, shape),
        None => Ok(()),
    })
}

fn check_count(what: &'static str, infos: &[TensorInfo], asked: usize) -> Result<()> {
    if infos.len() == asked {
        return Ok(());
    }
    let text = format!("{asked} shapes; the model has {}: one shape for each", infos.len());
    Err(Error::new(ErrorKind::Shape, text).at(what))
}

fn fitting(info: &TensorInfo, shape: &[usize]) -> Result<Buffer> {
    fits(info, shape)?;
    Buffer::new(info, shape)
}

fn fits(info: &TensorInfo, shape: &[usize]) -> Result<()> {
    let fits = info.shape.len() == shape.len()
        && info.shape.iter().zip(shape).all(|(own, n)| own.is_none_or(|m| m == *n));
    if fits {
        return Ok(());
    }
    let text = format!("shape is {shape:?}; the model's is {}", shape_text(&info.shape));
    Err(Error::new(ErrorKind::Shape, text).at(format!("tensor `{}`", info.name)))
}

fn own_shape(info: &TensorInfo) -> Result<Vec<usize>> {
    let known: Option<Vec<usize>> = info.shape.iter().copied().collect();
    known.ok_or_else(|| {
        let text =
            format!("shape is {}, partly open; the request must name every extent", shape_text(&info.shape));
        Error::new(ErrorKind::Shape, text).at(format!("tensor `{}`", info.name))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use anira_traits::DType;

    #[test]
    fn open_extents_come_from_the_request_and_known_ones_must_match() {
        let infos = [TensorInfo::new("x", DType::I64, vec![Some(1), None])];
        let made = inputs(&infos, &[vec![1, 7]]).unwrap();
        assert_eq!(
            (&made[0].shape[..], made[0].data.clone()),
            (&[1, 7][..], TensorData::zeros(DType::I64, 7))
        );
        for (shape, words) in [(vec![2, 7], "[2, 7]"), (vec![1], "[1, ?]"), (vec![1, usize::MAX], "2^31")] {
            let error = inputs(&infos, &[shape]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Shape);
            assert!(error.to_string().contains("`x`") && error.to_string().contains(words), "{error}");
        }
        assert!(inputs(&infos, &[]).unwrap_err().to_string().contains("inputs: 0 shapes; the model has 1"));
    }

    #[test]
    fn an_ignored_output_takes_the_models_own_shape_if_there_is_one() {
        let infos = [TensorInfo::f32("y", &[2, 3])];
        assert_eq!(outputs(&infos, &[None]).unwrap()[0].shape, [2, 3]);
        let open = [TensorInfo::new("y", DType::F32, vec![None])];
        assert_eq!(outputs(&open, &[None]).unwrap_err().kind(), ErrorKind::Shape);
    }
}
