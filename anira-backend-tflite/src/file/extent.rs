//! How large the values in the middle of a graph become, as far as the file says it: extents go from operator to operator, and so do
//! the few numbers from which sizes are computed.
//!
//! What a file declares of these values no engine believes: each computes their extents anew, from the inputs on. So a column and a
//! row that are added, or a size that is a product of two constants, can ask for more memory than there is, whatever is declared.
//! Both are followed here; sizes that depend on inputs are not.

use anira_traits::{Error, ErrorKind, Result};

use super::MAX_ELEMENTS;
use super::operator;
use super::schema::{Graph, Model, Operator, Tensor};

/// Elements that are followed: shapes, paddings and the like are no longer.
const MOST_NUMBERS: usize = 64;

/// Extents of which some may be open.
type Extents = Vec<Option<i64>>;

/// One value of a graph. What is `None` is not known.
#[derive(Clone, Debug, Default, PartialEq)]
struct Known {
    extents: Option<Extents>,
    numbers: Option<Vec<f64>>,
}

/// Follows the values of all graphs. Their indices have been checked.
///
/// # Errors
/// [`ErrorKind::Model`] for the first operator that gives more elements than this crate allows.
pub(crate) fn check(model: &Model<'_>) -> Result<()> {
    model.graphs.iter().try_for_each(|graph| check_graph(model, graph))
}

fn check_graph(model: &Model<'_>, graph: &Graph<'_>) -> Result<()> {
    let mut known: Vec<Known> = graph.tensors.iter().map(|tensor| declared(model, tensor)).collect();
    for (i, step) in graph.operators.iter().enumerate() {
        let input = |i: usize| known.get(usize::try_from(*step.inputs.get(i)?).ok()?);
        let Some(output) = output(step, &input) else { continue };
        let least = output.least();
        if least > MAX_ELEMENTS as i64 {
            let text = format!("gives {least} elements or more; at most {MAX_ELEMENTS}");
            let place = format!("operator {i} ({})", operator::name(step.code));
            return Err(Error::new(ErrorKind::Model, text).at(place));
        }
        let place = step.outputs.first().and_then(|index| usize::try_from(*index).ok());
        if let Some(place) = place.and_then(|place| known.get_mut(place)) {
            *place = output;
        }
    }
    Ok(())
}

/// What the file says of a value.
fn declared(model: &Model<'_>, tensor: &Tensor<'_>) -> Known {
    let extents = if tensor.open.is_empty() { &tensor.shape } else { &tensor.open };
    let extents = extents.iter().map(|n| (*n >= 0).then_some(i64::from(*n))).collect();
    let bytes = model.buffers.get(tensor.buffer).copied().unwrap_or_default();
    Known::shaped(extents).with_numbers(numbers(tensor.kind, bytes))
}

/// The elements of a constant, if they are few and of a type that says sizes.
fn numbers(kind: u8, bytes: &[u8]) -> Option<Vec<f64>> {
    let wide = |b: &[u8]| b.iter().rev().fold(0u64, |n, b| n << 8 | u64::from(*b));
    let number = |b: &[u8]| match kind {
        0 => f64::from(f32::from_bits(wide(b) as u32)),
        2 => f64::from(wide(b) as u32 as i32),
        _ => wide(b) as i64 as f64,
    };
    let size = match kind {
        0 | 2 => 4,
        4 => 8,
        _ => return None,
    };
    let few = (1..=size * MOST_NUMBERS).contains(&bytes.len());
    few.then(|| bytes.chunks_exact(size).map(number).collect())
}

impl Known {
    fn shaped(extents: Extents) -> Self {
        Self { extents: Some(extents), numbers: None }
    }

    /// A row of numbers.
    fn row(numbers: Vec<f64>) -> Self {
        Self::shaped(vec![Some(numbers.len() as i64)]).with_numbers(Some(numbers))
    }

    fn with_numbers(mut self, numbers: Option<Vec<f64>>) -> Self {
        self.numbers = numbers.filter(|numbers| numbers.len() <= MOST_NUMBERS);
        self
    }

    /// The elements that it has at least, open extents taken as 1; 0 if nothing is known.
    fn least(&self) -> i64 {
        let extents = self.extents.as_deref();
        extents.map_or(0, |all| all.iter().fold(1i64, |n, d| n.saturating_mul(d.unwrap_or(1).max(0))))
    }
}

