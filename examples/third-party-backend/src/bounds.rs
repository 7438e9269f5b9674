//! What a file may ask for, and whose fault an error is.

use anira_traits::{Error, ErrorKind, Result};
use nam_rs::{LayerArrayConfig, LstmConfig, ModelConfig, NamModel};

/// The most units of a layer, and the most layers.
const MOST_UNITS: usize = 4_096;
const MOST_LAYERS: usize = 256;
/// The most past samples that one layer reaches back to.
const MOST_REACH: usize = 1 << 20;

/// Refuses what would take absurd memory or time, and what nam-rs would only stumble over while it runs.
pub(crate) fn check(file: &NamModel) -> Result<()> {
    if file.weights.iter().any(|weight| !weight.is_finite()) {
        return malformed("a weight is not finite");
    }
    match &file.config {
        ModelConfig::Lstm(config) => check_lstm(config),
        ModelConfig::WaveNet(config) => {
            if config.condition_dsp.is_some() {
                return unsupported("a model that is conditioned by another one");
            }
            if config.layers.is_empty() || config.layers.len() > MOST_LAYERS {
                return malformed("between 1 and 256 arrays of layers");
            }
            let head = config.post_stack_head.as_ref();
            let kernels = head.map_or(&[][..], |head| &head.kernel_sizes);
            if kernels.len() > MOST_LAYERS || kernels.iter().any(|kernel| !(1..=MOST_UNITS).contains(kernel))
            {
                return malformed("a head of at most 256 kernels, each of 1 to 4096 samples");
            }
            config.layers.iter().try_for_each(check_array)
        }
        ModelConfig::Slimmable(_) => unsupported("a container of several models"),
    }
}

fn check_lstm(config: &LstmConfig) -> Result<()> {
    if config.input_size != 1 {
        return unsupported("an LSTM with another input than one channel");
    }
    if !(1..=MOST_UNITS).contains(&config.hidden_size) || !(1..=MOST_LAYERS).contains(&config.num_layers) {
        return malformed("an LSTM has 1 to 4096 units and 1 to 256 layers");
    }
    Ok(())
}

fn check_array(array: &LayerArrayConfig) -> Result<()> {
    let sizes = [array.input_size, array.condition_size, array.channels, array.bottleneck, array.head_size];
    let groups = [array.groups_input, array.groups_input_mixin, array.head_kernel_size];
    if sizes.iter().chain(&groups).any(|n| !(1..=MOST_UNITS).contains(n)) {
        return malformed("a layer has 1 to 4096 channels, groups and samples of its head");
    }
    if array.dilations.is_empty() || array.dilations.len() > MOST_LAYERS {
        return malformed("an array has 1 to 256 layers");
    }
    let reach = |(dilation, kernel): (&usize, &usize)| dilation.checked_mul(*kernel);
    let mut reaches = array.dilations.iter().zip(&array.kernel_sizes).map(reach);
    if reaches.any(|reach| !reach.is_some_and(|n| (1..=MOST_REACH).contains(&n))) {
        return malformed("a layer reaches back 1 to 2^20 samples");
    }
    Ok(())
}

fn malformed(right: &'static str) -> Result<()> {
    Err(Error::new(ErrorKind::Model, format!("nam-rs: the file asks for what cannot be: {right}")))
}

fn unsupported(what: &'static str) -> Result<()> {
    Err(Error::new(ErrorKind::Unsupported, format!("nam-rs: {what} is not supported")))
}

/// nam-rs's errors as anira's.
pub(crate) fn kind_of(error: &nam_rs::Error) -> Error {
    use nam_rs::Error::{UnsupportedActivation, UnsupportedArchitecture, UnsupportedFeature};
    let kind = match error {
        UnsupportedArchitecture(_) | UnsupportedActivation(_) | UnsupportedFeature(_) => {
            ErrorKind::Unsupported
        }
        _ => ErrorKind::Model,
    };
    Error::new(kind, format!("nam-rs: {error}"))
}
