//! Memory that engines and sessions share: bytes seen as numbers, and numbers with room around them.
#![allow(unsafe_code, reason = "sees bytes as numbers")]

/// Bytes that begin where both engines want theirs to: at a multiple of 64.
#[derive(Debug)]
pub(crate) struct Aligned {
    chunks: Vec<Chunk>,
    len: usize,
}

#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
struct Chunk([u8; 64]);

impl Aligned {
    /// So many zeros, and at least 64 more behind them: an engine that reads a number where only a byte is stays within.
    pub(crate) fn zeros(len: usize) -> Self {
        Self { chunks: vec![Chunk([0; 64]); len.div_ceil(64) + 1], len }
    }

    /// A copy of these bytes.
    pub(crate) fn copy(bytes: &[u8]) -> Self {
        let mut own = Self::zeros(bytes.len());
        own.bytes_mut().copy_from_slice(bytes);
        own
    }

    /// The bytes.
    pub(crate) fn bytes(&self) -> &[u8] {
        // SAFETY: the chunks are more than `len` bytes in one piece, all of them initialized.
        unsafe { std::slice::from_raw_parts(self.chunks.as_ptr().cast(), self.len) }
    }

    /// The bytes, to be written.
    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as above, and this is the only reference.
        unsafe { std::slice::from_raw_parts_mut(self.chunks.as_mut_ptr().cast(), self.len) }
    }
}

/// Numbers of which every pattern of bits is one.
///
/// # Safety
/// Promises just that, and no padding.
pub(crate) unsafe trait Plain: Copy {}

// SAFETY: every pattern of bits is a number of these types.
unsafe impl Plain for f32 {}
// SAFETY: as above.
unsafe impl Plain for f64 {}
// SAFETY: as above.
unsafe impl Plain for i64 {}
// SAFETY: as above.
unsafe impl Plain for i32 {}
// SAFETY: as above.
unsafe impl Plain for i16 {}
// SAFETY: as above.
unsafe impl Plain for u16 {}
// SAFETY: as above.
unsafe impl Plain for i8 {}
// SAFETY: as above.
unsafe impl Plain for u8 {}

/// Bytes as numbers; none if they lie where no such number may, or are no whole number of them.
pub(crate) fn numbers<T: Plain>(bytes: &[u8]) -> &[T] {
    // SAFETY: `T` is plain.
    match unsafe { bytes.align_to() } {
        ([], numbers, []) => numbers,
        _ => &[],
    }
}

/// As [`numbers`], to be written.
pub(crate) fn numbers_mut<T: Plain>(bytes: &mut [u8]) -> &mut [T] {
    // SAFETY: `T` is plain, and so are bytes.
    match unsafe { bytes.align_to_mut() } {
        ([], numbers, []) => numbers,
        _ => &mut [],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_begins_at_64_and_has_room_behind() {
        for len in [0, 1, 63, 64, 65, 1000] {
            let bytes: Vec<u8> = (0..len).map(|i| i as u8).collect();
            let memory = Aligned::copy(&bytes);
            assert_eq!(memory.bytes(), bytes);
            assert_eq!(memory.bytes().as_ptr() as usize % 64, 0);
            assert!(memory.chunks.len() * 64 >= len + 64);
        }
    }

    #[test]
    fn bytes_are_numbers_where_they_can_be() {
        let mut memory = Aligned::zeros(16);
        numbers_mut::<i32>(memory.bytes_mut())[1] = -1;
        assert_eq!(numbers::<i32>(memory.bytes()), [0, -1, 0, 0]);
        assert_eq!(numbers::<i64>(memory.bytes()), [-1i64 << 32, 0]);
        assert!(numbers::<i64>(&memory.bytes()[..12]).is_empty(), "no whole number of them");
        assert!(numbers::<i32>(&memory.bytes()[1..13]).is_empty(), "not where they may be");
    }
}
