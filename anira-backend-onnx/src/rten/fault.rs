//! rten's failures as anira's errors.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use anira_traits::{Error, ErrorKind, Result};
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

/// Runs `action`; a panic inside becomes an error of this kind.
///
/// A second line of defence: models are untrusted, and rten checks much with assertions. (The panic hook still prints
/// its message, and a build with `panic = "abort"` ends.)
pub(crate) fn catch<T>(kind: ErrorKind, doing: &str, action: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(action)).unwrap_or_else(|panic| {
        let text = format!("rten panicked while {doing}: {}", words(&*panic));
        Err(Error::new(kind, text))
    })
}

fn words(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_an_error_with_its_message() {
        let error = catch::<()>(ErrorKind::Model, "loading", || panic!("index {}", 7)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Model);
        assert_eq!(error.to_string(), "rten panicked while loading: index 7");
        assert_eq!(catch(ErrorKind::Model, "loading", || Ok(3)).unwrap(), 3);
    }
}
