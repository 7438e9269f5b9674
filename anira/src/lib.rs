//! .

pub mod latency;
