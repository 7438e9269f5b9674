//! Execution providers: who computes, by the names of the option `providers`.

use anira_traits::{Error, ErrorKind, Result};
use ort::ep::ExecutionProviderDispatch;

/// Those that there are, by the names of their Cargo features; the processor is always there and has none.
const NAMES: [&str; 8] = ["cpu", "cuda", "tensorrt", "coreml", "directml", "openvino", "qnn", "xnnpack"];

/// The providers of a list like `cuda, cpu`, in its order. What they leave over, the processor computes.
///
/// # Errors
/// [`ErrorKind::Config`] for a name that is none, [`ErrorKind::NotBuilt`] for one whose feature is off.
pub(crate) fn parse(list: &str) -> Result<Vec<ExecutionProviderDispatch>> {
    let mut providers = Vec::new();
    for name in list.split(',').map(str::trim) {
        if !NAMES.contains(&name) {
            let right = format!("one or more, separated by commas, of {}", NAMES.join(", "));
            return Err(Error::config("options.providers", format_args!("`{name}`"), right));
        }
        if name == "cpu" {
            continue;
        }
        let Some(provider) = built(name) else {
            let text = format!(
                "the execution provider `{name}` is not built in: \
                 turn on the Cargo feature `{name}` of anira-backend-onnx"
            );
            return Err(Error::new(ErrorKind::NotBuilt, text).at("options.providers"));
        };
        providers.push(provider.error_on_failure());
    }
    Ok(providers)
}

/// The provider of this name, if its feature is on.
fn built(name: &str) -> Option<ExecutionProviderDispatch> {
    match name {
        #[cfg(feature = "cuda")]
        "cuda" => Some(ort::ep::CUDA::default().build()),
        #[cfg(feature = "tensorrt")]
        "tensorrt" => Some(ort::ep::TensorRT::default().build()),
        #[cfg(feature = "coreml")]
        "coreml" => Some(ort::ep::CoreML::default().build()),
        #[cfg(feature = "directml")]
        "directml" => Some(ort::ep::DirectML::default().build()),
        #[cfg(feature = "openvino")]
        "openvino" => Some(ort::ep::OpenVINO::default().build()),
        #[cfg(feature = "qnn")]
        "qnn" => Some(ort::ep::QNN::default().build()),
        #[cfg(feature = "xnnpack")]
        "xnnpack" => Some(ort::ep::XNNPACK::default().build()),
        _ => None,
    }
}
