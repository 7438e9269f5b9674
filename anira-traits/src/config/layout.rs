//! Which dimension of a stream's tensor is time, which channels, which rows.

use std::fmt;
use std::str::FromStr;

use crate::{Error, Result};

/// What one dimension of a stream's tensor counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Axis {
    /// `N`: rows of the batch. With R rows, row r holds the window that ends r·hop/R samples later than row 0's.
    Row,
    /// `C`: channels.
    Channel,
    /// `T`: time, oldest first.
    Time,
}

/// The axes of a stream's tensor, outermost first: `NCT` for `[1, 1, 15380]`, `NTC` for `[1, 2048, 1]`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Layout(Vec<Axis>);

impl Layout {
    /// The axes, outermost first.
    #[must_use]
    pub fn axes(&self) -> &[Axis] {
        &self.0
    }

    /// The position of an axis.
    #[must_use]
    pub fn position(&self, axis: Axis) -> Option<usize> {
        self.0.iter().position(|a| *a == axis)
    }

    /// The layout that a shape suggests: time is the longest (or the open) dimension, the last one among equals;
    /// with three dimensions the others are rows and channels in that order; with two the other is the channel if it
    /// comes before time, else the row. `None` beyond three dimensions or below one.
    #[must_use]
    pub fn guess(shape: &[Option<usize>]) -> Option<Layout> {
        let time = (0..shape.len()).max_by_key(|&i| shape[i].unwrap_or(usize::MAX))?;
        let axes = match (shape.len(), time) {
            (1, _) => vec![Axis::Time],
            (2, 0) => vec![Axis::Time, Axis::Channel],
            (2, _) => vec![Axis::Channel, Axis::Time],
            (3, 0) => vec![Axis::Time, Axis::Row, Axis::Channel],
            (3, 1) => vec![Axis::Row, Axis::Time, Axis::Channel],
            (3, _) => vec![Axis::Row, Axis::Channel, Axis::Time],
            _ => return None,
        };
        Some(Layout(axes))
    }
}

impl FromStr for Layout {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        const RIGHT: &str =
            "one letter per dimension, each at most once: N rows, C channels, T time; as in `NCT`";
        let mut axes = Vec::new();
        for letter in text.chars() {
            let axis = match letter {
                'N' => Axis::Row,
                'C' => Axis::Channel,
                'T' => Axis::Time,
                _ => return Err(Error::config("layout", format_args!("`{text}`"), RIGHT)),
            };
            if axes.contains(&axis) {
                return Err(Error::config("layout", format_args!("`{text}`"), RIGHT));
            }
            axes.push(axis);
        }
        if axes.is_empty() {
            return Err(Error::config("layout", "empty", RIGHT));
        }
        Ok(Self(axes))
    }
}

impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|axis| {
            f.write_str(match axis {
                Axis::Row => "N",
                Axis::Channel => "C",
                Axis::Time => "T",
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guesses_follow_the_longest_dimension() {
        let guess = |shape: &[usize]| {
            Layout::guess(&shape.iter().copied().map(Some).collect::<Vec<_>>()).map(|l| l.to_string())
        };
        assert_eq!(guess(&[1, 1, 15380]).as_deref(), Some("NCT"));
        assert_eq!(guess(&[1, 2048, 1]).as_deref(), Some("NTC"));
        assert_eq!(guess(&[2048, 1, 1]).as_deref(), Some("TNC"));
        assert_eq!(guess(&[2, 512]).as_deref(), Some("CT"));
        assert_eq!(guess(&[512]).as_deref(), Some("T"));
        assert_eq!(guess(&[1, 1, 1]).as_deref(), Some("NCT"));
        assert_eq!(guess(&[]), None);
        assert_eq!(guess(&[1, 1, 1, 9]), None);
        assert_eq!(Layout::guess(&[Some(1), None, Some(1)]).unwrap().to_string(), "NTC");
    }

    #[test]
    fn text_round_trips_and_nonsense_is_named() {
        for text in ["T", "NCT", "TNC", "NT"] {
            assert_eq!(text.parse::<Layout>().unwrap().to_string(), text);
        }
        for text in ["", "NN", "nct", "NCTX"] {
            assert!(text.parse::<Layout>().unwrap_err().to_string().contains("layout"), "{text}");
        }
    }
}
