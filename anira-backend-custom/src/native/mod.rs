//! Small networks without an engine: up to some hundred thousand weights, in Rust alone, real-time safe, so that they may run
//! in the callback itself.

mod arena;
mod backend;
mod engine;
mod join;
#[cfg(feature = "json")]
mod json;
mod kernel;
mod lanes;
mod layer;
mod layout;
mod machine;
mod model;
mod network;
#[cfg(feature = "onnx")]
mod onnx;
mod port;
mod program;

pub use backend::{Native, NetworkBackend};
pub use engine::NativeEngine;
pub use layer::{Activation, Conv1d, Gru, Lstm, MAX_EXTENT, MAX_WEIGHTS};
pub use model::NativeModel;
pub use network::{MAX_LAYERS, Network, Signal};
