//! Lays a network out: decides where every number of it will lie, once, when it is loaded.

use std::collections::BTreeMap;

use anira_traits::{Error, ErrorKind, Result};

use super::join;
use super::kernel::pointwise::{Curve, Pair};
use super::kernel::recurrent::{GRU, LSTM};
use super::kernel::{TILE, conv, dot, padded, recurrent};
use super::lanes::Cpu;
use super::layer::{Activation, Conv1d, Gru, Lstm, size};
use super::network::{Network, Op};
use super::program::{BLOCK, CellAt, ConvAt, CurveAt, Part, Program, Ring, Slot, Source, Step};

/// Lays a network out.
///
/// # Errors
/// [`ErrorKind::Model`] where it has no inputs or outputs, or a window is too short,
/// [`ErrorKind::Unsupported`] where it is too large, or a stream would pad or stride.
pub(crate) fn lay_out(network: &Network, cpu: Cpu) -> Result<Program> {
    if network.inputs.is_empty() || network.outputs.is_empty() {
        return Err(Error::new(ErrorKind::Model, "has no input or no output stream").at("network"));
    }
    let program = Program {
        window: network.window,
        inputs: network.inputs.clone(),
        parameters: network.parameters.clone(),
        past: network.past(),
        is_recurrent: network.is_recurrent(),
        ..Program::default()
    };
    let mut last_use: Vec<usize> = (0..network.nodes.len()).collect();
    for (at, node) in network.nodes.iter().enumerate() {
        node.from.iter().for_each(|from| last_use[*from] = at);
    }
    network.outputs.iter().for_each(|output| last_use[*output] = usize::MAX);
    let slots = vec![None; network.nodes.len()];
    let mut layout = Layout { network, cpu, program, slots, last_use, free: BTreeMap::new() };
    for at in 0..network.nodes.len() {
        if layout.slots[at].is_none() {
            layout.node(at).map_err(|error| error.at(format!("layer {at}")))?;
        }
        layout.release(at);
    }
    size(&[layout.program.weights.len()])?;
    for output in &network.outputs {
        let slot = layout.slot(*output)?;
        layout.program.outputs.push(slot);
    }
    let mut program = layout.program;
    program.steps = join::joined(&program.steps, &program.weights);
    Ok(program)
}

struct Layout<'a> {
    network: &'a Network,
    cpu: Cpu,
    program: Program,
    /// Where each node's signal is, once it is made.
    slots: Vec<Option<Slot>>,
    last_use: Vec<usize>,
    /// Slots that nobody needs any more, by their floats.
    free: BTreeMap<usize, Vec<usize>>,
}

