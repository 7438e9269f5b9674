//! NumPy's `.npy`: one array per file, C order, little-endian.
//!
//! Written here because the crates that do it parse the header with a full Python grammar, whose parser needs a C
//! compiler to build; this binary must build without one. The header is one dictionary of three known keys.

use std::io::{Read, Write};
use std::path::Path;

use anira::traits::{DType, TensorData, TensorView};
use anira::{Error, ErrorKind, Result};

const MAGIC: &[u8; 6] = b"\x93NUMPY";
/// Longer headers are refused: three keys fit in a few hundred bytes.
const LONGEST_HEADER: usize = 1 << 16;

/// An array: shape and elements, last dimension fastest.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Array {
    pub(crate) shape: Vec<usize>,
    pub(crate) data: TensorData,
}

impl Array {
    /// Reads a file.
    ///
    /// # Errors
    /// `NotFound` or `Io` with the path, also for a malformed or a truncated file; `Unsupported` for element types that no
    /// tensor has.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let at = |error: Error| error.at(path.display().to_string());
        let mut bytes = Vec::new();
        std::fs::File::open(path)
            .and_then(|mut file| file.read_to_end(&mut bytes))
            .map_err(|e| at(e.into()))?;
        Self::parse(&bytes).map_err(at)
    }

    /// Reads the bytes of a file.
    fn parse(bytes: &[u8]) -> Result<Self> {
        let (header, body) = split(bytes)?;
        let text = header.trim().strip_prefix('{').and_then(|t| t.strip_suffix('}'));
        let text = text.ok_or_else(|| malformed("its header is not a dictionary"))?;
        let fortran = match value_of(text, "fortran_order")? {
            rest if rest.starts_with("True") => true,
            rest if rest.starts_with("False") => false,
            _ => return Err(malformed("its `fortran_order` is neither True nor False")),
        };
        let shape = shape(value_of(text, "shape")?)?;
        let elements = shape.iter().try_fold(1usize, |n, d| n.checked_mul(*d));
        let elements = elements.ok_or_else(|| malformed("its shape has more elements than memory"))?;
        let descr = value_of(text, "descr")?;
        let descr = descr.get(1..).and_then(|d| d.split(['\'', '"']).next()).unwrap_or_default();
        let data = match body.len().checked_div(elements) {
            Some(size) if fortran => elements_of(descr, elements, &c_order(body, size, &shape))?,
            _ => elements_of(descr, elements, body)?,
        };
        Ok(Self { shape, data })
    }

    /// Writes elements of this shape to a file.
    ///
    /// # Errors
    /// `Io` with the path.
    pub(crate) fn write(path: &Path, shape: &[usize], data: TensorView<'_>) -> Result<()> {
        let bytes = bytes_of(shape, data);
        let write = || std::fs::File::create(path)?.write_all(&bytes);
        write().map_err(|error| Error::from(error).at(path.display().to_string()))
    }
}

fn malformed(message: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::Io, message)
}

/// Header and elements.
fn split(bytes: &[u8]) -> Result<(&str, &[u8])> {
    let rest = bytes
        .strip_prefix(MAGIC)
        .ok_or_else(|| malformed("is not an .npy file: its first bytes are others"))?;
    let cut = || malformed("ends within its header");
    let (version, rest) = rest.split_first_chunk::<2>().ok_or_else(cut)?;
    let (length, rest) = match version[0] {
        1 => rest.split_first_chunk::<2>().map(|(n, rest)| (usize::from(u16::from_le_bytes(*n)), rest)),
        2 | 3 => rest.split_first_chunk::<4>().map(|(n, rest)| (u32::from_le_bytes(*n) as usize, rest)),
        other => return Err(malformed(format!("is of .npy version {other}; versions 1 to 3 are read"))),
    }
    .ok_or_else(cut)?;
    if length > LONGEST_HEADER {
        return Err(malformed(format!("says that its header has {length} bytes")));
    }
    let (header, body) = rest.split_at_checked(length).ok_or_else(cut)?;
    let header = std::str::from_utf8(header).map_err(|_| malformed("its header is not text"))?;
    Ok((header, body))
}

/// What follows `'key':` in the header.
fn value_of<'a>(header: &'a str, key: &'static str) -> Result<&'a str> {
    let missing = || malformed(format!("its header has no `{key}`"));
    let quoted = [format!("'{key}'"), format!("\"{key}\"")];
    let after = quoted.iter().find_map(|q| header.split_once(q.as_str())).ok_or_else(missing)?.1;
    after.trim_start().strip_prefix(':').map(str::trim_start).ok_or_else(missing)
}

fn shape(text: &str) -> Result<Vec<usize>> {
    let wrong = || malformed("its shape is not a tuple of whole numbers");
    let inside = text.strip_prefix('(').and_then(|t| t.split_once(')')).ok_or_else(wrong)?.0;
    let numbers = inside.split(',').map(str::trim).filter(|n| !n.is_empty());
    numbers.map(|n| n.parse().map_err(|_| wrong())).collect()
}

