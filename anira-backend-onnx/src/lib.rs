#![doc = include_str!("../README.md")]

mod backend;
mod bound;
mod extent;
mod graph_proto;
mod known;
mod node;
mod protobuf;
mod told;

#[cfg(feature = "onnxruntime")]
mod onnxruntime;
#[cfg(any(feature = "rten", feature = "onnxruntime"))]
mod panic;
#[cfg(feature = "rten")]
mod rten;
#[cfg(any(feature = "rten", feature = "onnxruntime"))]
mod shape;

#[cfg(feature = "onnxruntime")]
pub use self::onnxruntime::{OnnxRuntimeEngine, OnnxRuntimeModel};
#[cfg(feature = "rten")]
pub use self::rten::{RtenEngine, RtenModel};
pub use backend::{LoadedLibrary, OnnxRuntime, Rten, signature};
