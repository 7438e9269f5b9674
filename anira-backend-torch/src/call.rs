//! How a method is called: with which tensors, under which guards.

use std::borrow::Borrow;

use anira_traits::{Error, ErrorKind, Result};
use tch::{CModule, IValue, Kind, Tensor};

use crate::tensor::Slot;
use crate::thread::Guard;
use crate::{fault, value};

/// The method that every module has.
const FORWARD: &str = "forward";

/// A method and how it treats what it is given.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) method: String,
    /// It takes tensors alone and gives one tensor, not a tuple or a list.
    pub(crate) single: bool,
    /// LibTorch's graph executor may specialise the method by what it sees in its first runs.
    pub(crate) optimize: bool,
    /// Which arguments are numbers.
    pub(crate) numbers: Vec<bool>,
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
            // By its own name it needs none that is allocated.
            let tensor = if self.method == FORWARD {
                module.forward_ts(inputs)
            } else {
                module.method_ts(&self.method, inputs)
            };
            return take(&tensor.map_err(|e| fault::run(&e))?);
        }
        let argument = |(tensor, number): (&T, &bool)| match (tensor.borrow(), number) {
            (tensor, true) => self::number(tensor),
            (tensor, false) => Ok(IValue::Tensor(tensor.shallow_clone())),
        };
        // Arguments belong to one thread, and engines move: they are made for each run.
        let arguments = inputs.iter().zip(&self.numbers).map(argument).collect::<Result<Vec<IValue>>>()?;
        let given = if self.method == FORWARD {
            module.forward_is(&arguments)
        } else {
            module.method_is(&self.method, &arguments)
        };
        value::each(&given.map_err(|e| fault::run(&e))?, take)
    }
}

/// The only element of a tensor, as a number of its type.
fn number(tensor: &Tensor) -> Result<IValue> {
    let first = vec![0; tensor.dim()];
    let value = || match tensor.f_kind()? {
        Kind::Double => tensor.f_double_value(&first).map(IValue::Double),
        Kind::Bool => Ok(IValue::Bool(tensor.f_int64_value(&first)? != 0)),
        _ => tensor.f_int64_value(&first).map(IValue::Int),
    };
    value().map_err(|e| fault::run(&e))
}

/// Another number of outputs than the signature has.
pub(crate) fn other_count(given: usize, expected: usize) -> Error {
    Error::new(
        ErrorKind::Shape,
        format!("the method gave {given} tensors; the signature has {expected} outputs"),
    )
}
