//! ONNX Runtime: the same models, values and errors as the embedded engine, and what only a library at run time can get wrong.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod errors;
mod library;
mod options;
#[cfg(feature = "rten")]
mod parity;
#[path = "../support/mod.rs"]
mod support;
mod tensors;
mod together;
