//! Model files for whole engines: loaded, described, run.

use std::panic;

use anira_traits::{
    Backend, Engine, EngineRequest, Error, ErrorKind, LoadRequest, Model, ModelSource, TensorInfo,
};

/// Elements of all tensors of a model that is run.
const MOST: usize = 1 << 16;

/// Loads a model, runs it on numbers and on none, and checks what a backend promises.
///
/// # Panics
/// If a promise is broken.
pub(crate) fn check(backend: &impl Backend, file: Vec<u8>) {
    let source = ModelSource::memory(file);
    let model = match quietly(|| backend.load(&source, &LoadRequest::new())) {
        Ok(model) => model,
        Err(error) => return refused(&error),
    };
    let signature = model.signature().clone();
    let Some(inputs) = signature.inputs.iter().map(shape).collect::<Option<Vec<_>>>() else { return };
    let request = EngineRequest::new(inputs, vec![None; signature.outputs.len()]);
    let mut engine = match quietly(|| model.engine(&request)) {
        Ok(engine) => engine,
        Err(error) => return refused(&error),
    };
    for value in [0.0, 0.25, -3.0] {
        for i in 0..signature.inputs.len() {
            let mut view = engine.input(i).expect("every input of the signature is there");
            let elements: usize = request.inputs[i].iter().product();
            assert_eq!(view.len(), elements, "{:?}", signature.inputs[i]);
            (0..elements).for_each(|at| view.set_number(at, value));
        }
        if let Err(error) = quietly(|| engine.run()) {
            return refused(&error);
        }
        for (i, info) in signature.outputs.iter().enumerate() {
            let view = engine.output(i).expect("every output of the signature is there");
            assert_eq!(view.dtype(), info.dtype, "{info:?}");
        }
    }
    if let Err(error) = quietly(|| engine.reset()) {
        refused(&error);
    }
}

fn refused(error: &Error) {
    assert_ne!(error.kind(), ErrorKind::Internal, "{error}");
    assert!(!error.message().is_empty(), "no message: {error:?}");
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
    ($($(#[$about:meta])* $feature:literal $name:ident = $backend:ident, $file:expr;)*) => { $(
        $(#[$about])*
        #[cfg(feature = $feature)]
        pub mod $name {
            /// Loads and runs the model that `data` is, or that is made from it.
            ///
            /// # Panics
            /// If a promise of the backend is broken.
            pub fn check(data: &[u8]) {
                if let Some(file) = $file(data) {
                    super::check(&anira::backends::$backend, file);
                }
            }
        }
    )* };
}

engines! {
    /// ONNX files for rten.
    "rten" rten = Rten, crate::onnx_file::file;
    /// ONNX files for ONNX Runtime.
    "onnxruntime" onnxruntime = OnnxRuntime, crate::onnx_file::file;
    /// TorchScript files for LibTorch.
    "torch" torch = Torch, |data| Some(crate::torch_file::file(data));
    /// .tflite files for TensorFlow Lite.
    "tflite" tflite = TfLite, crate::tflite_file::file;
    /// .tflite files for LiteRT.
    "litert" litert = LiteRt, crate::tflite_file::file;
}
