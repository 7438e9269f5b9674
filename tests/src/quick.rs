//! A backend whose engines are promised to be fit for the callback, whatever they are.

use anira::prelude::*;
use anira::traits::{
    EngineRequest, InternalState, LoadRequest, RealtimeSafe, Signature, TensorView, TensorViewMut,
};

/// Any backend, with the promise that its engines are cheap and never wait. A test that looks for allocations or blocking
/// sees through to the engine inside.
#[derive(Clone, Debug)]
pub struct Quick<B>(pub B);

/// What [`Quick`] loads.
#[derive(Clone, Debug)]
pub struct QuickModel<M>(M);

/// What runs for [`Quick`].
#[derive(Clone, Debug)]
pub struct QuickEngine<E>(E);

impl<B: Backend> Backend for Quick<B> {
    type Model = QuickModel<B::Model>;

    fn name(&self) -> &str {
        self.0.name()
    }

    fn load(&self, source: &ModelSource, request: &LoadRequest) -> Result<Self::Model, Error> {
        self.0.load(source, request).map(QuickModel)
    }
}

impl<M: Model> Model for QuickModel<M> {
    type Engine = QuickEngine<M::Engine>;

    fn signature(&self) -> &Signature {
        self.0.signature()
    }

    fn internal_state(&self) -> InternalState {
        self.0.internal_state()
    }

    fn engine(&self, request: &EngineRequest) -> Result<Self::Engine, Error> {
        self.0.engine(request).map(QuickEngine)
    }
}

impl<E: Engine> Engine for QuickEngine<E> {
    fn input(&mut self, index: usize) -> Option<TensorViewMut<'_>> {
        self.0.input(index)
    }

    fn output(&self, index: usize) -> Option<TensorView<'_>> {
        self.0.output(index)
    }

    fn run(&mut self) -> Result<(), Error> {
        self.0.run()
    }

    fn reset(&mut self) -> Result<(), Error> {
        self.0.reset()
    }
}

#[allow(unsafe_code, reason = "a promise about real time, for tests; no memory is at stake")]
// SAFETY: the promise is about time alone, and nothing is unsound without it: here it is the tests' own closures that keep it,
// which only compute. Those that fail or panic on purpose show what the library does with a promise that is broken.
unsafe impl<E: Engine> RealtimeSafe for QuickEngine<E> {}
