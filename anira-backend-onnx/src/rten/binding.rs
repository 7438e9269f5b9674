//! One tensor of an engine: the elements as the caller sees them, and as rten wants them.
//!
//! rten computes in float32, int32, int8 and uint8. An int64, boolean, float64 or float16 tensor is converted on its
//! way in and out.

use anira_traits::{DType, Error, ErrorKind, Result, TensorData, TensorInfo, TensorView};
use rten::{Value, ValueView};
use rten_tensor::{AsView, Layout, Tensor};

use crate::shape::check_shape;

/// An input tensor, allocated once.
#[derive(Debug)]
pub(crate) struct Input {
    name: String,
    shape: Vec<usize>,
    pub(crate) data: TensorData,
    converted: Converted,
}

/// Room for the elements in a type of rten's, where the caller's is none of them.
#[derive(Debug)]
enum Converted {
    No,
    F32(Vec<f32>),
    I32(Vec<i32>),
}

impl Input {
    /// Zeros in this shape, which must fit what the model says.
    pub(crate) fn new(info: &TensorInfo, shape: &[usize]) -> Result<Self> {
        let len = check_shape(info, shape)?;
        let converted = match info.dtype {
            DType::F64 | DType::F16 => Converted::F32(vec![0.0; len]),
            DType::I64 | DType::Bool => Converted::I32(vec![0; len]),
            _ => Converted::No,
        };
        let data = TensorData::zeros(info.dtype, len);
        Ok(Self { name: info.name.clone(), shape: shape.to_vec(), data, converted })
    }

    /// The elements for rten: in place where it knows the type, else converted.
    pub(crate) fn value(&mut self) -> Result<ValueView<'_>> {
        let shape = &self.shape;
        match (&mut self.converted, self.data.view()) {
            (Converted::No, TensorView::F32(d)) => view(shape, d),
            (Converted::No, TensorView::I32(d)) => view(shape, d),
            (Converted::No, TensorView::I8(d)) => view(shape, d),
            (Converted::No, TensorView::U8(d)) => view(shape, d),
            (Converted::I32(to), TensorView::I64(from)) => {
                for (to, from) in to.iter_mut().zip(from) {
                    *to = i32::try_from(*from).map_err(|_| out_of_range(&self.name))?;
                }
                view(shape, to)
            }
            (Converted::I32(to), TensorView::Bool(from)) => {
                to.iter_mut().zip(from).for_each(|(to, from)| *to = i32::from(*from));
                view(shape, to)
            }
            (Converted::F32(to), TensorView::F64(from)) => {
                to.iter_mut().zip(from).for_each(|(to, from)| *to = *from as f32);
                view(shape, to)
            }
            (Converted::F32(to), from @ TensorView::F16(_)) => {
                let numbers = (0..).map_while(|i| from.number(i));
                to.iter_mut().zip(numbers).for_each(|(to, from)| *to = from as f32);
                view(shape, to)
            }
            (_, other) => Err(no_type(other.dtype()).at(format!("tensor `{}`", self.name))),
        }
    }
}

fn view<'a, T>(shape: &[usize], data: &'a [T]) -> Result<ValueView<'a>>
where
    ValueView<'a>: From<rten_tensor::TensorView<'a, T>>,
{
    ValueView::from_shape(shape, data)
        .map_err(|_| Error::new(ErrorKind::Internal, "an input's elements do not fill its shape"))
}

fn out_of_range(name: &str) -> Error {
    let text = "an int64 element is beyond int32, in which rten computes; from -2147483648 to 2147483647";
    Error::new(ErrorKind::Engine, text).at(format!("tensor `{name}`"))
}

fn no_type(dtype: DType) -> Error {
    Error::new(ErrorKind::Unsupported, format!("rten has no tensors of type {dtype}"))
}

/// An output tensor. Its shape is fixed by the request, or else by each run.
#[derive(Debug)]
pub(crate) struct Output {
    name: String,
    shape: Vec<usize>,
    fixed: bool,
    pub(crate) data: TensorData,
}

impl Output {
    /// Zeros in this shape, which must fit what the model says; without a shape, empty until the first run.
    pub(crate) fn new(info: &TensorInfo, shape: Option<&[usize]>) -> Result<Self> {
        let len = shape.map_or(Ok(0), |shape| check_shape(info, shape))?;
        Ok(Self {
            name: info.name.clone(),
            shape: shape.unwrap_or(&[0]).to_vec(),
            fixed: shape.is_some(),
            data: TensorData::zeros(info.dtype, len),
        })
    }

    /// Copies what rten computed, once.
    pub(crate) fn take(&mut self, value: &Value) -> Result<()> {
        let shape = value.shape();
        if shape[..] != self.shape[..] {
            if self.fixed {
                let text = format!("the engine gave the shape {:?}; expected {:?}", &shape[..], self.shape);
                return Err(Error::new(ErrorKind::Shape, text).at(format!("tensor `{}`", self.name)));
            }
            self.data = TensorData::zeros(self.data.view().dtype(), value.len());
            self.shape = shape.to_vec();
        }
        match (&mut self.data, value) {
            (TensorData::F32(to), Value::FloatTensor(from)) => copy(to, from, |x| x),
            (TensorData::F64(to), Value::FloatTensor(from)) => copy(to, from, f64::from),
            (TensorData::I32(to), Value::Int32Tensor(from)) => copy(to, from, |x| x),
            (TensorData::I64(to), Value::Int32Tensor(from)) => copy(to, from, i64::from),
            (TensorData::Bool(to), Value::Int32Tensor(from)) => copy(to, from, |x| x != 0),
            (TensorData::I8(to), Value::Int8Tensor(from)) => copy(to, from, |x| x),
            (TensorData::U8(to), Value::UInt8Tensor(from)) => copy(to, from, |x| x),
            (data @ TensorData::F16(_), Value::FloatTensor(from)) => {
                let mut to = data.view_mut();
                from.iter().enumerate().for_each(|(i, x)| to.set_number(i, f64::from(*x)));
            }
            (data, value) => {
                let text =
                    format!("the engine gave a {}; the model says {}", value.dtype(), data.view().dtype());
                return Err(Error::new(ErrorKind::DType, text).at(format!("tensor `{}`", self.name)));
            }
        }
        Ok(())
    }

    /// Back to zeros.
    pub(crate) fn clear(&mut self) {
        self.data = TensorData::zeros(self.data.view().dtype(), self.data.view().len());
    }
}

fn copy<T: Copy, U>(to: &mut [U], from: &Tensor<T>, convert: impl Fn(T) -> U) {
    match from.data() {
        Some(from) => to.iter_mut().zip(from).for_each(|(to, from)| *to = convert(*from)),
        None => to.iter_mut().zip(from.iter()).for_each(|(to, from)| *to = convert(*from)),
    }
}
