//! Model files for whole engines: loaded, described, run, reset, and asked again.

use std::panic;

use anira_traits::{
    Backend, Engine, EngineRequest, Error, ErrorKind, InternalState, LoadRequest, Model, ModelSource, Result,
    Signature, TensorData, TensorInfo, TensorView,
};

/// Elements of an input of a model that is run.
const MOST: usize = 1 << 16;

/// How often an engine is run on inputs that differ, before it is asked again.
const ROUNDS: usize = 3;

/// What the reader that stands before an engine says of a file.
type Reader = fn(&ModelSource) -> Result<Signature>;

/// Loads a model, and checks what a backend promises of it. Gives whether it could be run, as often as this asks for.
///
/// # Panics
/// If a promise is broken.
pub(crate) fn runs(backend: &impl Backend, reader: Option<Reader>, file: Vec<u8>) -> bool {
    let source = ModelSource::memory(file);
    let model = match quietly(|| backend.load(&source, &LoadRequest::new())) {
        Ok(model) => model,
        // Which method of a module runs is an option, and a file may not have the usual one.
        Err(error) if error.field() == Some("options.method") => {
            return refused(&error, &[ErrorKind::Config]);
        }
        Err(error) => return refused(&error, &[]),
    };
    if let Some(reader) = reader {
        assert_eq!(reader(&source).as_ref(), Ok(model.signature()), "the engine's signature is the file's");
    }
    use ErrorKind::{DType, Engine, Panicked, Shape, System};
    engines(&model).unwrap_or_else(|error| refused(&error, &[Shape, DType, Engine, Panicked, System]))
}

/// Whatever a file holds, it is the file that is wrong, or the engine that lacks something; or it is one of these.
fn refused(error: &Error, others: &[ErrorKind]) -> bool {
    let kind = error.kind();
    let right = matches!(kind, ErrorKind::Model | ErrorKind::Unsupported) || others.contains(&kind);
    assert!(right, "{kind}: {error}");
    assert!(!error.message().is_empty(), "no message: {error:?}");
    false
}

/// Engines of one model answer the same: new, after a reset, asked for the shapes of their outputs, and in any order if they remember
/// nothing. `false` if the model was not run, for its inputs are many.
///
/// # Errors
/// The engine's own, with which all ends.
fn engines(model: &impl Model) -> Result<bool> {
    let signature = model.signature();
    let Some(inputs) = signature.inputs.iter().map(shape).collect::<Option<Vec<_>>>() else {
        return Ok(false);
    };
    let open = EngineRequest::new(inputs.clone(), vec![None; signature.outputs.len()]);
    let (mut engine, new) = engine(model, &open)?;
    // Some operators throw dice.
    if self::engine(model, &open)?.1 != new {
        return Ok(true);
    }
    quietly(|| engine.reset())?;
    let order =
        if model.internal_state() == InternalState::None { &[0, 1, 2, 2, 1, 0][..] } else { &[0, 1, 2] };
    for round in order {
        assert_eq!(answer(&mut engine, signature, *round)?, new[*round], "run {round} after a reset");
    }
    let outputs =
        signature.outputs.iter().zip(&new[0]).map(|(info, given)| whole(info, given.0.view().len()));
    let asked = EngineRequest::new(inputs, outputs.collect());
    let (_, given) = self::engine(model, &asked)?;
    assert_eq!(given, new, "asked for {:?}", asked.outputs);
    for (tensor, shape) in given[0].iter().zip(&asked.outputs) {
        let elements = shape.as_ref().map(|shape| shape.iter().product::<usize>());
        assert!(elements.is_none_or(|n| tensor.0.view().len() == n), "{shape:?}: {tensor:?}");
    }
    Ok(true)
}

/// The extents of an output, if all are known but one at most, which follows from how many elements there are.
fn whole(info: &TensorInfo, len: usize) -> Option<Vec<usize>> {
    let others = info.shape.iter().flatten().product::<usize>();
    let open = info.shape.iter().filter(|extent| extent.is_none()).count();
    let rest = len.checked_div(others).filter(|rest| open == 0 || (open == 1 && rest * others == len))?;
    Some(info.shape.iter().map(|extent| extent.unwrap_or(rest)).collect())
}

/// An engine, and what it answers first.
fn engine<M: Model>(model: &M, request: &EngineRequest) -> Result<(M::Engine, Vec<Answer>)> {
    let signature = model.signature();
    let mut engine = quietly(|| model.engine(request))?;
    for (i, shape) in request.inputs.iter().enumerate() {
        let view = engine.input(i).expect("every input of the signature is there");
        let (info, elements) = (&signature.inputs[i], shape.iter().product::<usize>());
        assert_eq!((view.dtype(), view.len()), (info.dtype, elements), "{info:?}");
    }
    assert!(engine.output(signature.outputs.len()).is_none());
    let answers = (0..ROUNDS).map(|round| answer(&mut engine, signature, round)).collect::<Result<_>>()?;
    Ok((engine, answers))
}

