//! Which ONNX Runtime is found, and what it says of a model: first to look at when something is missing.
//!
//! `cargo run -p anira-backend-onnx --features onnxruntime --example onnxruntime_found [MODEL]`
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "an example for people at a terminal")]

use std::process::ExitCode;

use anira_backend_onnx::OnnxRuntime;
use anira_traits::{Backend, LoadRequest, Model, ModelSource, Result, shape_text};

fn main() -> ExitCode {
    match look(std::env::args().nth(1)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{}: {error}", error.kind());
            ExitCode::FAILURE
        }
    }
}

fn look(model: Option<String>) -> Result<()> {
    let library = OnnxRuntime.library()?;
    println!("ONNX Runtime {} from {}", library.version, library.path.display());
    if let Some(model) = model {
        let model = OnnxRuntime.load(&ModelSource::file(model), &LoadRequest::new())?;
        let signature = model.signature();
        for (what, tensors) in [("input", &signature.inputs), ("output", &signature.outputs)] {
            for tensor in tensors {
                println!("{what} {}: {} {}", tensor.name, tensor.dtype, shape_text(&tensor.shape));
            }
        }
    }
    Ok(())
}
