//! A model with its tensors, ready to run.

use std::sync::Arc;

use anira_traits::{Engine, EngineRequest, ErrorKind, Result, TensorView, TensorViewMut};

use super::ffi::{Failed, Interpreter};
use super::model::{ENGINE, Loaded};
use crate::fault::fault;
use crate::slot::{Slot, slots};

/// Runs one model of TensorFlow Lite's on the calling thread. May allocate while it runs, as the library does: for
/// workers, not for callbacks.
#[derive(Debug)]
pub struct TfLiteEngine {
    loaded: Arc<Loaded>,
    interpreter: Interpreter,
    inputs: Vec<Slot>,
    outputs: Vec<Slot>,
}

impl TfLiteEngine {
    pub(super) fn new(loaded: Arc<Loaded>, request: &EngineRequest) -> Result<Self> {
        let (inputs, outputs) = slots(&loaded.contents, request)?;
        let interpreter = prepare(&loaded, &inputs)?;
        let mut engine = Self { loaded, interpreter, inputs, outputs };
        request.put(&mut engine);
        engine.run()?;
        request.take_back(&mut engine);
        if engine.loaded.contents.remembers {
            engine.interpreter = prepare(&engine.loaded, &engine.inputs)?;
        }
        for (i, slot) in engine.outputs.iter_mut().enumerate().filter(|(_, slot)| !slot.port.constant) {
            engine.interpreter.output_mut(i).fill(0);
            slot.clear();
        }
        engine.await_run();
        Ok(engine)
    }

    /// A new interpreter may have no memory yet for what depends on a variable.
    fn await_run(&mut self) {
        for (i, slot) in self.outputs.iter_mut().enumerate() {
            slot.await_run(self.interpreter.output_ref(i));
        }
    }
}

/// An interpreter with all its memory, its inputs zero.
fn prepare(loaded: &Loaded, inputs: &[Slot]) -> Result<Interpreter> {
    let mut interpreter = loaded.interpreter()?;
    let shape = |Failed(words)| fault(ENGINE, "taking the inputs' shapes", ErrorKind::Shape, &words);
    for (i, slot) in inputs.iter().enumerate().filter(|(_, slot)| slot.extents() != slot.port.given) {
        interpreter.resize(i, &slot.extents()).map_err(shape)?;
    }
    interpreter.allocate().map_err(shape)?;
    for (i, slot) in inputs.iter().enumerate() {
        let memory = interpreter.input_mut(i);
        if memory.len() != slot.bytes() {
            let text =
                format!("`{}` has {} bytes; expected {}", slot.port.info.name, memory.len(), slot.bytes());
            return Err(fault(ENGINE, "taking the inputs' shapes", ErrorKind::Shape, &text));
        }
        memory.fill(0);
    }
    Ok(interpreter)
}

impl Engine for TfLiteEngine {
    fn input(&mut self, index: usize) -> Option<TensorViewMut<'_>> {
        let slot = self.inputs.get_mut(index)?;
        slot.view_mut(self.interpreter.input_mut(index))
    }

    fn output(&self, index: usize) -> Option<TensorView<'_>> {
        self.outputs.get(index)?.view(self.interpreter.output_ref(index))
    }

    fn run(&mut self) -> Result<()> {
        for (i, slot) in self.inputs.iter().enumerate() {
            slot.store(self.interpreter.input_mut(i));
        }
        self.interpreter
            .invoke()
            .map_err(|Failed(words)| fault(ENGINE, "running", ErrorKind::Engine, &words))?;
        // A shape may depend on the inputs; where it has stayed, so has its size.
        if self
            .outputs
            .iter()
            .enumerate()
            .any(|(i, slot)| slot.bytes() != self.interpreter.output_ref(i).len())
        {
            for (slot, seen) in self.outputs.iter_mut().zip(self.interpreter.outputs()) {
                slot.meet(ENGINE, &seen.shape)?;
            }
        }
        for (i, slot) in self.outputs.iter_mut().enumerate() {
            slot.fetch(self.interpreter.output_ref(i));
        }
        Ok(())
    }

    /// Makes a new interpreter, if the model has variables.
    fn reset(&mut self) -> Result<()> {
        if self.loaded.contents.remembers {
            self.interpreter = prepare(&self.loaded, &self.inputs)?;
            self.await_run();
        }
        Ok(())
    }
}
