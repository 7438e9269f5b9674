//! A user's closure as a backend.

use std::fmt;
use std::sync::Arc;

use anira_traits::{
    Backend, Engine, EngineRequest, Error, ErrorKind, InternalState, LoadRequest, Model, ModelSource, Result,
    Signature, TensorInfo, TensorView, TensorViewMut,
};

use crate::buffer::{self, Buffer};

/// A backend from a signature and a factory that makes one closure for each engine.
///
/// The closure gets the input tensors and writes the output tensors; all are owned by the engine and allocated once.
/// It is called on a worker. What a closure captures is its engine's own; say so with
/// [`internal_state`](Self::internal_state) if it changes from run to run. A reset makes a fresh closure.
pub struct FnBackend<F> {
    name: String,
    signature: Signature,
    state: InternalState,
    factory: Arc<F>,
}

impl<F, C> FnBackend<F>
where
    F: Fn() -> C + Send + Sync + 'static,
    C: FnMut(&Inputs<'_>, &mut Outputs<'_>) -> Result<()> + Send + 'static,
{
    /// A backend of this name whose models have this signature. Extents of `None` are fixed per session.
    #[must_use]
    pub fn new(name: impl Into<String>, signature: Signature, factory: F) -> Self {
        Self { name: name.into(), signature, state: InternalState::None, factory: Arc::new(factory) }
    }

    /// The same backend with this said of what its closures remember; nothing unless set.
    #[must_use]
    pub fn internal_state(mut self, state: InternalState) -> Self {
        self.state = state;
        self
    }
}

impl<F> fmt::Debug for FnBackend<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FnBackend").field("name", &self.name).field("signature", &self.signature).finish()
    }
}

impl<F, C> Backend for FnBackend<F>
where
    F: Fn() -> C + Send + Sync + 'static,
    C: FnMut(&Inputs<'_>, &mut Outputs<'_>) -> Result<()> + Send + 'static,
{
    type Model = FnModel<F>;

    fn name(&self) -> &str {
        &self.name
    }

    /// Ignores the source. [`ErrorKind::Config`] for any option and for tensors without a name of their own.
    fn load(&self, _source: &ModelSource, request: &LoadRequest) -> Result<FnModel<F>> {
        request.refuse_unknown_options(&[])?;
        check_names("signature.inputs", &self.signature.inputs)?;
        check_names("signature.outputs", &self.signature.outputs)?;
        Ok(FnModel {
            signature: self.signature.clone(),
            state: self.state,
            factory: Arc::clone(&self.factory),
        })
    }
}

fn check_names(field: &'static str, tensors: &[TensorInfo]) -> Result<()> {
    for (i, tensor) in tensors.iter().enumerate() {
        if tensor.name.is_empty() || tensors[..i].iter().any(|t| t.name == tensor.name) {
            let value = format_args!("`{}` at {i}", tensor.name);
            return Err(Error::config(field, value, "each tensor has a name, used once"));
        }
    }
    Ok(())
}

/// What [`FnBackend`] loads: a signature and a factory.
pub struct FnModel<F> {
    signature: Signature,
    state: InternalState,
    factory: Arc<F>,
}

impl<F> fmt::Debug for FnModel<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FnModel").field("signature", &self.signature).finish()
    }
}

impl<F, C> Model for FnModel<F>
where
    F: Fn() -> C + Send + Sync + 'static,
    C: FnMut(&Inputs<'_>, &mut Outputs<'_>) -> Result<()> + Send + 'static,
{
    type Engine = FnEngine<F, C>;

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn internal_state(&self) -> InternalState {
        self.state
    }

    fn engine(&self, request: &EngineRequest) -> Result<FnEngine<F, C>> {
        Ok(FnEngine {
            inputs: buffer::inputs(&self.signature.inputs, &request.inputs)?,
            outputs: buffer::outputs(&self.signature.outputs, &request.outputs)?,
            closure: (self.factory)(),
            factory: Arc::clone(&self.factory),
        })
    }
}

/// A closure with its tensors.
pub struct FnEngine<F, C> {
    inputs: Vec<Buffer>,
    outputs: Vec<Buffer>,
    closure: C,
    factory: Arc<F>,
}

impl<F, C> fmt::Debug for FnEngine<F, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FnEngine")
            .field("inputs", &self.inputs.len())
            .field("outputs", &self.outputs.len())
            .finish()
    }
}

impl<F, C> Engine for FnEngine<F, C>
where
    F: Fn() -> C + Send + Sync + 'static,
    C: FnMut(&Inputs<'_>, &mut Outputs<'_>) -> Result<()> + Send + 'static,
{
    fn input(&mut self, index: usize) -> Option<TensorViewMut<'_>> {
        self.inputs.get_mut(index).map(|b| b.data.view_mut())
    }

    fn output(&self, index: usize) -> Option<TensorView<'_>> {
        self.outputs.get(index).map(|b| b.data.view())
    }

    fn run(&mut self) -> Result<()> {
        (self.closure)(&Inputs(&self.inputs), &mut Outputs(&mut self.outputs))
    }

    fn reset(&mut self) -> Result<()> {
        self.closure = (self.factory)();
        Ok(())
    }
}

/// The input tensors of one run, by their index in the signature.
#[derive(Debug)]
pub struct Inputs<'a>(&'a [Buffer]);

/// The output tensors of one run, by their index in the signature. They hold what the run before left.
#[derive(Debug)]
pub struct Outputs<'a>(&'a mut [Buffer]);

