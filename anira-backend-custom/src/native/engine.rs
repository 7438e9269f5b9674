//! The engine: tensors on one side, a machine on the other.
#![allow(
    unsafe_code,
    reason = "a promise about real time, given for this engine alone; no memory is at stake"
)]

use std::sync::Arc;

use anira_traits::{Engine, Error, ErrorKind, RealtimeSafe, Result, TensorView, TensorViewMut};

use super::machine::{Feed, Machine};
use super::port::{InputPort, OutputPort, Ports, Strides};
use super::program::BLOCK;
use crate::buffer::Buffer;

/// How an engine takes its input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// What follows on the run before.
    Stream,
    /// All that the output depends on: so many past samples, then the new ones.
    Window { past: usize },
    /// So many windows, each for itself.
    Windows { count: usize },
}

/// A small network with its memory. May run inside an audio callback.
#[derive(Debug)]
pub struct NativeEngine {
    machine: Machine,
    ports: Arc<Ports>,
    inputs: Vec<Buffer>,
    /// Where the elements of each input lie.
    strides_in: Vec<Strides>,
    outputs: Vec<Buffer>,
    strides_out: Vec<Strides>,
    form: Form,
    /// The index of the tensor of each of the network's streams, and of its parameters.
    streams: Vec<usize>,
    parameters: Vec<usize>,
    /// What the machine has heard last: of each stream and channel the newest samples, then the parameters.
    heard: Vec<f32>,
    heard_parameters: Vec<f32>,
    /// Whether the machine has heard nothing.
    is_fresh: bool,
}

// SAFETY: nothing below `Engine for NativeEngine` allocates, frees, locks, waits or calls the system. All memory (tensors, the
// machine's arena, what was heard) is taken in `NativeEngine::new`; views borrow it; errors made in a run have static
// texts. Slices are reached by `get`, `chunks` and zips, and copies are between slices whose lengths are compared or cut
// alike, so nothing panics. Loops are bounded by the tensors' lengths and by the program's steps, which are fixed when the
// engine is made. The processor's features were asked for when the model was loaded. `cargo xtask panics` follows the machine
// code of `run` and `reset`.
unsafe impl RealtimeSafe for NativeEngine {}

/// Reads the caller's tensors from one moment on.
struct Tensors<'a> {
    inputs: &'a [Buffer],
    strides: &'a [Strides],
    streams: &'a [usize],
    parameters: &'a [usize],
    window: usize,
    time: usize,
}

impl Tensors<'_> {
    fn data(&self, tensor: usize) -> &[f32] {
        self.inputs.get(tensor).and_then(|buffer| buffer.data.view().f32()).unwrap_or_default()
    }
}

impl Feed for Tensors<'_> {
    fn load(&self, input: usize, channel: usize, to: &mut [f32], width: usize) {
        let Some(&tensor) = self.streams.get(input) else { return };
        let Some(strides) = self.strides.get(tensor) else { return };
        let first = self.window * strides.window + channel * strides.channel + self.time * strides.time;
        let from = self.data(tensor).get(first..).unwrap_or_default();
        let moments = from.iter().step_by(strides.time.max(1));
        to.iter_mut().step_by(width.max(1)).zip(moments).for_each(|(to, from)| *to = *from);
    }

    fn parameter(&self, parameter: usize) -> &[f32] {
        self.parameters.get(parameter).map_or(&[], |tensor| self.data(*tensor))
    }
}

impl NativeEngine {
    pub(crate) fn new(
        machine: Machine,
        ports: Arc<Ports>,
        inputs: Vec<Buffer>,
        outputs: Vec<Buffer>,
        form: Form,
    ) -> Self {
        let strides_in: Vec<Strides> = ports
            .inputs
            .iter()
            .zip(&inputs)
            .map(|(port, buffer)| match port {
                InputPort::Stream(_, axes) => axes.strides(&buffer.shape),
                _ => Strides::default(),
            })
            .collect();
        let strides_out = ports
            .outputs
            .iter()
            .zip(&outputs)
            .map(|(port, buffer)| match port {
                OutputPort::Stream(_, axes) => axes.strides(&buffer.shape),
                OutputPort::State(..) => Strides::default(),
            })
            .collect();
        let (mut streams, mut parameters) = (Vec::new(), Vec::new());
        for (tensor, port) in ports.inputs.iter().enumerate() {
            let list = match port {
                InputPort::Stream(..) => &mut streams,
                InputPort::Parameter(_) => &mut parameters,
                InputPort::State(..) => continue,
            };
            list.push((port_number(port), tensor));
        }
        let in_order = |mut list: Vec<(usize, usize)>| {
            list.sort_unstable();
            list.into_iter().map(|(_, tensor)| tensor).collect::<Vec<_>>()
        };
        let (streams, parameters) = (in_order(streams), in_order(parameters));
        let past = if let Form::Window { past } = form { past } else { 0 };
        let channels: usize = machine.program().inputs.iter().sum();
        let numbers: usize = machine.program().parameters.iter().sum();
        Self {
            machine,
            ports,
            inputs,
            strides_in,
            outputs,
            strides_out,
            form,
            streams,
            parameters,
            heard: vec![0.0; past * channels],
            heard_parameters: vec![0.0; numbers],
            is_fresh: true,
        }
    }