/// The elements of an array whose first dimension is fastest, in the order of one whose last is.
fn c_order(body: &[u8], size: usize, shape: &[usize]) -> Vec<u8> {
    let mut ordered = Vec::with_capacity(body.len());
    let mut index = vec![0; shape.len()];
    for _ in 0..body.len().checked_div(size).unwrap_or(0) {
        let at = index.iter().zip(shape).rev().fold(0, |at, (i, extent)| at * extent + i);
        ordered.extend_from_slice(&body[at * size..(at + 1) * size]);
        for (i, extent) in index.iter_mut().zip(shape).rev() {
            *i += 1;
            if *i < *extent {
                break;
            }
            *i = 0;
        }
    }
    ordered
}

/// Reads fixed-size elements, `count` of them.
macro_rules! little_endian {
    ($ty:ty, $variant:ident, $body:expr, $count:expr) => {{
        let size = size_of::<$ty>();
        let wanted = $count.checked_mul(size).ok_or_else(|| malformed("has more elements than memory"))?;
        let elements = exactly($body, wanted)?.chunks_exact(size);
        let elements = elements.filter_map(|c| c.try_into().ok()).map(<$ty>::from_le_bytes);
        TensorData::$variant(elements.collect())
    }};
}

fn elements_of(descr: &str, count: usize, body: &[u8]) -> Result<TensorData> {
    Ok(match descr {
        "<f4" => little_endian!(f32, F32, body, count),
        "<f8" => little_endian!(f64, F64, body, count),
        "<f2" => little_endian!(u16, F16, body, count),
        "<i8" => little_endian!(i64, I64, body, count),
        "<i4" => little_endian!(i32, I32, body, count),
        "|i1" | "<i1" => little_endian!(i8, I8, body, count),
        "|u1" | "<u1" => TensorData::U8(exactly(body, count)?.to_vec()),
        "|b1" | "<b1" => TensorData::Bool(exactly(body, count)?.iter().map(|b| *b != 0).collect()),
        other => {
            let message = format!(
                "its elements are `{other}`; tensors have <f4, <f8, <f2, <i8, <i4, |i1, |u1 or |b1 (float32, …)"
            );
            return Err(Error::new(ErrorKind::Unsupported, message));
        }
    })
}

fn exactly(body: &[u8], wanted: usize) -> Result<&[u8]> {
    if body.len() == wanted {
        return Ok(body);
    }
    let what = if body.len() < wanted { "is cut short" } else { "is too long" };
    Err(malformed(format!("{what}: its shape asks for {wanted} bytes, it holds {}", body.len())))
}

