#![doc = include_str!("../README.md")]

mod backend;
mod bound;
mod graph_proto;
mod protobuf;

#[cfg(feature = "rten")]
mod binding;
#[cfg(feature = "rten")]
mod engine;
#[cfg(feature = "rten")]
mod fault;
#[cfg(feature = "rten")]
mod model;
#[cfg(feature = "rten")]
mod thread;

pub use backend::{Rten, signature};
#[cfg(feature = "rten")]
pub use engine::RtenEngine;
#[cfg(feature = "rten")]
pub use model::RtenModel;