impl Inputs<'_> {
    /// The elements of input `index`, if they are float32.
    ///
    /// # Errors
    /// [`ErrorKind::Internal`] if there is no such tensor, [`ErrorKind::DType`] if it has another type.
    pub fn f32(&self, index: usize) -> Result<&[f32]> {
        self.view(index).ok_or_else(no_tensor)?.f32().ok_or_else(not_f32)
    }

    /// The elements of input `index`, whatever their type.
    #[must_use]
    pub fn view(&self, index: usize) -> Option<TensorView<'_>> {
        self.0.get(index).map(|b| b.data.view())
    }

    /// The extents of input `index`; empty if there is no such tensor.
    #[must_use]
    pub fn shape(&self, index: usize) -> &[usize] {
        self.0.get(index).map_or(&[], |b| &b.shape)
    }
}

impl Outputs<'_> {
    /// The elements of output `index`, if they are float32.
    ///
    /// # Errors
    /// [`ErrorKind::Internal`] if there is no such tensor, [`ErrorKind::DType`] if it has another type.
    pub fn f32(&mut self, index: usize) -> Result<&mut [f32]> {
        self.view(index).ok_or_else(no_tensor)?.f32_mut().ok_or_else(not_f32)
    }

    /// The elements of output `index`, whatever their type.
    #[must_use]
    pub fn view(&mut self, index: usize) -> Option<TensorViewMut<'_>> {
        self.0.get_mut(index).map(|b| b.data.view_mut())
    }

    /// The extents of output `index`; empty if there is no such tensor.
    #[must_use]
    pub fn shape(&self, index: usize) -> &[usize] {
        self.0.get(index).map_or(&[], |b| &b.shape)
    }
}

fn no_tensor() -> Error {
    Error::new(ErrorKind::Internal, "the closure asked for a tensor that its signature does not have")
}

fn not_f32() -> Error {
    Error::new(ErrorKind::DType, "the closure asked for float32 elements of a tensor of another type")
}

#[cfg(test)]
mod tests {
    use super::*;
    use anira_traits::DType;

    fn signature() -> Signature {
        Signature {
            inputs: vec![
                TensorInfo::new("x", DType::F32, vec![Some(1), None]),
                TensorInfo::new("n", DType::I64, vec![Some(1)]),
            ],
            outputs: vec![TensorInfo::new("y", DType::F32, vec![Some(1), None])],
        }
    }

    fn request() -> EngineRequest {
        EngineRequest::new(vec![vec![1, 4], vec![1]], vec![Some(vec![1, 4])])
    }

    #[test]
    fn a_closure_reads_inputs_of_every_type_and_a_reset_makes_it_anew() {
        let backend = FnBackend::new("count", signature(), || {
            let mut runs = 0.0;
            move |inputs: &Inputs<'_>, outputs: &mut Outputs<'_>| {
                runs += 1.0;
                let n = inputs.view(1).and_then(TensorView::i64).ok_or_else(no_tensor)?[0];
                assert_eq!(
                    (inputs.shape(0), outputs.shape(0), inputs.shape(9)),
                    (&[1, 4][..], &[1, 4][..], &[][..])
                );
                outputs.f32(0)?.fill(runs + 10.0 * n as f32);
                Ok(())
            }
        })
        .internal_state(InternalState::Inside);
        let model = backend.load(&ModelSource::None, &LoadRequest::new()).unwrap();
        assert_eq!(model.internal_state(), InternalState::Inside);
        let (mut a, mut b) = (model.engine(&request()).unwrap(), model.engine(&request()).unwrap());
        let first = |e: &FnEngine<_, _>| e.outputs[0].data.view().f32().unwrap()[3];
        a.input(1).unwrap().i64_mut().unwrap()[0] = 2;
        a.run().unwrap();
        a.run().unwrap();
        b.run().unwrap();
        assert_eq!((first(&a), first(&b)), (22.0, 1.0), "engines do not share a closure");
        a.reset().unwrap();
        a.run().unwrap();
        assert_eq!(first(&a), 21.0);
    }

    #[test]
    fn asking_for_what_is_not_there_is_an_error() {
        let backend = FnBackend::new("lost", signature(), || {
            |inputs: &Inputs<'_>, _: &mut Outputs<'_>| {
                assert_eq!(inputs.f32(1).unwrap_err().kind(), ErrorKind::DType);
                inputs.f32(2).map(drop)
            }
        });
        let model = backend.load(&ModelSource::None, &LoadRequest::new()).unwrap();
        assert_eq!(model.engine(&request()).unwrap().run().unwrap_err().kind(), ErrorKind::Internal);
    }

    #[test]
    fn options_and_double_names_are_refused_at_load() {
        let mut signature = signature();
        let noop = || |_: &Inputs<'_>, _: &mut Outputs<'_>| Ok(());
        let backend = FnBackend::new("noop", signature.clone(), noop);
        let request = LoadRequest::new().option("speed", "11");
        let error = backend.load(&ModelSource::None, &request).unwrap_err();
        assert!(error.to_string().contains("options.speed: is 11"), "{error}");
        signature.inputs[1].name = "x".into();
        let error = FnBackend::new("noop", signature, noop)
            .load(&ModelSource::None, &LoadRequest::new())
            .unwrap_err();
        assert!(error.to_string().contains("signature.inputs: is `x` at 1"), "{error}");
    }
}
