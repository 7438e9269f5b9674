//! How much memory a file asks for, and the numbers that its tensors are made from.
//!
//! A file of a kilobyte can ask for terabytes, and memory that cannot be had ends the process. What becomes of the numbers, whatever
//! the file declares of it, is followed in `extent.rs`.

use anira_traits::{Error, ErrorKind, Result};

use super::MAX_ELEMENTS;
use super::operator;
use super::schema::{Graph, Model, Operator, RESOURCE, Tensor};

/// Bytes of all values of all graphs, constants apart.
const MAX_BYTES: usize = 1 << 31;
/// A length, a padding, a factor in a constant.
const MAX_NUMBER: i64 = 1 << 20;
/// Dimensions of a tensor: the engines' code has room for so many.
const MAX_RANK: usize = 8;

/// Checks all tensors and the constants that decide sizes.
///
/// # Errors
/// [`ErrorKind::Model`] if something asks for too much or does not fit together; [`ErrorKind::Unsupported`] for text.
pub(crate) fn check(model: &Model<'_>) -> Result<()> {
    let mut total = 0usize;
    for graph in &model.graphs {
        for tensor in &graph.tensors {
            let bytes = tensor_bytes(model, tensor).map_err(|e| e.at(format!("tensor `{}`", tensor.name)))?;
            total = total.saturating_add(bytes);
        }
        for (i, step) in graph.operators.iter().enumerate() {
            check_numbers(model, graph, step)
                .map_err(|e| e.at(format!("operator {i} ({})", operator::name(step.code))))?;
        }
    }
    if total > MAX_BYTES {
        let text = format!("its tensors ask for {total} bytes together; at most {MAX_BYTES}");
        return Err(Error::new(ErrorKind::Model, text));
    }
    Ok(())
}

/// Bits per element of a type.
fn bits(kind: u8) -> Option<usize> {
    Some(match kind {
        11 => 128,
        4 | 8 | 10 | 12 => 64,
        0 | 2 | 15 | RESOURCE => 32,
        1 | 7 | 16 | 18 => 16,
        3 | 6 | 9 => 8,
        17 => 4,
        _ => return None,
    })
}

/// The bytes that a value takes; 0 for a constant, whose bytes are in the file.
fn tensor_bytes(model: &Model<'_>, tensor: &Tensor<'_>) -> Result<usize> {
    let broken = |text: String| Err(Error::new(ErrorKind::Model, text));
    let Some(bits) = bits(tensor.kind) else {
        let text =
            format!("its element type is number {} of the format, which is not let through", tensor.kind);
        return Err(Error::new(ErrorKind::Unsupported, text));
    };
    let elements = tensor.shape.iter().try_fold(1usize, |n, d| n.checked_mul(usize::try_from(*d).ok()?));
    let Some(elements) = elements.filter(|n| *n <= MAX_ELEMENTS && tensor.shape.len() <= MAX_RANK) else {
        return broken(format!(
            "its shape is {:?}; at most {MAX_ELEMENTS} elements in {MAX_RANK} dimensions",
            tensor.shape
        ));
    };
    let open = &tensor.open;
    if !open.is_empty() && open.len() != tensor.shape.len() || open.iter().any(|n| *n < -1) {
        return broken(format!("its shape is {:?} and open as {open:?}", tensor.shape));
    }
    check_scale(tensor)?;
    let bytes = (elements * bits).div_ceil(8);
    match model.buffers.get(tensor.buffer) {
        Some(data) if !data.is_empty() => {
            if data.len() != bytes {
                return broken(format!("its shape asks for {bytes} bytes; the file holds {}", data.len()));
            }
            Ok(0)
        }
        _ => Ok(bytes),
    }
}

/// Scales are sane numbers, one or one for each slice.
fn check_scale(tensor: &Tensor<'_>) -> Result<()> {
    let (scales, zero_points) = (&tensor.scale, &tensor.zero_point);
    let sane = |scale: &f32| (1e-18..=1e18).contains(scale);
    // An old way of saying that there is none.
    let none = scales.iter().all(|s| *s == 0.0) && scales.len() <= 1;
    if !none && !scales.iter().all(sane) {
        return Err(Error::new(ErrorKind::Model, "a scale is not a sane positive number"));
    }
    if zero_points.len() != scales.len() {
        let text = format!("has {} scales and {} zero points", scales.len(), zero_points.len());
        return Err(Error::new(ErrorKind::Model, text));
    }
    let range = match tensor.kind {
        3 => 0..=255,
        9 | 17 => -128..=127,
        _ => -32768..=32767,
    };
    match zero_points.iter().find(|z| !range.contains(*z)) {
        Some(zero_point) => {
            let text = format!("a zero point is {zero_point}; in {range:?}");
            Err(Error::new(ErrorKind::Model, text))
        }
        None => Ok(()),
    }
}

