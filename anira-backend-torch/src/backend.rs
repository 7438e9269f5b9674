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

    /// A module's signature comes from the configured tensors, too.
    fn sharing(&self, request: &LoadRequest) -> Option<String> {
        let config = request.config.as_ref();
        Some(config.map_or_else(String::new, |c| format!("{:?} {:?}", c.inputs(), c.outputs())))
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
    fn sessions_share_a_module_if_their_tensors_are_configured_alike() {
        use anira_traits::{InferenceConfig, InputTensor, OutputTensor};
        let sharing = |hop: usize, warm_up: u32| {
            let config = InferenceConfig::builder()
                .input(InputTensor::stream("x", hop))
                .output(OutputTensor::stream("y", hop))
                .warm_up(warm_up)
                .build()
                .unwrap();
            Torch.sharing(&LoadRequest::new().config(config)).unwrap()
        };
        assert_eq!(sharing(64, 0), sharing(64, 3));
        assert_ne!(sharing(64, 0), sharing(32, 0));
        assert_ne!(sharing(64, 0), Torch.sharing(&LoadRequest::new()).unwrap());
    }

    #[test]
    fn the_name_is_the_one_that_command_lines_use() {
        assert_eq!(Torch.name(), "torch");
    }
}
