//! Operators whose output's size is a number in the file: how large it may be.
//!
//! A file of a hundred bytes can ask for terabytes that way, and memory that cannot be had ends the process. What the operator
//! makes of the number is [`extent`](crate::extent)'s to say, where its other inputs are known; these bounds hold without them.

use anira_traits::{Error, ErrorKind, Result};

use crate::graph_proto::{MAX_ATTRIBUTE, MAX_ELEMENTS};

/// How the elements of an input decide the size of an operator's output.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Rule {
    /// They are the output's extents.
    Extents,
    /// Each is a length, a padding, a factor.
    Each,
    /// How often the body of a loop runs at most: exporters write the largest number there is, and end the loop otherwise.
    Times,
}

/// The inputs of an operator that say how large its output is, and how.
pub(crate) fn sizes(operator: &str) -> (Rule, &'static [usize]) {
    match operator {
        "ConstantOfShape" => (Rule::Extents, &[0]),
        "Expand" | "CenterCropPad" => (Rule::Extents, &[1]),
        "HannWindow" | "HammingWindow" | "BlackmanWindow" => (Rule::Each, &[0]),
        "Tile" | "Pad" | "OneHot" | "Upsample" | "DFT" => (Rule::Each, &[1]),
        "Range" => (Rule::Each, &[0, 1, 2]),
        "Resize" => (Rule::Each, &[2, 3]),
        "STFT" => (Rule::Each, &[1, 3]),
        "Loop" => (Rule::Times, &[0]),
        _ => (Rule::Each, &[]),
    }
}

/// Checks an operator's inputs, given those whose elements are known.
///
/// # Errors
/// [`ErrorKind::Model`] if one of them asks for more than this crate allows.
pub(crate) fn check<'a>(
    operator: &str,
    inputs: &[&'a str],
    numbers: impl Fn(&'a str) -> Option<Vec<i64>>,
) -> Result<()> {
    let (rule, places) = sizes(operator);
    for name in places.iter().filter_map(|i| inputs.get(*i)) {
        let Some(numbers) = numbers(name) else { continue };
        let (right, most) = match rule {
            Rule::Extents => {
                let elements = numbers.iter().try_fold(1i64, |n, d| n.checked_mul((*d).max(1)));
                (elements.is_some_and(|n| n <= MAX_ELEMENTS as i64), MAX_ELEMENTS as i64)
            }
            Rule::Each => {
                (numbers.iter().all(|n| (-MAX_ATTRIBUTE..=MAX_ATTRIBUTE).contains(n)), MAX_ATTRIBUTE)
            }
            Rule::Times => continue,
        };
        if !right {
            let text = format!("is {numbers:?} for {operator}; at most {most}");
            return Err(Error::new(ErrorKind::Model, text).at(format!("weight `{name}`")));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_bounded_where_an_operator_reads_them() {
        let accepts = |operator: &str, at: usize, numbers: &[i64]| {
            let mut inputs = ["x"; 3];
            inputs[at] = "w";
            check(operator, &inputs, |name| (name == "w").then(|| numbers.to_vec())).is_ok()
        };
        assert!(accepts("ConstantOfShape", 0, &[1, 16384, 16384]));
        assert!(!accepts("ConstantOfShape", 0, &[2, 16384, 16384]));
        assert!(!accepts("Expand", 1, &[i64::MAX, i64::MAX]));
        assert!(accepts("Pad", 1, &[0, 0, 1 << 20, -4]));
        assert!(!accepts("Pad", 1, &[0, 0, 1 << 21, 0]));
        assert!(!accepts("Range", 2, &[i64::MIN]));
        assert!(accepts("Slice", 2, &[i64::MAX]), "as exporters write the end");
        assert!(accepts("Loop", 0, &[i64::MAX]), "as exporters write a loop that ends otherwise");
        assert!(accepts("Pad", 2, &[i64::MIN]), "what it pads with");
        assert!(accepts("OneHot", 2, &[0, 1 << 40]), "what is not hot and what is");
        assert!(accepts("Expand", 0, &[i64::MAX]), "a value, not a size");
    }
}