/// All outputs of a run.
type Answer = Vec<Tensor>;

/// A copy of a tensor, which is another's if every bit is.
#[derive(Debug)]
struct Tensor(TensorData);

impl Tensor {
    fn of(view: TensorView<'_>) -> Self {
        let mut data = TensorData::zeros(view.dtype(), view.len());
        data.view_mut().copy_from(view).expect("type and length are the view's");
        Self(data)
    }
}

impl PartialEq for Tensor {
    fn eq(&self, other: &Self) -> bool {
        self.0.view().is_identical(&other.0.view())
    }
}

/// Writes all inputs, runs, and gives all outputs.
fn answer(engine: &mut impl Engine, signature: &Signature, round: usize) -> Result<Answer> {
    let mut written = Vec::new();
    for i in 0..signature.inputs.len() {
        let mut view = engine.input(i).expect("every input of the signature is there");
        // Zeros first; then quarters from -1 to 2, other ones in each tensor.
        let number =
            |at| if round == 0 { 0.0 } else { ((at * 7 + i * 5 + round * 3) % 13) as f64 / 4.0 - 1.0 };
        (0..view.len()).for_each(|at| view.set_number(at, number(at)));
        written.push(Tensor::of(view.as_view()));
    }
    assert_eq!(inputs(engine), written, "each input is a tensor of its own");
    quietly(|| engine.run())?;
    assert_eq!(inputs(engine), written, "a run leaves the inputs as they are");
    let output = |(i, info): (usize, &TensorInfo)| {
        let view = engine.output(i).expect("every output of the signature is there");
        assert_eq!(view.dtype(), info.dtype, "{info:?}");
        Tensor::of(view)
    };
    Ok(signature.outputs.iter().enumerate().map(output).collect())
}

/// What the inputs hold.
fn inputs(engine: &mut impl Engine) -> Vec<Tensor> {
    (0..).map_while(|i| Some(Tensor::of(engine.input(i)?.as_view()))).collect()
}

/// The extents with small numbers for open ones, unless they are many.
fn shape(info: &TensorInfo) -> Option<Vec<usize>> {
    let shape: Vec<usize> = info.shape.iter().map(|extent| extent.unwrap_or(2)).collect();
    let elements = shape.iter().try_fold(1usize, |n, d| n.checked_mul(*d))?;
    (elements <= MOST).then_some(shape)
}

/// Engines may panic inside: the backend makes an error of it, so the fuzzer's hook, which would end the process, is not asked.
fn quietly<T>(work: impl FnOnce() -> T) -> T {
    if !cfg!(fuzzing) {
        return work();
    }
    let hook = panic::take_hook();
    panic::set_hook(Box::new(|_| {}));
    let result = work();
    panic::set_hook(hook);
    result
}

/// A target that gives files to a native or embedded engine.
macro_rules! engines {
    ($($(#[$about:meta])* $feature:literal $name:ident = $backend:ident, $reader:expr, $file:expr;)*) => { $(
        $(#[$about])*
        #[cfg(feature = $feature)]
        pub mod $name {
            /// Loads and runs the model that `data` is, or that is made from it.
            ///
            /// # Panics
            /// If a promise of the backend is broken.
            pub fn check(data: &[u8]) {
                runs(data);
            }

            /// The same, and whether the engine took it.
            ///
            /// # Panics
            /// As `check`.
            pub fn runs(data: &[u8]) -> bool {
                let file: Option<Vec<u8>> = $file(data);
                file.is_some_and(|file| super::runs(&anira::backends::$backend, $reader, file))
            }
        }
    )* };
}

engines! {
    /// ONNX files for rten.
    "rten" rten = Rten, Some(anira_backend_onnx::signature), crate::onnx_file::file;
    /// ONNX files for ONNX Runtime.
    "onnxruntime" onnxruntime = OnnxRuntime, Some(anira_backend_onnx::signature), crate::onnx_file::file;
    /// TorchScript files for LibTorch.
    "torch" torch = Torch, None, |data| Some(crate::torch_file::file(data));
    /// .tflite files for TensorFlow Lite.
    "tflite" tflite = TfLite, Some(anira_backend_tflite::signature), crate::tflite_file::file;
    /// .tflite files for LiteRT.
    "litert" litert = LiteRt, Some(anira_backend_tflite::signature), crate::tflite_file::file;
}
