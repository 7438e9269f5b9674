//! The factories: [`Rten`] and [`OnnxRuntime`], and the signature of a file without any engine.

use std::path::PathBuf;

#[cfg_attr(
    all(feature = "rten", feature = "onnxruntime"),
    allow(unused_imports, reason = "named in the documentation")
)]
use anira_traits::ErrorKind;
use anira_traits::{Backend, Error, LoadRequest, ModelSource, Result, Signature};

use crate::graph_proto::{self, Told};

/// ONNX models by [rten](https://github.com/robertknight/rten), an inference engine in Rust.
///
/// Options: `optimize` (`true` unless set): whether rten fuses operators and folds constants while it loads;
/// `prepack` (`false` unless set): whether it lays weights out for its kernels once, for memory, instead of at every
/// run.
///
/// Without the Cargo feature `rten` nothing can be loaded: [`load`](Backend::load) answers
/// [`ErrorKind::NotBuilt`](anira_traits::ErrorKind::NotBuilt).
#[derive(Clone, Copy, Debug, Default)]
pub struct Rten;

impl Backend for Rten {
    #[cfg(feature = "rten")]
    type Model = crate::RtenModel;
    #[cfg(not(feature = "rten"))]
    type Model = anira_traits::Absent;

    fn name(&self) -> &str {
        "rten"
    }

    fn sharing(&self, _request: &LoadRequest) -> Option<String> {
        Some(String::new())
    }

    #[cfg(feature = "rten")]
    fn load(&self, source: &ModelSource, request: &LoadRequest) -> Result<Self::Model> {
        crate::RtenModel::load(source, request)
    }

    #[cfg(not(feature = "rten"))]
    fn load(&self, _source: &ModelSource, _request: &LoadRequest) -> Result<Self::Model> {
        Err(not_built("rten"))
    }
}

/// ONNX models by [ONNX Runtime](https://onnxruntime.ai), a native library that is loaded at run time.
///
/// The library is looked for when the first model is loaded: the file that the variable `ORT_DYLIB_PATH` names; if it is
/// not set, beside the executable and in a folder `lib` there; then where the system keeps its libraries. It has to be version
/// 1.24 or newer, is loaded once, and stays for the life of the process. Without it, [`load`](Backend::load) answers
/// [`ErrorKind::NotFound`]; if it is another library or too old, [`ErrorKind::Unsupported`].
///
/// Options: `optimize` (`none`, `basic`, `extended`, `all`; `all` unless set): how far the graph is rewritten while it loads;
/// `providers` (`cpu` unless set): execution providers, the first that can take a node gets it, separated by commas, each behind a
/// Cargo feature of its name; `memory_pattern` (`true` unless set): whether it plans the memory of its intermediate values; `deterministic`
/// (`false` unless set): whether it leaves out kernels that may round otherwise from run to run; and the entries of ONNX Runtime's own configuration whose names begin with `session.`,
/// `optimization.` or `mlas.`, as listed in the crate's README.
///
/// Without the Cargo feature `onnxruntime` nothing can be loaded: [`load`](Backend::load) answers [`ErrorKind::NotBuilt`].
#[derive(Clone, Copy, Debug, Default)]
pub struct OnnxRuntime;

/// A library that was found and loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LoadedLibrary {
    /// The file, or its bare name if the system found it.
    pub path: PathBuf,
    /// The version that it says it is.
    pub version: String,
}

impl OnnxRuntime {
    /// Loads ONNX Runtime, unless it is loaded already, and says which it is. Control thread; blocks.
    ///
    /// # Errors
    /// As [`load`](Backend::load) for a library that is missing, another one, or too old.
    pub fn library(&self) -> Result<LoadedLibrary> {
        #[cfg(feature = "onnxruntime")]
        return crate::onnxruntime::library();
        #[cfg(not(feature = "onnxruntime"))]
        Err(not_built("onnxruntime"))
    }
}

impl Backend for OnnxRuntime {
    #[cfg(feature = "onnxruntime")]
    type Model = crate::OnnxRuntimeModel;
    #[cfg(not(feature = "onnxruntime"))]
    type Model = anira_traits::Absent;

    fn name(&self) -> &str {
        "onnxruntime"
    }

    fn sharing(&self, _request: &LoadRequest) -> Option<String> {
        Some(String::new())
    }

    #[cfg(feature = "onnxruntime")]
    fn load(&self, source: &ModelSource, request: &LoadRequest) -> Result<Self::Model> {
        crate::OnnxRuntimeModel::load(source, request)
    }

    #[cfg(not(feature = "onnxruntime"))]
    fn load(&self, _source: &ModelSource, _request: &LoadRequest) -> Result<Self::Model> {
        Err(not_built("onnxruntime"))
    }
}

#[cfg(not(all(feature = "rten", feature = "onnxruntime")))]
fn not_built(feature: &str) -> Error {
    let text =
        format!("the engine is not built in: turn on the Cargo feature `{feature}` of anira-backend-onnx");
    Error::new(ErrorKind::NotBuilt, text).at(format!("backend `{feature}`"))
}

/// The signature of an ONNX file, without loading it into an engine: names, types and extents exactly as in the file.
/// Control thread; blocks. Works with every feature off.
///
/// # Errors
/// [`NotFound`](anira_traits::ErrorKind::NotFound), [`Io`](anira_traits::ErrorKind::Io) with the path;
/// [`Model`](anira_traits::ErrorKind::Model) if it is not a well-formed ONNX model of sane sizes,
/// [`Unsupported`](anira_traits::ErrorKind::Unsupported) if its inputs or outputs are not tensors.
pub fn signature(source: &ModelSource) -> Result<Signature> {
    graph_proto::read(&source.bytes()?, Told::Survived).map_err(|error| at(source, error))
}

/// The error, said of the source's file if it is one.
pub(crate) fn at(source: &ModelSource, error: Error) -> Error {
    match source.path() {
        Some(path) => error.at(path.display().to_string()),
        None => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(not(all(feature = "rten", feature = "onnxruntime")))]
    #[track_caller]
    fn names_its_feature<B: Backend>(backend: B) {
        let error = backend.load(&ModelSource::file("any.onnx"), &LoadRequest::new()).map(drop).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotBuilt);
        let words = format!("feature `{}` of anira-backend-onnx", backend.name());
        assert!(error.to_string().contains(&words), "{error}");
    }

    #[test]
    #[cfg(not(feature = "rten"))]
    fn without_its_feature_rten_says_which_to_turn_on() {
        names_its_feature(Rten);
    }

    #[test]
    #[cfg(not(feature = "onnxruntime"))]
    fn without_its_feature_onnx_runtime_says_which_to_turn_on() {
        names_its_feature(OnnxRuntime);
        assert_eq!(OnnxRuntime.library().unwrap_err().kind(), ErrorKind::NotBuilt);
    }

    #[test]
    fn a_missing_file_is_named() {
        let error = signature(&ModelSource::file("no/such.onnx")).unwrap_err();
        assert_eq!((error.kind(), error.field()), (ErrorKind::NotFound, Some("no/such.onnx")));
    }
}
