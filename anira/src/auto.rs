//! The engine that suits a model: [`Auto`].

use anira_traits::{
    Backend, EngineRequest, Error, ErrorKind, InferenceConfig, InternalState, LoadRequest, Model,
    ModelSource, Result, Signature,
};

use crate::any::{AnyBackend, AnyEngine, AnyModel};
use crate::bind::bind;

/// Picks the engine when the model is loaded: the native one where the model is small and simple enough for it and the session
/// fits, else the embedded one, else a native library's, in the order of [`AnyBackend::ALL`]. [`AutoModel::engine`] and
/// [`AutoModel::why`] tell which and why.
///
/// A file's format is told by its bytes. A session on [`Inline`](crate::scheduler::Inline) names its backend, as only the
/// compiler can tell what may run inside the callback.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Auto;

/// A model that [`Auto`] loaded.
#[derive(Debug)]
pub struct AutoModel {
    model: AnyModel,
    engine: AnyBackend,
    why: String,
}

impl AutoModel {
    /// The engine that was picked.
    #[must_use]
    pub fn engine_name(&self) -> &str {
        self.engine.name()
    }

    /// Why it is this one: what was tried before it, and what each lacked.
    #[must_use]
    pub fn why(&self) -> &str {
        &self.why
    }
}

/// The engines that read such bytes, in the order in which they are tried.
fn readers(bytes: &[u8]) -> &'static [&'static str] {
    let first = bytes.iter().find(|byte| !byte.is_ascii_whitespace());
    match bytes {
        [b'P', b'K', ..] => &["torch"],
        [_, _, _, _, b'T', b'F', b'L', b'3', ..] => &["tflite", "litert"],
        _ if first == Some(&b'{') => &["native"],
        _ => &["native", "rten", "onnxruntime"],
    }
}

/// Whether the session can be had with this model, found out by making an engine.
fn fits(config: &InferenceConfig, model: &AnyModel) -> Result<()> {
    if config.engines() > 1 && model.internal_state() == InternalState::Inside {
        return Err(Error::config("engines", config.engines(), "1: the model remembers from hop to hop"));
    }
    let binding = bind(config, model.signature())?;
    model.engine(&binding.request).map(drop)
}

impl Backend for Auto {
    type Model = AutoModel;

    fn name(&self) -> &str {
        "auto"
    }

    /// A session's own, since the choice depends on its configuration.
    fn sharing(&self, _request: &LoadRequest) -> Option<String> {
        None
    }

    /// The error of the last engine that was tried; [`ErrorKind::NotBuilt`] if this build has none that reads such a file.
    fn load(&self, source: &ModelSource, request: &LoadRequest) -> Result<AutoModel> {
        let bytes = source.bytes()?;
        let at = |error: Error| match source.path() {
            Some(path) if error.field().is_none_or(|field| !field.contains(&*path.to_string_lossy())) => {
                error.at(path.display().to_string())
            }
            _ => error,
        };
        let names = readers(&bytes);
        let built: Vec<AnyBackend> = names.iter().filter_map(|name| AnyBackend::named(name).ok()).collect();
        let mut why = String::new();
        let mut last = None;
        for (tried, engine) in built.iter().enumerate() {
            let is_last = tried + 1 == built.len();
            // Options are those of one engine: another one may refuse them.
            let loaded = engine.load(source, request).and_then(|model| {
                match &request.config {
                    // The last one's misfit is told by who asked for it, in full.
                    Some(config) if !is_last => fits(config, &model)?,
                    _ => {}
                }
                Ok(model)
            });
            match loaded {
                Ok(model) => {
                    let why =
                        if why.is_empty() { "the first that reads such a file".to_owned() } else { why };
                    return Ok(AutoModel { model, engine: *engine, why });
                }
                Err(error) => {
                    why.push_str(if why.is_empty() { "" } else { "; " });
                    why.push_str(&format!("not {}: {error}", engine.name()));
                    last = Some(error);
                }
            }
        }
        Err(last.map_or_else(
            || {
                let text = format!("is read by {}; none of them is part of this build", names.join(", "));
                at(Error::new(ErrorKind::NotBuilt, text))
            },
            at,
        ))
    }
}

impl Model for AutoModel {
    type Engine = AnyEngine;

    fn signature(&self) -> &Signature {
        self.model.signature()
    }

    fn internal_state(&self) -> InternalState {
        self.model.internal_state()
    }

    fn engine(&self, request: &EngineRequest) -> Result<AnyEngine> {
        self.model.engine(request)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_tell_who_may_read_them() {
        assert_eq!(readers(b"PK\x03\x04"), ["torch"]);
        assert_eq!(readers(b"\x1c\0\0\0TFL3"), ["tflite", "litert"]);
        assert_eq!(readers(b" \n{\"layers\""), ["native"]);
        assert_eq!(readers(&[8, 7, 18, 7]), ["native", "rten", "onnxruntime"]);
    }

    #[test]
    #[cfg(not(feature = "torch"))]
    fn a_file_that_no_engine_of_this_build_reads_names_who_would() {
        let error =
            Auto.load(&ModelSource::memory(*b"PK\x03\x04"), &LoadRequest::new()).map(drop).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotBuilt);
        assert!(error.to_string().contains("torch"), "{error}");
    }

    #[test]
    #[cfg(all(feature = "native", feature = "rten"))]
    fn what_the_native_engine_lacks_goes_to_the_next_and_the_reason_says_so() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let load = |file: &str| Auto.load(&ModelSource::file(root.join(file)), &LoadRequest::new()).unwrap();
        let small = load("models/amp-tcn-1k.onnx");
        assert_eq!((small.engine_name(), small.why()), ("native", "the first that reads such a file"));
        let other = load("tests/fixtures/rows.onnx");
        assert_eq!(other.engine_name(), "rten");
        assert!(other.why().contains("not native") && other.why().contains("ReduceSum"), "{}", other.why());
    }
}
