//! Panics inside an engine become errors.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use anira_traits::{Error, ErrorKind, Result};

/// Runs `action`; a panic inside becomes an error of this kind.
///
/// A second line of defence: models are untrusted, and engines check much with assertions. (The panic hook still prints
/// its message, and a build with `panic = "abort"` ends.)
pub(crate) fn catch<T>(
    engine: &str,
    kind: ErrorKind,
    doing: &str,
    action: impl FnOnce() -> Result<T>,
) -> Result<T> {
    catch_unwind(AssertUnwindSafe(action)).unwrap_or_else(|panic| {
        let text = format!("{engine} panicked while {doing}: {}", words(&*panic));
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
        let error = catch::<()>("rten", ErrorKind::Model, "loading", || panic!("index {}", 7)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Model);
        assert_eq!(error.to_string(), "rten panicked while loading: index 7");
        assert_eq!(catch("rten", ErrorKind::Model, "loading", || Ok(3)).unwrap(), 3);
    }
}
