//! A model with its tensors, ready to run.

use std::sync::Arc;

use anira_traits::{Engine, EngineRequest, ErrorKind, Result, TensorView, TensorViewMut};

use super::ffi::{Buffer, Compiled, Failed};
use super::model::{ENGINE, Loaded};
use crate::fault::fault;
use crate::slot::{Slot, slots};

/// Runs one model of LiteRT's on the calling thread. Allocates while it runs, as the library does: for workers, not for
/// callbacks.
#[derive(Debug)]
pub struct LiteRtEngine {
    loaded: Arc<Loaded>,
    compiled: Compiled,
    /// In the order of the signature.
    inputs: Vec<Slot>,
    outputs: Vec<Slot>,
    /// In LiteRT's order, which `Loaded` knows.
    input_buffers: Vec<Buffer>,
    output_buffers: Vec<Buffer>,
}

impl LiteRtEngine {
    pub(super) fn new(loaded: Arc<Loaded>, request: &EngineRequest) -> Result<Self> {
        let (inputs, mut outputs) = slots(&loaded.contents, request)?;
        let shape = |Failed(words)| fault(ENGINE, "taking the inputs' shapes", ErrorKind::Shape, &words);
        if loaded.xnnpack {
            // XNNPACK crashes over shapes that are too small for a convolution; the library's own kernels say so.
            prepare(&loaded, &inputs, false)?.outputs(outputs.len()).map_err(shape)?;
        }
        let mut compiled = prepare(&loaded, &inputs, loaded.xnnpack)?;
        for (seen, place) in compiled.outputs(outputs.len()).map_err(shape)?.iter().zip(&loaded.outputs) {
            outputs[*place].meet(ENGINE, seen)?;
        }
        let buffers = |slots: &[Slot], places: &[usize]| -> Result<Vec<_>> {
            let buffer = |place: &usize| {
                let storage = slots[*place].port.storage;
                Buffer::new(storage.number(), storage.size(), &slots[*place].extents()).map_err(shape)
            };
            places.iter().map(buffer).collect()
        };
        let input_buffers = buffers(&inputs, &loaded.inputs)?;
        let output_buffers = buffers(&outputs, &loaded.outputs)?;
        let mut engine = Self { loaded, compiled, inputs, outputs, input_buffers, output_buffers };
        request.put(&mut engine);
        engine.run()?;
        // Once more: outputs whose size the model computes come out well once, and LiteRT 2.1.4 fails in every run after it.
        engine.run()?;
        request.take_back(&mut engine);
        engine.reset()?;
        engine.output_buffers.iter_mut().for_each(|b| b.bytes_mut().fill(0));
        engine.outputs.iter_mut().for_each(Slot::clear);
        Ok(engine)
    }
}

/// The model compiled, its inputs in their shapes.
fn prepare(loaded: &Loaded, inputs: &[Slot], xnnpack: bool) -> Result<Compiled> {
    let mut compiled = loaded.compile(xnnpack)?;
    for (i, place) in loaded.inputs.iter().enumerate() {
        let slot = &inputs[*place];
        if slot.extents() != slot.port.given {
            compiled.resize(i, &slot.extents()).map_err(|Failed(words)| {
                fault(ENGINE, "taking the inputs' shapes", ErrorKind::Shape, &words)
            })?;
        }
    }
    Ok(compiled)
}

/// Where LiteRT has the tensor of this index.
fn place(places: &[usize], index: usize) -> Option<usize> {
    places.iter().position(|own| *own == index)
}

impl Engine for LiteRtEngine {
    fn input(&mut self, index: usize) -> Option<TensorViewMut<'_>> {
        let buffer = self.input_buffers.get_mut(place(&self.loaded.inputs, index)?)?;
        self.inputs.get_mut(index)?.view_mut(buffer.bytes_mut())
    }

    fn output(&self, index: usize) -> Option<TensorView<'_>> {
        let buffer = self.output_buffers.get(place(&self.loaded.outputs, index)?)?;
        self.outputs.get(index)?.view(buffer.bytes())
    }

    fn run(&mut self) -> Result<()> {
        for (buffer, place) in self.input_buffers.iter_mut().zip(&self.loaded.inputs) {
            self.inputs[*place].store(buffer.bytes_mut());
        }
        self.compiled
            .run(&mut self.input_buffers, &mut self.output_buffers)
            .map_err(|Failed(words)| fault(ENGINE, "running", ErrorKind::Engine, &words))?;
        for (buffer, place) in self.output_buffers.iter().zip(&self.loaded.outputs) {
            self.outputs[*place].fetch(buffer.bytes());
        }
        Ok(())
    }

    /// Compiles the model anew, if it has variables.
    fn reset(&mut self) -> Result<()> {
        if self.loaded.contents.remembers {
            self.compiled = prepare(&self.loaded, &self.inputs, self.loaded.xnnpack)?;
        }
        Ok(())
    }
}
