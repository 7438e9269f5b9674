//! Tensors as engines show them: types, shapes, names, and borrowed contiguous data.

use std::fmt;

use crate::{Error, ErrorKind, Result};

/// The element type of a tensor. Streams are [`DType::F32`]; the others serve parameters, states and constants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DType {
    /// 32-bit float.
    F32,
    /// 64-bit float.
    F64,
    /// 16-bit float, handed over as its bits.
    F16,
    /// 64-bit signed integer.
    I64,
    /// 32-bit signed integer.
    I32,
    /// 8-bit signed integer.
    I8,
    /// 8-bit unsigned integer.
    U8,
    /// Boolean.
    Bool,
}

impl DType {
    /// The type's name, as NumPy spells it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            DType::F32 => "float32",
            DType::F64 => "float64",
            DType::F16 => "float16",
            DType::I64 => "int64",
            DType::I32 => "int32",
            DType::I8 => "int8",
            DType::U8 => "uint8",
            DType::Bool => "bool",
        }
    }

    /// Bytes per element.
    #[must_use]
    pub fn size(self) -> usize {
        match self {
            DType::F64 | DType::I64 => 8,
            DType::F32 | DType::I32 => 4,
            DType::F16 => 2,
            DType::I8 | DType::U8 | DType::Bool => 1,
        }
    }
}

impl fmt::Display for DType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What a model says of one of its tensors. A dimension of `None` is dynamic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TensorInfo {
    /// The tensor's name in the model.
    pub name: String,
    /// The element type in the model.
    pub dtype: DType,
    /// The extents, outermost first; `None` where the model leaves one open.
    pub shape: Vec<Option<usize>>,
}

impl TensorInfo {
    /// A tensor of this name, type and shape.
    #[must_use]
    pub fn new(name: impl Into<String>, dtype: DType, shape: impl Into<Vec<Option<usize>>>) -> Self {
        Self { name: name.into(), dtype, shape: shape.into() }
    }

    /// A 32-bit float tensor whose extents are all known.
    #[must_use]
    pub fn f32(name: impl Into<String>, shape: &[usize]) -> Self {
        Self::new(name, DType::F32, shape.iter().copied().map(Some).collect::<Vec<_>>())
    }
}

/// A shape as people write it: `[1, 1, ?]`.
#[must_use]
pub fn shape_text(shape: &[Option<usize>]) -> String {
    let dims: Vec<String> = shape.iter().map(|d| d.map_or_else(|| "?".into(), |n| n.to_string())).collect();
    format!("[{}]", dims.join(", "))
}

/// The inputs and outputs of a model, in the model's order. An engine's tensors bear the same indices.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Signature {
    /// What the model consumes.
    pub inputs: Vec<TensorInfo>,
    /// What the model yields.
    pub outputs: Vec<TensorInfo>,
}

impl Signature {
    /// The index of the input of that name, or at that place (`#0` is the first): see [`place`].
    #[must_use]
    pub fn input(&self, name: &str) -> Option<usize> {
        place(name, self.inputs.iter().map(|t| t.name.as_str()))
    }

    /// The index of the output of that name, or at that place (`#0` is the first): see [`place`].
    #[must_use]
    pub fn output(&self, name: &str) -> Option<usize> {
        place(name, self.outputs.iter().map(|t| t.name.as_str()))
    }
}

/// Which of these tensors a name stands for: the one that bears it; if none does, `#0`, `#1`, … stand for the first, the second, ….
/// For models whose tensors have no names, or names that the next export changes.
#[must_use]
pub fn place<'a>(name: &str, tensors: impl ExactSizeIterator<Item = &'a str> + Clone) -> Option<usize> {
    tensors.clone().position(|own| own == name).or_else(|| {
        let digits = name.strip_prefix('#').filter(|n| n.bytes().all(|b| b.is_ascii_digit()))?;
        digits.parse().ok().filter(|place| *place < tensors.len())
    })
}

