//! A network as a graph of layers, before it is laid out.

use anira_traits::{Error, ErrorKind, Result};

use super::kernel::pointwise::Pair;
use super::layer::{Activation, Conv1d, Gru, Lstm, extent, numbers};

/// The most layers of a network.
pub const MAX_LAYERS: usize = 4096;

/// What a layer yields, for the layers behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Signal(pub(crate) usize);

/// One layer.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Op {
    /// The stream with this number.
    Input(usize),
    /// The parameter with this number.
    Parameter(usize),
    Conv(Conv1d),
    Activate(Activation),
    /// Per channel: times this, plus this.
    Affine(Vec<f32>, Vec<f32>),
    /// Of two signals, of which the second may have one channel.
    Pair(Pair),
    /// Two activations, one for each half of the channels, multiplied.
    Gate(Activation, Activation),
    Concat,
    /// Channels from this one on.
    Part(usize),
    Lstm(Lstm),
    Gru(Gru),
    /// The newest moment of a window.
    Newest,
}

impl Op {
    fn name(&self) -> &'static str {
        match self {
            Self::Input(_) => "input",
            Self::Parameter(_) => "parameter",
            Self::Conv(_) => "convolution",
            Self::Activate(_) => "activation",
            Self::Affine(..) => "affine",
            Self::Pair(_) => "combination",
            Self::Gate(..) => "gate",
            Self::Concat => "concatenation",
            Self::Part(_) => "part",
            Self::Lstm(_) => "LSTM",
            Self::Gru(_) => "GRU",
            Self::Newest => "newest moment",
        }
    }
}

/// A layer with what it hears.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Node {
    pub(crate) op: Op,
    pub(crate) from: Vec<usize>,
    pub(crate) channels: usize,
}

/// A small network: layers in the order in which they run. Made in code, or read from a file by [`Native`](super::Native).
///
/// ```
/// use anira_backend_custom::native::{Activation, Conv1d, Network, NetworkBackend};
/// use anira_traits::*;
///
/// let mut net = Network::new();
/// let input = net.input(1)?;
/// // Three taps, two samples apart: each output hears the input now, two and four samples ago.
/// let heard = net.conv(input, Conv1d::new(1, 1, 3, [0.25, 0.5, 1.0]).dilation(2))?;
/// let output = net.activate(heard, Activation::Tanh)?;
/// net.output(output)?;
///
/// let model = NetworkBackend::new(net).load(&ModelSource::None, &LoadRequest::new())?;
/// let mut engine = model.engine(&EngineRequest::new(vec![vec![1, 1, 4]], vec![Some(vec![1, 1, 4])]))?;
/// engine.input(0).and_then(TensorViewMut::f32_mut).map(|x| x.fill(1.0));
/// engine.run()?;
/// let y = engine.output(0).and_then(TensorView::f32).unwrap_or_default();
/// assert!((y[3] - 1.5f32.tanh()).abs() < 1e-6);
/// # Ok::<(), anira_traits::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Network {
    pub(crate) nodes: Vec<Node>,
    /// Channels of each stream.
    pub(crate) inputs: Vec<usize>,
    /// Numbers of each parameter.
    pub(crate) parameters: Vec<usize>,
    pub(crate) outputs: Vec<usize>,
    pub(crate) window: Option<usize>,
}

impl Network {
    /// A network without layers.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The same, run anew on windows of so many samples, each from zeros, instead of on a stream: for networks that pad,
    /// stride, or start their recurrent layers in every window.
    #[must_use]
    pub fn windowed(mut self, samples: usize) -> Self {
        self.window = Some(samples);
        self
    }

    /// A stream of so many channels.
    ///
    /// # Errors
    /// [`ErrorKind::Model`] for none, [`ErrorKind::Unsupported`] for too many; as of every layer.
    pub fn input(&mut self, channels: usize) -> Result<Signal> {
        self.inputs.push(channels);
        self.add(Op::Input(self.inputs.len() - 1), Vec::new(), channels)
    }

    /// So many numbers that the user sets, the same for every sample of a run.
    ///
    /// # Errors
    /// As [`input`](Self::input).
    pub fn parameter(&mut self, numbers: usize) -> Result<Signal> {
        self.parameters.push(numbers);
        self.add(Op::Parameter(self.parameters.len() - 1), Vec::new(), numbers)
    }

