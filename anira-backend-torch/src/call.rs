//! How a method is called: with which tensors, under which guards.

use std::borrow::Borrow;

use anira_traits::{Error, ErrorKind, Result};
use tch::{CModule, IValue, Tensor};

use crate::tensor::Slot;
use crate::thread::Guard;
use crate::{fault, value};

/// A method and how it treats what it is given.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) method: String,
    /// It gives one tensor, not a tuple or a list.
    pub(crate) single: bool,
    /// LibTorch's graph executor may specialise the method by what it sees in its first runs.
    pub(crate) optimize: bool,
    /// It may change its inputs in place.
    pub(crate) changes: bool,
    /// It may keep its inputs from run to run.
    pub(crate) keeps: bool,
}

impl Call {
    /// Runs the method on copies of the inputs and hands every output to `take`.
    pub(crate) fn probe(
        &self,
        module: &CModule,
        inputs: &[Slot],
        take: &mut dyn FnMut(&Tensor) -> Result<()>,
    ) -> Result<()> {
        let _guard = self.guard()?;
        let copies = inputs.iter().map(Slot::copy).collect::<Result<Vec<_>>>()?;
        self.run(module, &copies, take)
    }

    /// What has to surround every use of LibTorch on a thread.
    pub(crate) fn guard(&self) -> Result<Guard> {
        Guard::enter(self.optimize)
    }

    /// Runs the method on these tensors and hands every output to `take`, in order. Under a [guard](Self::guard).
    pub(crate) fn run<T: Borrow<Tensor>>(
        &self,
        module: &CModule,
        inputs: &[T],
        take: &mut dyn FnMut(&Tensor) -> Result<()>,
    ) -> Result<()> {
        if self.single {
            let tensor = module.method_ts(&self.method, inputs).map_err(|e| fault::run(&e))?;
            return take(&tensor);
        }
        let inputs: Vec<IValue> = inputs.iter().map(|t| IValue::Tensor(t.borrow().shallow_clone())).collect();
        let given = module.method_is(&self.method, &inputs).map_err(|e| fault::run(&e))?;
        value::each(&given, take)
    }
}

/// Another number of outputs than the signature has.
pub(crate) fn other_count(given: usize, expected: usize) -> Error {
    Error::new(
        ErrorKind::Shape,
        format!("the method gave {given} tensors; the signature has {expected} outputs"),
    )
}