    /// Zeros in all tensors.
    pub(crate) fn clear(&mut self) {
        for buffer in self.inputs.iter_mut().chain(&mut self.outputs) {
            if let Some(data) = buffer.data.view_mut().f32_mut() {
                data.fill(0.0);
            }
        }
    }

    /// Samples in the input.
    fn times(&self) -> usize {
        self.streams.first().and_then(|tensor| self.strides_in.get(*tensor)).map_or(0, |s| s.times)
    }

    /// Runs the samples from `first` on; outputs begin at moment `heard` of the input.
    fn run_stream(&mut self, first: usize, heard: usize) -> Result<()> {
        let times = self.times();
        self.machine.settle(&tensors(
            &self.inputs,
            &self.strides_in,
            &self.streams,
            &self.parameters,
            (0, 0),
        ))?;
        self.states_in();
        let mut time = first;
        while time < times {
            let rows = (times - time).min(BLOCK);
            let feed = tensors(&self.inputs, &self.strides_in, &self.streams, &self.parameters, (0, time));
            self.machine.block(rows, &feed)?;
            self.collect(0, time, rows, heard)?;
            time += rows;
        }
        self.states_out();
        Ok(())
    }

    fn run_window(&mut self, past: usize) -> Result<()> {
        let continues = self.continues(past);
        if self.is_fresh {
            self.remember_parameters();
        }
        let follows = continues && self.parameters_stayed();
        if !follows {
            self.remember_parameters();
        }
        self.is_fresh = false;
        let result = self.run_stream(if follows { past } else { 0 }, past);
        self.remember(past);
        result
    }

    /// Whether the window's past is what the machine has heard.
    fn continues(&self, past: usize) -> bool {
        let mut heard = self.heard.chunks_exact(past.max(1));
        for (tensor, channels) in self.streams.iter().zip(&self.machine.program().inputs) {
            let Some(strides) = self.strides_in.get(*tensor) else { return false };
            let data = self.inputs.get(*tensor).and_then(|b| b.data.view().f32()).unwrap_or_default();
            for channel in 0..*channels {
                let Some(heard) = heard.next() else { return false };
                let window = data.get(channel * strides.channel..).unwrap_or_default();
                let same = if strides.time == 1 {
                    window.get(..past).is_some_and(|window| window == heard)
                } else {
                    window.iter().step_by(strides.time.max(1)).zip(heard).all(|(a, b)| a == b)
                };
                if !same {
                    return false;
                }
            }
        }
        true
    }

    fn remember(&mut self, past: usize) {
        let mut heard = self.heard.chunks_exact_mut(past.max(1));
        for (tensor, channels) in self.streams.iter().zip(&self.machine.program().inputs) {
            let Some(strides) = self.strides_in.get(*tensor) else { return };
            let data = self.inputs.get(*tensor).and_then(|b| b.data.view().f32()).unwrap_or_default();
            let first = strides.times.saturating_sub(past) * strides.time;
            for channel in 0..*channels {
                let Some(heard) = heard.next() else { return };
                let window = data.get(channel * strides.channel + first..).unwrap_or_default();
                heard.iter_mut().zip(window.iter().step_by(strides.time.max(1))).for_each(|(h, x)| *h = *x);
            }
        }
    }

    fn parameter_numbers(&self) -> impl Iterator<Item = &f32> {
        self.parameters
            .iter()
            .filter_map(|tensor| self.inputs.get(*tensor).and_then(|b| b.data.view().f32()))
            .flatten()
    }

    fn parameters_stayed(&self) -> bool {
        self.parameter_numbers().zip(&self.heard_parameters).all(|(a, b)| a == b)
    }

