//! What each operator of the subset does to a network.

use anira_traits::{Error, ErrorKind, Result};
use rten_onnx::onnx::{AttributeProto, NodeProto};

use super::import::{Axis, Heard, Import, Value};
use super::recurrent;
use super::tensor::{Constant, Data};
use crate::native::layer::{Activation, Conv1d};
use crate::native::network::Signal;

/// The subset.
pub(crate) const OPERATORS: [&str; 28] = [
    "Add",
    "BatchNormalization",
    "Clip",
    "Concat",
    "Constant",
    "Conv",
    "Div",
    "Expand",
    "GRU",
    "Gather",
    "Gemm",
    "HardSwish",
    "Identity",
    "LSTM",
    "LeakyRelu",
    "MatMul",
    "Mul",
    "PRelu",
    "Relu",
    "Shape",
    "Sigmoid",
    "Slice",
    "Softsign",
    "Squeeze",
    "Sub",
    "Tanh",
    "Transpose",
    "Unsqueeze",
];

pub(crate) fn attribute<'a>(node: &'a NodeProto, name: &str) -> Option<&'a AttributeProto> {
    node.attribute.iter().find(|attribute| attribute.name.as_deref() == Some(name))
}

pub(crate) fn ints<'a>(node: &'a NodeProto, name: &str) -> Option<&'a [i64]> {
    attribute(node, name).map(|attribute| &attribute.ints[..])
}

pub(crate) fn int(node: &NodeProto, name: &str, default: i64) -> i64 {
    attribute(node, name).and_then(|attribute| attribute.i).unwrap_or(default)
}

fn float(node: &NodeProto, name: &str, default: f32) -> f32 {
    attribute(node, name).and_then(|attribute| attribute.f).unwrap_or(default)
}

pub(crate) fn unsupported(text: impl Into<String>) -> Error {
    Error::new(ErrorKind::Unsupported, text.into())
}

fn malformed(text: impl Into<String>) -> Error {
    Error::new(ErrorKind::Model, text.into())
}

impl Import {
    /// The tensor that is input `at` of a node; `None` where it is left out.
    pub(crate) fn given(&self, node: &NodeProto, at: usize) -> Result<Option<&Value>> {
        match node.input.get(at).map(String::as_str) {
            None | Some("") => Ok(None),
            Some(name) => match self.values.get(name) {
                Some(value) => Ok(Some(value)),
                None => Err(malformed(format!("reads `{name}`, which nothing makes before it"))),
            },
        }
    }

    pub(crate) fn value(&self, node: &NodeProto, at: usize) -> Result<&Value> {
        self.given(node, at)?.ok_or_else(|| malformed(format!("lacks its input {at}")))
    }

    pub(crate) fn heard(&self, node: &NodeProto, at: usize) -> Result<Heard> {
        match self.value(node, at)? {
            Value::Heard(heard) => Ok(heard.clone()),
            _ => Err(unsupported(format!("input {at} is not made of a stream"))),
        }
    }

    pub(crate) fn constant(&self, node: &NodeProto, at: usize) -> Result<Option<&Constant>> {
        match self.given(node, at)? {
            None => Ok(None),
            Some(Value::Constant(constant)) => Ok(Some(constant)),
            Some(_) => Err(unsupported(format!("input {at} is not constant"))),
        }
    }

    fn channels(&self, heard: &Heard) -> Result<usize> {
        Ok(self.net.node(heard.signal)?.channels)
    }

    pub(crate) fn made(&mut self, node: &NodeProto, at: usize, value: Value) -> Result<()> {
        match node.output.get(at).map(String::as_str) {
            None | Some("") => Ok(()),
            Some(name) => self.keep(name, value),
        }
    }
}

