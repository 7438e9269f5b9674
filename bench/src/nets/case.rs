//! The networks that are measured.

use std::path::PathBuf;

use anira::Result;
use anira::backends::native::{Activation, Conv1d, Gru, Lstm, Network, Signal};

/// What a file's tensors look like.
#[derive(Clone, Copy, Debug)]
pub(super) enum Tensors {
    /// `[1, 1, past + block]` gives `[1, 1, block]`; so many past samples.
    Window(usize),
    /// `[1, block, 1]` gives the same, with two states of so many numbers.
    Sequence(usize),
    /// `[block, 1, samples]` gives `[block, 1]`, for one block alone.
    Windows { block: usize, samples: usize },
}

/// Where a network is from.
#[derive(Debug)]
pub(super) enum Origin {
    File(PathBuf, Tensors),
    Made(Network),
}

/// A network.
#[derive(Debug)]
pub(super) struct Case {
    pub(super) name: &'static str,
    /// Per sample, activations and additions alone not counted.
    pub(super) multiply_adds: usize,
    pub(super) origin: Origin,
}

impl Case {
    /// Whether the network takes blocks of so many samples.
    pub(super) fn takes(&self, samples: usize) -> bool {
        !matches!(self.origin, Origin::File(_, Tensors::Windows { block, .. }) if block != samples)
    }
}

/// All of them.
pub(super) fn all() -> Result<Vec<Case>> {
    let file = |name: &'static str, multiply_adds, tensors| {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("../models/{name}.onnx"));
        Case { name, multiply_adds, origin: Origin::File(path, tensors) }
    };
    let made = |name, (network, multiply_adds)| Case { name, multiply_adds, origin: Origin::Made(network) };
    // Two convolutions over 13 and 2 moments of a window of 150, then two steps of an LSTM.
    let hybrid = 13 * 16 * 12 + 2 * 16 * 16 * 12 + 2 * 4 * 36 * (16 + 36) + 36;
    Ok(vec![
        made("lstm-20", lstm(20)?),
        made("lstm-40", lstm(40)?),
        made("gru-16", gru(16)?),
        made("wavenet", wavenet()?),
        made("no-bias", no_bias()?),
        made("softsign", softsign()?),
        file("amp-tcn-29k", tcn(&[1, 32, 32, 32, 1]), Tensors::Window(13_332)),
        file("amp-tcn-15k", tcn(&[1, 32, 32, 1]), Tensors::Window(1_332)),
        file("amp-tcn-1k", tcn(&[1, 32, 1]), Tensors::Window(132)),
        file("amp-lstm-2k", 4 * 20 * 21 + 20, Tensors::Sequence(20)),
        file("amp-hybrid-11k", hybrid, Tensors::Windows { block: 256, samples: 150 }),
    ])
}

/// Blocks of a convolution of 13 taps and a path of one.
fn tcn(channels: &[usize]) -> usize {
    channels.windows(2).map(|pair| pair.iter().product::<usize>() * 14).sum()
}

/// Weights that keep signals within bounds, always the same.
struct Dice(u32);

impl Dice {
    fn numbers(&mut self, count: usize, scale: f32) -> Vec<f32> {
        let mut number = || {
            self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            scale * ((self.0 >> 8) as f32 / (1 << 23) as f32 - 1.0)
        };
        (0..count).map(|_| number()).collect()
    }
}

fn lstm(n: usize) -> Result<(Network, usize)> {
    let mut dice = Dice(1);
    let mut net = Network::new();
    let input = net.input(1)?;
    let (own, state, bias) =
        (dice.numbers(4 * n, 0.3), dice.numbers(4 * n * n, 0.3), dice.numbers(4 * n, 0.3));
    let heard = net.lstm(input, Lstm::new(1, n, own, state, bias))?;
    dense_end(&mut net, &mut dice, heard, n)?;
    Ok((net, 4 * n * (n + 1) + n))
}

