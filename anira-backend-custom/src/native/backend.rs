//! The factories: [`Native`] for files, [`NetworkBackend`] for networks made in code.

use std::sync::Arc;

use anira_traits::{Backend, Error, InputRole, LoadRequest, ModelSource, Result};

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

/// Small networks from files: the project's engine `native`.
///
/// Reads ONNX (a subset, with the Cargo feature `onnx`), and JSON of Neural Amp Modeler (`.nam`) and RTNeural (with the Cargo
/// feature `json`); which it is, the bytes tell. Its engines may run inside the callback.
///
/// Loaded without a configuration, a model tells its tensors as the file has them. For a session the time axis of its streams is
/// open, whatever the file was exported with: see [`NativeModel`].
///
/// Option `simd`: `auto` (unless set), or `portable` to do without the processor's vectors.
#[derive(Clone, Copy, Debug, Default)]
pub struct Native;

impl Backend for Native {
    type Model = NativeModel;

    fn name(&self) -> &str {
        "native"
    }

    /// Bytes and options, and whether the session hands out windows.
    fn sharing(&self, request: &LoadRequest) -> Option<String> {
        if request.config.is_none() {
            return Some("exact".to_owned());
        }
        let contexts =
            request.config.iter().flat_map(|config| config.inputs()).map(|input| match input.role {
                InputRole::Stream { hop, context, .. } => format!("{hop} {context:?} "),
                _ => String::new(),
            });
        Some(contexts.collect())
    }

    /// [`NotBuilt`](anira_traits::ErrorKind::NotBuilt) for a format whose Cargo feature is off, [`Model`](anira_traits::ErrorKind::Model) for malformed
    /// files, [`Unsupported`](anira_traits::ErrorKind::Unsupported) for layers that it lacks and sizes beyond its limits, which are named.
    fn load(&self, source: &ModelSource, request: &LoadRequest) -> Result<NativeModel> {
        let cpu = cpu(request)?;
        let bytes = source.bytes()?;
        let at = |error: Error| match source.path() {
            Some(path) => error.at(path.display().to_string()),
            None => error,
        };
        let (network, mut ports) = read(&bytes).map_err(at)?;
        if request.config.is_none() {
            ports.signature = ports.exact.clone();
        }
        NativeModel::new(&network, ports, cpu, request.config.as_ref()).map_err(at)
    }
}

/// Reads a network in the format that its bytes are in.
fn read(bytes: &[u8]) -> Result<(Network, Ports)> {
    let is_json = bytes.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'{');
    if is_json {
        #[cfg(feature = "json")]
        return super::json::read(bytes).map(|network| {
            let ports = Ports::made_up(&network);
            (network, ports)
        });
        #[cfg(not(feature = "json"))]
        return Err(not_built("json"));
    }
    #[cfg(feature = "onnx")]
    return super::onnx::read(bytes);
    #[cfg(not(feature = "onnx"))]
    Err(not_built("onnx"))
}

#[cfg(not(all(feature = "onnx", feature = "json")))]
fn not_built(feature: &str) -> Error {
    let text = format!("is not built in: build with the Cargo feature `{feature}` of anira-backend-custom");
    Error::new(anira_traits::ErrorKind::NotBuilt, text).at("engine `native`")
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
