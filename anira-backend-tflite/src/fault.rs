//! The engines' failures as anira's errors.

use anira_traits::{Error, ErrorKind};

/// A failure in an engine's words; of this kind, unless the words say that the engine lacks something.
pub(crate) fn fault(engine: &str, doing: &str, kind: ErrorKind, words: &str) -> Error {
    let lower = words.to_ascii_lowercase();
    let lacks = ["didn't find op", "unresolved", "not supported", "unsupported", "not currently supported"];
    let kind = if lacks.iter().any(|w| lower.contains(w)) { ErrorKind::Unsupported } else { kind };
    let words = if words.is_empty() { "it does not say why" } else { words };
    Error::new(kind, format!("{engine}: {doing}: {words}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_engine_lacks_is_told_from_what_is_broken() {
        let kind = |words| fault("TensorFlow Lite", "loading", ErrorKind::Model, words).kind();
        assert_eq!(kind("Didn't find op for builtin opcode 'CONV_2D' version '99'"), ErrorKind::Unsupported);
        assert_eq!(kind("Cannot set tensor to an unsupported value."), ErrorKind::Unsupported);
        assert_eq!(kind("Input tensor 3 lacks data"), ErrorKind::Model);
        let error = fault("LiteRT", "running", ErrorKind::Engine, "");
        assert_eq!(error.to_string(), "LiteRT: running: it does not say why");
    }
}
