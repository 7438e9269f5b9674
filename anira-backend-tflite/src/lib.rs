#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod litert;
mod tflite;

pub use litert::LiteRt;
pub use tflite::TfLite;
