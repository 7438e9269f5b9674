//! The FlatBuffers format, read from a slice: nothing is trusted, every offset and length is checked.

use std::cell::Cell;

use anira_traits::{Error, ErrorKind, Result};

/// The file, and how much of it may still be looked at.
///
/// Offsets only point forward, so there are no cycles; but many tables may point to one large vector, and the work would
/// grow with the square of the file. The allowance bounds it.
#[derive(Debug)]
pub(crate) struct Buffer<'a> {
    bytes: &'a [u8],
    allowance: Cell<usize>,
}

/// A table of the file: its fields by number, as the schema counts them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Table<'a> {
    buffer: &'a Buffer<'a>,
    at: usize,
    size: usize,
    vtable: &'a [u8],
}

fn broken(what: &'static str) -> Error {
    Error::new(ErrorKind::Model, what)
}

const CUT: &str = "points beyond its own end: truncated, or not a .tflite model";

impl<'a> Buffer<'a> {
    /// These bytes, if they begin as a file with this identifier does.
    pub(crate) fn new(bytes: &'a [u8], identifier: &[u8; 4]) -> Result<Self> {
        if bytes.get(4..8) != Some(identifier) {
            return Err(broken(
                "does not begin as a .tflite model does: empty, truncated, or another format",
            ));
        }
        let allowance = Cell::new(bytes.len().saturating_mul(16).saturating_add(1 << 20));
        Ok(Self { bytes, allowance })
    }

    /// The outermost table.
    pub(crate) fn root(&'a self) -> Result<Table<'a>> {
        self.table(self.follow(0)?)
    }

    fn take(&self, at: usize, len: usize) -> Result<&'a [u8]> {
        let end = at.checked_add(len).ok_or_else(|| broken(CUT))?;
        self.bytes.get(at..end).ok_or_else(|| broken(CUT))
    }

    fn spend(&self, bytes: usize) -> Result<()> {
        match self.allowance.get().checked_sub(bytes) {
            Some(left) => {
                self.allowance.set(left);
                Ok(())
            }
            None => Err(broken("uses the same bytes over and over: not written by any exporter")),
        }
    }

    fn number<const N: usize>(&self, at: usize) -> Result<[u8; N]> {
        if !at.is_multiple_of(N) {
            return Err(broken("holds a number at a place where none may be: damaged"));
        }
        self.take(at, N)?.try_into().map_err(|_| broken(CUT))
    }

    /// Where the offset at this place points to.
    fn follow(&self, at: usize) -> Result<usize> {
        let offset = u32::from_le_bytes(self.number(at)?) as usize;
        at.checked_add(offset).filter(|to| offset > 0 && *to < self.bytes.len()).ok_or_else(|| broken(CUT))
    }

    fn table(&'a self, at: usize) -> Result<Table<'a>> {
        let back = i32::from_le_bytes(self.number(at)?);
        let vtable = i64::try_from(at).ok().and_then(|at| usize::try_from(at - i64::from(back)).ok());
        let vtable = vtable.ok_or_else(|| broken(CUT))?;
        let len = usize::from(u16::from_le_bytes(self.number(vtable)?));
        let size = usize::from(u16::from_le_bytes(self.number(vtable + 2)?));
        if len < 4 || len % 2 != 0 || size < 4 {
            return Err(broken("holds a table without fields' places: damaged"));
        }
        self.take(at, size)?;
        let vtable = self.take(vtable, len)?;
        self.spend(16)?;
        Ok(Table { buffer: self, at, size, vtable: &vtable[4..] })
    }

    /// The elements of the vector at this place, as bytes.
    fn vector(&self, at: usize, element: usize) -> Result<&'a [u8]> {
        let count = u32::from_le_bytes(self.number(at)?) as usize;
        let len = count.checked_mul(element).ok_or_else(|| broken(CUT))?;
        if element > 1 && !(at + 4).is_multiple_of(element) {
            return Err(broken("holds a vector at a place where none may be: damaged"));
        }
        self.take(at + 4, len)
    }
}

