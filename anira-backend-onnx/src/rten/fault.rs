//! rten's failures as anira's errors.

use anira_traits::{Error, ErrorKind};
use rten::{LoadError, LoadErrorKind, RunError, RunErrorKind};

/// rten refused to load a file. It does not tell by type what it lacks from what is broken, only in words.
pub(crate) fn load(error: &LoadError) -> Error {
    let text = error.to_string();
    let kind = match error.kind() {
        LoadErrorKind::IoError => ErrorKind::Io,
        LoadErrorKind::ExternalDataError => ErrorKind::Unsupported,
        LoadErrorKind::ParseError | LoadErrorKind::UnknownFileType | LoadErrorKind::FormatNotEnabled => {
            ErrorKind::Model
        }
        _ => lacking(&text).unwrap_or(ErrorKind::Model),
    };
    Error::new(kind, format!("rten: {text}"))
}

/// rten failed to run a model.
pub(crate) fn run(error: &RunError) -> Error {
    let text = error.to_string();
    let kind = match error.kind() {
        RunErrorKind::OperatorError => lacking(&text).unwrap_or(ErrorKind::Engine),
        RunErrorKind::InvalidInput => ErrorKind::Shape,
        _ => ErrorKind::Engine,
    };
    Error::new(kind, format!("rten: {text}"))
}

fn lacking(text: &str) -> Option<ErrorKind> {
    let text = text.to_ascii_lowercase();
    let words = ["not supported", "unsupported", "not enabled", "only version"];
    words.iter().any(|w| text.contains(w)).then_some(ErrorKind::Unsupported)
}
