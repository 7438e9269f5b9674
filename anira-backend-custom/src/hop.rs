//! Where a stream's newest hop lies in its tensor.

use anira_traits::{Axis, Error, Layout, Result};

use crate::buffer::MAX_ELEMENTS;

/// The place of a stream's hop: rows, channels and samples of a tensor, by strides.
///
/// Row r holds the window that ends r·step samples later than row 0's, so sample t of the hop is the sample
/// `t % step` of the last `step` ones in row `t / step`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hop {
    pub(crate) len: usize,
    pub(crate) channels: usize,
    step: usize,
    first: usize,
    row: usize,
    channel: usize,
    time: usize,
}

impl Hop {
    /// The hop of `len` samples in a tensor of this shape; the layout is guessed where `None`.
    pub(crate) fn new(shape: &[usize], layout: Option<&Layout>, len: usize) -> Result<Self> {
        let guess = || Layout::guess(&shape.iter().copied().map(Some).collect::<Vec<_>>());
        let Some(layout) = layout.cloned().or_else(guess) else {
            let right = "a layout such as `NCT`, for a shape that has not one to three dimensions";
            return Err(Error::config("layout", "missing", right));
        };
        if layout.axes().len() != shape.len() {
            let right = format!("one letter for each dimension of {shape:?}");
            return Err(Error::config("layout", format_args!("`{layout}`"), right));
        }
        if shape.iter().try_fold(1usize, |n, d| n.checked_mul(*d)).is_none_or(|n| n > MAX_ELEMENTS) {
            return Err(Error::config("shape", format_args!("{shape:?}"), "at most 2^31 elements"));
        }
        let stride = |axis| layout.position(axis).map_or(0, |at| shape[at + 1..].iter().product());
        let extent = |axis| layout.position(axis).map_or(1, |at| shape[at]);
        let (rows, samples) = (extent(Axis::Row), extent(Axis::Time));
        let step = len / rows.max(1);
        if step * rows != len || step == 0 || step > samples {
            let right =
                format!("a multiple of the {rows} rows, at most {samples} samples in each of {shape:?}");
            return Err(Error::config("hop", len, right));
        }
        let time = stride(Axis::Time);
        Ok(Self {
            len,
            channels: extent(Axis::Channel),
            step,
            first: (samples - step) * time,
            row: stride(Axis::Row),
            channel: stride(Axis::Channel),
            time,
        })
    }

    /// The element of sample `t` of channel `c`, both within the hop's extents.
    pub(crate) fn element(&self, c: usize, t: usize) -> usize {
        (t / self.step) * self.row + c * self.channel + self.first + (t % self.step) * self.time
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn elements(shape: &[usize], layout: Option<&str>, len: usize, c: usize) -> Vec<usize> {
        let layout = layout.map(|l| l.parse().unwrap());
        let hop = Hop::new(shape, layout.as_ref(), len).unwrap();
        (0..len).map(|t| hop.element(c, t)).collect()
    }

    #[test]
    fn the_newest_samples_are_the_last_of_the_time_axis() {
        assert_eq!(elements(&[1, 1, 5], None, 2, 0), [3, 4]);
        assert_eq!(elements(&[1, 2, 5], None, 2, 1), [8, 9], "second channel, planar");
        assert_eq!(elements(&[1, 5, 2], None, 2, 1), [7, 9], "second channel, interleaved");
        assert_eq!(elements(&[6], None, 6, 0), [0, 1, 2, 3, 4, 5]);
    }

    #[test]
    fn rows_follow_one_another_in_time() {
        assert_eq!(elements(&[3, 1, 4], Some("NCT"), 3, 0), [3, 7, 11], "a window of 4 slid by 1");
        assert_eq!(elements(&[3, 1, 4], Some("NCT"), 6, 0), [2, 3, 6, 7, 10, 11]);
        assert_eq!(elements(&[3, 1], Some("NT"), 3, 0), [0, 1, 2]);
    }

    #[test]
    fn what_does_not_fit_is_named() {
        for (shape, layout, len, word) in [
            (&[1usize, 1, 4][..], None, 5, "hop"),
            (&[3, 1, 4], Some("NCT"), 4, "rows"),
            (&[1, 4], Some("NCT"), 4, "layout"),
            (&[1, 1, 1, 4], None, 4, "layout"),
            (&[1 << 40, 1, 1], None, 4, "2^31"),
            (&[usize::MAX, 2], None, 4, "2^31"),
        ] {
            let layout = layout.map(|l: &str| l.parse().unwrap());
            let error = Hop::new(shape, layout.as_ref(), len).unwrap_err();
            assert!(error.to_string().contains(word), "{error}");
        }
    }
}
