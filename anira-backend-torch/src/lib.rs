#![doc = include_str!("../README.md")]

mod backend;

#[cfg(feature = "torch")]
mod about;
#[cfg(feature = "torch")]
mod archive;
#[cfg(feature = "torch")]
mod call;
#[cfg(feature = "torch")]
mod describe;
#[cfg(feature = "torch")]
mod engine;
#[cfg(feature = "torch")]
mod fault;
#[cfg(feature = "torch")]
mod memory;
#[cfg(feature = "torch")]
mod model;
#[cfg(feature = "torch")]
mod settings;
#[cfg(feature = "torch")]
mod tensor;
#[cfg(feature = "torch")]
mod thread;
#[cfg(feature = "torch")]
mod value;

pub use backend::Torch;
#[cfg(feature = "torch")]
pub use engine::TorchEngine;
#[cfg(feature = "torch")]
pub use model::TorchModel;
