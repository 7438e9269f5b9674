//! The wire format of Protocol Buffers, read from a slice: nothing is allocated, every length is checked.

use anira_traits::{Error, ErrorKind, Result};

/// A message's fields, in the order of the file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fields<'a> {
    rest: &'a [u8],
}

/// What a field holds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Value<'a> {
    /// An integer, boolean or enumeration.
    Varint(u64),
    /// Eight bytes.
    Fixed64(u64),
    /// Four bytes.
    Fixed32(u32),
    /// A string, bytes, a message, or packed numbers.
    Bytes(&'a [u8]),
}

impl<'a> Fields<'a> {
    /// The fields of the message that these bytes are.
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8]> {
        let Some((taken, rest)) = self.rest.split_at_checked(len) else {
            return Err(Error::new(
                ErrorKind::Model,
                "ends in the middle of a field: truncated, or not ONNX",
            ));
        };
        self.rest = rest;
        Ok(taken)
    }

    fn field(&mut self) -> Result<(u64, Value<'a>)> {
        let tag = self.varint()?;
        let value = match tag & 7 {
            0 => Value::Varint(self.varint()?),
            1 => Value::Fixed64(number(self.take(8)?)),
            2 => {
                let len = self.varint()?;
                Value::Bytes(self.take(usize::try_from(len).unwrap_or(usize::MAX))?)
            }
            5 => Value::Fixed32(number(self.take(4)?) as u32),
            kind => {
                let text =
                    format!("holds a field of kind {kind}, which is not in Protocol Buffers 3: not ONNX");
                return Err(Error::new(ErrorKind::Model, text));
            }
        };
        Ok((tag >> 3, value))
    }

    fn varint(&mut self) -> Result<u64> {
        let mut value = 0;
        for shift in (0..70).step_by(7) {
            let byte = self.take(1)?[0];
            value |= u64::from(byte & 0x7f).checked_shl(shift).unwrap_or(0);
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(Error::new(ErrorKind::Model, "holds a number of more than ten bytes: not ONNX"))
    }
}

/// Little-endian, up to eight bytes.
fn number(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |n, b| n << 8 | u64::from(*b))
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u64, Value<'a>)>;

    /// The next field; nothing more after an error.
    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_err() {
            self.rest = &[];
        }
        Some(field)
    }
}

impl<'a> Value<'a> {
    /// The bytes of a string or message.
    pub(crate) fn bytes(self) -> Result<&'a [u8]> {
        match self {
            Value::Bytes(bytes) => Ok(bytes),
            _ => Err(Error::new(
                ErrorKind::Model,
                "holds a number where a message or text should be: not ONNX",
            )),
        }
    }

    /// Text.
    pub(crate) fn text(self) -> Result<&'a str> {
        std::str::from_utf8(self.bytes()?)
            .map_err(|_| Error::new(ErrorKind::Model, "holds a name that is not UTF-8: not ONNX"))
    }

    /// An integer.
    pub(crate) fn int(self) -> Result<i64> {
        match self {
            Value::Varint(n) => Ok(n as i64),
            _ => {
                Err(Error::new(ErrorKind::Model, "holds another thing where an integer should be: not ONNX"))
            }
        }
    }

    /// A repeated integer field: one integer, or packed ones. Calls `each` for every one.
    pub(crate) fn ints(self, mut each: impl FnMut(i64) -> Result<()>) -> Result<()> {
        let Value::Bytes(bytes) = self else { return each(self.int()?) };
        let mut packed = Fields::new(bytes);
        while !packed.rest.is_empty() {
            each(packed.varint()? as i64)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(bytes: &[u8]) -> Result<Vec<(u64, Value<'_>)>> {
        Fields::new(bytes).collect()
    }

    #[test]
    fn every_kind_of_field_is_read() {
        let bytes =
            [0x08, 0x96, 0x01, 0x12, 2, b'h', b'i', 0x1d, 1, 0, 0, 0, 0x21, 2, 0, 0, 0, 0, 0, 0, 0x80];
        let right = [
            (1, Value::Varint(150)),
            (2, Value::Bytes(b"hi")),
            (3, Value::Fixed32(1)),
            (4, Value::Fixed64(2 | 0x80 << 56)),
        ];
        assert_eq!(all(&bytes).unwrap(), right);
        assert_eq!(right[1].1.text().unwrap(), "hi");
    }

    #[test]
    fn negative_numbers_take_ten_bytes_and_eleven_are_too_many() {
        let mut bytes = vec![0x08];
        bytes.extend([0xff; 9]);
        bytes.push(1);
        assert_eq!(all(&bytes).unwrap()[0].1.int().unwrap(), -1);
        bytes[10] = 0xff;
        bytes.push(1);
        assert!(all(&bytes).unwrap_err().to_string().contains("ten bytes"));
    }

    #[test]
    fn packed_and_single_integers_are_the_same() {
        let mut seen = Vec::new();
        for value in [Value::Bytes(&[1, 0x80, 1]), Value::Varint(3)] {
            value
                .ints(|n| {
                    seen.push(n);
                    Ok(())
                })
                .unwrap();
        }
        assert_eq!(seen, [1, 128, 3]);
        assert!(Value::Bytes(&[0x80]).ints(|_| Ok(())).is_err());
    }

    #[test]
    fn lengths_beyond_the_end_and_unknown_kinds_are_errors() {
        for bytes in [
            &[0x12, 3, 1, 2][..],
            &[0x12, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f],
            &[0x08],
            &[0x0d, 0],
            &[0x0b],
            &[0x80],
        ] {
            assert_eq!(all(bytes).unwrap_err().kind(), ErrorKind::Model, "{bytes:?}");
        }
    }
}
