//! Configuration files: what a model's tensors mean, and where its files are, as TOML or JSON.
//!
//! One type, [`ConfigFile`], reads both; a field that it does not know is an error. For one engine it
//! [resolves](ConfigFile::resolve) to an [`InferenceConfig`](anira_traits::InferenceConfig), a
//! [`ModelSource`](anira_traits::ModelSource) and the engine's options. `docs/configuration.md` in the repository lists
//! every key with its unit.
//!
//! ```
//! use anira::file::ConfigFile;
//! use std::path::Path;
//!
//! let file = ConfigFile::from_toml(r#"
//!     version = 1
//!     max_inference_ms = 2.5
//!
//!     [engine.rten]
//!     file = "amp.onnx"
//!
//!     [[input]]
//!     name = "input"
//!     role = "stream"
//!     hop = 64
//!
//!     [[input]]
//!     name = "h_in"
//!     role = "state"
//!     from = "h_out"
//!
//!     [[output]]
//!     name = "output"
//!     role = "stream"
//!     hop = 64
//! "#)?;
//! let resolved = file.resolve("rten", Path::new("models"))?;
//! assert_eq!(resolved.source.path(), Some(Path::new("models/amp.onnx")));
//! assert!(resolved.config.has_state());
//! # Ok::<(), anira_traits::Error>(())
//! ```
//!
//! Everything here belongs to control threads: it allocates, and reading blocks.

mod document;
mod parse;
mod resolve;
mod scalar;
#[cfg(feature = "schema")]
mod schema;
mod tensor;
#[cfg(test)]
mod tests;
mod write;

pub use document::{ConfigFile, VERSION};
pub use resolve::Resolved;
