//! The factory: [`Torch`].

use anira_traits::{Backend, LoadRequest, ModelSource, Result};

/// TorchScript modules by [LibTorch](https://pytorch.org/cppdocs/), through the crate `tch`.
///
/// Options: `method` (`forward` unless set): the method that engines run; `state` (`auto` unless set, `none`,
/// `inside`): whether the module remembers from run to run; `optimize` (`false` unless set): whether LibTorch specialises the
/// method in its first runs; `inputs`, `outputs`: the tensors' names, and types where they are not float32, in the
/// method's order (`input, count:int64`).
///
/// Without the Cargo feature `torch` nothing can be loaded: [`load`](Backend::load) answers
/// [`ErrorKind::NotBuilt`](anira_traits::ErrorKind::NotBuilt).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Torch;

impl Backend for Torch {
    #[cfg(feature = "torch")]
    type Model = crate::TorchModel;
    #[cfg(not(feature = "torch"))]
    type Model = anira_traits::Absent;

    fn name(&self) -> &str {
        "torch"
    }

    #[cfg(feature = "torch")]
    fn load(&self, source: &ModelSource, request: &LoadRequest) -> Result<Self::Model> {
        crate::TorchModel::load(source, request)
    }

    #[cfg(not(feature = "torch"))]
    fn load(&self, _source: &ModelSource, _request: &LoadRequest) -> Result<Self::Model> {
        let text = "the engine is not built in: turn on the Cargo feature `torch` of anira-backend-torch";
        Err(anira_traits::Error::new(anira_traits::ErrorKind::NotBuilt, text).at("backend `torch`"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(not(feature = "torch"))]
    fn without_the_feature_loading_says_which_to_turn_on() {
        let error = Torch.load(&ModelSource::file("any.pt"), &LoadRequest::new()).map(drop).unwrap_err();
        assert_eq!(error.kind(), anira_traits::ErrorKind::NotBuilt);
        assert!(error.to_string().contains("feature `torch` of anira-backend-torch"), "{error}");
    }

    #[test]
    fn the_name_is_the_one_that_command_lines_use() {
        assert_eq!(Torch.name(), "torch");
    }
}