fn bytes_of(shape: &[usize], data: TensorView<'_>) -> Vec<u8> {
    let descr = match data.dtype() {
        DType::F32 => "<f4",
        DType::F64 => "<f8",
        DType::F16 => "<f2",
        DType::I64 => "<i8",
        DType::I32 => "<i4",
        DType::I8 => "|i1",
        DType::U8 => "|u1",
        _ => "|b1",
    };
    let mut dims: String = shape.iter().map(|d| format!("{d}, ")).collect();
    if shape.len() > 1 {
        dims.truncate(dims.len() - 2);
    }
    let dims = dims.trim_end();
    let mut header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({dims}), }}");
    // Elements start at a multiple of 64 bytes.
    let unpadded = MAGIC.len() + 4 + header.len() + 1;
    header.extend(std::iter::repeat_n(' ', unpadded.next_multiple_of(64) - unpadded));
    header.push('\n');
    let mut bytes = MAGIC.to_vec();
    bytes.extend([1, 0]);
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    match data {
        TensorView::F32(d) => d.iter().for_each(|x| bytes.extend(x.to_le_bytes())),
        TensorView::F64(d) => d.iter().for_each(|x| bytes.extend(x.to_le_bytes())),
        TensorView::F16(d) => d.iter().for_each(|x| bytes.extend(x.to_le_bytes())),
        TensorView::I64(d) => d.iter().for_each(|x| bytes.extend(x.to_le_bytes())),
        TensorView::I32(d) => d.iter().for_each(|x| bytes.extend(x.to_le_bytes())),
        TensorView::I8(d) => d.iter().for_each(|x| bytes.extend(x.to_le_bytes())),
        TensorView::U8(d) => bytes.extend(d),
        TensorView::Bool(d) => bytes.extend(d.iter().map(|b| u8::from(*b))),
        _ => {}
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all_types() -> Vec<TensorData> {
        vec![
            TensorData::F32(vec![1.5, -0.0, f32::MIN_POSITIVE, 3e38, -1.0, 0.1]),
            TensorData::F64(vec![1.5, -0.0, 1e300, 2.0, 0.1, f64::MIN_POSITIVE]),
            TensorData::F16(vec![0x3c00, 0, 1, 0x7bff, 5, 6]),
            TensorData::I64(vec![i64::MIN, i64::MAX, -1, 0, 1, 2]),
            TensorData::I32(vec![i32::MIN, i32::MAX, -1, 0, 1, 2]),
            TensorData::I8(vec![-128, 127, -1, 0, 1, 2]),
            TensorData::U8(vec![0, 255, 1, 2, 3, 4]),
            TensorData::Bool(vec![true, false, true, true, false, false]),
        ]
    }

    #[test]
    fn every_type_and_rank_comes_back_as_it_went() {
        for data in all_types() {
            for shape in [vec![6], vec![2, 3], vec![1, 6, 1], vec![6, 1, 1, 1]] {
                let bytes = bytes_of(&shape, data.view());
                assert_eq!(Array::parse(&bytes).unwrap(), Array { shape, data: data.clone() });
                assert_eq!((bytes.len() - data.view().len() * data.view().dtype().size()) % 64, 0);
            }
        }
        let scalar = TensorData::F32(vec![0.5]);
        assert_eq!(
            Array::parse(&bytes_of(&[], scalar.view())).unwrap(),
            Array { shape: vec![], data: scalar }
        );
        let empty = TensorData::F32(vec![]);
        assert_eq!(Array::parse(&bytes_of(&[0], empty.view())).unwrap().data, empty);
    }

    #[test]
    fn headers_are_those_of_numpy() {
        let header = |shape: &[usize]| {
            let bytes = bytes_of(shape, TensorData::F32(vec![0.0; 6]).view());
            String::from_utf8(bytes[10..70].to_vec()).unwrap()
        };
        assert!(header(&[6]).starts_with("{'descr': '<f4', 'fortran_order': False, 'shape': (6,), }"));
        assert!(header(&[2, 3]).starts_with("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }"));
        assert!(header(&[]).starts_with("{'descr': '<f4', 'fortran_order': False, 'shape': (), }"));
    }

    #[test]
    fn a_file_cut_anywhere_or_too_long_is_an_error() {
        let bytes = bytes_of(&[2, 3], TensorData::F64(vec![0.5; 6]).view());
        for end in 0..bytes.len() {
            let error = Array::parse(&bytes[..end]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Io, "{end}: {error}");
        }
        let long = [bytes, vec![0]].concat();
        assert!(Array::parse(&long).unwrap_err().to_string().contains("too long"));
    }

    #[test]
    fn hostile_headers_are_errors() {
        let file = |header: &str| {
            let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
            bytes.extend((header.len() as u16).to_le_bytes());
            bytes.extend(header.as_bytes());
            bytes
        };
        let refused = |header: &str, word: &str| {
            let error = Array::parse(&file(header)).unwrap_err();
            assert!(error.to_string().contains(word), "{header}: {error}");
        };
        let with = |descr: &str, order: &str, shape: &str| {
            format!("{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}")
        };
        refused("[]", "not a dictionary");
        refused("{}", "fortran_order");
        refused("{'fortran_order': False}", "shape");
        refused("{'fortran_order': Maybe, 'shape': (1,)}", "neither");
        refused(&with("'<f4'", "False", "(99999999999, 99999999999)"), "more elements");
        refused(&with("'<f4'", "False", "(4611686018427387905,)"), "more elements");
        refused(&with("'<f4'", "False", "(-1,)"), "whole numbers");
        refused(&with("'<f4'", "False", "1"), "whole numbers");
        refused(&with("'<f4'", "False", "(1000000,)"), "cut short");
        refused(&with("'<f4'", "True", "(2, 2)"), "cut short");
        refused(&with("'>f4'", "False", "(1,)"), ">f4");
        refused(&with("[('a', '<f4')]", "False", "(1,)"), "elements are");
        let error = Array::parse(b"\x93NUMPY\x09\x00").unwrap_err();
        assert!(error.to_string().contains("version 9"), "{error}");
        let error = Array::parse(b"\x93NUMPY\x02\x00\xff\xff\xff\xff").unwrap_err();
        assert!(error.to_string().contains("4294967295 bytes"), "{error}");
    }

    #[test]
    fn fortran_order_is_turned_round() {
        let in_order = |shape: &[usize], data: &[u8]| {
            let mut bytes = bytes_of(shape, TensorView::U8(data));
            let at = bytes.windows(5).position(|w| w == b"False").unwrap();
            bytes.splice(at..at + 5, *b"True ");
            Array::parse(&bytes).unwrap()
        };
        let numbers = [1, 2, 3, 4, 5, 6];
        assert_eq!(in_order(&[6], &numbers).data, TensorData::U8(vec![1, 2, 3, 4, 5, 6]));
        assert_eq!(in_order(&[2, 3], &numbers).data, TensorData::U8(vec![1, 3, 5, 2, 4, 6]));
        assert_eq!(in_order(&[3, 1, 2], &numbers).data, TensorData::U8(vec![1, 4, 2, 5, 3, 6]));
        assert_eq!(in_order(&[0, 2], &[]).data, TensorData::U8(vec![]));
    }
}