macro_rules! views {
    ($($variant:ident $ty:ty, $of:ident, $of_mut:ident;)*) => {
        /// The contiguous data of an engine's tensor, outermost dimension first.
        #[derive(Clone, Copy, Debug)]
        #[non_exhaustive]
        pub enum TensorView<'a> {
            $(#[doc = concat!("Elements of type `", stringify!($ty), "`.")] $variant(&'a [$ty]),)*
        }

        /// The contiguous data of an engine's tensor, to be written.
        #[derive(Debug)]
        #[non_exhaustive]
        pub enum TensorViewMut<'a> {
            $(#[doc = concat!("Elements of type `", stringify!($ty), "`.")] $variant(&'a mut [$ty]),)*
        }

        impl<'a> TensorView<'a> {
            /// The element type.
            #[must_use]
            pub fn dtype(&self) -> DType { match self { $(Self::$variant(_) => DType::$variant,)* } }

            /// The number of elements.
            #[must_use]
            pub fn len(&self) -> usize { match self { $(Self::$variant(d) => d.len(),)* } }

            $(#[doc = concat!("The elements, if they are [`DType::", stringify!($variant), "`].")]
            #[must_use]
            pub fn $of(self) -> Option<&'a [$ty]> { match self { Self::$variant(d) => Some(d), _ => None } })*
        }

        impl<'a> TensorViewMut<'a> {
            /// The element type.
            #[must_use]
            pub fn dtype(&self) -> DType { match self { $(Self::$variant(_) => DType::$variant,)* } }

            /// The number of elements.
            #[must_use]
            pub fn len(&self) -> usize { match self { $(Self::$variant(d) => d.len(),)* } }

            /// The same data, to be read.
            #[must_use]
            pub fn as_view(&self) -> TensorView<'_> { match self { $(Self::$variant(d) => TensorView::$variant(d),)* } }

            $(#[doc = concat!("The elements, if they are [`DType::", stringify!($variant), "`].")]
            #[must_use]
            pub fn $of_mut(self) -> Option<&'a mut [$ty]> { match self { Self::$variant(d) => Some(d), _ => None } })*

            /// Copies all elements from `source`.
            ///
            /// # Errors
            /// [`ErrorKind::DType`] or [`ErrorKind::Shape`] if the two differ in type or length; nothing is copied.
            pub fn copy_from(self, source: TensorView<'_>) -> Result<()> {
                match (self, source) {
                    $((Self::$variant(to), TensorView::$variant(from)) => {
                        if to.len() != from.len() {
                            return Err(Error::new(ErrorKind::Shape, "source and target differ in length"));
                        }
                        to.copy_from_slice(from);
                        Ok(())
                    })*
                    _ => Err(Error::new(ErrorKind::DType, "source and target differ in element type")),
                }
            }
        }

        /// Elements that own their memory: a constant, a state, an engine's tensor.
        #[derive(Clone, Debug, PartialEq)]
        #[non_exhaustive]
        pub enum TensorData {
            $(#[doc = concat!("Elements of type `", stringify!($ty), "`.")] $variant(Vec<$ty>),)*
        }

        impl TensorData {
            /// `len` elements of zero. Allocates.
            #[must_use]
            pub fn zeros(dtype: DType, len: usize) -> Self {
                match dtype { $(DType::$variant => Self::$variant(vec![<$ty>::default(); len]),)* }
            }

            /// The elements, to be read.
            #[must_use]
            pub fn view(&self) -> TensorView<'_> { match self { $(Self::$variant(d) => TensorView::$variant(d),)* } }

            /// The elements, to be written.
            #[must_use]
            pub fn view_mut(&mut self) -> TensorViewMut<'_> { match self { $(Self::$variant(d) => TensorViewMut::$variant(d),)* } }
        }
    };
}

views! {
    F32 f32, f32, f32_mut;
    F64 f64, f64, f64_mut;
    F16 u16, f16_bits, f16_bits_mut;
    I64 i64, i64, i64_mut;
    I32 i32, i32, i32_mut;
    I8 i8, i8, i8_mut;
    U8 u8, u8, u8_mut;
    Bool bool, bools, bools_mut;
}

impl TensorView<'_> {
    /// Whether there are no elements.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether no element is NaN or infinite. Integers and booleans always are finite.
    #[must_use]
    pub fn is_finite(&self) -> bool {
        match self {
            // A sum of x·0 is NaN exactly if some x is not finite: a branch-free loop that vectorises.
            TensorView::F32(d) => d.chunks(4096).all(|c| c.iter().map(|x| x * 0.0).sum::<f32>() == 0.0),
            TensorView::F64(d) => d.chunks(4096).all(|c| c.iter().map(|x| x * 0.0).sum::<f64>() == 0.0),
            TensorView::F16(d) => d.iter().all(|bits| bits & 0x7c00 != 0x7c00),
            _ => true,
        }
    }

    /// Whether both hold the same elements, bit for bit: 0 and -0 differ.
    #[must_use]
    pub fn is_identical(&self, other: &TensorView<'_>) -> bool {
        fn same<T: Copy, B: PartialEq>(a: &[T], b: &[T], bits: impl Fn(T) -> B) -> bool {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| bits(*a) == bits(*b))
        }
        match (self, other) {
            (TensorView::F32(a), TensorView::F32(b)) => same(a, b, f32::to_bits),
            (TensorView::F64(a), TensorView::F64(b)) => same(a, b, f64::to_bits),
            (TensorView::F16(a), TensorView::F16(b)) => a == b,
            (TensorView::I64(a), TensorView::I64(b)) => a == b,
            (TensorView::I32(a), TensorView::I32(b)) => a == b,
            (TensorView::I8(a), TensorView::I8(b)) => a == b,
            (TensorView::U8(a), TensorView::U8(b)) => a == b,
            (TensorView::Bool(a), TensorView::Bool(b)) => a == b,
            _ => false,
        }
    }

    /// Element `index` as a number. 64-bit integers beyond 2⁵³ lose their last bits.
    #[must_use]
    pub fn number(&self, index: usize) -> Option<f64> {
        Some(match self {
            TensorView::F32(d) => f64::from(*d.get(index)?),
            TensorView::F64(d) => *d.get(index)?,
            TensorView::F16(d) => f16_to_f64(*d.get(index)?),
            TensorView::I64(d) => *d.get(index)? as f64,
            TensorView::I32(d) => f64::from(*d.get(index)?),
            TensorView::I8(d) => f64::from(*d.get(index)?),
            TensorView::U8(d) => f64::from(*d.get(index)?),
            TensorView::Bool(d) => f64::from(u8::from(*d.get(index)?)),
        })
    }
}

impl TensorViewMut<'_> {
    /// Whether there are no elements.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Writes `number` to element `index`, rounded to the nearest value of the type and saturated at its ends.
    /// Outside the tensor nothing happens.
    pub fn set_number(&mut self, index: usize, number: f64) {
        match self {
            TensorViewMut::F32(d) => set(d, index, number as f32),
            TensorViewMut::F64(d) => set(d, index, number),
            TensorViewMut::F16(d) => set(d, index, f16_from_f64(number)),
            TensorViewMut::I64(d) => set(d, index, number.round() as i64),
            TensorViewMut::I32(d) => set(d, index, number.round() as i32),
            TensorViewMut::I8(d) => set(d, index, number.round() as i8),
            TensorViewMut::U8(d) => set(d, index, number.round() as u8),
            TensorViewMut::Bool(d) => set(d, index, number != 0.0),
        }
    }
}

