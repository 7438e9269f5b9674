//! LiteRT: the factory. Model and engine exist with the feature alone.

#[cfg(feature = "litert")]
mod engine;
#[cfg(feature = "litert")]
mod ffi;
#[cfg(all(feature = "litert", target_os = "linux"))]
mod keep;
#[cfg(feature = "litert")]
mod model;

use anira_traits::{Backend, LoadRequest, ModelSource, Result};

#[cfg(feature = "litert")]
pub use engine::LiteRtEngine;
#[cfg(feature = "litert")]
pub use model::LiteRtModel;

/// .tflite models on LiteRT, the successor of TensorFlow Lite, on the CPU.
///
/// Options: `xnnpack` (`true` unless set): whether operators run on XNNPACK's kernels where it has them, or all on the
/// library's own.
///
/// Without the Cargo feature `litert` nothing can be loaded: [`load`](Backend::load) answers
/// [`ErrorKind::NotBuilt`](anira_traits::ErrorKind::NotBuilt).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LiteRt;

impl Backend for LiteRt {
    #[cfg(feature = "litert")]
    type Model = LiteRtModel;
    #[cfg(not(feature = "litert"))]
    type Model = anira_traits::Absent;

    fn name(&self) -> &str {
        "litert"
    }

    fn sharing(&self, _request: &LoadRequest) -> Option<String> {
        Some(String::new())
    }

    #[cfg(feature = "litert")]
    fn load(&self, source: &ModelSource, request: &LoadRequest) -> Result<LiteRtModel> {
        LiteRtModel::load(source, request)
    }

    #[cfg(not(feature = "litert"))]
    fn load(&self, _source: &ModelSource, _request: &LoadRequest) -> Result<Self::Model> {
        Err(crate::backend::not_built("litert"))
    }
}