/// Reads one node.
pub(crate) fn read(import: &mut Import, node: &NodeProto) -> Result<()> {
    let kind = node.op_type.as_deref().unwrap_or_default();
    let value = match kind {
        "LSTM" => return recurrent::lstm(import, node),
        "GRU" => return recurrent::gru(import, node),
        "Constant" => constant(node)?,
        "Identity" => import.value(node, 0)?.clone(),
        "Conv" => conv(import, node)?,
        "Gemm" | "MatMul" => dense(import, node, kind == "Gemm")?,
        "Add" | "Sub" | "Mul" | "Div" => arithmetic(import, node, kind)?,
        "BatchNormalization" => batch_norm(import, node)?,
        "PRelu" => {
            let heard = import.heard(node, 0)?;
            let slopes = import.constant(node, 1)?.ok_or_else(|| malformed("has no slope"))?.clone();
            let slopes = per_channel(&slopes, &heard, import.channels(&heard)?)?;
            activate(import, &heard, Activation::PRelu(slopes))?
        }
        "Clip" => {
            let heard = import.heard(node, 0)?;
            let bound = |at: usize, default: f32| -> Result<f32> {
                Ok(match import.constant(node, at)? {
                    Some(constant) => constant.numbers()?.first().copied().unwrap_or(default),
                    None => default,
                })
            };
            let activation = Activation::Clip(bound(1, f32::MIN)?, bound(2, f32::MAX)?);
            activate(import, &heard, activation)?
        }
        "Relu" | "LeakyRelu" | "Tanh" | "Sigmoid" | "HardSwish" | "Softsign" => {
            let activation = match kind {
                "Relu" => Activation::Relu,
                "LeakyRelu" => Activation::LeakyRelu(float(node, "alpha", 0.01)),
                "Tanh" => Activation::Tanh,
                "Sigmoid" => Activation::Sigmoid,
                "HardSwish" => Activation::HardSwish,
                _ => Activation::Softsign,
            };
            let heard = import.heard(node, 0)?;
            activate(import, &heard, activation)?
        }
        "Concat" => concat(import, node)?,
        "Slice" => slice(import, node)?,
        "Transpose" => transpose(import, node)?,
        "Squeeze" => squeeze(import, node)?,
        "Unsqueeze" => unsqueeze(import, node)?,
        "Gather" => gather(import, node)?,
        "Shape" => match import.value(node, 0)? {
            Value::Heard(heard) => Value::Shape(heard.clone()),
            _ => return Err(unsupported("of what is no stream")),
        },
        // Of a constant of zeros, to so many rows: what a layer starts from.
        "Expand" => match import.value(node, 0)? {
            Value::Constant(constant) => Value::Constant(constant.clone()),
            _ => return Err(unsupported("of what is not constant")),
        },
        _ => return Err(unsupported("is not read")),
    };
    import.made(node, 0, value)
}

fn activate(import: &mut Import, heard: &Heard, activation: Activation) -> Result<Value> {
    let signal = import.net.activate(heard.signal, activation)?;
    Ok(Value::Heard(Heard { signal, ..heard.clone() }))
}

fn constant(node: &NodeProto) -> Result<Value> {
    if let Some(tensor) = attribute(node, "value").and_then(|attribute| attribute.t.as_ref()) {
        return Ok(Value::Constant(Constant::read(tensor)?));
    }
    if let Some(number) = attribute(node, "value_float").and_then(|attribute| attribute.f) {
        return Ok(Value::Constant(Constant { shape: Vec::new(), data: Data::Numbers(vec![number]) }));
    }
    if let Some(number) = attribute(node, "value_int").and_then(|attribute| attribute.i) {
        return Ok(Value::Constant(Constant { shape: Vec::new(), data: Data::Integers(vec![number]) }));
    }
    match attribute(node, "value_ints") {
        Some(attribute) => Ok(Value::Constant(Constant::integers(attribute.ints.clone()))),
        None => Err(unsupported("without a tensor")),
    }
}

