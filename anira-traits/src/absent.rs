//! The model and engine of a backend whose engine was not compiled in: a type without values, so that nothing can pretend.

use crate::{Engine, EngineRequest, Model, Result, Signature, TensorView, TensorViewMut};

/// A model, and an engine, that nobody can make. What [`Backend::Model`](crate::Backend::Model) is where a backend's Cargo
/// feature is off and [`load`](crate::Backend::load) answers [`NotBuilt`](crate::ErrorKind::NotBuilt).
#[derive(Clone, Copy, Debug)]
pub enum Absent {}

impl Model for Absent {
    type Engine = Absent;

    fn signature(&self) -> &Signature {
        match *self {}
    }

    fn engine(&self, _request: &EngineRequest) -> Result<Absent> {
        match *self {}
    }
}

impl Engine for Absent {
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
const _: () = assert!(size_of::<Option<Absent>>() == 0);
