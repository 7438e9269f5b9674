//! Operators whose output's size is a number in the file: how large it may be.
//!
//! A file of a hundred bytes can ask for terabytes that way, and memory that cannot be had ends the process. What the operator
//! makes of the number is [`extent`](crate::extent)'s to say, where its other inputs are known; these bounds hold without them.

use anira_traits::{Error, ErrorKind, Result};

use crate::graph_proto::{MAX_ATTRIBUTE, MAX_ELEMENTS};

/// How the numbers in an input decide the size of an operator's output.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Rule {
    /// They are the output's extents.
    Extents,
    /// Each is a length, a padding, a factor.
    Each,
}

/// The rule for the inputs of an operator after the first (`ConstantOfShape`, `Range`: all inputs).
fn rule(operator: &str) -> Option<(Rule, usize)> {
    Some(match operator {
        "ConstantOfShape" => (Rule::Extents, 0),
        "Expand" | "CenterCropPad" => (Rule::Extents, 1),
        "Range" | "EyeLike" | "HannWindow" | "HammingWindow" | "BlackmanWindow" => (Rule::Each, 0),
        "Tile" | "Pad" | "OneHot" | "Resize" | "Upsample" | "STFT" | "DFT" => (Rule::Each, 1),
        _ => return None,
    })
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
    let Some((rule, first)) = rule(operator) else { return Ok(()) };
    for name in inputs.iter().skip(first) {
        let Some(numbers) = numbers(name) else { continue };
        let right = match rule {
            Rule::Extents => {
                let elements = numbers.iter().try_fold(1i64, |n, d| n.checked_mul((*d).max(1)));
                elements.is_some_and(|n| n <= MAX_ELEMENTS as i64)
            }
            Rule::Each => numbers.iter().all(|n| (-MAX_ATTRIBUTE..=MAX_ATTRIBUTE).contains(n)),
        };
        if !right {
            let most = if rule == Rule::Extents { MAX_ELEMENTS as i64 } else { MAX_ATTRIBUTE };
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
        assert!(accepts("Expand", 0, &[i64::MAX]), "a value, not a size");
    }
}