impl Layout<'_> {
    fn node(&mut self, at: usize) -> Result<()> {
        let network = self.network;
        let node = &network.nodes[at];
        let first = node.from.first().copied();
        let from = first.map(|from| self.slot(from)).transpose()?;
        let missing = || Error::new(ErrorKind::Internal, "a layer without a source");
        let slot = match &node.op {
            Op::Input(input) => {
                let to = self.new_slot(node.channels, self.program.window.unwrap_or(BLOCK))?;
                self.step(Step::Load { input: *input, to });
                to
            }
            Op::Parameter(parameter) => {
                let to = self.new_slot(node.channels, self.program.window.unwrap_or(BLOCK))?;
                self.step(Step::Fill { parameter: *parameter, to });
                to
            }
            Op::Conv(conv) => return self.conv(at, conv, from.ok_or_else(missing)?),
            Op::Activate(activation) => {
                let slot = self.in_place(at, 0)?;
                let curve = self.curve(activation, node.channels);
                self.step(Step::Activate { slot, curve, sum: None });
                slot
            }
            Op::Affine(scale, shift) => {
                let slot = self.in_place(at, 0)?;
                let scale = self.program.keep_padded(scale, node.channels);
                let shift = self.program.keep_padded(shift, node.channels);
                self.step(Step::Affine { slot, scale, shift });
                slot
            }
            Op::Pair(pair) => self.pair(at, *pair)?,
            Op::Gate(a, b) => {
                let from = from.ok_or_else(missing)?;
                let to = self.new_slot(node.channels, from.rows)?;
                let (a, b) = (self.curve(a, node.channels), self.curve(b, node.channels));
                self.step(Step::Gate { from, to, a, b });
                to
            }
            Op::Concat => {
                let rows = from.ok_or_else(missing)?.rows;
                let to = self.new_slot(node.channels, rows)?;
                self.step(Step::Zero { slot: to });
                let mut place = 0;
                for from in &node.from {
                    let from = self.slot(*from)?;
                    self.same_rows(from, to)?;
                    let channels = from.channels;
                    self.step(Step::Copy { from, to, first: 0, at: place, channels });
                    place += channels;
                }
                to
            }
            Op::Part(first) => {
                let from = from.ok_or_else(missing)?;
                let to = self.new_slot(node.channels, from.rows)?;
                self.step(Step::Zero { slot: to });
                self.step(Step::Copy { from, to, first: *first, at: 0, channels: node.channels });
                to
            }
            Op::Lstm(lstm) => self.lstm(at, lstm, from.ok_or_else(missing)?)?,
            Op::Gru(gru) => self.gru(at, gru, from.ok_or_else(missing)?)?,
            Op::Newest if self.program.window.is_some() => {
                let from = from.ok_or_else(missing)?;
                let to = self.new_slot(node.channels, 1)?;
                self.step(Step::Newest { from, to });
                to
            }
            Op::Newest => self.in_place(at, 0)?,
        };
        self.slots[at] = Some(slot);
        Ok(())
    }

    fn step(&mut self, step: Step) {
        self.program.steps.push(step);
    }

    fn slot(&self, node: usize) -> Result<Slot> {
        self.slots[node].ok_or_else(|| Error::new(ErrorKind::Internal, "a signal before it is made"))
    }

    fn new_slot(&mut self, channels: usize, rows: usize) -> Result<Slot> {
        let width = padded(channels);
        let len = width.checked_mul(rows);
        let freed = len.and_then(|len| self.free.get_mut(&len)).and_then(Vec::pop);
        let at = match freed {
            Some(at) => at,
            None => self.program.room(len)?.at,
        };
        Ok(Slot { at, width, channels, rows })
    }

    /// Gives back what nobody needs after node `at`.
    fn release(&mut self, at: usize) {
        let network = self.network;
        let mut ended: Vec<usize> = network.nodes[at].from.clone();
        ended.push(at);
        ended.sort_unstable();
        ended.dedup();
        for node in ended.into_iter().filter(|node| self.last_use[*node] == at) {
            let Some(slot) = self.slots[node] else { continue };
            // An operation in place hands its slot on.
            let is_shared = (0..self.slots.len()).any(|other| {
                other != node
                    && self.last_use[other] > at
                    && self.slots[other].is_some_and(|other| other.at == slot.at)
            });
            let list = self.free.entry(slot.width * slot.rows).or_default();
            if !is_shared && !list.contains(&slot.at) {
                list.push(slot.at);
            }
        }
    }

    /// The slot of a source, to be changed: its own if nobody else needs it, else a copy.
    fn in_place(&mut self, at: usize, source: usize) -> Result<Slot> {
        let from = self.network.nodes[at].from[source];
        let slot = self.slot(from)?;
        let uses = self.network.nodes[at].from.iter().filter(|other| **other == from).count();
        if self.last_use[from] == at && uses == 1 {
            return Ok(slot);
        }
        let to = self.new_slot(slot.channels, slot.rows)?;
        self.step(Step::Zero { slot: to });
        self.step(Step::Copy { from: slot, to, first: 0, at: 0, channels: slot.channels });
        Ok(to)
    }

    fn same_rows(&self, a: Slot, b: Slot) -> Result<()> {
        if a.rows == b.rows {
            return Ok(());
        }
        let text = format!("{} samples of the window beside {}; as many", a.rows, b.rows);
        Err(Error::new(ErrorKind::Model, text))
    }

    fn pair(&mut self, at: usize, pair: Pair) -> Result<Slot> {
        let (x, y) = (self.network.nodes[at].from[0], self.network.nodes[at].from[1]);
        let (width, of_y) = (self.slot(x)?.width, self.slot(y)?);
        self.same_rows(self.slot(x)?, of_y)?;
        let turned = match pair {
            Pair::Sub => Pair::SubFrom,
            Pair::SubFrom => Pair::Sub,
            other => other,
        };
        let channels = (self.slot(x)?.channels, of_y.channels);
        let can_turn = channels.0 == channels.1 && width == of_y.width;
        let (slot, y, pair) = if self.last_use[x] != at && self.last_use[y] == at && can_turn && x != y {
            (self.in_place(at, 1)?, self.slot(x)?, turned)
        } else {
            (self.in_place(at, 0)?, of_y, pair)
        };
        self.step(Step::Pair { x: slot, y, pair });
        Ok(slot)
    }

    fn curve(&mut self, activation: &Activation, channels: usize) -> CurveAt {
        let curve = match activation {
            Activation::Identity => Curve::Identity,
            Activation::Tanh => Curve::Tanh,
            Activation::Sigmoid => Curve::Sigmoid,
            Activation::Relu => Curve::Relu,
            Activation::LeakyRelu(slope) => Curve::Leaky(*slope),
            Activation::PRelu(slopes) => {
                let slopes = Some(self.program.keep_padded(slopes, channels));
                return CurveAt { curve: Curve::PRelu(&[]), slopes };
            }
            Activation::Clip(low, high) => Curve::Clip(*low, *high),
            Activation::Silu => Curve::Silu,
            Activation::HardSwish => Curve::HardSwish,
            Activation::Softsign => Curve::Softsign,
        };
        CurveAt { curve, slopes: None }
    }

    /// A convolution; where the next thing that happens to it is a sum, it adds to the other summand.
    fn conv(&mut self, at: usize, conv: &Conv1d, from: Slot) -> Result<()> {
        let rows = self.rows_behind(conv, from)?;
        let summand = self.summand(at, rows)?;
        let to = match summand {
            Some((slot, _)) => slot,
            None => self.new_slot(conv.outputs, rows)?,
        };
        let dot = is_dot(conv.outputs, conv.inputs, conv.kernel);
        let source = self.source(conv, from, dot)?;
        let weights = conv.ungrouped();
        self.conv_step(conv, &weights, source, to, dot, summand.is_some());
        let done = summand.map_or(at, |(_, sum)| sum);
        self.slots[done] = Some(to);
        self.slots[at] = Some(to);
        Ok(())
    }

    fn conv_step(
        &mut self,
        conv: &Conv1d,
        weights: &[f32],
        from: Source,
        to: Slot,
        dot: bool,
        accumulate: bool,
    ) {
        let pack = if dot { dot::pack } else { conv::pack };
        let packed = pack(weights, conv.outputs, conv.inputs, conv.kernel, self.cpu);
        let weights = self.program.keep(&packed);
        let bias = self.program.keep_padded(&conv.bias, conv.outputs);
        self.step(Step::Conv(ConvAt {
            from,
            inputs: conv.inputs,
            outputs: conv.outputs,
            taps: conv.kernel,
            dilation: conv.dilation,
            stride: conv.stride,
            dot,
            weights,
            bias,
            mixed: None,
            to,
            accumulate,
        }));
    }

    /// The other summand's slot and the sum, if the node's signal goes into one sum and nowhere else, and the other summand is
    /// there and ends in it.
    fn summand(&self, at: usize, rows: usize) -> Result<Option<(Slot, usize)>> {
        let sum = self.last_use[at];
        let nodes = &self.network.nodes;
        let Some(node) = nodes.get(sum).filter(|node| node.op == Op::Pair(Pair::Add)) else {
            return Ok(None);
        };
        let users = nodes[at + 1..].iter().filter(|node| node.from.contains(&at)).count();
        let Some(other) = node.from.iter().copied().find(|from| *from != at) else { return Ok(None) };
        // Nobody may need the summand as it was between here and the sum.
        let used_between = nodes[at..sum].iter().any(|node| node.from.contains(&other));
        if users != 1 || other > at || self.last_use[other] != sum || used_between {
            return Ok(None);
        }
        let slot = self.slot(other)?;
        let fits = slot.channels == nodes[at].channels && slot.rows == rows;
        Ok(fits.then_some((slot, sum)))
    }

    fn rows_behind(&self, conv: &Conv1d, from: Slot) -> Result<usize> {
        if self.program.window.is_none() {
            if conv.stride != 1 || conv.padding != (0, 0) {
                let text = "strides or pads; a stream can do neither: make the network windowed";
                return Err(Error::new(ErrorKind::Unsupported, text));
            }
            return Ok(from.rows);
        }
        let length = from.rows + conv.padding.0 + conv.padding.1;
        let room = length.checked_sub(conv.span() + 1).ok_or_else(|| {
            let text = format!("hears {} samples; the window has {length} here", conv.span() + 1);
            Error::new(ErrorKind::Model, text)
        })?;
        Ok(room / conv.stride + 1)
    }

    /// Where a convolution reads; pushes rows into the past where it looks back.
    fn source(&mut self, conv: &Conv1d, from: Slot, dot: bool) -> Result<Source> {
        let is_window = self.program.window.is_some();
        if is_window && conv.padding == (0, 0) || !is_window && conv.kernel == 1 {
            return Ok(Source::Slot(from));
        }
        let width = if dot { from.width } else { conv.inputs };
        let rows = if is_window { conv.padding.0 + from.rows + conv.padding.1 } else { conv.span() + BLOCK };
        let part = self.program.remember(rows.checked_add(TILE).and_then(|rows| rows.checked_mul(width)))?;
        let ring = Ring {
            index: self.program.rings,
            at: part.at,
            width,
            rows,
            span: conv.span(),
            before: conv.padding.0,
        };
        self.program.rings += 1;
        self.step(Step::Push { from, ring });
        Ok(Source::Ring(ring))
    }

    fn lstm(&mut self, at: usize, lstm: &Lstm, from: Slot) -> Result<Slot> {
        // Of a sigmoid's rows half: σ(x) = tanh(x / 2) / 2 + 1/2.
        let factor = |gate| if gate == 2 { 1.0 } else { 0.5 };
        let grouped = |rows: &[f32], width| recurrent::grouped(rows, width, lstm.hidden, LSTM, factor);
        let (own, state) =
            (grouped(&lstm.input_weights, lstm.inputs), grouped(&lstm.state_weights, lstm.hidden));
        let weights = recurrent::pack(&own, &state, lstm.hidden, LSTM, self.cpu);
        let c = Some(self.program.remember(Some(padded(lstm.hidden)))?);
        self.cell(at, LSTM, (&weights, &grouped(&lstm.bias, 1)), (&lstm.h, &lstm.c), c, from)
    }

    fn gru(&mut self, at: usize, gru: &Gru, from: Slot) -> Result<Slot> {
        let n = gru.hidden;
        let factor = |gate| if gate < 2 { 0.5 } else { 1.0 };
        let grouped = |rows: &[f32], width| recurrent::grouped(rows, width, n, GRU, factor);
        let (own, state) = (grouped(&gru.input_weights, gru.inputs), grouped(&gru.state_weights, n));
        let weights = recurrent::pack(&own, &state, n, GRU, self.cpu);
        // The reset gate scales what the state adds to the new gate, its bias too: a sum of its own.
        let (with_input, apart) = gru.state_bias.split_at(2 * n);
        let mut bias = gru.input_bias.clone();
        bias.iter_mut().zip(with_input).for_each(|(bias, more)| *bias += more);
        bias.extend_from_slice(apart);
        let bias = recurrent::grouped(&bias, 1, n, GRU + 1, factor);
        self.cell(at, GRU, (&weights, &bias), (&gru.h, &[]), None, from)
    }

    fn cell(
        &mut self,
        at: usize,
        gates: usize,
        (weights, bias): (&[f32], &[f32]),
        (start_h, start_c): (&[f32], &[f32]),
        c: Option<Part>,
        from: Slot,
    ) -> Result<Slot> {
        let n = start_h.len();
        let cell = CellAt {
            from,
            to: self.new_slot(n, from.rows)?,
            hidden: n,
            gates,
            weights: self.program.keep(weights),
            bias: self.program.keep(bias),
            h: self.program.remember(Some(padded(n)))?,
            c,
            start_h: self.program.keep_padded(start_h, n),
            start_c: self.program.keep_padded(start_c, n),
        };
        self.step(Step::Recurrent(cell));
        self.program.cells.push((at, cell));
        Ok(cell.to)
    }
}

fn is_dot(outputs: usize, inputs: usize, taps: usize) -> bool {
    let lanes_of_inputs = outputs * (padded(inputs) / 8) * taps + 2 * outputs;
    let lanes_of_outputs = inputs * (padded(outputs) / 8) * taps;
    outputs <= dot::MOST && lanes_of_inputs < lanes_of_outputs
}
