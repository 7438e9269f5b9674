//! The factories: [`Rten`] and [`OnnxRuntime`], and the signature of a file without any engine.

use anira_traits::{Backend, LoadRequest, ModelSource, Result, Signature};

use crate::graph_proto;

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
/// Without the Cargo feature `onnxruntime` nothing can be loaded: [`load`](Backend::load) answers
/// [`ErrorKind::NotBuilt`](anira_traits::ErrorKind::NotBuilt).
#[derive(Clone, Copy, Debug, Default)]
pub struct OnnxRuntime;

impl Backend for OnnxRuntime {
    type Model = anira_traits::Absent;

    fn name(&self) -> &str {
        "onnxruntime"
    }

    fn load(&self, _source: &ModelSource, _request: &LoadRequest) -> Result<Self::Model> {
        Err(not_built("onnxruntime"))
    }
}

fn not_built(feature: &str) -> anira_traits::Error {
    let text =
        format!("the engine is not built in: turn on the Cargo feature `{feature}` of anira-backend-onnx");
    anira_traits::Error::new(anira_traits::ErrorKind::NotBuilt, text).at(format!("backend `{feature}`"))
}

/// The signature of an ONNX file, without loading it into an engine: names, types and extents exactly as in the file.
/// Control thread; blocks. Works with every feature off.
///
/// # Errors
/// [`NotFound`](anira_traits::ErrorKind::NotFound), [`Io`](anira_traits::ErrorKind::Io) with the path;
/// [`Model`](anira_traits::ErrorKind::Model) if it is not a well-formed ONNX model of sane sizes,
/// [`Unsupported`](anira_traits::ErrorKind::Unsupported) if its inputs or outputs are not tensors.
pub fn signature(source: &ModelSource) -> Result<Signature> {
    graph_proto::read(&source.bytes()?).map_err(|e| match source.path() {
        Some(path) => e.at(path.display().to_string()),
        None => e,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use anira_traits::ErrorKind;

    #[test]
    #[cfg(not(feature = "rten"))]
    fn without_the_feature_loading_says_which_to_turn_on() {
        let error = Rten.load(&ModelSource::file("any.onnx"), &LoadRequest::new()).map(drop).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotBuilt);
        assert!(error.to_string().contains("feature `rten` of anira-backend-onnx"), "{error}");
    }

    #[test]
    fn a_missing_file_is_named() {
        let error = signature(&ModelSource::file("no/such.onnx")).unwrap_err();
        assert_eq!((error.kind(), error.field()), (ErrorKind::NotFound, Some("no/such.onnx")));
    }
}
