#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod backend;
mod engine;

pub use backend::Torch;
pub use engine::{TorchEngine, TorchModel};
