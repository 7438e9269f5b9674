//! The loaded model and its engine: types without values, so that nothing can pretend to run.

use anira_traits::{Engine, EngineRequest, Model, Result, Signature, TensorView, TensorViewMut};

/// A TorchScript module in memory. This version has none: the type has no values.
#[derive(Clone, Copy, Debug)]
pub enum TorchModel {}

/// A module with its tensors bound. This version has none: the type has no values.
#[derive(Debug)]
pub enum TorchEngine {}

impl Model for TorchModel {
    type Engine = TorchEngine;

    fn signature(&self) -> &Signature {
        match *self {}
    }

    fn engine(&self, _request: &EngineRequest) -> Result<TorchEngine> {
        match *self {}
    }
}

impl Engine for TorchEngine {
    fn input(&mut self, _index: usize) -> Option<TensorViewMut<'_>> {
        match *self {}
    }

    fn output(&self, _index: usize) -> Option<TensorView<'_>> {
        match *self {}
    }

    fn run(&mut self) -> Result<()> {
        match *self {}
    }
}

// An `Option` of a type without values holds nothing but `None`, so it needs no memory.
const _: () = assert!(size_of::<Option<TorchModel>>() == 0 && size_of::<Option<TorchEngine>>() == 0);
