//! Operators whose output's size is a number in the file: how large it may be.
//!
//! A file of a hundred bytes can ask for terabytes that way, and memory that cannot be had ends the process. Sizes that
//! are computed from other sizes are not followed.

use std::rc::Rc;

use anira_traits::{Error, ErrorKind, Result};

use crate::graph_proto::{MAX_ATTRIBUTE, MAX_ELEMENTS};
use crate::protobuf::Fields;

/// How the numbers in a weight decide the size of an operator's output.
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

/// Checks an operator's inputs, given the [`integers`] of the weights of its graph.
///
/// # Errors
/// [`ErrorKind::Model`] if one of them asks for more than this crate allows.
pub(crate) fn check<'a>(
    operator: &str,
    inputs: &[&'a str],
    mut weight: impl FnMut(&'a str) -> Result<Option<Rc<[i64]>>>,
) -> Result<()> {
    let Some((rule, first)) = rule(operator) else { return Ok(()) };
    for name in inputs.iter().skip(first) {
        let Some(numbers) = weight(name)? else { continue };
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

/// The elements of a small integer tensor; none of another type or of more than 64 elements.
pub(crate) fn integers(tensor: &[u8]) -> Result<Vec<i64>> {
    let (mut kind, mut raw, mut typed) = (0, &[][..], Vec::new());
    for field in Fields::new(tensor) {
        match field? {
            (2, value) => kind = value.int()?,
            (5 | 7, value) => value.ints(|n| {
                typed.push(n);
                Ok(())
            })?,
            (9, data) => raw = data.bytes()?,
            _ => {}
        }
    }
    let wide = |b: &[u8]| b.iter().rev().fold(0u64, |n, b| n << 8 | u64::from(*b));
    let numbers = match kind {
        7 if !raw.is_empty() => raw.chunks_exact(8).map(|b| wide(b) as i64).collect(),
        6 if !raw.is_empty() => raw.chunks_exact(4).map(|b| i64::from(wide(b) as u32 as i32)).collect(),
        6 | 7 => typed,
        _ => Vec::new(),
    };
    Ok(if numbers.len() > 64 { Vec::new() } else { numbers })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An int64 tensor of these elements, as raw data or typed.
    fn tensor(numbers: &[i64], raw: bool) -> Vec<u8> {
        let mut bytes = vec![0x10, 7];
        if raw {
            bytes.extend([0x4a, 8 * numbers.len() as u8]);
            numbers.iter().for_each(|n| bytes.extend(n.to_le_bytes()));
        } else {
            for n in numbers {
                bytes.push(0x38);
                let mut n = *n as u64;
                while n >= 0x80 {
                    bytes.push(n as u8 | 0x80);
                    n >>= 7;
                }
                bytes.push(n as u8);
            }
        }
        bytes
    }

    #[test]
    fn sizes_are_bounded_where_an_operator_reads_them() {
        for raw in [true, false] {
            let accepts = |operator: &str, at: usize, numbers: &[i64]| {
                let tensor = tensor(numbers, raw);
                let mut inputs = ["x"; 3];
                inputs[at] = "w";
                let numbers: Rc<[i64]> = integers(&tensor).unwrap().into();
                check(operator, &inputs, |name| Ok((name == "w").then(|| Rc::clone(&numbers)))).is_ok()
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
}
