//! What a module remembered when it was new.

use anira_traits::{Error, ErrorKind, Result};
use tch::{CModule, IValue, Tensor};

use crate::archive::{BRING_BACK, TELL};
use crate::fault;

/// The values of all attributes that a run may change, in the order of the method that takes them.
#[derive(Debug)]
pub(crate) struct Memory(Vec<Saved>);

/// One value. (LibTorch's own kind of value may be an object, which cannot move between threads.)
#[derive(Debug)]
enum Saved {
    None,
    Tensor(Tensor),
    Int(i64),
    Float(f64),
    Bool(bool),
}

impl Memory {
    /// Asks a new module. Under a guard.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] if it holds what cannot be brought back this way.
    pub(crate) fn of(module: &CModule) -> Result<Self> {
        let none: [IValue; 0] = [];
        let IValue::Tuple(values) = module.method_is(TELL, &none).map_err(|e| fault::run(&e))? else {
            return Err(Error::new(ErrorKind::Unsupported, "the module does not tell its state"));
        };
        let saved = |value| match value {
            IValue::None => Ok(Saved::None),
            IValue::Tensor(tensor) => Ok(Saved::Tensor(tensor)),
            IValue::Int(n) => Ok(Saved::Int(n)),
            IValue::Double(n) => Ok(Saved::Float(n)),
            IValue::Bool(b) => Ok(Saved::Bool(b)),
            _ => {
                Err(Error::new(ErrorKind::Unsupported, "the module remembers more than tensors and numbers"))
            }
        };
        values.into_iter().map(saved).collect::<Result<_>>().map(Self)
    }

    /// Makes the module what it was. Under a guard.
    ///
    /// # Errors
    /// [`ErrorKind::Engine`] if LibTorch refuses.
    pub(crate) fn bring_back(&self, module: &CModule) -> Result<()> {
        let value = |saved: &Saved| match saved {
            Saved::None => IValue::None,
            Saved::Tensor(tensor) => IValue::Tensor(tensor.shallow_clone()),
            Saved::Int(n) => IValue::Int(*n),
            Saved::Float(n) => IValue::Double(*n),
            Saved::Bool(b) => IValue::Bool(*b),
        };
        let values: Vec<IValue> = self.0.iter().map(value).collect();
        let done = module.method_is(BRING_BACK, &values);
        done.map(drop).map_err(|e| fault::run(&e).of_kind(ErrorKind::Engine))
    }
}