/// One number for each channel, of a constant that is broadcast to a stream.
fn per_channel(constant: &Constant, heard: &Heard, channels: usize) -> Result<Vec<f32>> {
    let numbers = constant.numbers()?;
    if let [number] = numbers {
        return Ok(vec![*number; channels]);
    }
    let missing = heard.axes.len().checked_sub(constant.shape.len());
    let fits = missing.is_some_and(|missing| {
        constant
            .shape
            .iter()
            .zip(heard.axes.iter().skip(missing))
            .all(|(extent, axis)| *extent == 1 || *axis == Axis::Channel && *extent == channels)
    });
    if fits && numbers.len() == channels {
        return Ok(numbers.to_vec());
    }
    Err(unsupported(format!("a constant of shape {:?}: one number, or one per channel", constant.shape)))
}

fn conv(import: &mut Import, node: &NodeProto) -> Result<Value> {
    let heard = import.heard(node, 0)?;
    if heard.axes != [Axis::Row, Axis::Channel, Axis::Time] {
        return Err(unsupported("of axes other than rows, channels, time"));
    }
    let weights = import.constant(node, 1)?.ok_or_else(|| malformed("has no weights"))?;
    let &[outputs, per_group, kernel] = &weights.shape[..] else {
        return Err(unsupported(format!("weights of shape {:?}; one axis of time", weights.shape)));
    };
    let one = |name: &str| -> Result<usize> {
        match ints(node, name) {
            None => Ok(1),
            Some([n]) => usize::try_from(*n).map_err(|_| malformed(format!("{name} is {n}"))),
            Some(_) => Err(unsupported(format!("{name} of more than one axis"))),
        }
    };
    if attribute(node, "auto_pad").and_then(|a| a.s.as_deref()).is_some_and(|pad| pad != "NOTSET") {
        return Err(unsupported("auto_pad; write `pads`"));
    }
    let pads = match ints(node, "pads") {
        None => (0, 0),
        Some([before, behind]) => {
            let pad = |n: i64| usize::try_from(n).map_err(|_| malformed(format!("pads is {n}")));
            (pad(*before)?, pad(*behind)?)
        }
        Some(_) => return Err(unsupported("pads of more than one axis")),
    };
    let groups = usize::try_from(int(node, "group", 1)).map_err(|_| malformed("group is negative"))?;
    let inputs = per_group.checked_mul(groups).ok_or_else(|| malformed(format!("group is {groups}")))?;
    let bias = match import.constant(node, 2)? {
        Some(bias) => bias.numbers()?.to_vec(),
        None => Vec::new(),
    };
    let (dilation, stride) = (one("dilations")?, one("strides")?);
    let conv = Conv1d::new(inputs, outputs, kernel, weights.numbers()?)
        .bias(bias)
        .groups(groups)
        .dilation(dilation)
        .stride(stride)
        .padding(pads.0, pads.1);
    // The layer checks its numbers before anything is computed with them.
    let span = kernel.saturating_sub(1).saturating_mul(dilation);
    let signal = import.net.conv(heard.signal, conv)?;
    Ok(Value::Heard(Heard { signal, lead: heard.lead + span, ..heard }))
}

/// `x · W` and a bias: over the last axis, which has to be that of the channels.
fn dense(import: &mut Import, node: &NodeProto, is_gemm: bool) -> Result<Value> {
    let heard = import.heard(node, 0)?;
    if heard.axes.last() != Some(&Axis::Channel) {
        return Err(unsupported("over an axis that is not the channels"));
    }
    let weights = import.constant(node, 1)?.ok_or_else(|| malformed("has no weights"))?;
    let &[first, second] = &weights.shape[..] else {
        return Err(unsupported(format!("weights of shape {:?}; two axes", weights.shape)));
    };
    let mut numbers = weights.numbers()?.to_vec();
    let is_turned = is_gemm && int(node, "transB", 0) != 0;
    let (inputs, outputs) = if is_turned { (second, first) } else { (first, second) };
    if !is_turned {
        numbers = (0..outputs)
            .flat_map(|o| (0..inputs).map(move |i| i * outputs + o))
            .map(|at| numbers[at])
            .collect();
    }
    let mut bias = Vec::new();
    if is_gemm {
        if int(node, "transA", 0) != 0 || float(node, "alpha", 1.0) != 1.0 || float(node, "beta", 1.0) != 1.0
        {
            return Err(unsupported("transA, or alpha or beta other than 1"));
        }
        if let Some(constant) = import.constant(node, 2)? {
            let numbers = constant.numbers()?;
            bias = if numbers.len() == 1 { vec![numbers[0]; outputs.min(1 << 16)] } else { numbers.to_vec() };
        }
    }
    let signal = import.net.conv(heard.signal, Conv1d::dense(inputs, outputs, numbers).bias(bias))?;
    Ok(Value::Heard(Heard { signal, ..heard }))
}

