//! A model with its tensors, ready to run.

use std::sync::Arc;

use anira_traits::{Engine, EngineRequest, ErrorKind, Result, TensorView, TensorViewMut, WorkerScope};
use rten::{NodeId, RunOptions, ValueOrView};

use crate::shape::check_count;

use super::binding::{Input, Output};
use super::model::Loaded;
use super::{fault, thread};
use crate::panic::catch;

/// Runs one model of rten's. Allocates while it runs, as rten does: for workers, not for callbacks.
#[derive(Debug)]
pub struct RtenEngine {
    loaded: Arc<Loaded>,
    inputs: Vec<Input>,
    outputs: Vec<Output>,
}

impl RtenEngine {
    pub(crate) fn new(loaded: Arc<Loaded>, request: &EngineRequest) -> Result<Self> {
        let signature = &loaded.signature;
        check_count("inputs", signature.inputs.len(), request.inputs.len())?;
        check_count("outputs", signature.outputs.len(), request.outputs.len())?;
        let inputs = signature.inputs.iter().zip(&request.inputs).map(|(t, shape)| Input::new(t, shape));
        let outputs =
            signature.outputs.iter().zip(&request.outputs).map(|(t, s)| Output::new(t, s.as_deref()));
        let (inputs, outputs) = (inputs.collect::<Result<_>>()?, outputs.collect::<Result<_>>()?);
        let mut engine = Self { loaded, inputs, outputs };
        request.put(&mut engine);
        catch("rten", ErrorKind::Panicked, "a trial run", || engine.run())?;
        request.take_back(&mut engine);
        engine.outputs.iter_mut().for_each(Output::clear);
        Ok(engine)
    }
}

impl Engine for RtenEngine {
    const SCOPE: Option<WorkerScope> = Some(thread::scope);

    fn input(&mut self, index: usize) -> Option<TensorViewMut<'_>> {
        self.inputs.get_mut(index).map(|t| t.data.view_mut())
    }

    fn output(&self, index: usize) -> Option<TensorView<'_>> {
        self.outputs.get(index).map(|t| t.data.view())
    }

    fn run(&mut self) -> Result<()> {
        let options = RunOptions::default().with_thread_pool(Some(thread::pool()?));
        let ids = self.loaded.inputs.iter().copied();
        let values: Vec<(NodeId, ValueOrView<'_>)> =
            ids.zip(&mut self.inputs).map(|(id, t)| Ok((id, t.value()?.into()))).collect::<Result<_>>()?;
        let values =
            self.loaded.model.run(values, &self.loaded.outputs, Some(options)).map_err(|e| fault::run(&e))?;
        self.outputs.iter_mut().zip(&values).try_for_each(|(t, value)| t.take(value))
    }
}
