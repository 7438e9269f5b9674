//! The engine rten: models in Rust alone, on the worker's own thread.

mod binding;
mod engine;
mod fault;
mod model;
mod thread;

pub use self::engine::RtenEngine;
pub use self::model::RtenModel;