fn set<T>(data: &mut [T], index: usize, value: T) {
    if let Some(element) = data.get_mut(index) {
        *element = value;
    }
}

/// IEEE 754 binary16 to f64, exactly.
fn f16_to_f64(bits: u16) -> f64 {
    let sign = if bits & 0x8000 != 0 { -1.0 } else { 1.0 };
    let exponent = i32::from(bits >> 10 & 0x1f);
    let fraction = f64::from(bits & 0x3ff);
    match exponent {
        0 => sign * fraction * 2f64.powi(-24),
        31 if fraction == 0.0 => sign * f64::INFINITY,
        31 => f64::NAN,
        _ => sign * (1.0 + fraction / 1024.0) * 2f64.powi(exponent - 15),
    }
}

/// f64 to the nearest IEEE 754 binary16, ties to even.
fn f16_from_f64(x: f64) -> u16 {
    let sign = if x.is_sign_negative() { 0x8000 } else { 0 };
    let a = x.abs();
    if a.is_nan() {
        return sign | 0x7e00;
    }
    if a >= 65520.0 {
        return sign | 0x7c00;
    }
    let exponent = if a < 2f64.powi(-14) { -14 } else { a.log2().floor() as i32 };
    let units = (a * 2f64.powi(10 - exponent)).round_ties_even() as u16;
    // `units` holds the hidden bit for normal numbers, so a carry into the exponent comes out right by addition.
    if exponent == -14 { sign | units } else { sign | (((exponent + 14) as u16) << 10).wrapping_add(units) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_floats_survive_the_round_trip() {
        for bits in (0..=u16::MAX).filter(|b| b & 0x7c00 != 0x7c00) {
            assert_eq!(f16_from_f64(f16_to_f64(bits)), bits, "{bits:#06x}");
        }
        assert_eq!(f16_from_f64(65520.0), 0x7c00);
        assert!(f16_to_f64(f16_from_f64(f64::NAN)).is_nan());
    }

    #[test]
    fn one_bad_element_makes_a_tensor_non_finite() {
        let mut data = vec![1.0f32; 10_000];
        assert!(TensorView::F32(&data).is_finite());
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            for at in [0, 4095, 4096, 9_999] {
                data[at] = bad;
                assert!(!TensorView::F32(&data).is_finite(), "{bad} at {at}");
                data[at] = f32::MAX;
            }
        }
        assert!(TensorView::F32(&data).is_finite(), "large is finite");
    }

    #[test]
    fn tensors_are_found_by_name_or_else_by_place() {
        let tensor = |name: &str| TensorInfo::f32(name, &[1]);
        let signature =
            Signature { inputs: vec![tensor("a"), tensor("b"), tensor("#0")], outputs: vec![tensor("y")] };
        for (name, right) in [
            ("b", Some(1)),
            ("#1", Some(1)),
            ("#0", Some(2)),
            ("#2", Some(2)),
            ("#3", None),
            ("#", None),
            ("#+1", None),
            ("1", None),
            ("", None),
        ] {
            assert_eq!(signature.input(name), right, "{name}");
        }
        assert_eq!((signature.output("#0"), signature.output("#1")), (Some(0), None));
    }

    #[test]
    fn identical_is_bit_for_bit() {
        let zeros = TensorView::F32(&[0.0, 0.0]);
        assert!(zeros.is_identical(&TensorView::F32(&[0.0, 0.0])));
        assert!(!zeros.is_identical(&TensorView::F32(&[0.0, -0.0])), "the sign of a zero");
        assert!(!zeros.is_identical(&TensorView::F32(&[0.0])), "length");
        assert!(!zeros.is_identical(&TensorView::I32(&[0, 0])), "type");
        assert!(!TensorView::I64(&[1 << 60]).is_identical(&TensorView::I64(&[(1 << 60) + 1])));
    }

    #[test]
    fn numbers_saturate_at_the_ends_of_a_type() {
        let mut bytes = TensorData::zeros(DType::U8, 2);
        bytes.view_mut().set_number(0, 300.0);
        bytes.view_mut().set_number(1, -1.0);
        bytes.view_mut().set_number(9, 1.0);
        assert_eq!(bytes, TensorData::U8(vec![255, 0]));
    }

    #[test]
    fn copies_refuse_other_types_and_lengths() {
        let mut to = TensorData::zeros(DType::F32, 2);
        assert_eq!(to.view_mut().copy_from(TensorView::I32(&[1, 2])).unwrap_err().kind(), ErrorKind::DType);
        assert_eq!(to.view_mut().copy_from(TensorView::F32(&[1.0])).unwrap_err().kind(), ErrorKind::Shape);
        to.view_mut().copy_from(TensorView::F32(&[1.0, 2.0])).unwrap();
        assert_eq!(to, TensorData::F32(vec![1.0, 2.0]));
    }
}
