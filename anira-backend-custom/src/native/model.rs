//! A network that was loaded, and the engines made from it.

use std::sync::Arc;

use anira_traits::{
    Engine, EngineRequest, Error, ErrorKind, InferenceConfig, InputRole, InternalState, Model, Result,
    Signature,
};

use super::engine::{Form, NativeEngine};
use super::lanes::Cpu;
use super::layout::lay_out;
use super::machine::Machine;
use super::network::Network;
use super::port::{InputPort, OutputPort, Ports, common_times, wrong_times};
use super::program::Program;
use crate::buffer::{self, Buffer};

/// A small network, laid out for this processor.
///
/// An engine whose input and output hold equally many samples runs on a *stream*: it
/// remembers the past, and every sample costs once. One whose input holds as many samples more as the network looks back
/// takes each input as a *window* that says all, as a general engine would; where a window continues the one before, only
/// what is new is computed.
#[derive(Debug)]
pub struct NativeModel {
    program: Arc<Program>,
    ports: Arc<Ports>,
    cpu: Cpu,
    /// Whether the session that it was loaded for hands out windows.
    windows: bool,
}

impl NativeModel {
    /// Lays a network out.
    pub(crate) fn new(
        network: &Network,
        ports: Ports,
        cpu: Cpu,
        config: Option<&InferenceConfig>,
    ) -> Result<Self> {
        let program = lay_out(network, cpu)?;
        let windows = match config {
            Some(config) => hands_out_windows(config, &program, &ports),
            None => ports.exported.is_some() && ports.signature == ports.exact && !program.is_recurrent,
        };
        Ok(Self { program: Arc::new(program), ports: Arc::new(ports), cpu, windows })
    }

    /// How many past samples an output depends on by convolutions.
    #[must_use]
    pub fn past(&self) -> usize {
        self.program.past
    }

    /// The weights as they lie in memory: groups written out, channels padded.
    #[must_use]
    pub fn weights(&self) -> usize {
        self.program.weights.len()
    }

