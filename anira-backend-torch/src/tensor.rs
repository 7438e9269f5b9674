//! A tensor of LibTorch's whose elements this crate reads and writes in place.

use std::borrow::Borrow;
use std::ffi::c_void;
use std::fmt;

use anira_traits::{DType, Error, ErrorKind, Result, TensorView, TensorViewMut};
use tch::{Device, Kind, Tensor};

use crate::fault;

/// Elements that a tensor may have.
pub(crate) const MAX_ELEMENTS: usize = 1 << 28;

/// A contiguous tensor on the CPU, allocated once.
pub(crate) struct Slot {
    tensor: Tensor,
    /// Where its elements start, as LibTorch said when it was made.
    data: *mut c_void,
    len: usize,
    shape: Vec<i64>,
    dtype: DType,
}

#[allow(unsafe_code, reason = "the address belongs to the tensor, which may move between threads")]
// SAFETY: `data` points into the storage that `tensor` owns; `Tensor` is `Send`, and nothing here is bound to a thread.
unsafe impl Send for Slot {}

impl fmt::Debug for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Slot({} {:?})", self.dtype, self.shape)
    }
}

impl Borrow<Tensor> for Slot {
    fn borrow(&self) -> &Tensor {
        &self.tensor
    }
}

macro_rules! view {
    ($self:ident, $view:ident, $make:path, $ptr:ident) => {
        match $self.dtype {
            DType::F32 => $view::F32($make($ptr.cast(), $self.len)),
            DType::F64 => $view::F64($make($ptr.cast(), $self.len)),
            DType::F16 => $view::F16($make($ptr.cast(), $self.len)),
            DType::I64 => $view::I64($make($ptr.cast(), $self.len)),
            DType::I32 => $view::I32($make($ptr.cast(), $self.len)),
            DType::I8 => $view::I8($make($ptr.cast(), $self.len)),
            DType::Bool => $view::Bool($make($ptr.cast(), $self.len)),
            // Bytes suit every other type that there may be.
            _ => $view::U8($make($ptr.cast(), $self.len)),
        }
    };
}

impl Slot {
    /// Zeros in this shape.
    ///
    /// # Errors
    /// [`ErrorKind::Shape`] for too many elements, [`ErrorKind::System`] if LibTorch gives no memory.
    pub(crate) fn zeros(dtype: DType, shape: &[usize]) -> Result<Self> {
        let len = shape.iter().try_fold(1usize, |n, d| n.checked_mul(*d)).filter(|n| *n <= MAX_ELEMENTS);
        let len = len.ok_or_else(|| {
            Error::new(ErrorKind::Shape, format!("shape is {shape:?}; at most {MAX_ELEMENTS} elements"))
        })?;
        let shape: Vec<i64> = shape.iter().map(|d| *d as i64).collect();
        let tensor = Tensor::f_zeros(&shape, (kind(dtype)?, Device::Cpu))
            .map_err(|e| fault::run(&e).of_kind(ErrorKind::System))?;
        let data = tensor.data_ptr();
        if len > 0 && data.is_null() {
            return Err(Error::new(ErrorKind::System, "LibTorch: no memory for a tensor"));
        }
        Ok(Self { tensor, data, len, shape, dtype })
    }

    pub(crate) fn tensor(&self) -> &Tensor {
        &self.tensor
    }

    pub(crate) fn shape(&self) -> &[i64] {
        &self.shape
    }

