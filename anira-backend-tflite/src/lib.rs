#![doc = include_str!("../README.md")]

mod backend;
mod file;
mod litert;
mod tflite;

#[cfg(any(feature = "tflite", feature = "litert"))]
mod fault;
#[cfg(any(feature = "tflite", feature = "litert"))]
mod memory;
#[cfg(any(feature = "tflite", feature = "litert"))]
mod slot;

pub use backend::signature;
pub use litert::LiteRt;
#[cfg(feature = "litert")]
pub use litert::{LiteRtEngine, LiteRtModel};
pub use tflite::TfLite;
#[cfg(feature = "tflite")]
pub use tflite::{TfLiteEngine, TfLiteModel};