/// How the numbers in a constant input decide the size of an operator's output.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Meaning {
    /// They are its extents.
    Extents,
    /// Each is a length, a padding, a factor.
    Each,
    /// Each is a padding and at least 0.
    Padding,
    /// Extents of which one may be −1, for whatever is left; then none is 0.
    Reshape,
}

/// The input that decides, by the operator's name.
fn deciding(name: &str) -> Option<(usize, Meaning)> {
    Some(match name {
        "FILL" | "RANDOM_STANDARD_NORMAL" | "RANDOM_UNIFORM" | "TRANSPOSE_CONV" => (0, Meaning::Extents),
        "BROADCAST_TO" | "SPARSE_TO_DENSE" => (1, Meaning::Extents),
        "SCATTER_ND" => (2, Meaning::Extents),
        "RESHAPE" => (1, Meaning::Reshape),
        "PAD" | "PADV2" | "MIRROR_PAD" => (1, Meaning::Padding),
        // The blocks of both are read below.
        "SPACE_TO_BATCH_ND" | "BATCH_TO_SPACE_ND" => (2, Meaning::Padding),
        "RESIZE_BILINEAR" | "RESIZE_NEAREST_NEIGHBOR" | "TILE" | "RFFT2D" | "ONE_HOT" | "TOPK_V2" => {
            (1, Meaning::Each)
        }
        _ => return None,
    })
}

fn check_numbers(model: &Model<'_>, graph: &Graph<'_>, step: &Operator<'_>) -> Result<()> {
    let constant = |input: usize| {
        let tensor = graph.tensors.get(usize::try_from(*step.inputs.get(input)?).ok()?)?;
        integers(tensor.kind, model.buffers.get(tensor.buffer)?)
    };
    let refuse = |numbers: &[i64], right: String| {
        let numbers = &numbers[..numbers.len().min(8)];
        Err(Error::new(ErrorKind::Model, format!("is told {numbers:?} by a constant; {right}")))
    };
    let each = |n: &i64| (-MAX_NUMBER..=MAX_NUMBER).contains(n);
    let name = operator::name(step.code);
    // A RESHAPE of one input has its numbers in its options.
    let told = match (step.options, step.inputs.len()) {
        (Some((17, options)), 1) => Some(options.ints(0)?.into_iter().map(i64::from).collect()),
        _ => None,
    };
    let constant = |input: usize| if input == 1 && told.is_some() { told.clone() } else { constant(input) };
    if let Some((input, meaning)) = deciding(&name)
        && let Some(numbers) = constant(input)
    {
        let right = match meaning {
            Meaning::Extents => {
                let elements =
                    numbers.iter().try_fold(1usize, |n, d| n.checked_mul(usize::try_from(*d).ok()?));
                elements.is_some_and(|n| n <= MAX_ELEMENTS)
            }
            Meaning::Each => numbers.iter().all(each),
            Meaning::Reshape => {
                let open = numbers.iter().filter(|n| **n == -1).count();
                numbers.iter().all(|n| (-1..=MAX_ELEMENTS as i64).contains(n))
                    && (open == 0 || open == 1 && !numbers.contains(&0))
            }
            Meaning::Padding => numbers.iter().all(|n| *n >= 0 && each(n)),
        };
        if !right {
            return refuse(
                &numbers,
                format!("at most {MAX_NUMBER}, extents at most {MAX_ELEMENTS} together"),
            );
        }
    }
    let right: (&[usize], fn(&i64) -> bool, &str) = match name.as_str() {
        "SPACE_TO_BATCH_ND" | "BATCH_TO_SPACE_ND" => (&[1], |n| (1..=MAX_NUMBER).contains(n), "at least 1"),
        "STRIDED_SLICE" => (&[3], |n| *n != 0 && n.unsigned_abs() <= MAX_NUMBER as u64, "none of them 0"),
        // From, to, by.
        "RANGE" => (&[0, 1, 2], |n| n.unsigned_abs() <= MAX_NUMBER as u64, "at most a million"),
        _ => return Ok(()),
    };
    let numbers: Vec<_> = right.0.iter().filter_map(|input| constant(*input)).flatten().collect();
    if numbers.iter().all(right.1) { Ok(()) } else { refuse(&numbers, right.2.to_owned()) }
}

/// The elements of a constant of int32 or int64; none of another type, or without data.
fn integers(kind: u8, bytes: &[u8]) -> Option<Vec<i64>> {
    let wide = |b: &[u8]| b.iter().rev().fold(0u64, |n, b| n << 8 | u64::from(*b));
    match kind {
        _ if bytes.is_empty() => None,
        2 => Some(bytes.chunks_exact(4).map(|b| i64::from(wide(b) as u32 as i32)).collect()),
        4 => Some(bytes.chunks_exact(8).map(|b| wide(b) as i64).collect()),
        _ => None,
    }
}
