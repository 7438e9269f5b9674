#![doc = include_str!("../README.md")]

mod backend;
mod bound;
mod graph_proto;
mod protobuf;

#[cfg(feature = "rten")]
mod rten;

#[cfg(feature = "rten")]
pub use self::rten::{RtenEngine, RtenModel};
pub use backend::{OnnxRuntime, Rten, signature};
