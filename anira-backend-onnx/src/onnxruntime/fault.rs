//! ONNX Runtime's failures as anira's errors.

use anira_traits::{Error, ErrorKind};
use ort::ErrorCode;

use super::NAME;

/// It refused to load a model.
pub(crate) fn load<R>(error: ort::Error<R>) -> Error {
    let kind = match error.code() {
        ErrorCode::NotImplemented => ErrorKind::Unsupported,
        _ => lacking(error.message()).unwrap_or(ErrorKind::Model),
    };
    told(kind, &error)
}

/// It refused an option.
pub(crate) fn option<R>(error: ort::Error<R>) -> Error {
    told(ErrorKind::Unsupported, &error)
}

/// It could not make a tensor or a binding.
pub(crate) fn bind<R>(error: ort::Error<R>) -> Error {
    told(ErrorKind::Engine, &error)
}

/// A run failed.
pub(crate) fn run<R>(error: ort::Error<R>) -> Error {
    let dimensions =
        ["invalid rank", "invalid dimensions", "shape"].iter().any(|w| error.message().contains(w));
    let kind = match error.code() {
        ErrorCode::NotImplemented => ErrorKind::Unsupported,
        ErrorCode::InvalidArgument if dimensions => ErrorKind::Shape,
        _ => lacking(error.message()).unwrap_or(ErrorKind::Engine),
    };
    told(kind, &error)
}

fn told<R>(kind: ErrorKind, error: &ort::Error<R>) -> Error {
    Error::new(kind, format!("{NAME}: {}", error.message().trim_end()))
}

/// What it lacks, it tells only in words.
fn lacking(text: &str) -> Option<ErrorKind> {
    let text = text.to_ascii_lowercase();
    let words = [
        "no op registered for",
        "not a registered function/op",
        "not implemented",
        "could not find an implementation",
        "not supported",
        "unsupported model ir version",
        "no opset import",
        "opset",
    ];
    words.iter().any(|w| text.contains(w)).then_some(ErrorKind::Unsupported)
}
