//! How large the values in the middle of a graph become, as far as the file says it: extents go from operator to operator, and so do
//! the few numbers from which sizes are computed.
//!
//! A file of a hundred bytes can ask for terabytes, and memory that cannot be had ends the process: by a number that an operator
//! takes for a size, by a product of two such numbers, by a column and a row that are added. What is followed here is refused before
//! an engine sees it. What is not: sizes that depend on inputs, and operators that are not named below.

use std::collections::HashMap;

use anira_traits::{Error, ErrorKind, Result};

use crate::bound;
use crate::graph_proto::{MAX_ELEMENTS, Node};
use crate::known::Known;

/// Extents of which some may be open.
type Extents = Vec<Option<i64>>;

/// Follows the values through the operators, which stand in the order of their values; `known` holds the weights and the inputs.
///
/// # Errors
/// [`ErrorKind::Model`] for the first operator that gives more elements than this crate allows, or is told a size beyond its bound.
pub(crate) fn check<'a>(nodes: &[&Node<'a>], known: &mut HashMap<&'a str, Known>) -> Result<()> {
    nodes.iter().try_for_each(|node| follow(node, known))
}

fn follow<'a>(node: &Node<'a>, known: &mut HashMap<&'a str, Known>) -> Result<()> {
    bound::check(node.operator, &node.inputs, |name| known.get(name)?.ints())?;
    let input = |i: usize| node.inputs.get(i).and_then(|name| known.get(name));
    let (Some(output), Some(name)) = (output(node, &input), node.outputs.first()) else { return Ok(()) };
    if output.least() > MAX_ELEMENTS as i64 {
        let text = format!("gives {} elements or more; at most {MAX_ELEMENTS}", output.least());
        return Err(Error::new(ErrorKind::Model, text).at(format!("operator {} (`{name}`)", node.operator)));
    }
    known.insert(name, output);
    Ok(())
}

