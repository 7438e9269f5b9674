//! What both backends share on the control side: the signature of a file without any engine, and options.

use anira_traits::{Error, ModelSource, Result, Signature};

use crate::file;

/// The signature of a .tflite file, without loading it into an engine. Control thread; blocks. Works with every feature
/// off.
///
/// Names are those of the file's named signature if it has one, else of its tensors. A quantised tensor is float32
/// here, as sessions see it; see the [crate's page](crate#what-it-does-and-does-not-do).
///
/// # Errors
/// [`NotFound`](anira_traits::ErrorKind::NotFound), [`Io`](anira_traits::ErrorKind::Io) with the path;
/// [`Model`](anira_traits::ErrorKind::Model) if it is not a well-formed .tflite model of sane sizes,
/// [`Unsupported`](anira_traits::ErrorKind::Unsupported) for operators and types that this crate does not let through.
pub fn signature(source: &ModelSource) -> Result<Signature> {
    at_source(source, file::read(&source.bytes()?)).map(|contents| contents.signature)
}

/// The result, its error said of the file if there is one.
pub(crate) fn at_source<T>(source: &ModelSource, result: Result<T>) -> Result<T> {
    result.map_err(|e| match source.path() {
        Some(path) => e.at(path.display().to_string()),
        None => e,
    })
}

/// An option that is on or off.
#[cfg(any(feature = "tflite", feature = "litert"))]
pub(crate) fn switch(request: &anira_traits::LoadRequest, name: &'static str, unset: bool) -> Result<bool> {
    match request.options.get(name).map(String::as_str) {
        None => Ok(unset),
        Some("true") => Ok(true),
        Some("false") => Ok(false),
        Some(other) => {
            Err(Error::config(format!("options.{name}"), format_args!("`{other}`"), "`true` or `false`"))
        }
    }
}

/// What a backend says whose feature is off.
#[cfg(not(all(feature = "tflite", feature = "litert")))]
pub(crate) fn not_built(feature: &'static str) -> Error {
    let text =
        format!("the engine is not built in: turn on the Cargo feature `{feature}` of anira-backend-tflite");
    Error::new(anira_traits::ErrorKind::NotBuilt, text).at(format!("engine `{feature}`"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use anira_traits::ErrorKind;

    #[test]
    fn a_missing_file_is_named() {
        let error = signature(&ModelSource::file("no/such.tflite")).unwrap_err();
        assert_eq!((error.kind(), error.field()), (ErrorKind::NotFound, Some("no/such.tflite")));
    }

    #[test]
    #[cfg(not(all(feature = "tflite", feature = "litert")))]
    fn without_the_feature_loading_says_which_to_turn_on() {
        use anira_traits::{Backend, LoadRequest};
        fn check(backend: &impl Backend) {
            for source in
                [ModelSource::file("missing.tflite"), ModelSource::memory(vec![0; 8]), ModelSource::None]
            {
                let error =
                    backend.load(&source, &LoadRequest::new().option("threads", "4")).map(drop).unwrap_err();
                assert_eq!(error.kind(), ErrorKind::NotBuilt);
                assert_eq!(error.field(), Some(format!("engine `{}`", backend.name()).as_str()));
                let feature = format!("feature `{}` of anira-backend-tflite", backend.name());
                assert!(error.message().contains(&feature), "{error}");
            }
        }
        if cfg!(not(feature = "tflite")) {
            check(&crate::TfLite);
        }
        if cfg!(not(feature = "litert")) {
            check(&crate::LiteRt);
        }
    }
}