fn arithmetic(import: &mut Import, node: &NodeProto, kind: &str) -> Result<Value> {
    let (a, b) = (import.value(node, 0)?.clone(), import.value(node, 1)?.clone());
    match (a, b) {
        (Value::Heard(a), Value::Heard(b)) => {
            if a.axes != b.axes || a.lead != b.lead {
                return Err(unsupported("of two streams that differ in axes or length"));
            }
            let signal = pair(import, a.signal, b.signal, kind)?;
            Ok(Value::Heard(Heard { signal, ..a }))
        }
        (Value::Heard(a), Value::Parameter(b, 1)) => {
            let signal = pair(import, a.signal, b, kind)?;
            Ok(Value::Heard(Heard { signal, ..a }))
        }
        (Value::Parameter(a, 1), Value::Heard(b)) => {
            let signal = pair(import, a, b.signal, kind)?;
            Ok(Value::Heard(Heard { signal, ..b }))
        }
        (Value::Heard(heard), Value::Constant(constant)) => {
            let numbers = per_channel(&constant, &heard, import.channels(&heard)?)?;
            with_constant(import, &heard, &numbers, kind, false)
        }
        (Value::Constant(constant), Value::Heard(heard)) => {
            let numbers = per_channel(&constant, &heard, import.channels(&heard)?)?;
            with_constant(import, &heard, &numbers, kind, true)
        }
        _ => Err(unsupported("of what is neither two streams, nor a stream and a number")),
    }
}

fn pair(import: &mut Import, a: Signal, b: Signal, kind: &str) -> Result<Signal> {
    match kind {
        "Add" => import.net.sum(a, b),
        "Sub" => import.net.difference(a, b),
        "Mul" => import.net.product(a, b),
        _ => Err(unsupported("of two streams")),
    }
}

fn with_constant(
    import: &mut Import,
    heard: &Heard,
    numbers: &[f32],
    kind: &str,
    constant_first: bool,
) -> Result<Value> {
    let all = |number: f32| vec![number; numbers.len()];
    let (scale, shift) = match (kind, constant_first) {
        ("Add", _) => (all(1.0), numbers.to_vec()),
        ("Sub", false) => (all(1.0), numbers.iter().map(|n| -n).collect()),
        ("Sub", true) => (all(-1.0), numbers.to_vec()),
        ("Mul", _) => (numbers.to_vec(), all(0.0)),
        ("Div", false) => (numbers.iter().map(|n| 1.0 / n).collect(), all(0.0)),
        _ => return Err(unsupported("of a number by a stream")),
    };
    let signal = import.net.affine(heard.signal, scale, shift)?;
    Ok(Value::Heard(Heard { signal, ..heard.clone() }))
}

fn batch_norm(import: &mut Import, node: &NodeProto) -> Result<Value> {
    let heard = import.heard(node, 0)?;
    if heard.axes.get(1) != Some(&Axis::Channel) || int(node, "training_mode", 0) != 0 {
        return Err(unsupported("in training, or over an axis that is not the channels"));
    }
    let channels = import.channels(&heard)?;
    let mut numbers = Vec::new();
    for at in 1..5 {
        let constant =
            import.constant(node, at)?.ok_or_else(|| malformed(format!("lacks its input {at}")))?;
        let own = constant.numbers()?;
        if own.len() != channels {
            return Err(malformed(format!("input {at} has {} numbers; {channels}", own.len())));
        }
        numbers.push(own.to_vec());
    }
    let epsilon = float(node, "epsilon", 1e-5);
    let scale: Vec<f32> = (0..channels).map(|c| numbers[0][c] / (numbers[3][c] + epsilon).sqrt()).collect();
    let shift: Vec<f32> = (0..channels).map(|c| numbers[1][c] - numbers[2][c] * scale[c]).collect();
    let signal = import.net.affine(heard.signal, scale, shift)?;
    Ok(Value::Heard(Heard { signal, ..heard }))
}