/// What an operator's first output is; `None` if that is not followed, and what the file declares has to do.
fn output<'k>(step: &Operator<'_>, input: &impl Fn(usize) -> Option<&'k Known>) -> Option<Known> {
    let extents = |i: usize| input(i)?.extents.clone();
    let numbers = |i: usize| input(i)?.numbers.clone();
    let ints = |i: usize| Some(numbers(i)?.into_iter().map(|x| x as i64).collect::<Vec<_>>());
    let sized = |i: usize| Some(Known::shaped(ints(i)?.into_iter().map(Some).collect()));
    // The options' field, if they are those of this operator.
    let option = |field: usize| step.options.as_ref().and_then(|(_, table)| table.i32(field, 0).ok());
    let flag = |field: usize| step.options.as_ref().is_some_and(|(_, t)| t.u8(field).is_ok_and(|on| on != 0));
    let name = operator::name(step.code);
    Some(match name.as_str() {
        "ADD" | "SUB" | "MUL" | "DIV" | "MAXIMUM" | "MINIMUM" | "POW" | "SQUARED_DIFFERENCE"
        | "FLOOR_DIV" | "FLOOR_MOD" | "LESS" | "LESS_EQUAL" | "GREATER" | "GREATER_EQUAL" | "EQUAL"
        | "NOT_EQUAL" | "LOGICAL_AND" | "LOGICAL_OR" | "SELECT_V2" | "PRELU" | "ATAN2" | "BITWISE_XOR"
        | "RIGHT_SHIFT" => {
            let all = (0..step.inputs.len()).map(extents).collect::<Option<Vec<_>>>()?;
            let shape = all.iter().skip(1).fold(all.first()?.clone(), |a, b| broadcast(&a, b));
            Known::shaped(shape).with_numbers(folded(&name, numbers(0), numbers(1)))
        }
        "CAST" => input(0)?.clone(),
        "SELECT" => Known::shaped(extents(1)?),
        "SHAPE" => Known::row(extents(0)?.into_iter().map(|d| Some(d? as f64)).collect::<Option<_>>()?),
        "FILL" | "RANDOM_UNIFORM" | "RANDOM_STANDARD_NORMAL" | "TRANSPOSE_CONV" => sized(0)?,
        "SPARSE_TO_DENSE" => sized(1)?,
        "SCATTER_ND" => sized(2)?,
        "BROADCAST_TO" => {
            let asked = sized(1)?.extents?;
            Known::shaped(extents(0).map_or(asked.clone(), |own| broadcast(&own, &asked)))
        }
        "TILE" => {
            let scaled = extents(0)?.into_iter().zip(ints(1)?);
            Known::shaped(scaled.map(|(d, n)| Some(d.unwrap_or(1).saturating_mul(n))).collect())
        }
        "PAD" | "PADV2" | "MIRROR_PAD" => {
            let pads = ints(1)?;
            let pairs = pads.chunks_exact(2).map(|pair| pair[0].saturating_add(pair[1]));
            let padded = extents(0)?.into_iter().zip(pairs);
            Known::shaped(padded.map(|(d, more)| Some(d.unwrap_or(1).saturating_add(more))).collect())
        }
        "RANGE" => {
            let [start, limit, delta] = [0, 1, 2].map(|i| numbers(i)?.first().copied());
            Known::shaped(vec![Some(((limit? - start?) / delta?).ceil().max(0.0) as i64)])
        }
        "ONE_HOT" => {
            let mut shape = extents(0)?;
            shape.push(ints(1)?.first().copied());
            Known::shaped(shape)
        }
        "RESIZE_BILINEAR" | "RESIZE_NEAREST_NEIGHBOR" => {
            let (own, to) = (extents(0)?, ints(1)?);
            let ([rows, _, _, channels], [height, width]) = (&own[..], &to[..]) else { return None };
            Known::shaped(vec![*rows, Some(*height), Some(*width), *channels])
        }
        "EXPAND_DIMS" => {
            let mut shape = extents(0)?;
            let axis = ints(1)?.first()?.rem_euclid(shape.len() as i64 + 1);
            shape.insert(usize::try_from(axis).ok()?, Some(1));
            Known::shaped(shape).with_numbers(numbers(0))
        }
        // Neither makes more of it.
        "RESHAPE" => {
            let asked = ints(1).map(|all| all.into_iter().map(|n| (n > 0).then_some(n)).collect());
            Known { extents: asked, numbers: numbers(0) }
        }
        "SQUEEZE" => Known { extents: None, numbers: numbers(0) },
        "REDUCE_PROD" | "SUM" => {
            let all = numbers(0)?;
            let one = if name == "SUM" { all.iter().sum() } else { all.iter().product() };
            Known::default().with_numbers(Some(vec![one]))
        }
        "CONCATENATION" | "PACK" => {
            let all = (0..step.inputs.len()).map(input).collect::<Option<Vec<_>>>()?;
            let axis = option(if name == "PACK" { 1 } else { 0 })?;
            joined(&all, axis, name == "PACK")?
        }
        "BATCH_MATMUL" => {
            let turned = |i: usize, adjoint: bool| {
                let mut shape = extents(i)?;
                let rank = shape.len();
                if adjoint && rank >= 2 {
                    shape.swap(rank - 1, rank - 2);
                }
                Some(shape)
            };
            let (a, b) = (turned(0, flag(0))?, turned(1, flag(1))?);
            let ([outer_a @ .., m, _], [outer_b @ .., _, n]) = (&a[..], &b[..]) else { return None };
            let mut shape = broadcast(outer_a, outer_b);
            shape.extend([*m, *n]);
            Known::shaped(shape)
        }
        "FULLY_CONNECTED" => {
            let weights = extents(1)?;
            let [Some(units), Some(len)] = weights[..] else { return None };
            let rows = input(0)?.least() / len.max(1);
            Known::shaped(vec![Some(rows), Some(units)])
        }
        _ => return None,
    })
}

