//! TensorFlow Lite: the factory. There is no model and no engine yet.

use anira_traits::{Absent, Backend, Error, ErrorKind, LoadRequest, ModelSource, Result};

/// What [`TfLite::load`](Backend::load) answers until there is an engine.
const NO_ENGINE: &str = if cfg!(feature = "tflite") {
    "this version has no TensorFlow Lite engine yet, although the Cargo feature `tflite` is on; \
     export the model to ONNX and use the engine `rten`"
} else {
    "not compiled in: the Cargo feature `tflite` is off, and this version has no TensorFlow Lite engine behind it yet; \
     export the model to ONNX and use the engine `rten`"
};

/// .tflite models on TensorFlow Lite. This version has no engine: [`load`](Backend::load) always fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TfLite;

impl Backend for TfLite {
    type Model = Absent;

    fn name(&self) -> &str {
        "tflite"
    }

    /// Says that there is no engine. Reads neither the model nor the options.
    ///
    /// # Errors
    /// Always [`ErrorKind::NotBuilt`].
    fn load(&self, _source: &ModelSource, _request: &LoadRequest) -> Result<Absent> {
        Err(Error::new(ErrorKind::NotBuilt, NO_ENGINE).at("engine `tflite`"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_the_source_load_answers_not_built_and_names_the_feature() {
        let sources =
            [ModelSource::file("missing.tflite"), ModelSource::memory(vec![0; 8]), ModelSource::None];
        for source in &sources {
            let error = TfLite.load(source, &LoadRequest::new().option("threads", "4")).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::NotBuilt);
            assert_eq!(error.field(), Some("engine `tflite`"));
            assert!(error.message().contains("Cargo feature `tflite`"), "{error}");
            assert!(error.message().contains("this version has no TensorFlow Lite engine"), "{error}");
        }
    }

    #[test]
    fn the_message_knows_whether_the_feature_is_on() {
        let error = TfLite.load(&ModelSource::None, &LoadRequest::new()).unwrap_err();
        assert_eq!(error.message().contains("feature `tflite` is on"), cfg!(feature = "tflite"));
        assert_eq!(error.message().contains("feature `tflite` is off"), !cfg!(feature = "tflite"));
    }

    #[test]
    fn the_name_is_the_one_that_command_lines_use() {
        assert_eq!(TfLite.name(), "tflite");
    }
}