    /// A convolution, or a dense layer.
    ///
    /// # Errors
    /// [`ErrorKind::Model`] where numbers are missing, too many or not finite, or channels don't fit,
    /// [`ErrorKind::Unsupported`] beyond the limits.
    pub fn conv(&mut self, from: Signal, conv: Conv1d) -> Result<Signal> {
        self.checked("convolution", conv.check())?;
        self.channels_of(from, conv.inputs)?;
        let channels = conv.outputs;
        self.add(Op::Conv(conv), vec![from.0], channels)
    }

    /// An activation.
    ///
    /// # Errors
    /// As [`conv`](Self::conv).
    pub fn activate(&mut self, from: Signal, activation: Activation) -> Result<Signal> {
        let channels = self.node(from)?.channels;
        let activation = self.curve(activation, channels)?;
        self.add(Op::Activate(activation), vec![from.0], channels)
    }

    /// Per channel `x · scale + shift`: what a batch norm is once it is trained.
    ///
    /// # Errors
    /// As [`conv`](Self::conv).
    pub fn affine(
        &mut self,
        from: Signal,
        scale: impl Into<Vec<f32>>,
        shift: impl Into<Vec<f32>>,
    ) -> Result<Signal> {
        let channels = self.node(from)?.channels;
        let (scale, shift) = (scale.into(), shift.into());
        self.checked("affine", numbers("scale", &scale, &[channels]))?;
        self.checked("affine", numbers("shift", &shift, &[channels]))?;
        self.add(Op::Affine(scale, shift), vec![from.0], channels)
    }

    /// The sum of two signals; one of them may have a single channel.
    ///
    /// # Errors
    /// As [`conv`](Self::conv).
    pub fn sum(&mut self, a: Signal, b: Signal) -> Result<Signal> {
        self.pair(a, b, Pair::Add)
    }

    /// The first signal less the second; one of them may have a single channel.
    ///
    /// # Errors
    /// As [`conv`](Self::conv).
    pub fn difference(&mut self, a: Signal, b: Signal) -> Result<Signal> {
        self.pair(a, b, Pair::Sub)
    }

    /// The product of two signals; one of them may have a single channel.
    ///
    /// # Errors
    /// As [`conv`](Self::conv).
    pub fn product(&mut self, a: Signal, b: Signal) -> Result<Signal> {
        self.pair(a, b, Pair::Mul)
    }

    fn pair(&mut self, a: Signal, b: Signal, pair: Pair) -> Result<Signal> {
        let channels = (self.node(a)?.channels, self.node(b)?.channels);
        let (from, pair, channels) = match (channels, pair) {
            ((n, m), _) if n == m || m == 1 => (vec![a.0, b.0], pair, n),
            ((1, m), Pair::Sub) => (vec![b.0, a.0], Pair::SubFrom, m),
            ((1, m), _) => (vec![b.0, a.0], pair, m),
            ((n, m), _) => {
                let text = format!("{n} channels beside {m}; as many, or one");
                return self.checked("combination", Err(Error::new(ErrorKind::Model, text)));
            }
        };
        self.add(Op::Pair(pair), from, channels)
    }

    /// One activation of the first half of the channels, times another one of the second half.
    ///
    /// # Errors
    /// As [`conv`](Self::conv).
    pub fn gate(&mut self, from: Signal, first: Activation, second: Activation) -> Result<Signal> {
        let channels = self.node(from)?.channels;
        if channels % 2 != 0 {
            let text = format!("{channels} channels; an even number");
            return self.checked("gate", Err(Error::new(ErrorKind::Model, text)));
        }
        let first = self.curve(first, channels / 2)?;
        let second = self.curve(second, channels / 2)?;
        self.add(Op::Gate(first, second), vec![from.0], channels / 2)
    }

    /// The channels of several signals, one after the other.
    ///
    /// # Errors
    /// As [`conv`](Self::conv).
    pub fn concat(&mut self, signals: &[Signal]) -> Result<Signal> {
        let mut channels = 0usize;
        for signal in signals {
            channels = channels.saturating_add(self.node(*signal)?.channels);
        }
        self.add(Op::Concat, signals.iter().map(|s| s.0).collect(), channels)
    }

    /// So many channels of a signal, from channel `first` on.
    ///
    /// # Errors
    /// As [`conv`](Self::conv).
    pub fn part(&mut self, from: Signal, first: usize, channels: usize) -> Result<Signal> {
        let have = self.node(from)?.channels;
        if first.checked_add(channels).is_none_or(|end| end > have) {
            let text = format!("{channels} channels from {first} on; there are {have}");
            return self.checked("part", Err(Error::new(ErrorKind::Model, text)));
        }
        self.add(Op::Part(first), vec![from.0], channels)
    }