/// The extents of an element-wise operator's output. Extents that do not fit are the engine's to refuse.
fn broadcast(a: &[Option<i64>], b: &[Option<i64>]) -> Extents {
    let rank = a.len().max(b.len());
    let at = |all: &[Option<i64>], i: usize| match (all.len() + i).checked_sub(rank) {
        Some(i) => all.get(i).copied().flatten(),
        None => Some(1),
    };
    let both = |i: usize| match (at(a, i), at(b, i)) {
        (Some(1), other) | (other, Some(1)) => other,
        (Some(n), Some(m)) => (n == m).then_some(n),
        (one, other) => one.or(other),
    };
    (0..rank).map(both).collect()
}

/// The elements of an operator of two rows of numbers, of one length or one of them a single number.
fn folded(operator: &str, a: Option<Vec<f64>>, b: Option<Vec<f64>>) -> Option<Vec<f64>> {
    let (a, b) = (a?, b?);
    let len = match (a.len(), b.len()) {
        (a, b) if a == b || b == 1 => a,
        (1, b) => b,
        _ => return None,
    };
    let one = |a: f64, b: f64| {
        Some(match operator {
            "ADD" => a + b,
            "SUB" => a - b,
            "MUL" => a * b,
            "DIV" => (a / b).trunc(),
            "FLOOR_DIV" => (a / b).floor(),
            "FLOOR_MOD" => a - b * (a / b).floor(),
            "POW" => a.powf(b),
            "MAXIMUM" => a.max(b),
            "MINIMUM" => a.min(b),
            "SQUARED_DIFFERENCE" => (a - b) * (a - b),
            _ => return None,
        })
    };
    (0..len).map(|i| one(a[i % a.len()], b[i % b.len()])).collect()
}

/// Values one behind the other along an axis; `stacked`: along a new one.
fn joined(all: &[&Known], axis: i32, stacked: bool) -> Option<Known> {
    let numbers: Option<Vec<_>> = all.iter().map(|known| known.numbers.clone()).collect();
    let mut shapes = all.iter().map(|known| known.extents.clone()).collect::<Option<Vec<_>>>()?;
    let rank = shapes.first()?.len() + usize::from(stacked);
    let axis = usize::try_from(i64::from(axis).rem_euclid(rank.max(1) as i64)).ok()?;
    if stacked {
        for shape in &mut shapes {
            (axis <= shape.len()).then(|| shape.insert(axis, Some(1)))?;
        }
    }
    let extent = |shape: &Extents| shape.get(axis).copied().flatten().unwrap_or(1);
    let sum = shapes.iter().map(extent).fold(0i64, i64::saturating_add);
    let mut shape = shapes.swap_remove(0);
    *shape.get_mut(axis)? = Some(sum);
    // Beyond a row the elements would be interleaved.
    let numbers = numbers.filter(|_| shape.len() == 1).map(|all| all.concat());
    Some(Known::shaped(shape).with_numbers(numbers))
}

#[cfg(test)]
mod tests;