/// What an operator's first output is; `None` if that cannot be said.
fn output<'k>(node: &Node<'_>, input: &impl Fn(usize) -> Option<&'k Known>) -> Option<Known> {
    let extents = |i: usize| input(i)?.extents.clone();
    let numbers = |i: usize| input(i)?.numbers.clone();
    let ints = |i: usize| input(i)?.ints();
    Some(match node.operator {
        "Constant" => constant(node)?,
        "Identity" | "Cast" | "CastLike" | "Dropout" => input(0)?.clone(),
        "Relu"
        | "LeakyRelu"
        | "Elu"
        | "Selu"
        | "Celu"
        | "Gelu"
        | "Mish"
        | "Tanh"
        | "Sigmoid"
        | "HardSigmoid"
        | "HardSwish"
        | "Softplus"
        | "Softsign"
        | "Softmax"
        | "LogSoftmax"
        | "ThresholdedRelu"
        | "Exp"
        | "Log"
        | "Sqrt"
        | "Erf"
        | "Sin"
        | "Cos"
        | "Tan"
        | "Abs"
        | "Neg"
        | "Sign"
        | "Ceil"
        | "Floor"
        | "Round"
        | "Reciprocal"
        | "Not"
        | "IsNaN"
        | "IsInf"
        | "Clip"
        | "CumSum"
        | "Trilu"
        | "EyeLike"
        | "LayerNormalization"
        | "GroupNormalization"
        | "InstanceNormalization"
        | "BatchNormalization"
        | "QuantizeLinear"
        | "DequantizeLinear" => Known::shaped(extents(0)?),
        "Add" | "Sub" | "Mul" | "Div" | "Mod" | "Pow" | "Min" | "Max" | "Sum" | "Mean" | "Where"
        | "PRelu" | "And" | "Or" | "Xor" | "Equal" | "Greater" | "Less" | "GreaterOrEqual"
        | "LessOrEqual" => {
            let all = (0..node.inputs.len()).map(extents).collect::<Option<Vec<_>>>()?;
            let shape = all.iter().skip(1).fold(all.first()?.clone(), |a, b| broadcast(&a, b));
            Known::shaped(shape).with_numbers(folded(node.operator, numbers(0), numbers(1)))
        }
        "ReduceProd" | "ReduceSum" => Known::default().with_numbers(reduced(node, numbers(0))),
        "Shape" if node.ints("start").is_none() && node.ints("end").is_none() => {
            let shape = extents(0)?.into_iter().map(|d| Some(d? as f64)).collect::<Option<_>>()?;
            Known::row(shape)
        }
        "Size" => Known::row(vec![input(0)?.elements()? as f64]),
        "ConstantOfShape" => Known::shaped(ints(0)?.into_iter().map(Some).collect()),
        "Expand" => {
            let asked: Extents = ints(1)?.into_iter().map(Some).collect();
            Known::shaped(extents(0).map_or(asked.clone(), |own| broadcast(&own, &asked)))
        }
        "Tile" => {
            let (own, times) = (extents(0)?, ints(1)?);
            let scaled = own.into_iter().zip(times).map(|(d, n)| Some(d.unwrap_or(1).saturating_mul(n)));
            Known::shaped(scaled.collect())
        }
        "Range" => {
            let [start, limit, delta] = [0, 1, 2].map(|i| numbers(i)?.first().copied());
            let count = ((limit? - start?) / delta?).ceil().max(0.0);
            Known::shaped(vec![Some(count as i64)])
        }
        "Pad" => padded(extents(0)?, ints(1).or_else(|| node.ints("pads"))?, ints(3))?,
        "OneHot" => {
            let mut shape = extents(0)?;
            shape.push(ints(1)?.first().copied());
            Known::shaped(shape)
        }
        "Concat" => concatenated(node, &(0..node.inputs.len()).map(input).collect::<Option<Vec<_>>>()?)?,
        "Unsqueeze" => {
            let axes = ints(1).or_else(|| node.ints("axes"));
            let shape = axes.zip(extents(0)).and_then(|(axes, own)| unsqueezed(own, &axes));
            Known { extents: shape, numbers: numbers(0) }
        }
        "Squeeze" => Known::default().with_numbers(numbers(0)),
        "Reshape" => {
            let asked = ints(1)?.into_iter().map(|n| (n > 0).then_some(n));
            Known::shaped(asked.collect()).with_numbers(numbers(0))
        }
        "Transpose" => {
            let own = extents(0)?;
            let reversed = || (0..own.len() as i64).rev().collect();
            let order = node.ints("perm").unwrap_or_else(reversed);
            let at = |axis: &i64| own.get(usize::try_from(*axis).ok()?).copied();
            Known::shaped(order.iter().map(at).collect::<Option<_>>()?)
        }
        "Gather" => {
            let (data, at) = (numbers(0)?, ints(1)?);
            let len = data.len() as i64;
            let pick = |i: i64| data.get(usize::try_from(if i < 0 { i + len } else { i }).ok()?).copied();
            Known { extents: extents(1), numbers: at.into_iter().map(pick).collect() }
        }
        "MatMul" => {
            let (a, b) = (extents(0)?, extents(1)?);
            let ([outer_a @ .., m, _], [outer_b @ .., _, n]) = (&a[..], &b[..]) else { return None };
            let mut shape = broadcast(outer_a, outer_b);
            shape.extend([*m, *n]);
            Known::shaped(shape)
        }
        "Gemm" => {
            let side = |i: usize, turned: &str, own: usize| {
                let turned = node.ints(turned).is_some_and(|t| t.first() == Some(&1));
                extents(i)?.get(if turned { 1 - own } else { own }).copied()
            };
            Known::shaped(vec![side(0, "transA", 0)?, side(1, "transB", 1)?])
        }
        "Conv" | "ConvTranspose" | "MaxPool" | "AveragePool" => windowed(node, &extents(0)?, extents(1))?,
        "Resize" | "Upsample" => resized(node, &extents(0)?, input)?,
        "LSTM" | "GRU" | "RNN" => {
            let (x, r) = (extents(0)?, extents(2)?);
            let ([time, rows, _], [directions, _, units]) = (&x[..], &r[..]) else { return None };
            Known::shaped(vec![*time, *directions, *rows, *units])
        }
        _ => return None,
    })
}

/// The tensor of a `Constant`, however it is written.
fn constant(node: &Node<'_>) -> Option<Known> {
    if let Some(tensor) = node.constant {
        return Known::weight(tensor).ok();
    }
    let numbers = |name: &str| node.numbers(name).map(<[f64]>::to_vec);
    let one = |name: &str| numbers(name).map(|n| Known { extents: Some(Vec::new()), numbers: Some(n) });
    one("value_int")
        .or_else(|| one("value_float"))
        .or_else(|| numbers("value_ints").or_else(|| numbers("value_floats")).map(Known::row))
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
            "Add" | "Sum" => a + b,
            "Sub" => a - b,
            "Mul" => a * b,
            // Of whole numbers, towards zero; a size that is no whole number is none.
            "Div" => (a / b).trunc(),
            "Mod" => a - b * (a / b).floor(),
            "Pow" => a.powf(b),
            "Min" => a.min(b),
            "Max" => a.max(b),
            _ => return None,
        })
    };
    (0..len).map(|i| one(a[i % a.len()], b[i % b.len()])).collect()
}

/// All elements as one, if no axes are named.
fn reduced(node: &Node<'_>, numbers: Option<Vec<f64>>) -> Option<Vec<f64>> {
    let numbers = numbers?;
    Some(vec![if node.operator == "ReduceProd" { numbers.iter().product() } else { numbers.iter().sum() }])
}

