//! Constant tensors of an ONNX file.

use anira_traits::{Error, ErrorKind, Result};
use rten_onnx::onnx::{DataLocation, DataType, TensorProto};

/// A constant tensor: numbers or integers.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Constant {
    pub(crate) shape: Vec<usize>,
    pub(crate) data: Data,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Data {
    Numbers(Vec<f32>),
    Integers(Vec<i64>),
}

impl Constant {
    pub(crate) fn integers(data: Vec<i64>) -> Self {
        Self { shape: vec![data.len()], data: Data::Integers(data) }
    }

    /// The numbers.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] for integers.
    pub(crate) fn numbers(&self) -> Result<&[f32]> {
        match &self.data {
            Data::Numbers(numbers) => Ok(numbers),
            Data::Integers(_) => Err(Error::new(ErrorKind::Unsupported, "integers where numbers are heard")),
        }
    }

    /// The integers.
    ///
    /// # Errors
    /// [`ErrorKind::Model`] for numbers.
    pub(crate) fn whole(&self) -> Result<&[i64]> {
        match &self.data {
            Data::Integers(integers) => Ok(integers),
            Data::Numbers(_) => Err(Error::new(ErrorKind::Model, "numbers where integers should be")),
        }
    }

    /// Reads a tensor; its data has to have as many elements as its extents say.
    ///
    /// # Errors
    /// [`ErrorKind::Model`] where they differ, [`ErrorKind::Unsupported`] for other element types and external data.
    pub(crate) fn read(tensor: &TensorProto) -> Result<Self> {
        let at = |error: Error| error.at(format!("weight `{}`", tensor.name.as_deref().unwrap_or_default()));
        Self::read_data(tensor).map_err(at)
    }

    fn read_data(tensor: &TensorProto) -> Result<Self> {
        if tensor.data_location == Some(DataLocation::EXTERNAL) || !tensor.external_data.is_empty() {
            return Err(Error::new(ErrorKind::Unsupported, "is stored in another file"));
        }
        let shape: Option<Vec<usize>> = tensor.dims.iter().map(|n| usize::try_from(*n).ok()).collect();
        let count = shape
            .as_ref()
            .and_then(|shape| shape.iter().try_fold(1usize, |n, extent| n.checked_mul(*extent)));
        let (Some(shape), Some(count)) = (shape, count) else {
            return Err(Error::new(ErrorKind::Model, format!("shape is {:?}", tensor.dims)));
        };
        let raw = tensor.raw_data.as_ref().map(|raw| raw.borrow());
        let data = match (tensor.data_type, raw) {
            (Some(DataType::FLOAT), Some(raw)) => {
                whole_bytes(&raw, 4)?;
                Data::Numbers(raw.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect())
            }
            (Some(DataType::FLOAT), None) => Data::Numbers(tensor.float_data.clone()),
            (Some(DataType::INT64), Some(raw)) => {
                whole_bytes(&raw, 8)?;
                Data::Integers(raw.as_chunks().0.iter().map(|b| i64::from_le_bytes(*b)).collect())
            }
            (Some(DataType::INT64), None) => Data::Integers(tensor.int64_data.clone()),
            (kind, _) => {
                let name = kind.and_then(|kind| kind.name().map(str::to_owned)).unwrap_or("no type".into());
                return Err(Error::new(ErrorKind::Unsupported, format!("is {name}; float or int64")));
            }
        };
        let have = match &data {
            Data::Numbers(numbers) => numbers.len(),
            Data::Integers(integers) => integers.len(),
        };
        if have != count {
            let text = format!("has {have} elements; its shape {shape:?} is {count}");
            return Err(Error::new(ErrorKind::Model, text));
        }
        if let Data::Numbers(numbers) = &data
            && let Some(at) = numbers.iter().position(|number| !number.is_finite())
        {
            let text = format!("number {at} is {}; all have to be finite", numbers[at]);
            return Err(Error::new(ErrorKind::Model, text));
        }
        Ok(Self { shape, data })
    }
}

fn whole_bytes(raw: &[u8], size: usize) -> Result<()> {
    if raw.len().is_multiple_of(size) {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Model, format!("has {} bytes; a multiple of {size}", raw.len())))
}
