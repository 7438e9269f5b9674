//! From a graph to a network: tensors by name, their axes, and the graph's own inputs and outputs.

use std::collections::{HashMap, HashSet};

use anira_traits::{DType, Error, ErrorKind, Result, TensorInfo};
use rten_onnx::onnx::{DataType, GraphProto, NodeProto, ValueInfoProto};

use super::operator::{self, OPERATORS};
use super::tensor::Constant;
use crate::native::network::{Network, Signal};
use crate::native::port::{Axes, InputPort, OutputPort, Ports};

/// What an axis is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Axis {
    /// Rows of a batch.
    Row,
    Channel,
    Time,
    /// One element, and nothing.
    One,
}

/// A tensor that changes from run to run.
#[derive(Clone, Debug)]
pub(crate) struct Heard {
    pub(crate) signal: Signal,
    pub(crate) axes: Vec<Axis>,
    /// How many of the oldest samples of the input it lacks.
    pub(crate) lead: usize,
}

/// A tensor of the graph.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    Heard(Heard),
    /// A parameter of so many numbers.
    Parameter(Signal, usize),
    Constant(Constant),
    /// The state that an input brings, by the input's number.
    StateIn(usize),
    /// The state that a layer has after a run.
    StateOut(usize, bool),
    /// The shape of a tensor: rows, then whatever.
    Shape(Heard),
}

/// A graph while it becomes a network.
pub(crate) struct Import {
    pub(crate) net: Network,
    pub(crate) values: HashMap<String, Value>,
    /// Whether the network runs on windows.
    pub(crate) windowed: bool,
    /// Rows of the batch.
    pub(crate) rows: Option<usize>,
    /// Ports of states, once a layer has taken them.
    pub(crate) states: HashMap<usize, (usize, bool)>,
    /// Recurrent layers so far.
    pub(crate) cells: usize,
}

/// Reads a graph. Where shapes leave open which axis is time, the more likely one is tried first.
pub(crate) fn read(graph: &GraphProto) -> Result<(Network, Ports)> {
    let constants: HashSet<&str> = graph.initializer.iter().filter_map(|t| t.name.as_deref()).collect();
    let inputs: Vec<&ValueInfoProto> =
        graph.input.iter().filter(|input| !constants.contains(name(input))).collect();
    let first = read_as(graph, &inputs, false);
    match first {
        Ok(read) => Ok(read),
        Err(error) => read_as(graph, &inputs, true).map_err(|_| error),
    }
}

fn name(value: &ValueInfoProto) -> &str {
    value.name.as_deref().unwrap_or_default()
}

/// The tensor of an input or output: float32, of known rank.
fn info(value: &ValueInfoProto) -> Result<TensorInfo> {
    let at = |kind, text: &str| Error::new(kind, text.to_owned()).at(format!("tensor `{}`", name(value)));
    let tensor = value.r#type.as_ref().and_then(|t| t.tensor_type.as_ref());
    let Some(tensor) = tensor else { return Err(at(ErrorKind::Unsupported, "is no tensor")) };
    if tensor.elem_type != Some(DataType::FLOAT) {
        return Err(at(ErrorKind::Unsupported, "is not float32; the native engine has no other type"));
    }
    let Some(shape) = &tensor.shape else { return Err(at(ErrorKind::Unsupported, "has no known rank")) };
    if shape.dim.len() > 4 {
        return Err(at(ErrorKind::Unsupported, "has more than four axes"));
    }
    let extents = shape.dim.iter().map(|dim| match dim.dim_value {
        Some(extent) if extent >= 0 => usize::try_from(extent).ok(),
        _ => None,
    });
    Ok(TensorInfo::new(name(value), DType::F32, extents.collect::<Vec<_>>()))
}

/// Whether the graph can only run on windows: each from zeros, whatever came before.
fn needs_windows(graph: &GraphProto, inputs: &[&ValueInfoProto], rows: Option<usize>) -> bool {
    let is_input = |tensor: Option<&String>| {
        tensor.is_some_and(|tensor| inputs.iter().any(|input| name(input) == tensor.as_str()))
    };
    let node_needs = |node: &NodeProto| match node.op_type.as_deref() {
        Some("Conv") => {
            operator::ints(node, "pads").is_some_and(|pads| pads.iter().any(|pad| *pad != 0))
                || operator::ints(node, "strides").is_some_and(|strides| strides.iter().any(|s| *s != 1))
        }
        Some("LSTM") => !is_input(node.input.get(5)) || !is_input(node.input.get(6)),
        Some("GRU") => !is_input(node.input.get(5)),
        _ => false,
    };
    rows != Some(1) || graph.node.iter().any(node_needs)
}

