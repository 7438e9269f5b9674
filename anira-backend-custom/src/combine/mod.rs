//! Backends made of backends, and small ones to make them of.

mod chain;
mod delay;
mod gain;
mod promise;
mod sum;

pub use chain::{Chain, ChainEngine, ChainModel};
pub use delay::{DelayLine, DelayLineEngine, DelayLineModel};
pub use gain::{Gain, GainEngine, GainModel};
pub use sum::{Sum, SumEngine, SumModel};
