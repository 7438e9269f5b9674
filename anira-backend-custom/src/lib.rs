#![doc = include_str!("../README.md")]

mod buffer;
mod bypass;
mod closure;
mod either;
mod hop;
mod slow;

pub use bypass::{Bypass, BypassEngine, BypassModel};
pub use closure::{FnBackend, FnEngine, FnModel, Inputs, Outputs};
pub use either::{Either, EitherEngine, EitherModel};
pub use slow::{Delay, Slow, SlowEngine, SlowModel, Wait};
