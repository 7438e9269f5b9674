//! Small networks: their layers, their files, their errors.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

#[cfg(feature = "json")]
mod files;
mod layers;
mod limits;
#[cfg(feature = "onnx")]
mod models;
mod plain;
mod run;