impl<'a> Table<'a> {
    /// Where a field of this many bytes lies; `None` if it is absent.
    fn place(&self, field: usize, size: usize) -> Result<Option<usize>> {
        let Some(offset) = self.vtable.get(2 * field..2 * field + 2) else { return Ok(None) };
        match usize::from(u16::from_le_bytes([offset[0], offset[1]])) {
            0 => Ok(None),
            offset if offset >= 4 && offset + size <= self.size => Ok(Some(self.at + offset)),
            _ => Err(broken("holds a table whose fields lie outside of it: damaged")),
        }
    }

    /// Whether the field is there.
    pub(crate) fn has(&self, field: usize) -> Result<bool> {
        Ok(self.place(field, 1)?.is_some())
    }

    /// Checks that all fields begin within the table: for tables of numbers that nobody here reads.
    pub(crate) fn numbers(&self) -> Result<()> {
        (0..self.vtable.len() / 2).try_for_each(|field| self.has(field).map(drop))
    }

    /// An 8-bit number or boolean.
    pub(crate) fn u8(&self, field: usize) -> Result<u8> {
        self.place(field, 1)?.map_or(Ok(0), |at| Ok(u8::from_le_bytes(self.buffer.number(at)?)))
    }

    /// A 32-bit number.
    pub(crate) fn i32(&self, field: usize, absent: i32) -> Result<i32> {
        self.place(field, 4)?.map_or(Ok(absent), |at| Ok(i32::from_le_bytes(self.buffer.number(at)?)))
    }

    /// A 32-bit number without sign.
    pub(crate) fn u32(&self, field: usize) -> Result<u32> {
        self.place(field, 4)?.map_or(Ok(0), |at| Ok(u32::from_le_bytes(self.buffer.number(at)?)))
    }

    /// A 64-bit number without sign.
    pub(crate) fn u64(&self, field: usize) -> Result<u64> {
        self.place(field, 8)?.map_or(Ok(0), |at| Ok(u64::from_le_bytes(self.buffer.number(at)?)))
    }