    /// The elements.
    #[allow(unsafe_code, reason = "LibTorch's memory as a slice")]
    pub(crate) fn view(&self) -> TensorView<'_> {
        if self.len == 0 {
            return empty(self.dtype);
        }
        let data = self.data;
        // SAFETY: `tensor` was made contiguous with `len` elements of `dtype`, starts at `data` (see `whole`, which every
        // writer passes), and lives as long as the borrow. Models get this tensor only during `run`, which borrows it
        // mutably. Booleans hold 0 or 1: `zeros` and Rust's own writes give nothing else, `take` makes it so.
        unsafe { view!(self, TensorView, std::slice::from_raw_parts, data) }
    }

    /// The elements, to be written. `None` if a model has changed where they lie.
    #[allow(unsafe_code, reason = "LibTorch's memory as a slice")]
    pub(crate) fn view_mut(&mut self) -> Option<TensorViewMut<'_>> {
        if self.len == 0 || !self.whole() {
            return None;
        }
        let data = self.data;
        // SAFETY: as in `view`; `whole` has just seen that the storage is the one that was made; the borrow is exclusive,
        // and what a model may have kept of this tensor is not read outside of `run`.
        Some(unsafe { view!(self, TensorViewMut, std::slice::from_raw_parts_mut, data) })
    }

    /// Whether the tensor still lies where it was made: a model that resizes its input moves it.
    fn whole(&self) -> bool {
        self.tensor.data_ptr() == self.data
    }

    /// Copies what a model gave, once, whatever its strides.
    ///
    /// # Errors
    /// [`ErrorKind::DType`], [`ErrorKind::Shape`] if it is of another type or shape than this tensor.
    pub(crate) fn take(&mut self, from: &Tensor) -> Result<()> {
        let given = dtype(from)?;
        if given != self.dtype {
            let text = format!("the engine gave {given}; expected {}", self.dtype);
            return Err(Error::new(ErrorKind::DType, text));
        }
        // The list of extents would be allocated.
        if !self.tensor.f_is_same_size(from).map_err(|e| fault::run(&e))? {
            let text = format!("the engine gave the shape {:?}; expected {:?}", from.size(), self.shape);
            return Err(Error::new(ErrorKind::Shape, text));
        }
        self.tensor.f_copy_(from).map_err(|e| fault::run(&e))?;
        if self.dtype == DType::Bool {
            self.mend_booleans();
        }
        Ok(())
    }

    /// Makes every byte 0 or 1: LibTorch lets a model call any byte a boolean, Rust does not.
    #[allow(unsafe_code, reason = "LibTorch's memory as bytes")]
    fn mend_booleans(&mut self) {
        if self.len > 0 {
            // SAFETY: as in `view_mut`, read as bytes, for which every value is valid.
            let bytes = unsafe { std::slice::from_raw_parts_mut(self.data.cast::<u8>(), self.len) };
            bytes.iter_mut().for_each(|b| *b = u8::from(*b != 0));
        }
    }

    /// A tensor of its own with the same elements, for a model that changes or keeps what it is given.
    pub(crate) fn copy(&self) -> Result<Tensor> {
        let copy = || {
            let mut copy = self.tensor.f_empty_like()?;
            copy.f_copy_(&self.tensor)?;
            Ok(copy)
        };
        copy().map_err(|e| fault::run(&e))
    }

    /// Sets all elements to the one value, or each to its own.
    pub(crate) fn fill(&mut self, values: &[f64]) {
        if let (Some(mut view), Some(first)) = (self.view_mut(), values.first()) {
            (0..view.len()).for_each(|i| view.set_number(i, *values.get(i).unwrap_or(first)));
        }
    }

    /// Back to zeros.
    pub(crate) fn clear(&mut self) -> Result<()> {
        self.tensor.f_zero_().map(drop).map_err(|e| fault::run(&e))
    }
}

fn empty(dtype: DType) -> TensorView<'static> {
    match dtype {
        DType::F32 => TensorView::F32(&[]),
        DType::F64 => TensorView::F64(&[]),
        DType::F16 => TensorView::F16(&[]),
        DType::I64 => TensorView::I64(&[]),
        DType::I32 => TensorView::I32(&[]),
        DType::I8 => TensorView::I8(&[]),
        DType::Bool => TensorView::Bool(&[]),
        _ => TensorView::U8(&[]),
    }
}

fn kind(dtype: DType) -> Result<Kind> {
    Ok(match dtype {
        DType::F32 => Kind::Float,
        DType::F64 => Kind::Double,
        DType::F16 => Kind::Half,
        DType::I64 => Kind::Int64,
        DType::I32 => Kind::Int,
        DType::I8 => Kind::Int8,
        DType::U8 => Kind::Uint8,
        DType::Bool => Kind::Bool,
        other => return Err(Error::new(ErrorKind::Unsupported, format!("this crate knows no {other}"))),
    })
}

/// The element type of a tensor that a model gave.
///
/// # Errors
/// [`ErrorKind::Unsupported`] for types that anira does not have, and for tensors that are not plain.
pub(crate) fn dtype(tensor: &Tensor) -> Result<DType> {
    if !tensor.defined() || tensor.is_sparse() || tensor.is_mkldnn() || tensor.device() != Device::Cpu {
        return Err(Error::new(ErrorKind::Unsupported, "the engine gave no plain tensor on the CPU"));
    }
    Ok(match tensor.f_kind().map_err(|e| fault::run(&e).of_kind(ErrorKind::Unsupported))? {
        Kind::Float => DType::F32,
        Kind::Double => DType::F64,
        Kind::Half => DType::F16,
        Kind::Int64 => DType::I64,
        Kind::Int => DType::I32,
        Kind::Int8 => DType::I8,
        Kind::Uint8 => DType::U8,
        Kind::Bool => DType::Bool,
        other => {
            let text = format!("the engine gave a tensor of type {other:?}, which anira does not have");
            return Err(Error::new(ErrorKind::Unsupported, text));
        }
    })
}
