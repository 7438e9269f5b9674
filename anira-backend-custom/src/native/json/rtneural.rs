//! RTNeural: a list of layers, with weights as Keras keeps them.

use anira_traits::{Error, ErrorKind, Result};
use serde_json::{Map, Value};

use super::{count, key, list, malformed, numbers, text, whole};
use crate::native::layer::{Activation, Conv1d, Gru, Lstm};
use crate::native::network::{Network, Signal};

const LAYERS: &str = "dense, time-distributed-dense, conv1d, gru, lstm, prelu, batchnorm, activation";
const ACTIVATIONS: &str = "tanh, relu, sigmoid";

pub(super) fn read(object: &Map<String, Value>) -> Result<Network> {
    let mut net = Network::new();
    let inputs = last(key(object, "in_shape")?, "in_shape")?;
    let mut signal = net.input(inputs)?;
    let mut channels = inputs;
    for (number, layer) in list(key(object, "layers")?, "layers")?.iter().enumerate() {
        let at = |error: Error| error.at(format!("layers: {number}"));
        let Some(layer) = layer.as_object() else { return Err(at(malformed("is no object"))) };
        (signal, channels) = read_layer(&mut net, layer, signal, channels).map_err(at)?;
    }
    net.output(signal)?;
    Ok(net)
}

/// The last number of a list such as `[null, null, 16]`.
fn last(value: &Value, name: &str) -> Result<usize> {
    let last = match value {
        Value::Array(list) => list.last().unwrap_or(&Value::Null),
        other => other,
    };
    whole(last).map_err(|error| error.at(name.to_owned()))
}

fn read_layer(
    net: &mut Network,
    layer: &Map<String, Value>,
    signal: Signal,
    inputs: usize,
) -> Result<(Signal, usize)> {
    let kind = text(key(layer, "type")?, "type")?;
    if kind == "activation" {
        return Ok((activated(net, layer, signal)?, inputs));
    }
    if !LAYERS.split(", ").any(|known| known == kind) {
        let text = format!("is {kind}; the native engine has {LAYERS}");
        return Err(Error::new(ErrorKind::Unsupported, text).at("type"));
    }
    let outputs = last(key(layer, "shape")?, "shape")?;
    let weights = list(key(layer, "weights")?, "weights")?;
    let part = |at: usize| -> Result<&Value> {
        weights
            .get(at)
            .ok_or_else(|| malformed(format!("has {} parts; {}", weights.len(), at + 1)).at("weights"))
    };
    let made = match kind {
        "dense" | "time-distributed-dense" => {
            let own = turned(&rows(part(0)?, inputs, outputs)?, inputs, outputs);
            let bias = numbers(part(1)?, "bias")?;
            net.conv(signal, Conv1d::dense(inputs, outputs, own).bias(bias))?
        }
        "conv1d" => {
            let groups = if layer.contains_key("groups") { count(layer, "groups")? } else { 1 };
            let (kernel, dilation) = (
                last(key(layer, "kernel_size")?, "kernel_size")?,
                last(key(layer, "dilation")?, "dilation")?,
            );
            let per_group = inputs.checked_div(groups).unwrap_or(inputs);
            let taps = list(part(0)?, "weights")?;
            let mut own = vec![Vec::new(); kernel.min(taps.len())];
            if taps.len() != kernel {
                return Err(malformed(format!("has {} taps; {kernel}", taps.len())).at("weights"));
            }
            for (own, tap) in own.iter_mut().zip(taps) {
                *own = rows(tap, per_group, outputs)?;
            }
            // From [tap][input][output] to [output][input][tap].
            let place = |o: usize, i: usize| own.iter().map(move |tap| tap[i * outputs + o]);
            let own: Vec<f32> =
                (0..outputs).flat_map(|o| (0..per_group).flat_map(move |i| place(o, i))).collect();
            let bias = numbers(part(1)?, "bias")?;
            let conv = Conv1d::new(inputs, outputs, kernel, own).bias(bias).dilation(dilation).groups(groups);
            net.conv(signal, conv)?
        }
        "lstm" => {
            let gates = gates(outputs, 4)?;
            let input = turned(&rows(part(0)?, inputs, gates)?, inputs, gates);
            let state = turned(&rows(part(1)?, outputs, gates)?, outputs, gates);
            net.lstm(signal, Lstm::new(inputs, outputs, input, state, numbers(part(2)?, "bias")?))?
        }
        "gru" => {
            let gates = gates(outputs, 3)?;
            let input = reordered(turned(&rows(part(0)?, inputs, gates)?, inputs, gates));
            let state = reordered(turned(&rows(part(1)?, outputs, gates)?, outputs, gates));
            let biases = rows(part(2)?, 2, gates)?;
            let (a, b) = biases.split_at(gates);
            let layer = Gru::new(inputs, outputs, input, state, reordered(a.to_vec()), reordered(b.to_vec()));
            net.gru(signal, layer)?
        }
        "prelu" => {
            // [[[slopes]]] or [[slopes]]: the lists around them say nothing.
            let mut slopes = part(0)?;
            while let Some(inner) = slopes.as_array().and_then(|list| list.first()).filter(|v| v.is_array()) {
                slopes = inner;
            }
            net.activate(signal, Activation::PRelu(numbers(slopes, "weights")?))?
        }
        _ => batch_norm(net, layer, signal, outputs, weights)?,
    };
    Ok((activated(net, layer, made)?, outputs))
}