    /// A table within.
    pub(crate) fn table(&self, field: usize) -> Result<Option<Table<'a>>> {
        match self.place(field, 4)? {
            None => Ok(None),
            Some(at) => self.buffer.table(self.buffer.follow(at)?).map(Some),
        }
    }

    /// A vector's elements of this size as bytes, and where they begin in the file.
    pub(crate) fn vector(&self, field: usize, element: usize) -> Result<(&'a [u8], usize)> {
        let Some(at) = self.place(field, 4)? else { return Ok((&[], 0)) };
        let at = self.buffer.follow(at)?;
        Ok((self.buffer.vector(at, element)?, at + 4))
    }

    /// A vector of tables.
    pub(crate) fn tables(&self, field: usize) -> Result<Vec<Table<'a>>> {
        let (bytes, start) = self.vector(field, 4)?;
        self.buffer.spend(bytes.len())?;
        let places = (0..bytes.len() / 4).map(|i| start + 4 * i);
        places.map(|at| self.buffer.table(self.buffer.follow(at)?)).collect()
    }

    /// A vector of 32-bit numbers.
    pub(crate) fn ints(&self, field: usize) -> Result<Vec<i32>> {
        let bytes = self.vector(field, 4)?.0;
        self.buffer.spend(bytes.len())?;
        Ok(bytes.chunks_exact(4).map(|b| i32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect())
    }

    /// A vector of 64-bit numbers.
    pub(crate) fn longs(&self, field: usize) -> Result<Vec<i64>> {
        let bytes = self.vector(field, 8)?.0;
        self.buffer.spend(bytes.len())?;
        let wide = |b: &[u8]| b.iter().rev().fold(0u64, |n, b| n << 8 | u64::from(*b)) as i64;
        Ok(bytes.chunks_exact(8).map(wide).collect())
    }

    /// A vector of floats.
    pub(crate) fn floats(&self, field: usize) -> Result<Vec<f32>> {
        Ok(self.ints(field)?.into_iter().map(|bits| f32::from_bits(bits as u32)).collect())
    }

    /// Text; empty if it is absent. It ends with a zero byte in the file, and holds none: C reads it, too.
    pub(crate) fn text(&self, field: usize) -> Result<&'a str> {
        let (bytes, start) = self.vector(field, 1)?;
        self.buffer.spend(bytes.len())?;
        if start > 0 && (self.buffer.take(start + bytes.len(), 1)? != [0] || bytes.contains(&0)) {
            return Err(broken("holds a name that does not end: damaged"));
        }
        std::str::from_utf8(bytes).map_err(|_| broken("holds a name that is not UTF-8: damaged"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file whose root table has, in this order: a number, a text, numbers. Little more than its own bytes.
    fn file() -> Vec<u8> {
        let mut b = Vec::new();
        b.extend(24u32.to_le_bytes()); // 0: the root is at 24
        b.extend(*b"TEST");
        b.extend([10, 0, 16, 0, 4, 0, 8, 0, 12, 0]); // 8: vtable: 10 bytes, table 16 bytes, fields at 4, 8, 12
        b.extend([0; 6]);
        b.extend(16i32.to_le_bytes()); // 24: table, its vtable 16 back
        b.extend((-5i32).to_le_bytes());
        b.extend(8u32.to_le_bytes()); // 32: text at 40
        b.extend(12u32.to_le_bytes()); // 36: numbers at 48
        b.extend(2u32.to_le_bytes()); // 40
        b.extend(*b"hi\0\0");
        b.extend(2u32.to_le_bytes()); // 48
        b.extend(7i32.to_le_bytes());
        b.extend((-8i32).to_le_bytes());
        b
    }

    fn read(bytes: &[u8]) -> Result<(i32, String, Vec<i32>, u32)> {
        let buffer = Buffer::new(bytes, b"TEST")?;
        let root = buffer.root()?;
        Ok((root.i32(0, 1)?, root.text(1)?.to_owned(), root.ints(2)?, root.u32(3)?))
    }

    #[test]
    fn fields_are_read_and_absent_ones_have_their_default() {
        assert_eq!(read(&file()).unwrap(), (-5, "hi".to_owned(), vec![7, -8], 0));
    }

    #[test]
    fn every_cut_is_an_error() {
        let whole = file();
        for len in 0..whole.len() {
            assert_eq!(read(&whole[..len]).unwrap_err().kind(), ErrorKind::Model, "cut to {len}");
        }
    }

    #[test]
    fn whatever_one_byte_becomes_nothing_beyond_the_end_is_read() {
        let whole = file();
        for at in 0..whole.len() {
            for value in 0..=255 {
                let mut bytes = whole.clone();
                bytes[at] = value;
                if let Err(error) = read(&bytes) {
                    assert_eq!(error.kind(), ErrorKind::Model, "byte {at} as {value}");
                }
            }
        }
    }

    #[test]
    fn places_that_cannot_be_are_refused() {
        for (at, value, words) in [
            (4, b'X', "begin"),
            (8, 5, "without fields' places"),
            (8, 2, "without fields' places"),
            (12, 2, "outside of it"),
            (12, 14, "outside of it"),
            (12, 5, "where none may be"),
            (36, 13, "where none may be"),
            (46, b'x', "does not end"),
            (44, 0, "does not end"),
            (44, 0xff, "not UTF-8"),
            (32, 0, "beyond its own end"),
            (48, 3, "beyond its own end"),
        ] {
            let mut bytes = file();
            bytes[at] = value;
            let error = read(&bytes).unwrap_err();
            assert!(error.to_string().contains(words), "byte {at} as {value}: {error}");
        }
    }

    #[test]
    fn reading_the_same_over_and_over_ends() {
        let bytes = file();
        let buffer = Buffer::new(&bytes, b"TEST").unwrap();
        let root = buffer.root().unwrap();
        let error = (0..1 << 20).find_map(|_| root.ints(2).err()).unwrap();
        assert!(error.to_string().contains("over and over"), "{error}");
    }
}
