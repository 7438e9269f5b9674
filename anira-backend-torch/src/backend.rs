//! The factory: where TorchScript files will be loaded.

use anira_traits::{Absent, Backend, Error, ErrorKind, LoadRequest, ModelSource, Result};

/// What [`Torch::load`](Backend::load) answers until there is an engine.
const NO_ENGINE: &str = if cfg!(feature = "torch") {
    "this version has no LibTorch engine yet, although the Cargo feature `torch` is on; \
     export the model to ONNX and use the engine `rten`"
} else {
    "not compiled in: the Cargo feature `torch` is off, and this version has no LibTorch engine behind it yet; \
     export the model to ONNX and use the engine `rten`"
};

/// TorchScript models on LibTorch. This version has no engine: [`load`](Backend::load) always fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Torch;

impl Backend for Torch {
    type Model = Absent;

    fn name(&self) -> &str {
        "torch"
    }

    /// Says that there is no engine. Reads neither the model nor the options.
    ///
    /// # Errors
    /// Always [`ErrorKind::NotBuilt`].
    fn load(&self, _source: &ModelSource, _request: &LoadRequest) -> Result<Absent> {
        Err(Error::new(ErrorKind::NotBuilt, NO_ENGINE).at("engine `torch`"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_the_source_load_answers_not_built_and_names_the_feature() {
        let sources = [ModelSource::file("missing.pt"), ModelSource::memory(vec![0; 8]), ModelSource::None];
        for source in &sources {
            let error = Torch.load(source, &LoadRequest::new().option("threads", "4")).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::NotBuilt);
            assert_eq!(error.field(), Some("engine `torch`"));
            assert!(error.message().contains("Cargo feature `torch`"), "{error}");
            assert!(error.message().contains("this version has no LibTorch engine"), "{error}");
        }
    }

    #[test]
    fn the_message_knows_whether_the_feature_is_on() {
        let error = Torch.load(&ModelSource::None, &LoadRequest::new()).unwrap_err();
        assert_eq!(error.message().contains("feature `torch` is on"), cfg!(feature = "torch"));
        assert_eq!(error.message().contains("feature `torch` is off"), !cfg!(feature = "torch"));
    }

    #[test]
    fn the_name_is_the_one_that_command_lines_use() {
        assert_eq!(Torch.name(), "torch");
    }
}