    /// An LSTM.
    ///
    /// # Errors
    /// As [`conv`](Self::conv).
    pub fn lstm(&mut self, from: Signal, lstm: Lstm) -> Result<Signal> {
        self.checked("LSTM", lstm.check())?;
        self.channels_of(from, lstm.inputs)?;
        let channels = lstm.hidden;
        self.add(Op::Lstm(lstm), vec![from.0], channels)
    }

    /// A GRU.
    ///
    /// # Errors
    /// As [`conv`](Self::conv).
    pub fn gru(&mut self, from: Signal, gru: Gru) -> Result<Signal> {
        self.checked("GRU", gru.check())?;
        self.channels_of(from, gru.inputs)?;
        let channels = gru.hidden;
        self.add(Op::Gru(gru), vec![from.0], channels)
    }

    /// Of a window, its newest moment alone. In a stream the signal itself.
    ///
    /// # Errors
    /// As [`conv`](Self::conv).
    pub fn newest(&mut self, from: Signal) -> Result<Signal> {
        let channels = self.node(from)?.channels;
        self.add(Op::Newest, vec![from.0], channels)
    }

    /// Makes a signal an output of the network.
    ///
    /// # Errors
    /// [`ErrorKind::Model`] if there is no such signal.
    pub fn output(&mut self, signal: Signal) -> Result<()> {
        self.node(signal)?;
        self.outputs.push(signal.0);
        Ok(())
    }

    /// How many past samples an output of this signal hears, apart from what recurrent layers remember.
    pub(crate) fn past(&self) -> usize {
        let mut past = vec![0usize; self.nodes.len()];
        for (at, node) in self.nodes.iter().enumerate() {
            let heard = node.from.iter().map(|from| past[*from]).max().unwrap_or(0);
            let own = if let Op::Conv(conv) = &node.op { conv.span() } else { 0 };
            past[at] = heard.saturating_add(own);
        }
        self.outputs.iter().map(|at| past[*at]).max().unwrap_or(0)
    }

    /// Whether a layer remembers longer than convolutions do.
    pub(crate) fn is_recurrent(&self) -> bool {
        self.nodes.iter().any(|node| matches!(node.op, Op::Lstm(_) | Op::Gru(_)))
    }

    pub(crate) fn node(&self, signal: Signal) -> Result<&Node> {
        self.nodes.get(signal.0).ok_or_else(|| {
            Error::new(ErrorKind::Model, "is not of this network").at(format!("signal {}", signal.0))
        })
    }

    fn channels_of(&self, from: Signal, right: usize) -> Result<()> {
        let have = self.node(from)?.channels;
        if have == right {
            return Ok(());
        }
        let text = format!("hears {have} channels; its weights are for {right}");
        Err(Error::new(ErrorKind::Model, text).at(format!("layer {}", self.nodes.len())))
    }

    /// One slope stands for all channels.
    fn curve(&self, activation: Activation, channels: usize) -> Result<Activation> {
        let activation = match activation {
            Activation::PRelu(slopes) if slopes.len() == 1 => Activation::LeakyRelu(slopes[0]),
            other => other,
        };
        let own: &[f32] = match &activation {
            Activation::PRelu(slopes) => {
                self.checked("activation", numbers("slopes", slopes, &[channels]))?;
                &[]
            }
            Activation::LeakyRelu(slope) => &[*slope],
            Activation::Clip(low, high) => &[*low, *high],
            _ => &[],
        };
        self.checked("activation", numbers("numbers", own, &[own.len()]))?;
        Ok(activation)
    }

    fn checked<T>(&self, what: &'static str, result: Result<T>) -> Result<T> {
        result.map_err(|error| error.at(format!("layer {} ({what})", self.nodes.len())))
    }

    fn add(&mut self, op: Op, from: Vec<usize>, channels: usize) -> Result<Signal> {
        let name = op.name();
        self.checked(name, extent("channels", channels))?;
        for from in &from {
            self.node(Signal(*from))?;
        }
        if self.nodes.len() == MAX_LAYERS {
            return Err(Error::new(ErrorKind::Unsupported, format!("more than {MAX_LAYERS}")).at("layers"));
        }
        self.nodes.push(Node { op, from, channels });
        Ok(Signal(self.nodes.len() - 1))
    }
}
