//! The model and engine types of a build without engines: nobody can make one.

use anira_traits::{Engine, EngineRequest, Model, Result, Signature, TensorView, TensorViewMut};

/// A model that [`Rten`](crate::Rten) loads; there is none without the feature `rten`.
#[derive(Debug)]
pub enum RtenModel {}

/// An engine of rten; there is none without the feature `rten`.
#[derive(Debug)]
pub enum RtenEngine {}

impl Model for RtenModel {
    type Engine = RtenEngine;

    fn signature(&self) -> &Signature {
        match *self {}
    }

    fn engine(&self, _request: &EngineRequest) -> Result<RtenEngine> {
        match *self {}
    }
}

impl Engine for RtenEngine {
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
