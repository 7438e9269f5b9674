//! The tensors of a network: which is a stream, a parameter, a state, and where a moment lies in it.

use anira_traits::{Error, ErrorKind, Result, Signature, TensorInfo, shape_text};

use super::network::Network;

/// What the axes of a stream's tensor are. Those that are nothing have one element.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Axes {
    /// Windows, of a network that runs on windows.
    pub(crate) window: Option<usize>,
    pub(crate) channel: Option<usize>,
    pub(crate) time: Option<usize>,
}

/// Where the elements of a stream lie in a tensor of a known shape.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Strides {
    pub(crate) windows: usize,
    pub(crate) window: usize,
    pub(crate) channel: usize,
    /// Moments in the tensor, or in each window of it.
    pub(crate) times: usize,
    pub(crate) time: usize,
}

impl Axes {
    /// One row, channels, time.
    pub(crate) const NCT: Self = Self { window: None, channel: Some(1), time: Some(2) };

    /// The places of elements for tensors of this shape.
    pub(crate) fn strides(self, shape: &[usize]) -> Strides {
        let stride = |axis: Option<usize>| match axis {
            Some(axis) => shape.iter().skip(axis + 1).product(),
            None => 0,
        };
        let extent = |axis: Option<usize>| axis.and_then(|axis| shape.get(axis)).copied().unwrap_or(1);
        Strides {
            windows: extent(self.window),
            window: stride(self.window),
            channel: stride(self.channel),
            times: extent(self.time),
            time: stride(self.time),
        }
    }
}

/// What an input tensor is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(not(feature = "onnx"), allow(dead_code, reason = "only ONNX files have states as tensors"))]
pub(crate) enum InputPort {
    /// The network's stream of this number.
    Stream(usize, Axes),
    /// The network's parameter of this number.
    Parameter(usize),
    /// The state before a run: of a recurrent layer by its number, the second one of an LSTM.
    State(usize, bool),
}

/// What an output tensor is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(not(feature = "onnx"), allow(dead_code, reason = "only ONNX files have states as tensors"))]
pub(crate) enum OutputPort {
    /// The network's output of this number.
    Stream(usize, Axes),
    /// The state after a run.
    State(usize, bool),
}

/// The tensors of a network.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ports {
    /// With the time of streams open.
    pub(crate) signature: Signature,
    /// As the file has it.
    pub(crate) exact: Signature,
    pub(crate) inputs: Vec<InputPort>,
    pub(crate) outputs: Vec<OutputPort>,
    /// Moments of the input in the file that was exported; `None` where it leaves them open.
    pub(crate) exported: Option<usize>,
}

impl Ports {
    /// Made-up tensors: streams `[1, channels, time]` named `input` and `output`, parameters `[numbers]` named `parameter`, with
    /// a number from the second on.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] for a network that runs on windows and yields more than its newest moment.
    pub(crate) fn made_up(network: &Network) -> Self {
        let named =
            |name: &str, at: usize| if at == 0 { name.to_owned() } else { format!("{name}{}", at + 1) };
        let stream = |name: String, channels: usize, time: Option<usize>| match network.window {
            None => TensorInfo::new(name, anira_traits::DType::F32, vec![Some(1), Some(channels), None]),
            Some(_) => TensorInfo::new(name, anira_traits::DType::F32, vec![None, Some(channels), time]),
        };
        let axes = Axes { window: network.window.map(|_| 0), ..Axes::NCT };
        let mut ports = Self::default();
        for (at, channels) in network.inputs.iter().enumerate() {
            ports.signature.inputs.push(stream(named("input", at), *channels, network.window));
            ports.inputs.push(InputPort::Stream(at, axes));
        }
        for (at, numbers) in network.parameters.iter().enumerate() {
            ports.signature.inputs.push(TensorInfo::f32(named("parameter", at), &[*numbers]));
            ports.inputs.push(InputPort::Parameter(at));
        }
        for (at, node) in network.outputs.iter().enumerate() {
            let channels = network.nodes.get(*node).map_or(1, |node| node.channels);
            ports.signature.outputs.push(stream(named("output", at), channels, None));
            ports.outputs.push(OutputPort::Stream(at, axes));
        }
        ports.exact = ports.signature.clone();
        ports
    }
}

/// That a request's shapes fit each other.
///
/// # Errors
/// [`ErrorKind::Shape`], naming tensor, shape, and what would be right.
pub(crate) fn wrong_times(info: &TensorInfo, have: usize, right: &str) -> Error {
    let text = format!("holds {have} samples in {}; {right}", shape_text(&info.shape));
    Error::new(ErrorKind::Shape, text).at(format!("tensor `{}`", info.name))
}

/// The number of moments that all tensors of one side agree on.
pub(crate) fn common_times<'a>(
    times: impl Iterator<Item = (&'a TensorInfo, usize)>,
) -> Result<Option<usize>> {
    let mut common = None;
    for (info, have) in times {
        match common {
            Some(common) if common != have => {
                return Err(wrong_times(info, have, &format!("{common} as the stream before it")));
            }
            _ => common = Some(have),
        }
    }
    Ok(common)
}
