//! The layers that a [`Network`](super::Network) is made of, and the checks of their numbers.

use anira_traits::{Error, ErrorKind, Result};

/// An activation.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Activation {
    /// The number itself.
    Identity,
    /// The hyperbolic tangent, to 3e-7.
    Tanh,
    /// The logistic function, to 3e-7.
    Sigmoid,
    /// Nothing below zero.
    Relu,
    /// Negative numbers times this slope.
    LeakyRelu(f32),
    /// Negative numbers times the slope of their channel, or times one slope for all.
    PRelu(Vec<f32>),
    /// Cut to this range.
    Clip(f32, f32),
    /// `x · sigmoid(x)`.
    Silu,
    /// `x · clip(x + 3, 0, 6) / 6`.
    HardSwish,
    /// `x / (1 + |x|)`.
    Softsign,
}

/// A convolution over time. Without padding, in a stream, it looks back and costs per new sample.
#[derive(Clone, Debug, PartialEq)]
pub struct Conv1d {
    pub(crate) inputs: usize,
    pub(crate) outputs: usize,
    pub(crate) kernel: usize,
    pub(crate) dilation: usize,
    pub(crate) stride: usize,
    pub(crate) groups: usize,
    pub(crate) padding: (usize, usize),
    pub(crate) weights: Vec<f32>,
    pub(crate) bias: Vec<f32>,
}

impl Conv1d {
    /// A convolution with weights `[outputs][inputs / groups][kernel]`, the last tap the newest, as PyTorch and ONNX have them; one
    /// group, dilation and stride 1, no bias, no padding.
    #[must_use]
    pub fn new(inputs: usize, outputs: usize, kernel: usize, weights: impl Into<Vec<f32>>) -> Self {
        Self {
            inputs,
            outputs,
            kernel,
            dilation: 1,
            stride: 1,
            groups: 1,
            padding: (0, 0),
            weights: weights.into(),
            bias: Vec::new(),
        }
    }

    /// A dense layer with weights `[outputs][inputs]`: a convolution of one tap.
    #[must_use]
    pub fn dense(inputs: usize, outputs: usize, weights: impl Into<Vec<f32>>) -> Self {
        Self::new(inputs, outputs, 1, weights)
    }

    /// The same with a number added to each output channel.
    #[must_use]
    pub fn bias(mut self, bias: impl Into<Vec<f32>>) -> Self {
        self.bias = bias.into();
        self
    }

    /// The same with taps so many samples apart.
    #[must_use]
    pub fn dilation(mut self, samples: usize) -> Self {
        self.dilation = samples;
        self
    }

    /// The same with channels in so many groups that don't see each other.
    #[must_use]
    pub fn groups(mut self, groups: usize) -> Self {
        self.groups = groups;
        self
    }

    /// The same with one output for so many samples: in a [windowed](super::Network::windowed) network only.
    #[must_use]
    pub fn stride(mut self, samples: usize) -> Self {
        self.stride = samples;
        self
    }

    /// The same with so many zeros before and behind: in a [windowed](super::Network::windowed) network only.
    #[must_use]
    pub fn padding(mut self, before: usize, behind: usize) -> Self {
        self.padding = (before, behind);
        self
    }

    /// Samples from the oldest tap to the newest.
    pub(crate) fn span(&self) -> usize {
        (self.kernel - 1) * self.dilation
    }

    /// The weights as those of one group: zeros between groups.
    pub(crate) fn ungrouped(&self) -> Vec<f32> {
        if self.groups == 1 {
            return self.weights.clone();
        }
        let (per_in, per_out) = (self.inputs / self.groups, self.outputs / self.groups);
        let mut weights = vec![0.0; self.outputs * self.inputs * self.kernel];
        for o in 0..self.outputs {
            let first = o / per_out * per_in;
            let from = &self.weights[o * per_in * self.kernel..][..per_in * self.kernel];
            weights[(o * self.inputs + first) * self.kernel..][..per_in * self.kernel].copy_from_slice(from);
        }
        weights
    }

    pub(crate) fn check(&self) -> Result<()> {
        for (field, value) in [
            ("inputs", self.inputs),
            ("outputs", self.outputs),
            ("kernel", self.kernel),
            ("dilation", self.dilation),
            ("stride", self.stride),
            ("groups", self.groups),
        ] {
            extent(field, value)?;
        }
        for (field, value) in [("padding", self.padding.0), ("padding", self.padding.1)] {
            extent(field, value.max(1))?;
        }
        if !self.inputs.is_multiple_of(self.groups) || !self.outputs.is_multiple_of(self.groups) {
            let text = format!(
                "is {}; a divisor of {} inputs and {} outputs",
                self.groups, self.inputs, self.outputs
            );
            return Err(Error::new(ErrorKind::Model, text).at("groups"));
        }
        numbers("weights", &self.weights, &[self.outputs, self.inputs / self.groups, self.kernel])?;
        if !self.bias.is_empty() {
            numbers("bias", &self.bias, &[self.outputs])?;
        }
        // What the kernel will hold: groups are written out.
        size(&[self.outputs.next_multiple_of(8), self.inputs, self.kernel])
    }
}

/// An LSTM. Its state at the start is `h` and `c`, zeros unless set.
#[derive(Clone, Debug, PartialEq)]
pub struct Lstm {
    pub(crate) inputs: usize,
    pub(crate) hidden: usize,
    pub(crate) input_weights: Vec<f32>,
    pub(crate) state_weights: Vec<f32>,
    pub(crate) bias: Vec<f32>,
    pub(crate) h: Vec<f32>,
    pub(crate) c: Vec<f32>,
}

