//! TensorFlow Lite: the factory. Model and engine exist with the feature alone.

#[cfg(feature = "tflite")]
mod engine;
#[cfg(feature = "tflite")]
mod ffi;
#[cfg(feature = "tflite")]
mod model;

use anira_traits::{Backend, LoadRequest, ModelSource, Result};

#[cfg(feature = "tflite")]
pub use engine::TfLiteEngine;
#[cfg(feature = "tflite")]
pub use model::TfLiteModel;

/// .tflite models on TensorFlow Lite.
///
/// Options: `xnnpack` (`true` unless set): whether float operators run on XNNPACK's kernels where it has them, or all on
/// the library's own.
///
/// Without the Cargo feature `tflite` nothing can be loaded: [`load`](Backend::load) answers
/// [`ErrorKind::NotBuilt`](anira_traits::ErrorKind::NotBuilt).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TfLite;

impl TfLite {
    /// The version of the library, as it says it; `None` without the feature.
    #[must_use]
    pub fn version(self) -> Option<String> {
        #[cfg(feature = "tflite")]
        return Some(ffi::version());
        #[cfg(not(feature = "tflite"))]
        None
    }
}

impl Backend for TfLite {
    #[cfg(feature = "tflite")]
    type Model = TfLiteModel;
    #[cfg(not(feature = "tflite"))]
    type Model = anira_traits::Absent;

    fn name(&self) -> &str {
        "tflite"
    }

    fn sharing(&self, _request: &LoadRequest) -> Option<String> {
        Some(String::new())
    }

    #[cfg(feature = "tflite")]
    fn load(&self, source: &ModelSource, request: &LoadRequest) -> Result<TfLiteModel> {
        TfLiteModel::load(source, request)
    }

    #[cfg(not(feature = "tflite"))]
    fn load(&self, _source: &ModelSource, _request: &LoadRequest) -> Result<Self::Model> {
        Err(crate::backend::not_built("tflite"))
    }
}
