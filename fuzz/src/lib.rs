//! What the fuzz targets check, and how their inputs are replayed without a fuzzer. See the README.

pub mod config;
pub mod replay;