fn read_as(graph: &GraphProto, inputs: &[&ValueInfoProto], turned: bool) -> Result<(Network, Ports)> {
    let infos: Vec<TensorInfo> = inputs.iter().map(|input| info(input)).collect::<Result<_>>()?;
    let states: HashSet<&str> = graph
        .node
        .iter()
        .filter(|node| matches!(node.op_type.as_deref(), Some("LSTM" | "GRU")))
        .flat_map(|node| node.input.iter().skip(5).take(2).map(String::as_str))
        .collect();
    let is_stream = |info: &TensorInfo| info.shape.len() > 1 && !states.contains(info.name.as_str());
    let Some(stream) = infos.iter().find(|info| is_stream(info)) else {
        return Err(Error::new(ErrorKind::Unsupported, "has no input of two axes or more: no stream"));
    };
    let axes = axes_of(stream, turned);
    let rows = axes.iter().position(|axis| *axis == Axis::Row).map_or(Some(1), |at| stream.shape[at]);
    let windowed = needs_windows(graph, inputs, rows);
    let times = axes.iter().position(|axis| *axis == Axis::Time).and_then(|at| stream.shape[at]);
    let mut net = Network::new();
    if windowed {
        let Some(times) = times else {
            let text = "leaves its length open and starts anew in every run: a stream would differ";
            return Err(Error::new(ErrorKind::Unsupported, text).at(format!("tensor `{}`", stream.name)));
        };
        net = net.windowed(times);
    }
    let mut import = Import { net, values: HashMap::new(), windowed, rows, states: HashMap::new(), cells: 0 };
    for tensor in &graph.initializer {
        import.keep(tensor.name.as_deref().unwrap_or_default(), Value::Constant(Constant::read(tensor)?))?;
    }
    let mut ports = Ports { exported: times, ..Ports::default() };
    for (at, info) in infos.into_iter().enumerate() {
        import.input(at, info, turned, &states, &mut ports)?;
    }
    for node in &graph.node {
        let kind = node.op_type.as_deref().unwrap_or_default();
        if !node.domain.as_deref().unwrap_or_default().is_empty() || !OPERATORS.contains(&kind) {
            let text = format!("is not among those of the native engine: {}", OPERATORS.join(", "));
            return Err(Error::new(ErrorKind::Unsupported, text).at(format!("operator {kind}")));
        }
        operator::read(&mut import, node).map_err(|error| {
            let output = node.output.first().map(String::as_str).unwrap_or_default();
            error.at(format!("operator {kind} of `{output}`"))
        })?;
    }
    for input in ports.inputs.iter_mut() {
        if let InputPort::State(at, _) = *input {
            let Some((cell, second)) = import.states.get(&at) else {
                return Err(Error::new(ErrorKind::Unsupported, "a state that no layer takes"));
            };
            *input = InputPort::State(*cell, *second);
        }
    }
    for output in &graph.output {
        import.output(output, &mut ports)?;
    }
    Ok((import.net, ports))
}

/// Rows, then channels and time in the order that the extents suggest; turned, the other order.
fn axes_of(info: &TensorInfo, turned: bool) -> Vec<Axis> {
    match info.shape[..] {
        [_, channels, time] => {
            let last = match (channels, time) {
                (_, None) => true,
                (None, _) => false,
                (Some(channels), Some(time)) => time >= channels,
            };
            if last != turned {
                vec![Axis::Row, Axis::Channel, Axis::Time]
            } else {
                vec![Axis::Row, Axis::Time, Axis::Channel]
            }
        }
        [_, _] => vec![Axis::Row, Axis::Time],
        _ => vec![Axis::One; info.shape.len()],
    }
}

impl Import {
    /// Gives a tensor its name; each has one maker.
    pub(crate) fn keep(&mut self, name: &str, value: Value) -> Result<()> {
        if self.values.insert(name.to_owned(), value).is_some() {
            return Err(Error::new(ErrorKind::Model, "is made twice").at(format!("tensor `{name}`")));
        }
        Ok(())
    }