    fn remember_parameters(&mut self) {
        let Self { inputs, parameters, heard_parameters, .. } = self;
        let numbers = parameters
            .iter()
            .filter_map(|tensor| inputs.get(*tensor).and_then(|b| b.data.view().f32()))
            .flatten();
        heard_parameters.iter_mut().zip(numbers).for_each(|(heard, number)| *heard = *number);
    }

    fn run_windows(&mut self, count: usize) -> Result<()> {
        for window in 0..count {
            let feed = tensors(&self.inputs, &self.strides_in, &self.streams, &self.parameters, (window, 0));
            self.machine.window(&feed)?;
            self.collect(window, 0, usize::MAX, 0)?;
        }
        Ok(())
    }

    /// Copies what a block made to the output tensors, from moment `heard` of the input on.
    fn collect(&mut self, window: usize, time: usize, rows: usize, heard: usize) -> Result<()> {
        let ports = self.ports.outputs.iter().zip(&self.strides_out).zip(&mut self.outputs);
        for ((port, strides), buffer) in ports {
            let OutputPort::Stream(output, _) = port else { continue };
            let Some((made, width)) = self.machine.output(*output) else {
                return Err(Error::new(ErrorKind::Internal, "a network without its output"));
            };
            let Some(target) = buffer.data.view_mut().f32_mut() else { continue };
            // Rows whose moment lies before what is to be heard are skipped.
            let skip = heard.saturating_sub(time);
            let place = time.saturating_sub(heard);
            let channels = width.min(made.len());
            for channel in 0..channels.min(strides_channels(strides, target.len())) {
                let first = window * strides.window + channel * strides.channel + place * strides.time;
                let count = rows.min(made.len() / width.max(1)).saturating_sub(skip);
                let (mut from, mut to) = (channel + skip * width, first);
                for _ in 0..count.min(strides.times.saturating_sub(place)) {
                    let (Some(x), Some(y)) = (made.get(from), target.get_mut(to)) else { break };
                    *y = *x;
                    (from, to) = (from + width, to + strides.time);
                }
            }
        }
        Ok(())
    }

    fn states_in(&mut self) {
        for (port, buffer) in self.ports.inputs.iter().zip(&self.inputs) {
            let InputPort::State(cell, second) = port else { continue };
            let values = buffer.data.view().f32().unwrap_or_default();
            if let Some(state) = self.machine.state(*cell, *second) {
                state.iter_mut().zip(values).for_each(|(state, value)| *state = *value);
            }
        }
    }

    fn states_out(&mut self) {
        for (port, buffer) in self.ports.outputs.iter().zip(&mut self.outputs) {
            let OutputPort::State(cell, second) = port else { continue };
            let (Some(state), Some(values)) =
                (self.machine.state(*cell, *second), buffer.data.view_mut().f32_mut())
            else {
                continue;
            };
            values.iter_mut().zip(state.iter()).for_each(|(value, state)| *value = *state);
        }
    }
}

fn port_number(port: &InputPort) -> usize {
    match port {
        InputPort::Stream(number, _) | InputPort::Parameter(number) | InputPort::State(number, _) => *number,
    }
}

fn tensors<'a>(
    inputs: &'a [Buffer],
    strides: &'a [Strides],
    streams: &'a [usize],
    parameters: &'a [usize],
    (window, time): (usize, usize),
) -> Tensors<'a> {
    Tensors { inputs, strides, streams, parameters, window, time }
}

/// Channels of a tensor of so many elements.
fn strides_channels(strides: &Strides, len: usize) -> usize {
    let per_channel = strides.windows.max(1) * strides.times.max(1);
    len.checked_div(per_channel).unwrap_or(0)
}

impl Engine for NativeEngine {
    fn input(&mut self, index: usize) -> Option<TensorViewMut<'_>> {
        self.inputs.get_mut(index).map(|buffer| buffer.data.view_mut())
    }

    fn output(&self, index: usize) -> Option<TensorView<'_>> {
        self.outputs.get(index).map(|buffer| buffer.data.view())
    }

    fn run(&mut self) -> Result<()> {
        match self.form {
            Form::Stream => self.run_stream(0, 0),
            Form::Window { past } => self.run_window(past),
            Form::Windows { count } => self.run_windows(count),
        }
    }

    fn reset(&mut self) -> Result<()> {
        self.machine.reset();
        self.heard.fill(0.0);
        self.is_fresh = true;
        Ok(())
    }
}