    /// The vectors that are used: `avx2`, `neon` or `portable`.
    #[must_use]
    pub fn vectors(&self) -> &'static str {
        self.cpu.name()
    }

    fn remembers_inside(&self) -> bool {
        let states = self.ports.inputs.iter().filter(|port| matches!(port, InputPort::State(..))).count();
        let hidden: usize =
            self.program.cells.iter().map(|(_, cell)| 1 + usize::from(cell.c.is_some())).sum();
        self.program.window.is_none() && (states < hidden || self.program.past > 0 && !self.windows)
    }

    /// How the engine takes these shapes.
    fn form(&self, inputs: &[Buffer], outputs: &mut [Option<Vec<usize>>]) -> Result<Form> {
        let signature = &self.ports.signature;
        let streams = self.ports.inputs.iter().zip(&signature.inputs).zip(inputs);
        let times_in = common_times(streams.filter_map(|((port, info), buffer)| match port {
            InputPort::Stream(_, axes) => Some((info, axes.strides(&buffer.shape).times)),
            _ => None,
        }))?
        .unwrap_or(0);
        if self.program.window.is_some() {
            return self.form_of_windows(inputs, outputs);
        }
        let streams = self.ports.outputs.iter().zip(&signature.outputs).zip(outputs.iter());
        let times_out = common_times(streams.filter_map(|((port, info), shape)| match (port, shape) {
            (OutputPort::Stream(_, axes), Some(shape)) => Some((info, axes.strides(shape).times)),
            _ => None,
        }))?;
        let past = self.program.past;
        let is_exported = past > 0 && self.ports.exported == Some(times_in);
        let window = times_in.checked_sub(past);
        let hop = match (times_out, window) {
            (Some(hop), _) => hop,
            (None, Some(hop)) if self.windows || is_exported => hop,
            _ => times_in,
        };
        let form = match window {
            _ if hop == times_in => Form::Stream,
            Some(window) if hop == window && hop > 0 && !self.program.is_recurrent => Form::Window { past },
            _ => {
                let info = signature
                    .outputs
                    .first()
                    .ok_or_else(|| Error::new(ErrorKind::Internal, "a network without outputs"))?;
                let right = if past == 0 || self.program.is_recurrent {
                    format!("{times_in} as the input")
                } else {
                    format!("{times_in} as the input, or {past} less, which the network looks back")
                };
                return Err(wrong_times(info, hop, &right));
            }
        };
        for ((port, info), shape) in self.ports.outputs.iter().zip(&signature.outputs).zip(outputs) {
            if let (OutputPort::Stream(_, axes), None) = (port, &shape) {
                let mut full: Vec<usize> = info.shape.iter().map(|extent| extent.unwrap_or(1)).collect();
                if let Some(time) = axes.time.and_then(|time| full.get_mut(time)) {
                    *time = hop;
                }
                *shape = Some(full);
            }
        }
        Ok(form)
    }

    fn form_of_windows(&self, inputs: &[Buffer], outputs: &mut [Option<Vec<usize>>]) -> Result<Form> {
        let signature = &self.ports.signature;
        let mut count = None;
        for (port, buffer) in self.ports.inputs.iter().zip(inputs) {
            if let InputPort::Stream(_, axes) = port {
                count = Some(axes.strides(&buffer.shape).windows);
            }
        }
        let count = count.unwrap_or(1);
        let ports = self.ports.outputs.iter().zip(&signature.outputs).zip(outputs);
        for ((port, info), shape) in ports {
            let OutputPort::Stream(output, axes) = port else { continue };
            let slot = self.program.outputs.get(*output).copied();
            let rows = slot.map_or(1, |slot| slot.rows);
            let mut right: Vec<usize> = info.shape.iter().map(|extent| extent.unwrap_or(1)).collect();
            for (axis, extent) in [(axes.window, count), (axes.time, rows)] {
                if let Some(place) = axis.and_then(|axis| right.get_mut(axis)) {
                    *place = extent;
                }
            }
            match shape {
                Some(shape) if *shape != right => {
                    let text = format!("shape is {shape:?}; of these windows comes {right:?}");
                    return Err(Error::new(ErrorKind::Shape, text).at(format!("tensor `{}`", info.name)));
                }
                _ => *shape = Some(right),
            }
        }
        Ok(Form::Windows { count })
    }
}

/// Whether a session's stream input carries as many past samples as the network looks back.
fn hands_out_windows(config: &InferenceConfig, program: &Program, ports: &Ports) -> bool {
    config.inputs().iter().any(|tensor| match &tensor.role {
        InputRole::Stream { hop, context, .. } => {
            let exported = ports.exported.and_then(|times| times.checked_sub(*hop));
            program.past > 0
                && !program.is_recurrent
                && (*context == Some(program.past) || context.is_none() && exported == Some(program.past))
        }
        _ => false,
    })
}

impl Model for NativeModel {
    type Engine = NativeEngine;

    fn signature(&self) -> &Signature {
        &self.ports.signature
    }

    fn internal_state(&self) -> InternalState {
        if self.remembers_inside() { InternalState::Inside } else { InternalState::None }
    }

    fn engine(&self, request: &EngineRequest) -> Result<NativeEngine> {
        let signature = &self.ports.signature;
        let inputs = buffer::inputs(&signature.inputs, &request.inputs)?;
        let mut shapes = request.outputs.clone();
        {
            // Counts and known extents are checked before anything is made of them.
            buffer::check(&signature.outputs, &shapes)?;
        }
        let form = self.form(&inputs, &mut shapes)?;
        let outputs = buffer::outputs(&signature.outputs, &shapes)?;
        let machine = Machine::new(Arc::clone(&self.program), self.cpu);
        let mut engine = NativeEngine::new(machine, Arc::clone(&self.ports), inputs, outputs, form);
        request.put(&mut engine);
        engine.run()?;
        request.take_back(&mut engine);
        engine.reset()?;
        engine.clear();
        Ok(engine)
    }
}
