//! The backends that this build carries, each behind the Cargo feature of its name.

pub use crate::any::{AnyBackend, AnyEngine, AnyModel};
pub use crate::auto::{Auto, AutoModel};
#[cfg(feature = "native")]
pub use anira_backend_custom::native::Native;
pub use anira_backend_custom::*;

#[cfg(any(feature = "rten", feature = "onnxruntime"))]
pub use anira_backend_onnx::{OnnxRuntime, Rten};
#[cfg(any(feature = "tflite", feature = "litert"))]
pub use anira_backend_tflite::{LiteRt, TfLite};
#[cfg(feature = "torch")]
pub use anira_backend_torch::Torch;
