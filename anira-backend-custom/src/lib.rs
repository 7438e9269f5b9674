#![doc = include_str!("../README.md")]

mod buffer;
mod bypass;
mod closure;
mod combine;
mod either;
mod hop;
pub mod native;
mod slow;

pub use bypass::{Bypass, BypassEngine, BypassModel};
pub use closure::{FnBackend, FnEngine, FnModel, Inputs, Outputs};
pub use combine::{
    Chain, ChainEngine, ChainModel, DelayLine, DelayLineEngine, DelayLineModel, Gain, GainEngine, GainModel,
    Sum, SumEngine, SumModel,
};
pub use either::{Either, EitherEngine, EitherModel};
pub use slow::{Delay, Slow, SlowEngine, SlowModel, Wait};
