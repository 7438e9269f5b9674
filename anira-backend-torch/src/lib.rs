#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod backend;

pub use backend::Torch;
