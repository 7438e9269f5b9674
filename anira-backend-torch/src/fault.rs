//! LibTorch's failures as anira's errors.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use anira_traits::{Error, ErrorKind, Result};
use tch::TchError;

/// Characters of LibTorch's words that an error keeps.
const MAX_TEXT: usize = 600;

/// LibTorch refused to load a file.
pub(crate) fn load(error: &TchError) -> Error {
    let text = words(error);
    let lacking = [
        "Unknown builtin op",
        "unknown builtin",
        "not supported",
        "Unsupported",
        "Couldn't find an operator",
    ];
    let kind =
        if lacking.iter().any(|w| text.contains(w)) { ErrorKind::Unsupported } else { ErrorKind::Model };
    Error::new(kind, format!("LibTorch: {text}"))
}

/// LibTorch failed to run a model. It tells in words alone what was wrong.
pub(crate) fn run(error: &TchError) -> Error {
    let text = words(error);
    let says = |words: &[&str]| words.iter().any(|w| text.contains(w));
    let kind = if says(&[
        "expected scalar type",
        "same dtype",
        "to be the same type",
        "doesn't match the desired type",
        "expected m1 and m2",
    ]) {
        ErrorKind::DType
    } else if says(&[
        "not enough memory",
        "can't allocate memory",
        "Storage size calculation overflowed",
        "alloc",
    ]) {
        ErrorKind::System
    } else if says(&["size", "shape", "dimension", "channels"]) {
        ErrorKind::Shape
    } else {
        ErrorKind::Engine
    };
    Error::new(kind, format!("LibTorch: {text}"))
}

/// LibTorch's words without the trace through its own code, on one line.
fn words(error: &TchError) -> String {
    let text = match error {
        TchError::Torch(text) => text.clone(),
        other => other.to_string(),
    };
    // A trace through TorchScript ends in what was raised; a plain failure starts with it.
    let text = match text.rsplit_once("\nRuntimeError: ").or_else(|| text.rsplit_once("\nbuiltins.")) {
        Some((_, raised)) => raised,
        None => text.split("\nException raised from").next().unwrap_or(""),
    };
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(MAX_TEXT) {
        Some((end, _)) => format!("{} …", &line[..end]),
        None => line,
    }
}

/// Runs `action`; a panic inside becomes an error of this kind. (The Rust interface to LibTorch panics where it does not
/// return errors.)
pub(crate) fn catch<T>(kind: ErrorKind, doing: &str, action: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(action)).unwrap_or_else(|panic| {
        let text = format!("LibTorch panicked while {doing}: {}", message(&*panic));
        Err(Error::new(kind, text))
    })
}

fn message(panic: &(dyn Any + Send)) -> &str {
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
        assert_eq!(error.to_string(), "LibTorch panicked while loading: index 7");
        assert_eq!(catch(ErrorKind::Model, "loading", || Ok(3)).unwrap(), 3);
    }

    #[test]
    fn what_was_raised_is_kept_and_the_trace_is_not() {
        let text = "The following operation failed in the TorchScript interpreter.\nTraceback of TorchScript, \
                    serialized code (most recent call last):\n  File \"code/a.py\", line 7\nRuntimeError: too loud\n";
        assert_eq!(run(&TchError::Torch(text.into())).message(), "LibTorch: too loud");
        let long = TchError::Torch("x".repeat(5000));
        assert!(run(&long).message().len() < 700);
    }
}