/// An axis of so many, where negative ones count from the end.
fn axis_at(axis: i64, rank: usize) -> Result<usize> {
    let at = if axis < 0 { axis + rank as i64 } else { axis };
    usize::try_from(at)
        .ok()
        .filter(|at| *at < rank)
        .ok_or_else(|| malformed(format!("axis {axis} of {rank}")))
}

fn concat(import: &mut Import, node: &NodeProto) -> Result<Value> {
    let values: Vec<Value> =
        (0..node.input.len()).map(|at| import.value(node, at).cloned()).collect::<Result<_>>()?;
    // Extents that go into a shape: nothing hears them.
    if values.iter().all(|value| matches!(value, Value::Constant(_) | Value::Shape(_))) {
        return Ok(Value::Constant(Constant::integers(Vec::new())));
    }
    let mut signals = Vec::new();
    let mut first: Option<Heard> = None;
    for value in values {
        let Value::Heard(heard) = value else { return Err(unsupported("of what is no stream")) };
        match &first {
            Some(first) if first.axes != heard.axes || first.lead != heard.lead => {
                return Err(unsupported("of streams that differ in axes or length"));
            }
            Some(_) => {}
            None => first = Some(heard.clone()),
        }
        signals.push(heard.signal);
    }
    let Some(first) = first else { return Err(malformed("of nothing")) };
    let axis = axis_at(int(node, "axis", 0), first.axes.len())?;
    if first.axes[axis] != Axis::Channel {
        return Err(unsupported("along an axis that is not the channels"));
    }
    let signal = import.net.concat(&signals)?;
    Ok(Value::Heard(Heard { signal, ..first }))
}

fn slice(import: &mut Import, node: &NodeProto) -> Result<Value> {
    let heard = import.heard(node, 0)?;
    let one = |at: usize, default: i64| -> Result<i64> {
        match import.constant(node, at)? {
            None => Ok(default),
            Some(constant) => match constant.whole()? {
                [number] => Ok(*number),
                _ => Err(unsupported("of more than one axis at once")),
            },
        }
    };
    let (start, end, axis, step) = (one(1, 0)?, one(2, i64::MAX)?, one(3, 0)?, one(4, 1)?);
    let axis = axis_at(axis, heard.axes.len())?;
    if step != 1 {
        return Err(unsupported(format!("in steps of {step}")));
    }
    match heard.axes[axis] {
        Axis::Time if import.windowed => Err(unsupported("of time, where every run is a window of its own")),
        Axis::Time => {
            // Cropping the oldest samples: seen from the newest one, nothing.
            let (Ok(cropped), true) = (usize::try_from(start), end >= i64::from(i32::MAX)) else {
                return Err(unsupported("of time, other than cropping the oldest samples"));
            };
            let lead = heard.lead.checked_add(cropped).ok_or_else(|| malformed(format!("starts {start}")))?;
            Ok(Value::Heard(Heard { lead, ..heard }))
        }
        Axis::Channel => {
            let channels = import.channels(&heard)? as i64;
            let place = |n: i64| if n < 0 { n.saturating_add(channels).max(0) } else { n.min(channels) };
            let (start, end) = (place(start), place(end));
            let count =
                usize::try_from(end - start).map_err(|_| malformed(format!("from {start} to {end}")))?;
            let signal = import.net.part(heard.signal, start as usize, count)?;
            Ok(Value::Heard(Heard { signal, ..heard }))
        }
        _ => Err(unsupported("of an axis that is neither time nor channels")),
    }
}

