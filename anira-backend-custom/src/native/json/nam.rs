//! Neural Amp Modeler: LSTM and WaveNet, whose weights stand in one list, in the order in which PyTorch keeps them.
//!
//! A gate is the activation of the first half times the sigmoid of the second, as the trainer has it.

use anira_traits::{Error, ErrorKind, Result};
use serde_json::{Map, Value};

use super::{count, key, list, malformed, numbers, text, whole};
use crate::native::layer::{Activation, Conv1d, Lstm};
use crate::native::network::{Network, Signal};

const ARCHITECTURES: &str = "LSTM, WaveNet";
const ACTIVATIONS: &str = "Tanh, Hardtanh, ReLU, LeakyReLU, Sigmoid, SiLU, Hardswish, Softsign";

pub(super) fn read(object: &Map<String, Value>) -> Result<Network> {
    let architecture = text(key(object, "architecture")?, "architecture")?;
    let config = key(object, "config")?;
    let Some(config) = config.as_object() else { return Err(malformed("is no object").at("config")) };
    let weights = numbers(key(object, "weights")?, "weights")?;
    let mut weights = Weights { all: &weights, taken: 0 };
    let network = match architecture {
        "LSTM" => lstm(config, &mut weights),
        "WaveNet" => wavenet(config, &mut weights),
        other => {
            let text = format!("is {other}; the native engine has {ARCHITECTURES}");
            return Err(Error::new(ErrorKind::Unsupported, text).at("architecture"));
        }
    }?;
    weights.end()?;
    Ok(network)
}

/// The list of weights, taken from the front.
struct Weights<'a> {
    all: &'a [f32],
    taken: usize,
}

impl Weights<'_> {
    fn take(&mut self, extents: &[usize], what: &str) -> Result<Vec<f32>> {
        let count = extents.iter().try_fold(1usize, |n, extent| n.checked_mul(*extent));
        let own = count
            .and_then(|count| self.taken.checked_add(count))
            .and_then(|end| self.all.get(self.taken..end).map(|own| (own, end)));
        let Some((own, end)) = own else {
            let text = format!(
                "has {} numbers; {what} takes {extents:?} from number {} on",
                self.all.len(),
                self.taken
            );
            return Err(malformed(text).at("weights"));
        };
        self.taken = end;
        Ok(own.to_vec())
    }

    fn end(&self) -> Result<()> {
        if self.taken == self.all.len() {
            return Ok(());
        }
        let text = format!("has {} numbers; the network takes {}", self.all.len(), self.taken);
        Err(malformed(text).at("weights"))
    }
}

fn lstm(config: &Map<String, Value>, weights: &mut Weights<'_>) -> Result<Network> {
    let at = |error: Error| error.at("config");
    let (inputs, hidden) =
        (count(config, "input_size").map_err(at)?, count(config, "hidden_size").map_err(at)?);
    let layers = count(config, "num_layers").map_err(at)?;
    let mut net = Network::new();
    let mut signal = net.input(inputs)?;
    for layer in 0..layers {
        let inputs = if layer == 0 { inputs } else { hidden };
        let name = format!("layer {layer}");
        let gates = hidden.saturating_mul(4);
        let both = weights.take(&[gates, inputs.saturating_add(hidden)], &name)?;
        let bias = weights.take(&[gates], &name)?;
        let (h, c) = (weights.take(&[hidden], &name)?, weights.take(&[hidden], &name)?);
        // Each row has the input's weights first, then the state's.
        let rows = || both.chunks_exact(inputs + hidden);
        let input: Vec<f32> = rows().flat_map(|row| row[..inputs].to_vec()).collect();
        let state: Vec<f32> = rows().flat_map(|row| row[inputs..].to_vec()).collect();
        signal = net.lstm(signal, Lstm::new(inputs, hidden, input, state, bias).state(h, c))?;
    }
    let head = weights.take(&[hidden], "the head")?;
    let bias = weights.take(&[1], "the head's bias")?;
    let output = net.conv(signal, Conv1d::dense(hidden, 1, head).bias(bias))?;
    net.output(output)?;
    Ok(net)
}

fn activation(value: &Value) -> Result<Activation> {
    Ok(match text(value, "activation")? {
        "Tanh" => Activation::Tanh,
        "Hardtanh" => Activation::Clip(-1.0, 1.0),
        "ReLU" => Activation::Relu,
        "LeakyReLU" => Activation::LeakyRelu(0.01),
        "Sigmoid" => Activation::Sigmoid,
        "SiLU" => Activation::Silu,
        "Hardswish" => Activation::HardSwish,
        "Softsign" => Activation::Softsign,
        other => {
            let text = format!("is {other}; the native engine has {ACTIVATIONS}");
            return Err(Error::new(ErrorKind::Unsupported, text).at("activation"));
        }
    })
}

