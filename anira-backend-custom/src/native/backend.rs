//! The factories: [`Native`] for files, [`NetworkBackend`] for networks made in code.

use std::sync::Arc;

use anira_traits::{Backend, Error, LoadRequest, ModelSource, Result};

use super::lanes::Cpu;
use super::model::NativeModel;
use super::network::Network;
use super::port::Ports;

const OPTIONS: [&str; 1] = ["simd"];

/// The vectors that the options ask for.
pub(crate) fn cpu(request: &LoadRequest) -> Result<Cpu> {
    request.refuse_unknown_options(&OPTIONS)?;
    match request.options.get("simd").map(String::as_str) {
        None | Some("auto") => Ok(Cpu::detect()),
        Some("portable") => Ok(Cpu::Portable),
        Some(other) => Err(Error::config("options.simd", other, "`auto` or `portable`")),
    }
}

/// A [`Network`] as a backend. The source is ignored.
///
/// Streams are `[1, channels, time]`, called `input` and `output`, from the second on with a number; a parameter of n numbers
/// is `[n]`, called `parameter`. A windowed network takes `[windows, channels, samples]`.
///
/// Option `simd`: `auto` (unless set), or `portable` to do without the processor's vectors.
#[derive(Clone, Debug)]
pub struct NetworkBackend {
    network: Arc<Network>,
    name: String,
}

impl NetworkBackend {
    /// A backend whose models are this network.
    #[must_use]
    pub fn new(network: Network) -> Self {
        Self { network: Arc::new(network), name: "network".to_owned() }
    }

    /// The same under this name.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }
}

impl Backend for NetworkBackend {
    type Model = NativeModel;

    fn name(&self) -> &str {
        &self.name
    }

    /// [`ErrorKind::Config`](anira_traits::ErrorKind::Config) for options;
    /// [`ErrorKind::Model`](anira_traits::ErrorKind::Model) and [`ErrorKind::Unsupported`](anira_traits::ErrorKind::Unsupported)
    /// for networks without streams, too large, or with layers that a stream cannot have.
    fn load(&self, _source: &ModelSource, request: &LoadRequest) -> Result<NativeModel> {
        let cpu = cpu(request)?;
        NativeModel::new(&self.network, Ports::made_up(&self.network), cpu, request.config.as_ref())
    }
}