/// Keras keeps scale and shift (unless it learned none), mean, variance.
fn batch_norm(
    net: &mut Network,
    layer: &Map<String, Value>,
    signal: Signal,
    channels: usize,
    weights: &[Value],
) -> Result<Signal> {
    let parts: Vec<Vec<f32>> = weights.iter().map(|part| numbers(part, "weights")).collect::<Result<_>>()?;
    if let Some(part) = parts.iter().find(|part| part.len() != channels) {
        return Err(malformed(format!("has {} numbers; {channels}", part.len())).at("weights"));
    }
    let epsilon = layer.get("epsilon").and_then(Value::as_f64).unwrap_or(1e-3) as f32;
    let (one, zero) = (vec![1.0; channels], vec![0.0; channels]);
    let (gamma, beta, mean, variance) = match &parts[..] {
        [gamma, beta, mean, variance] => (gamma, beta, mean, variance),
        [mean, variance] => (&one, &zero, mean, variance),
        other => return Err(malformed(format!("has {} parts; 2 or 4", other.len())).at("weights")),
    };
    let scale: Vec<f32> = (0..channels).map(|c| gamma[c] / (variance[c] + epsilon).sqrt()).collect();
    let shift: Vec<f32> = (0..channels).map(|c| beta[c] - mean[c] * scale[c]).collect();
    net.affine(signal, scale, shift)
}

fn gates(hidden: usize, gates: usize) -> Result<usize> {
    hidden.checked_mul(gates).ok_or_else(|| malformed(format!("is {hidden}")).at("shape"))
}

/// A list of `count` lists of `width` numbers, in one.
fn rows(value: &Value, count: usize, width: usize) -> Result<Vec<f32>> {
    let rows = list(value, "weights")?;
    if rows.len() != count {
        return Err(malformed(format!("has {} rows; {count}", rows.len())).at("weights"));
    }
    let mut all = Vec::new();
    for (at, row) in rows.iter().enumerate() {
        let row = numbers(row, "weights")?;
        if row.len() != width {
            return Err(malformed(format!("row {at} has {} numbers; {width}", row.len())).at("weights"));
        }
        all.extend(row);
    }
    Ok(all)
}

/// From `[input][output]` to `[output][input]`.
fn turned(numbers: &[f32], inputs: usize, outputs: usize) -> Vec<f32> {
    (0..outputs).flat_map(|o| (0..inputs).map(move |i| numbers[i * outputs + o])).collect()
}

/// Keras has the gates update, reset, new; we have reset, update, new.
fn reordered(mut numbers: Vec<f32>) -> Vec<f32> {
    let third = numbers.len() / 3;
    let (update, rest) = numbers.split_at_mut(third);
    update.swap_with_slice(&mut rest[..third]);
    numbers
}

fn activated(net: &mut Network, layer: &Map<String, Value>, signal: Signal) -> Result<Signal> {
    let Some(value) = layer.get("activation") else { return Ok(signal) };
    let activation = match text(value, "activation")? {
        "" | "linear" => return Ok(signal),
        "tanh" => Activation::Tanh,
        "relu" => Activation::Relu,
        "sigmoid" => Activation::Sigmoid,
        other => {
            let text = format!("is {other}; the native engine has {ACTIVATIONS}");
            return Err(Error::new(ErrorKind::Unsupported, text).at("activation"));
        }
    };
    net.activate(signal, activation)
}
