//! Tensors in ONNX Runtime's own memory, and views of them.

use anira_traits::{DType, Error, ErrorKind, Result, TensorData, TensorInfo, TensorView, TensorViewMut};
use half::f16;
use half::slice::HalfFloatSliceExt;
use ort::memory::Allocator;
use ort::value::{DynTensor, DynValue, PrimitiveTensorElementType, TensorElementType, ValueType};

use super::{fault, raw};

/// ONNX Runtime's name of a type.
pub(crate) fn element_type(dtype: DType) -> Option<TensorElementType> {
    Some(match dtype {
        DType::F32 => TensorElementType::Float32,
        DType::F64 => TensorElementType::Float64,
        DType::F16 => TensorElementType::Float16,
        DType::I64 => TensorElementType::Int64,
        DType::I32 => TensorElementType::Int32,
        DType::I8 => TensorElementType::Int8,
        DType::U8 => TensorElementType::Uint8,
        DType::Bool => TensorElementType::Bool,
        _ => return None,
    })
}

/// Zeros in the processor's memory.
pub(crate) fn zeros(info: &TensorInfo, shape: &[usize]) -> Result<DynTensor> {
    let at = |error: Error| error.at(format!("tensor `{}`", info.name));
    let Some(ty) = element_type(info.dtype) else {
        let text = format!("is of type {}, which ONNX Runtime has not", info.dtype);
        return Err(at(Error::new(ErrorKind::Unsupported, text)));
    };
    let shape: Vec<i64> = shape.iter().map(|n| i64::try_from(*n).unwrap_or(i64::MAX)).collect();
    DynTensor::new(&Allocator::default(), ty, shape).map_err(|error| at(fault::bind(error)))
}

/// The elements, to be read. Not for booleans that a model has computed.
pub(crate) fn view(tensor: &DynTensor, dtype: DType) -> Option<TensorView<'_>> {
    Some(match dtype {
        DType::F32 => TensorView::F32(elements(tensor)?),
        DType::F64 => TensorView::F64(elements(tensor)?),
        DType::F16 => TensorView::F16(elements::<f16>(tensor)?.reinterpret_cast()),
        DType::I64 => TensorView::I64(elements(tensor)?),
        DType::I32 => TensorView::I32(elements(tensor)?),
        DType::I8 => TensorView::I8(elements(tensor)?),
        DType::U8 => TensorView::U8(elements(tensor)?),
        _ => return None,
    })
}

/// The elements, to be written.
pub(crate) fn view_mut(tensor: &mut DynTensor, dtype: DType) -> Option<TensorViewMut<'_>> {
    Some(match dtype {
        DType::F32 => TensorViewMut::F32(elements_mut(tensor)?),
        DType::F64 => TensorViewMut::F64(elements_mut(tensor)?),
        DType::F16 => TensorViewMut::F16(elements_mut::<f16>(tensor)?.reinterpret_cast_mut()),
        DType::I64 => TensorViewMut::I64(elements_mut(tensor)?),
        DType::I32 => TensorViewMut::I32(elements_mut(tensor)?),
        DType::I8 => TensorViewMut::I8(elements_mut(tensor)?),
        DType::U8 => TensorViewMut::U8(elements_mut(tensor)?),
        DType::Bool => TensorViewMut::Bool(elements_mut(tensor)?),
        _ => return None,
    })
}

fn elements<T: PrimitiveTensorElementType>(tensor: &DynTensor) -> Option<&[T]> {
    tensor.try_extract_tensor().ok().map(|(_, elements)| elements)
}

fn elements_mut<T: PrimitiveTensorElementType>(tensor: &mut DynTensor) -> Option<&mut [T]> {
    tensor.try_extract_tensor_mut().ok().map(|(_, elements)| elements)
}

/// Writes booleans that a model has computed as such.
pub(crate) fn take_bools(from: &DynTensor, to: &mut [bool]) {
    let bytes = raw::bytes(from, to.len());
    to.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from != 0);
}

/// The extents and the type of what a run has given.
pub(crate) fn shape_of(value: &DynValue) -> Option<(Vec<usize>, TensorElementType)> {
    match value.dtype() {
        ValueType::Tensor { ty, shape, .. } => {
            Some((shape.iter().map(|n| usize::try_from(*n).unwrap_or(0)).collect(), *ty))
        }
        _ => None,
    }
}

/// Copies what a run has given.
pub(crate) fn copy(value: &DynValue, dtype: DType, len: usize) -> Option<TensorData> {
    let tensor = value.view().downcast::<ort::value::DynTensorValueType>().ok()?;
    let mut data = TensorData::zeros(dtype, len);
    match &mut data {
        TensorData::Bool(to) => take_bools(&tensor, to),
        data => data.view_mut().copy_from(view(&tensor, dtype)?).ok()?,
    }
    Some(data)
}