fn gru(n: usize) -> Result<(Network, usize)> {
    let mut dice = Dice(2);
    let mut net = Network::new();
    let input = net.input(1)?;
    let (own, state) = (dice.numbers(3 * n, 0.3), dice.numbers(3 * n * n, 0.3));
    let (a, b) = (dice.numbers(3 * n, 0.3), dice.numbers(3 * n, 0.3));
    let heard = net.gru(input, Gru::new(1, n, own, state, a, b))?;
    dense_end(&mut net, &mut dice, heard, n)?;
    Ok((net, 3 * n * (n + 1) + n))
}

fn dense_end(net: &mut Network, dice: &mut Dice, from: Signal, n: usize) -> Result<()> {
    let output = net.conv(from, Conv1d::dense(n, 1, dice.numbers(n, 0.3)).bias(dice.numbers(1, 0.3)))?;
    net.output(output)
}

/// The standard network of Neural Amp Modeler: stacks of 16 and 8 channels, ten layers of three taps each, tanh, not gated.
fn wavenet() -> Result<(Network, usize)> {
    let mut dice = Dice(3);
    let mut net = Network::new();
    let input = net.input(1)?;
    let (mut signal, mut head, mut channels, mut count) = (input, None, 1, 0);
    for (n, heads, has_bias) in [(16, 8, false), (8, 1, true)] {
        signal = net.conv(signal, Conv1d::dense(channels, n, dice.numbers(channels * n, 0.3)))?;
        count += channels * n;
        channels = n;
        for layer in 0..10 {
            let conv = Conv1d::new(n, n, 3, dice.numbers(3 * n * n, 0.15)).bias(dice.numbers(n, 0.1));
            let heard = net.conv(signal, conv.dilation(1 << layer))?;
            let mixed = net.conv(input, Conv1d::dense(1, n, dice.numbers(n, 0.3)))?;
            let sum = net.sum(heard, mixed)?;
            let z = net.activate(sum, Activation::Tanh)?;
            head = Some(match head {
                None => z,
                Some(head) => net.sum(head, z)?,
            });
            let dense = Conv1d::dense(n, n, dice.numbers(n * n, 0.15)).bias(dice.numbers(n, 0.1));
            let made = net.conv(z, dense)?;
            signal = net.sum(signal, made)?;
            count += 4 * n * n + n;
        }
        let dense = Conv1d::dense(n, heads, dice.numbers(n * heads, 0.2));
        let dense = if has_bias { dense.bias(dice.numbers(heads, 0.1)) } else { dense };
        head = head.map(|head| net.conv(head, dense)).transpose()?;
        count += n * heads;
    }
    let output = net.affine(head.unwrap_or(signal), [0.02], [0.0])?;
    net.output(output)?;
    Ok((net, count))
}

/// Convolutions without biases: what comes in small stays small, down to the output.
fn no_bias() -> Result<(Network, usize)> {
    let mut dice = Dice(4);
    let mut net = Network::new();
    let (mut signal, mut count, channels) = (net.input(1)?, 0, [1, 32, 32, 1]);
    for (layer, pair) in channels.windows(2).enumerate() {
        let &[inputs, outputs] = pair else { continue };
        let conv = Conv1d::new(inputs, outputs, 13, dice.numbers(13 * inputs * outputs, 0.1));
        signal = net.conv(signal, conv.dilation(10usize.pow(layer as u32)))?;
        signal = net.activate(signal, Activation::LeakyRelu(0.1))?;
        count += 13 * inputs * outputs;
    }
    net.output(signal)?;
    Ok((net, count))
}

/// Dense layers of eight channels with softsigns and without biases: as small a number as comes in is divided in each. (Of all that a
/// network does, it is division that takes numbers below 1.2e-38 badly on the processors that we have.)
fn softsign() -> Result<(Network, usize)> {
    let mut dice = Dice(5);
    let mut net = Network::new();
    let (mut signal, mut count) = (net.input(1)?, 0);
    for (inputs, outputs) in [(1, 8)].into_iter().chain([(8, 8); 14]).chain([(8, 1)]) {
        signal = net.conv(signal, Conv1d::dense(inputs, outputs, dice.numbers(inputs * outputs, 0.6)))?;
        signal = net.activate(signal, Activation::Softsign)?;
        count += inputs * outputs;
    }
    net.output(signal)?;
    Ok((net, count))
}
