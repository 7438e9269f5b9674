//! What is known of a value before anything runs: its extents, and its elements where they are few numbers.

use anira_traits::Result;

use crate::protobuf::{Fields, Value};

/// Elements that are followed: shapes, paddings and the like are no longer.
pub(crate) const MOST_NUMBERS: usize = 64;

/// One value of a graph. What is `None` is not known.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Known {
    /// The extents; `None` within for those that the file leaves open.
    pub(crate) extents: Option<Vec<Option<i64>>>,
    /// The elements.
    pub(crate) numbers: Option<Vec<f64>>,
}

impl Known {
    /// Extents alone.
    pub(crate) fn shaped(extents: Vec<Option<i64>>) -> Self {
        Self { extents: Some(extents), numbers: None }
    }

    /// A row of numbers.
    pub(crate) fn row(numbers: Vec<f64>) -> Self {
        let numbers = Some(numbers).filter(|numbers| numbers.len() <= MOST_NUMBERS);
        let extents = numbers.as_ref().map(|numbers| vec![Some(numbers.len() as i64)]);
        Self { extents, numbers }
    }

    /// The same with these numbers for elements, if they are few.
    pub(crate) fn with_numbers(mut self, numbers: Option<Vec<f64>>) -> Self {
        self.numbers = numbers.filter(|numbers| numbers.len() <= MOST_NUMBERS);
        self
    }

    /// A weight of the file's.
    ///
    /// # Errors
    /// Those of a malformed message.
    pub(crate) fn weight(tensor: &[u8]) -> Result<Self> {
        let (mut extents, mut kind, mut raw, mut typed) = (Vec::new(), 0, &[][..], Vec::new());
        for field in Fields::new(tensor) {
            match field? {
                (1, dims) => dims.ints(|n| {
                    extents.push(Some(n));
                    Ok(())
                })?,
                (2, value) => kind = value.int()?,
                (4, value) => floats(value, 4, &mut typed),
                (10, value) => floats(value, 8, &mut typed),
                (5 | 7, value) => value.ints(|n| {
                    if typed.len() <= MOST_NUMBERS {
                        typed.push(n as f64);
                    }
                    Ok(())
                })?,
                (9, data) => raw = data.bytes()?,
                _ => {}
            }
        }
        let size = match kind {
            7 | 11 => 8,
            1 | 6 => 4,
            // Other types are no sizes.
            _ => return Ok(Self::shaped(extents)),
        };
        let few = raw.len() <= size * MOST_NUMBERS;
        let numbers = match (raw.is_empty(), few) {
            (true, _) => Some(typed),
            (false, true) => Some(raw.chunks_exact(size).map(|bytes| number(kind, bytes)).collect()),
            (false, false) => None,
        };
        Ok(Self::shaped(extents).with_numbers(numbers))
    }

    /// The elements that it has at least, open extents taken as 1; 0 if nothing is known.
    pub(crate) fn least(&self) -> i64 {
        let extents = self.extents.as_deref();
        extents.map_or(0, |all| all.iter().fold(1i64, |n, d| n.saturating_mul(d.unwrap_or(1).max(0))))
    }

    /// How many there are, if each extent is known.
    pub(crate) fn elements(&self) -> Option<i64> {
        self.extents.as_ref()?.iter().try_fold(1i64, |n, d| n.checked_mul((*d)?))
    }

    /// The elements as whole numbers.
    pub(crate) fn ints(&self) -> Option<Vec<i64>> {
        // A number beyond what an i64 holds becomes its end, which is beyond every bound, too.
        self.numbers.as_ref().map(|numbers| numbers.iter().map(|x| *x as i64).collect())
    }
}

/// A field of floats (of 4 bytes) or doubles (of 8): one, or packed ones. Of more than a few, one more than a few is kept.
pub(crate) fn floats(value: Value<'_>, size: usize, into: &mut Vec<f64>) {
    match value {
        Value::Fixed32(bits) => into.push(f64::from(f32::from_bits(bits))),
        Value::Fixed64(bits) => into.push(f64::from_bits(bits)),
        Value::Bytes(packed) => {
            let kind = if size == 4 { 1 } else { 11 };
            let few = packed.chunks_exact(size).take(MOST_NUMBERS + 1);
            into.extend(few.map(|bytes| number(kind, bytes)));
        }
        Value::Varint(_) => {}
    }
    into.truncate(MOST_NUMBERS + 1);
}

/// A number of this ONNX type, little-endian.
fn number(kind: i64, bytes: &[u8]) -> f64 {
    let bits = bytes.iter().rev().fold(0u64, |n, b| n << 8 | u64::from(*b));
    match kind {
        1 => f64::from(f32::from_bits(bits as u32)),
        11 => f64::from_bits(bits),
        6 => f64::from(bits as u32 as i32),
        _ => bits as i64 as f64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A tensor of this type and these extents, each of fewer than 128, with these bytes as raw data.
    fn tensor(kind: u8, extents: &[u8], raw: &[u8]) -> Vec<u8> {
        let dims: Vec<u8> = extents.iter().flat_map(|n| [8, *n]).collect();
        [&dims[..], &[16, kind, 0x4a, raw.len() as u8], raw].concat()
    }

    #[test]
    fn few_numbers_of_every_type_that_says_a_size_are_read() {
        let of = |tensor: Vec<u8>| Known::weight(&tensor).unwrap().numbers;
        assert_eq!(of(tensor(7, &[1], &(-3i64).to_le_bytes())), Some(vec![-3.0]));
        assert_eq!(of(tensor(6, &[1], &(-3i32).to_le_bytes())), Some(vec![-3.0]));
        assert_eq!(of(tensor(1, &[1], &1e10f32.to_le_bytes())), Some(vec![1e10]));
        assert_eq!(of(tensor(11, &[1], &1e10f64.to_le_bytes())), Some(vec![1e10]));
        assert_eq!(of(tensor(2, &[4], &[1, 2, 3, 4])), None);
        // Typed: packed int64, and a float.
        assert_eq!(of(vec![8, 2, 16, 7, 0x3a, 2, 5, 6]), Some(vec![5.0, 6.0]));
        assert_eq!(of([&[8, 1, 16, 1, 0x25][..], &2.5f32.to_le_bytes()].concat()), Some(vec![2.5]));
        assert_eq!(of([&[8, 1, 16, 11, 0x52, 8][..], &2.5f64.to_le_bytes()].concat()), Some(vec![2.5]));
        let long = Known::weight(&tensor(2, &[100], &[0; 100])).unwrap();
        assert_eq!((long.least(), long.numbers), (100, None));
    }

    #[test]
    fn counts_saturate_and_open_extents_count_once() {
        let of = |extents: &[Option<i64>]| Known::shaped(extents.to_vec());
        assert_eq!(of(&[Some(1 << 40), Some(1 << 40)]).least(), i64::MAX);
        assert_eq!(of(&[None, Some(7)]).least(), 7);
        assert_eq!((of(&[None, Some(7)]).elements(), of(&[Some(2), Some(7)]).elements()), (None, Some(14)));
        assert_eq!(Known::default().least(), 0);
        assert_eq!(Known::row(vec![0.0; 65]), Known::default());
    }
}
