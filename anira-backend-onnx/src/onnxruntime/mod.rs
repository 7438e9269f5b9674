//! The engine ONNX Runtime: a native library that is loaded at run time.

mod engine;
mod fault;
mod library;
mod model;
mod options;
mod provider;
mod raw;
mod runtime;
mod tensor;

pub use self::engine::OnnxRuntimeEngine;
pub use self::model::OnnxRuntimeModel;
pub(crate) use self::runtime::library;

/// What errors call it.
const NAME: &str = "ONNX Runtime";