    fn input(
        &mut self,
        at: usize,
        mut info: TensorInfo,
        turned: bool,
        states: &HashSet<&str>,
        ports: &mut Ports,
    ) -> Result<()> {
        let label = format!("tensor `{}`", info.name);
        let named = |error: Error| error.at(label.clone());
        ports.exact.inputs.push(info.clone());
        if states.contains(info.name.as_str()) {
            ports.inputs.push(InputPort::State(at, false));
            self.keep(&info.name, Value::StateIn(at))?;
        } else if info.shape.len() <= 1 {
            let numbers = info.shape.first().copied().unwrap_or(Some(1)).ok_or_else(|| {
                named(Error::new(ErrorKind::Unsupported, "is a parameter of an open number of elements"))
            })?;
            let number = self.net.parameters.len();
            let signal = self.net.parameter(numbers).map_err(named)?;
            ports.inputs.push(InputPort::Parameter(number));
            self.keep(&info.name, Value::Parameter(signal, numbers))?;
        } else {
            let axes = axes_of(&info, turned);
            let place = |wanted| axes.iter().position(|axis| *axis == wanted);
            let channels = match place(Axis::Channel).map(|at| info.shape[at]) {
                None => 1,
                Some(Some(channels)) => channels,
                Some(None) => {
                    return Err(named(Error::new(ErrorKind::Unsupported, "leaves its channels open")));
                }
            };
            if !axes.contains(&Axis::Time) {
                return Err(named(Error::new(ErrorKind::Unsupported, "is no stream of two or three axes")));
            }
            if place(Axis::Row).map_or(Some(1), |at| info.shape[at]) != self.rows {
                return Err(named(Error::new(
                    ErrorKind::Unsupported,
                    "has other rows than the first stream",
                )));
            }
            let number = self.net.inputs.len();
            let signal = self.net.input(channels).map_err(named)?;
            ports.inputs.push(InputPort::Stream(number, self.port_axes(&axes)));
            self.keep(&info.name, Value::Heard(Heard { signal, axes: axes.clone(), lead: 0 }))?;
            self.open_time(&axes, &mut info);
        }
        ports.signature.inputs.push(info);
        Ok(())
    }

    /// A stream takes any number of samples, whatever the file was exported with.
    fn open_time(&self, axes: &[Axis], info: &mut TensorInfo) {
        for (axis, extent) in axes.iter().zip(&mut info.shape) {
            if *axis == Axis::Time && !self.windowed {
                *extent = None;
            }
        }
    }

    fn port_axes(&self, axes: &[Axis]) -> Axes {
        let place = |wanted| axes.iter().position(|axis| *axis == wanted);
        let window = if self.windowed { place(Axis::Row) } else { None };
        Axes { window, channel: place(Axis::Channel), time: place(Axis::Time) }
    }

    fn output(&mut self, value: &ValueInfoProto, ports: &mut Ports) -> Result<()> {
        let mut info = info(value)?;
        let named = |error: Error| error.at(format!("tensor `{}`", name(value)));
        match self.values.get(name(value)) {
            Some(Value::Heard(heard)) => {
                let heard = heard.clone();
                if heard.axes.len() != info.shape.len() {
                    return Err(named(Error::new(ErrorKind::Model, "has other axes than the graph makes")));
                }
                if !self.windowed && !heard.axes.contains(&Axis::Time) {
                    return Err(named(Error::new(ErrorKind::Unsupported, "is no stream")));
                }
                ports.outputs.push(OutputPort::Stream(self.net.outputs.len(), self.port_axes(&heard.axes)));
                self.net.output(heard.signal)?;
                // What the graph makes, rather than what the file says of it.
                let channels = self.net.node(heard.signal)?.channels;
                for (axis, extent) in heard.axes.iter().zip(&mut info.shape) {
                    match axis {
                        Axis::Row => *extent = self.rows,
                        Axis::Channel => *extent = Some(channels),
                        Axis::One => *extent = Some(1),
                        Axis::Time => {}
                    }
                }
                ports.exact.outputs.push(info.clone());
                self.open_time(&heard.axes, &mut info);
            }
            Some(Value::StateOut(cell, second)) => {
                ports.outputs.push(OutputPort::State(*cell, *second));
                ports.exact.outputs.push(info.clone());
            }
            _ => {
                let text = "is neither a stream nor a state";
                return Err(named(Error::new(ErrorKind::Unsupported, text)));
            }
        }
        ports.signature.outputs.push(info);
        Ok(())
    }
}