/// With an extent of 1 at each of these places.
fn unsqueezed(own: Extents, axes: &[i64]) -> Option<Extents> {
    let rank = (own.len() + axes.len()) as i64;
    let mut axes: Vec<_> = axes.iter().map(|axis| axis.rem_euclid(rank.max(1))).collect();
    axes.sort_unstable();
    let mut shape = own;
    for axis in axes {
        let at = usize::try_from(axis).ok().filter(|at| *at <= shape.len())?;
        shape.insert(at, Some(1));
    }
    Some(shape)
}

fn padded(own: Extents, pads: Vec<i64>, axes: Option<Vec<i64>>) -> Option<Known> {
    let rank = own.len() as i64;
    let axes = axes.unwrap_or_else(|| (0..rank).collect());
    let (before, behind) = pads.split_at_checked(axes.len())?;
    let mut shape = own;
    for (i, axis) in axes.iter().enumerate() {
        let extent = shape.get_mut(usize::try_from(axis.rem_euclid(rank.max(1))).ok()?)?;
        let more = before[i].saturating_add(*behind.get(i)?);
        *extent = Some(extent.unwrap_or(1).saturating_add(more).max(0));
    }
    Some(Known::shaped(shape))
}

fn concatenated(node: &Node<'_>, inputs: &[&Known]) -> Option<Known> {
    let numbers: Option<Vec<_>> = inputs.iter().map(|k| k.numbers.clone()).collect();
    let numbers = numbers.map(|all| all.concat());
    let all = inputs.iter().map(|k| k.extents.as_ref()).collect::<Option<Vec<_>>>()?;
    let mut shape = (*all.first()?).clone();
    let axis = node.ints("axis")?.first()?.rem_euclid((shape.len() as i64).max(1));
    let axis = usize::try_from(axis).ok()?;
    let sum = all.iter().map(|e| e.get(axis).copied().flatten().unwrap_or(1)).fold(0i64, i64::saturating_add);
    *shape.get_mut(axis)? = Some(sum);
    // Beyond a row the elements would be interleaved.
    let numbers = numbers.filter(|_| shape.len() == 1);
    Some(Known::shaped(shape).with_numbers(numbers))
}

/// A convolution or pooling over all axes behind the second.
fn windowed(node: &Node<'_>, x: &[Option<i64>], w: Option<Extents>) -> Option<Known> {
    let [rows, channels, axes @ ..] = x else { return None };
    let pooling = node.operator.ends_with("Pool");
    let transposed = node.operator == "ConvTranspose";
    let kernel = node.ints("kernel_shape");
    let given = |name: &str, i: usize, unset: i64| {
        node.ints(name).map_or(Some(unset), |all| all.get(i).copied()).unwrap_or(unset)
    };
    let out = match (&w, pooling, transposed) {
        (_, true, _) => *channels,
        (Some(w), _, false) => *w.first()?,
        (Some(w), _, true) => (*w.get(1)?).map(|n| n.saturating_mul(given("group", 0, 1))),
        (None, ..) => return None,
    };
    // Padding that the operator chooses itself does not make more of it.
    let padded = |i: usize| given("pads", i, 0).saturating_add(given("pads", i + axes.len(), 0));
    let extent = |(i, own): (usize, &Option<i64>)| {
        let length = kernel.as_ref().and_then(|k| k.get(i).copied());
        let length = length.or_else(|| *w.as_ref()?.get(i + 2)?).unwrap_or(1);
        let reach = given("dilations", i, 1).saturating_mul(length.saturating_sub(1));
        let stride = given("strides", i, 1).max(1);
        Some(if transposed {
            let most =
                (*own)?.saturating_sub(1).saturating_mul(stride).saturating_add(reach).saturating_add(1);
            given(
                "output_shape",
                i,
                most.saturating_add(given("output_padding", i, 0)).saturating_sub(padded(i)),
            )
        } else {
            (*own)?.saturating_add(padded(i)).saturating_sub(reach).saturating_sub(1).max(0) / stride + 1
        })
    };
    let mut shape = vec![*rows, out];
    shape.extend(axes.iter().enumerate().map(extent));
    Some(Known::shaped(shape))
}

/// By sizes, or by factors; `Upsample` has the factors as its second input or an attribute.
fn resized<'k>(
    node: &Node<'_>,
    x: &[Option<i64>],
    input: &impl Fn(usize) -> Option<&'k Known>,
) -> Option<Known> {
    let numbers = |i: usize| input(i).and_then(|k| k.numbers.clone()).filter(|n| n.len() == x.len());
    if let Some(sizes) = numbers(3).filter(|_| node.operator == "Resize") {
        return Some(Known::shaped(sizes.iter().map(|n| Some(*n as i64)).collect()));
    }
    let factors = if node.operator == "Resize" { numbers(2) } else { numbers(1) };
    let factors = factors.or_else(|| node.numbers("scales").map(<[f64]>::to_vec))?;
    let scaled = x.iter().zip(factors).map(|(d, factor)| Some((d.unwrap_or(1) as f64 * factor) as i64));
    Some(Known::shaped(scaled.collect()))
}

#[cfg(test)]
mod tests;