impl Lstm {
    /// An LSTM with weights `[4 · hidden][inputs]` and `[4 · hidden][hidden]`, the gates input, forget, cell, output as PyTorch
    /// has them, and one bias per gate row: the sum of PyTorch's two.
    #[must_use]
    pub fn new(
        inputs: usize,
        hidden: usize,
        input_weights: impl Into<Vec<f32>>,
        state_weights: impl Into<Vec<f32>>,
        bias: impl Into<Vec<f32>>,
    ) -> Self {
        Self {
            inputs,
            hidden,
            input_weights: input_weights.into(),
            state_weights: state_weights.into(),
            bias: bias.into(),
            h: vec![0.0; hidden.min(MAX_EXTENT)],
            c: vec![0.0; hidden.min(MAX_EXTENT)],
        }
    }

    /// The same with this state at the start.
    #[must_use]
    pub fn state(mut self, h: impl Into<Vec<f32>>, c: impl Into<Vec<f32>>) -> Self {
        (self.h, self.c) = (h.into(), c.into());
        self
    }

    pub(crate) fn check(&self) -> Result<()> {
        recurrent(self.inputs, self.hidden, 4, &self.input_weights, &self.state_weights)?;
        numbers("bias", &self.bias, &[4 * self.hidden])?;
        numbers("h", &self.h, &[self.hidden])?;
        numbers("c", &self.c, &[self.hidden])
    }
}

/// A GRU. Its state at the start is `h`, zeros unless set.
#[derive(Clone, Debug, PartialEq)]
pub struct Gru {
    pub(crate) inputs: usize,
    pub(crate) hidden: usize,
    pub(crate) input_weights: Vec<f32>,
    pub(crate) state_weights: Vec<f32>,
    pub(crate) input_bias: Vec<f32>,
    pub(crate) state_bias: Vec<f32>,
    pub(crate) h: Vec<f32>,
}

impl Gru {
    /// A GRU with weights `[3 · hidden][inputs]` and `[3 · hidden][hidden]` and two biases per gate row, the gates reset, update, new as
    /// PyTorch has them: the reset gate scales what the state's weights made of the state.
    #[must_use]
    pub fn new(
        inputs: usize,
        hidden: usize,
        input_weights: impl Into<Vec<f32>>,
        state_weights: impl Into<Vec<f32>>,
        input_bias: impl Into<Vec<f32>>,
        state_bias: impl Into<Vec<f32>>,
    ) -> Self {
        Self {
            inputs,
            hidden,
            input_weights: input_weights.into(),
            state_weights: state_weights.into(),
            input_bias: input_bias.into(),
            state_bias: state_bias.into(),
            h: vec![0.0; hidden.min(MAX_EXTENT)],
        }
    }

    /// The same with this state at the start.
    #[must_use]
    pub fn state(mut self, h: impl Into<Vec<f32>>) -> Self {
        self.h = h.into();
        self
    }

    pub(crate) fn check(&self) -> Result<()> {
        recurrent(self.inputs, self.hidden, 3, &self.input_weights, &self.state_weights)?;
        numbers("input bias", &self.input_bias, &[3 * self.hidden])?;
        numbers("state bias", &self.state_bias, &[3 * self.hidden])?;
        numbers("h", &self.h, &[self.hidden])
    }
}

/// The most weights of one layer and of a network, groups written out and channels padded to eight: 4 Mi. What is larger
/// has no place in a callback.
pub const MAX_WEIGHTS: usize = 1 << 22;
/// The most channels, units, taps, samples of dilation, stride and padding.
pub const MAX_EXTENT: usize = 1 << 16;

fn recurrent(
    inputs: usize,
    hidden: usize,
    gates: usize,
    input_weights: &[f32],
    state_weights: &[f32],
) -> Result<()> {
    extent("inputs", inputs)?;
    extent("hidden", hidden)?;
    size(&[gates * hidden.next_multiple_of(8), inputs + hidden])?;
    numbers("input weights", input_weights, &[gates * hidden, inputs])?;
    numbers("state weights", state_weights, &[gates * hidden, hidden])
}

pub(crate) fn extent(field: &'static str, value: usize) -> Result<()> {
    if (1..=MAX_EXTENT).contains(&value) {
        return Ok(());
    }
    let kind = if value == 0 { ErrorKind::Model } else { ErrorKind::Unsupported };
    Err(Error::new(kind, format!("is {value}; from 1 to {MAX_EXTENT}")).at(field))
}

pub(crate) fn size(extents: &[usize]) -> Result<()> {
    let count = extents.iter().try_fold(1usize, |n, e| n.checked_mul(*e)).unwrap_or(usize::MAX);
    if count <= MAX_WEIGHTS {
        return Ok(());
    }
    let text =
        format!("are {count} with padding; at most {MAX_WEIGHTS}: use an inference engine for this one");
    Err(Error::new(ErrorKind::Unsupported, text).at("weights"))
}

/// So many numbers as the extents say, all finite.
pub(crate) fn numbers(field: &'static str, values: &[f32], extents: &[usize]) -> Result<()> {
    let right = extents.iter().try_fold(1usize, |n, e| n.checked_mul(*e));
    if right != Some(values.len()) {
        let text = format!("has {} numbers; {extents:?} needs another count", values.len());
        let text = match right {
            Some(right) => format!("has {} numbers; {extents:?} is {right}", values.len()),
            None => text,
        };
        return Err(Error::new(ErrorKind::Model, text).at(field));
    }
    match values.iter().position(|value| !value.is_finite()) {
        None => Ok(()),
        Some(at) => {
            let text = format!("number {at} is {}; all have to be finite", values[at]);
            Err(Error::new(ErrorKind::Model, text).at(field))
        }
    }
}
