//! ONNX files: a graph of operators becomes a network. What is read of ONNX stands in the crate's README.
//!
//! A window that was exported (unpadded convolutions, the past cropped away) is a stream cut off: seen from its newest
//! sample, cropping is nothing and a convolution looks back. So every tensor here is known by its axes and by how many of
//! the input's oldest samples it lacks.

mod bound;
mod import;
mod operator;
mod recurrent;
mod tensor;

use anira_traits::{Error, ErrorKind, Result};
use rten_onnx::onnx::ModelProto;

use super::network::Network;
use super::port::Ports;

/// Reads a network from the bytes of an ONNX file.
///
/// # Errors
/// [`ErrorKind::Model`] if it is malformed, [`ErrorKind::Unsupported`] for what is beyond the subset, named.
pub(crate) fn read(bytes: &[u8]) -> Result<(Network, Ports)> {
    bound::check(bytes)?;
    let model = ModelProto::parse_buf(bytes)
        .map_err(|error| Error::new(ErrorKind::Model, format!("not an ONNX model: {error}")))?;
    let Some(graph) = &model.graph else {
        return Err(Error::new(ErrorKind::Model, "holds no graph: empty, truncated, or not an ONNX model"));
    };
    // The graph comes before it in most files: without it the end is missing.
    if model.opset_import.is_empty() {
        return Err(Error::new(ErrorKind::Model, "names no version of its operators: truncated"));
    }
    import::read(graph)
}
