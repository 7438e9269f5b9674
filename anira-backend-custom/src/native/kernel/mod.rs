//! The arithmetic of layers on rows: a row is one moment, its channels side by side, padded with zeros to whole vectors.

pub(crate) mod conv;
pub(crate) mod dot;
pub(crate) mod pointwise;
pub(crate) mod recurrent;

use super::lanes::WIDTH;

/// Floats that a row of so many channels takes.
pub(crate) fn padded(channels: usize) -> usize {
    channels.next_multiple_of(WIDTH)
}

/// How vectors are dealt to passes of at most `most` each, as evenly as can be: how many passes, what each has at least, and how
/// many of the first have one more.
pub(crate) fn dealt(vectors: usize, most: usize) -> (usize, usize, usize) {
    let count = vectors.div_ceil(most.max(1));
    (count, vectors / count.max(1), vectors % count.max(1))
}

/// The vectors of each pass, the larger ones first.
pub(crate) fn passes(vectors: usize, most: usize) -> impl Iterator<Item = usize> + Clone {
    let (count, least, more) = dealt(vectors, most);
    (0..count).map(move |i| least + usize::from(i < more))
}

/// The vectors of a slice, as many as are whole.
#[inline(always)]
pub(crate) fn vectors(x: &[f32]) -> &[[f32; WIDTH]] {
    x.as_chunks().0
}

/// The vectors of a slice, to be written.
#[inline(always)]
pub(crate) fn vectors_mut(x: &mut [f32]) -> &mut [[f32; WIDTH]] {
    x.as_chunks_mut().0
}

/// Where a kernel of several taps reads: row `base + t * stride + k * dilation`, modulo the length of a ring.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reach {
    /// The row of the oldest tap of the first output.
    pub(crate) base: usize,
    /// Rows of the ring; more than there are where nothing wraps.
    pub(crate) wrap: usize,
    pub(crate) dilation: usize,
    pub(crate) stride: usize,
    pub(crate) taps: usize,
}

impl Reach {
    /// The row that tap `k` reads for output `t`. The rows of outputs that follow lie behind it, up to a tile.
    #[inline(always)]
    pub(crate) fn row(&self, t: usize, k: usize) -> usize {
        let row = self.base + t * self.stride + k * self.dilation;
        if row >= self.wrap { row - self.wrap } else { row }
    }
}

/// The most outputs that are computed side by side: so many rows stand at the end of a ring once more.
pub(crate) const TILE: usize = 8;