fn transpose(import: &mut Import, node: &NodeProto) -> Result<Value> {
    let heard = import.heard(node, 0)?;
    let rank = heard.axes.len();
    let axes = match ints(node, "perm") {
        None => heard.axes.iter().rev().copied().collect(),
        Some(order) => {
            let mut seen = vec![false; rank];
            let mut axes = Vec::with_capacity(rank);
            for axis in order {
                let at = axis_at(*axis, rank)?;
                if std::mem::replace(&mut seen[at], true) {
                    return Err(malformed(format!("perm is {order:?}")));
                }
                axes.push(heard.axes[at]);
            }
            if axes.len() != rank {
                return Err(malformed(format!("perm is {order:?} of {rank} axes")));
            }
            axes
        }
    };
    Ok(Value::Heard(Heard { axes, ..heard }))
}

/// The axes that an operator names, by attribute in old files, by a constant in newer ones.
fn named_axes(import: &Import, node: &NodeProto) -> Result<Option<Vec<i64>>> {
    if let Some(axes) = ints(node, "axes") {
        return Ok(Some(axes.to_vec()));
    }
    Ok(import.constant(node, 1)?.map(Constant::whole).transpose()?.map(<[i64]>::to_vec))
}

fn squeeze(import: &mut Import, node: &NodeProto) -> Result<Value> {
    let mut heard = import.heard(node, 0)?;
    let rank = heard.axes.len();
    let Some(named) = named_axes(import, node)? else { return Err(unsupported("without axes")) };
    let mut gone = Vec::new();
    for axis in named {
        let at = axis_at(axis, rank)?;
        let is_one = match heard.axes[at] {
            Axis::One => true,
            Axis::Row => import.rows == Some(1),
            Axis::Channel => import.channels(&heard)? == 1,
            Axis::Time => false,
        };
        if !is_one {
            return Err(unsupported(format!("of axis {axis}, which is not known to have one element")));
        }
        gone.push(at);
    }
    let kept = heard.axes.iter().enumerate().filter(|(at, _)| !gone.contains(at));
    heard.axes = kept.map(|(_, axis)| *axis).collect();
    Ok(Value::Heard(heard))
}

fn unsqueeze(import: &mut Import, node: &NodeProto) -> Result<Value> {
    let value = import.value(node, 0)?.clone();
    let Value::Heard(mut heard) = value else {
        return match value {
            Value::Constant(_) | Value::Shape(_) => Ok(value),
            _ => Err(unsupported("of what is no stream")),
        };
    };
    let named = named_axes(import, node)?.ok_or_else(|| malformed("without axes"))?;
    if named.len() > 4 {
        return Err(unsupported("of more than four axes"));
    }
    let rank = heard.axes.len() + named.len();
    let mut places = named.iter().map(|axis| axis_at(*axis, rank)).collect::<Result<Vec<_>>>()?;
    places.sort_unstable();
    for at in places {
        if at > heard.axes.len() {
            return Err(malformed(format!("axes are {named:?}")));
        }
        heard.axes.insert(at, Axis::One);
    }
    Ok(Value::Heard(heard))
}

fn gather(import: &mut Import, node: &NodeProto) -> Result<Value> {
    let mut heard = match import.value(node, 0)? {
        Value::Heard(heard) => heard.clone(),
        // An extent of a shape.
        Value::Shape(heard) => return Ok(Value::Shape(heard.clone())),
        _ => return Err(unsupported("of what is no stream")),
    };
    let index = import.constant(node, 1)?.ok_or_else(|| malformed("has no index"))?;
    let at = axis_at(int(node, "axis", 0), heard.axes.len())?;
    if heard.axes[at] != Axis::Time || index.whole()? != [-1] || !index.shape.is_empty() {
        return Err(unsupported("of anything but the newest sample"));
    }
    if !import.windowed {
        return Err(unsupported("of the newest sample, where runs are a stream"));
    }
    heard.axes.remove(at);
    heard.signal = import.net.newest(heard.signal)?;
    Ok(Value::Heard(heard))
}
