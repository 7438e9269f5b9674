//! A session and its plain twin: lists of operations on both, which have to say the same.

mod pair;
mod plain;
mod scenario;

pub use pair::play;
pub use scenario::{How, Op, Scenario};
