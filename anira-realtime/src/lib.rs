#![doc = include_str!("../README.md")]

mod alloc;
mod denormals;
mod guard;
mod sanitizer;

pub use alloc::{Allocations, CountingAllocator};
pub use denormals::FlushToZero;
pub use guard::{Breach, guard};
pub use sanitizer::{RealtimeContext, permitted};