/// The numbers of one stack of layers.
struct Stack {
    inputs: usize,
    condition: usize,
    head: usize,
    channels: usize,
    kernel: usize,
    dilations: Vec<usize>,
    activation: Activation,
    gated: bool,
    head_bias: bool,
}

impl Stack {
    fn read(value: &Value) -> Result<Self> {
        let Some(object) = value.as_object() else { return Err(malformed("is no object")) };
        let flag = |name: &str| -> Result<bool> {
            let value = object.get(name).unwrap_or(&Value::Bool(false));
            value.as_bool().ok_or_else(|| malformed("is neither true nor false").at(name.to_owned()))
        };
        for name in ["bottleneck", "groups_input", "slimmable", "head1x1", "layer1x1", "gating_mode"] {
            if object.contains_key(name) {
                let text = "is of a newer WaveNet than the native engine has";
                return Err(Error::new(ErrorKind::Unsupported, text).at(name.to_owned()));
            }
        }
        let dilations = list(key(object, "dilations")?, "dilations")?.iter().map(whole);
        Ok(Self {
            inputs: count(object, "input_size")?,
            condition: count(object, "condition_size")?,
            head: count(object, "head_size")?,
            channels: count(object, "channels")?,
            kernel: count(object, "kernel_size")?,
            dilations: dilations.collect::<Result<_>>().map_err(|error| error.at("dilations"))?,
            activation: activation(key(object, "activation")?)?,
            gated: flag("gated")?,
            head_bias: flag("head_bias")?,
        })
    }
}

fn wavenet(config: &Map<String, Value>, weights: &mut Weights<'_>) -> Result<Network> {
    if config.get("head").is_some_and(|head| !head.is_null()) {
        return Err(Error::new(ErrorKind::Unsupported, "a head behind the stacks").at("config: head"));
    }
    let stacks = list(key(config, "layers")?, "config: layers")?;
    let mut net = Network::new();
    let input = net.input(1)?;
    let (mut signal, mut head): (Signal, Option<Signal>) = (input, None);
    for (number, stack) in stacks.iter().enumerate() {
        let name = format!("config: layers: {number}");
        let stack = Stack::read(stack).map_err(|error| error.at(name.clone()))?;
        if stack.condition != 1 {
            let text = format!("is {}; 1, the input", stack.condition);
            return Err(Error::new(ErrorKind::Unsupported, text).at(format!("{name}: condition_size")));
        }
        let (next, heard) = read_stack(&mut net, &stack, (signal, input, head), weights, &name)?;
        signal = next;
        head = Some(heard);
    }
    let Some(head) = head else { return Err(malformed("is empty").at("config: layers")) };
    let scale = weights.take(&[1], "the head's scale")?;
    let channels = net.node(head)?.channels;
    if channels != 1 {
        return Err(malformed(format!("is {channels} in the last stack; 1")).at("head_size"));
    }
    let output = net.affine(head, scale, [0.0])?;
    net.output(output)?;
    Ok(net)
}

/// What goes on to the next stack, and the head.
fn read_stack(
    net: &mut Network,
    stack: &Stack,
    (signal, input, mut head): (Signal, Signal, Option<Signal>),
    weights: &mut Weights<'_>,
    name: &str,
) -> Result<(Signal, Signal)> {
    let n = stack.channels;
    let wide = if stack.gated { n.saturating_mul(2) } else { n };
    let rechannel = weights.take(&[n, stack.inputs], name)?;
    let mut signal = net.conv(signal, Conv1d::dense(stack.inputs, n, rechannel))?;
    for (layer, dilation) in stack.dilations.iter().enumerate() {
        let name = format!("{name}, layer {layer}");
        let own = weights.take(&[wide, n, stack.kernel], &name)?;
        let bias = weights.take(&[wide], &name)?;
        let mixin = weights.take(&[wide, 1], &name)?;
        let out = weights.take(&[n, n], &name)?;
        let out_bias = weights.take(&[n], &name)?;
        let conv = Conv1d::new(n, wide, stack.kernel, own).bias(bias).dilation(*dilation);
        let heard = net.conv(signal, conv)?;
        let mixed = net.conv(input, Conv1d::dense(1, wide, mixin))?;
        let mut z = net.sum(heard, mixed)?;
        z = if stack.gated {
            net.gate(z, stack.activation.clone(), Activation::Sigmoid)?
        } else {
            net.activate(z, stack.activation.clone())?
        };
        head = Some(match head {
            None => z,
            Some(head) => net.sum(head, z)?,
        });
        let made = net.conv(z, Conv1d::dense(n, n, out).bias(out_bias))?;
        signal = net.sum(signal, made)?;
    }
    let Some(heard) = head else { return Err(malformed("is empty").at(format!("{name}: dilations"))) };
    let own = weights.take(&[stack.head, n], name)?;
    let bias = if stack.head_bias { weights.take(&[stack.head], name)? } else { Vec::new() };
    let head = net.conv(heard, Conv1d::dense(n, stack.head, own).bias(bias))?;
    Ok((signal, head))
}
