//! A module with its tensors, ready to run.

use std::sync::Arc;

use anira_traits::{
    DType, Engine, EngineRequest, Error, ErrorKind, Result, TensorInfo, TensorView, TensorViewMut, shape_text,
};
use tch::{CModule, Tensor};

use crate::about::Port;
use crate::call::other_count;
use crate::fault;
use crate::memory::Memory;
use crate::model::Loaded;
use crate::tensor::Slot;

/// Runs one method of a TorchScript module. LibTorch allocates while it runs: for workers, not for callbacks.
#[derive(Debug)]
pub struct TorchEngine {
    loaded: Arc<Loaded>,
    module: Arc<CModule>,
    /// What the module remembered when it was new, where that can be brought back.
    new: Option<Memory>,
    inputs: Vec<Slot>,
    /// What the module gets in place of the inputs, where it changes what it gets.
    working: Vec<Slot>,
    outputs: Vec<Output>,
    /// A run may have changed the module since it was loaded.
    used: bool,
}

/// An output tensor; not there until the first run has shown its shape.
#[derive(Debug)]
struct Output {
    name: String,
    dtype: DType,
    /// The shape that the request asks for.
    asked: Option<Vec<usize>>,
    slot: Option<Slot>,
}

impl TorchEngine {
    pub(crate) fn new(loaded: Arc<Loaded>, request: &EngineRequest) -> Result<Self> {
        let _guard = loaded.call.guard()?;
        check_count("inputs", loaded.inputs.len(), request.inputs.len())?;
        check_count("outputs", loaded.signature.outputs.len(), request.outputs.len())?;
        let make = || {
            let ports = loaded.inputs.iter().zip(&request.inputs);
            ports.map(|(port, shape)| input(port, shape)).collect::<Result<Vec<_>>>()
        };
        let inputs = make()?;
        let working = if loaded.call.changes && !loaded.call.keeps { make()? } else { Vec::new() };
        let outputs = loaded.signature.outputs.iter().zip(&request.outputs);
        let outputs = outputs.map(|(info, asked)| Output::new(info, asked.clone())).collect();
        let module = loaded.module()?;
        // What cannot be told is loaded anew instead.
        let new = if loaded.restorable() { Memory::of(&module).ok() } else { None };
        let mut engine = Self { loaded, module, new, inputs, working, outputs, used: false };
        // Zeros but for what the configuration says of parameters, constants and states.
        let trials = || engine.loaded.inputs.iter().map(|port| port.trial.clone());
        trials()
            .collect::<Vec<_>>()
            .iter()
            .zip(&mut engine.inputs)
            .for_each(|(trial, slot)| slot.fill(trial));
        request.put(&mut engine);
        fault::catch(ErrorKind::Panicked, "a trial run", || engine.run())?;
        engine.inputs.iter_mut().try_for_each(Slot::clear)?;
        for output in &mut engine.outputs {
            output.slot.as_mut().map_or(Ok(()), Slot::clear)?;
        }
        engine.reset()?;
        Ok(engine)
    }
}

fn check_count(what: &'static str, own: usize, asked: usize) -> Result<()> {
    if own == asked {
        return Ok(());
    }
    let text = format!("the request has {asked} shapes; the model has {own} {what}");
    Err(Error::new(ErrorKind::Shape, text).at(what))
}

/// Zeros in this shape, which must fit what is known of the input.
fn input(port: &Port, shape: &[usize]) -> Result<Slot> {
    let at = |e: Error| e.at(format!("tensor `{}`", port.name));
    if let Some(own) = &port.shape {
        let fits =
            own.len() == shape.len() && own.iter().zip(shape).all(|(own, n)| own.is_none_or(|own| own == *n));
        if !fits {
            let text = format!("shape is {shape:?}; the model's is {}", shape_text(own));
            return Err(at(Error::new(ErrorKind::Shape, text)));
        }
    }
    if shape.contains(&0) {
        return Err(at(Error::new(ErrorKind::Shape, format!("shape is {shape:?}; at least 1 element"))));
    }
    Slot::zeros(port.dtype.unwrap_or(DType::F32), shape).map_err(at)
}

impl Output {
    fn new(info: &TensorInfo, asked: Option<Vec<usize>>) -> Self {
        Self { name: info.name.clone(), dtype: info.dtype, asked, slot: None }
    }

    /// Copies what the module gave. The tensor is made in the first run, and again where nobody asked for a shape.
    fn take(&mut self, given: &Tensor) -> Result<()> {
        let slot = match &mut self.slot {
            Some(slot) if self.asked.is_some() || given.size() == slot.shape() => slot,
            empty => {
                let shape: Vec<usize> = match &self.asked {
                    Some(asked) => asked.clone(),
                    None => given.size().iter().map(|d| usize::try_from(*d).unwrap_or(0)).collect(),
                };
                empty.insert(Slot::zeros(self.dtype, &shape)?)
            }
        };
        slot.take(given)
    }
}

impl Engine for TorchEngine {
    fn input(&mut self, index: usize) -> Option<TensorViewMut<'_>> {
        self.inputs.get_mut(index)?.view_mut()
    }

    fn output(&self, index: usize) -> Option<TensorView<'_>> {
        self.outputs.get(index)?.slot.as_ref().map(Slot::view)
    }

    fn run(&mut self) -> Result<()> {
        let Self { loaded, module, inputs, working, outputs, used, .. } = self;
        let call = &loaded.call;
        let _guard = call.guard()?;
        let (mut given, expected) = (0, outputs.len());
        let mut take = |tensor: &Tensor| {
            let Some(output) = outputs.get_mut(given) else { return Err(other_count(given + 1, expected)) };
            given += 1;
            output.take(tensor).map_err(|e| e.at(format!("tensor `{}`", output.name)))
        };
        *used = true;
        if call.keeps {
            let copies = inputs.iter().map(Slot::copy).collect::<Result<Vec<_>>>()?;
            call.run(module, &copies, &mut take)?;
        } else if call.changes {
            working.iter_mut().zip(inputs.iter()).try_for_each(|(to, from)| to.take(from.tensor()))?;
            call.run(module, working, &mut take)?;
        } else {
            call.run(module, inputs, &mut take)?;
        }
        if given == expected { Ok(()) } else { Err(other_count(given, expected)) }
    }

    /// Brings back what the module remembered when it was new; loads the module anew where that cannot be.
    fn reset(&mut self) -> Result<()> {
        if self.used && self.loaded.remembers() {
            let _guard = self.loaded.call.guard()?;
            match &self.new {
                Some(new) => new.bring_back(&self.module)?,
                None => self.module = self.loaded.module()?,
            }
        }
        self.used = false;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use anira_traits::{Backend, LoadRequest, Model, ModelSource};

    use super::*;

    /// Values that come back are tested from outside; which way they do is seen here alone.
    #[test]
    fn a_reset_keeps_the_module_wherever_it_can() {
        for (name, keeps) in [
            ("counter", true),
            ("delay", true),
            ("deep", true),
            ("maybe", true),
            ("trained", true),
            ("moods", false),
        ] {
            let file = format!("{}/tests/fixtures/{name}.pt", env!("CARGO_MANIFEST_DIR"));
            let model = crate::Torch.load(&ModelSource::file(file), &LoadRequest::new()).unwrap();
            let mut engine = model.engine(&EngineRequest::new(vec![vec![1, 1, 8]], vec![None])).unwrap();
            let before = Arc::clone(&engine.module);
            engine.run().unwrap();
            engine.reset().unwrap();
            assert_eq!(Arc::ptr_eq(&before, &engine.module), keeps, "{name}");
        }
    }
}
