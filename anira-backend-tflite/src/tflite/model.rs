//! A loaded model of TensorFlow Lite's.

use std::sync::Arc;

use anira_traits::{
    EngineRequest, Error, ErrorKind, InternalState, LoadRequest, Model, ModelSource, Result, Signature,
};

use super::engine::TfLiteEngine;
use super::ffi::{Described, Failed, Flat, Interpreter};
use crate::backend::{at_source, switch};
use crate::fault::fault;
use crate::file::{self, Contents, Port};

/// The name in messages.
pub(super) const ENGINE: &str = "TensorFlow Lite";

/// A .tflite model that TensorFlow Lite has loaded: shared by all its engines.
#[derive(Debug)]
pub struct TfLiteModel {
    loaded: Arc<Loaded>,
}

/// What the engines of a model share.
#[derive(Debug)]
pub(super) struct Loaded {
    pub(super) contents: Contents,
    flat: Arc<Flat>,
    xnnpack: bool,
}

impl Loaded {
    /// An interpreter, not yet with memory.
    pub(super) fn interpreter(&self) -> Result<Interpreter> {
        Interpreter::new(Arc::clone(&self.flat), self.xnnpack)
            .map_err(|Failed(words)| fault(ENGINE, "loading", ErrorKind::Model, &words))
    }
}

impl TfLiteModel {
    pub(super) fn load(source: &ModelSource, request: &LoadRequest) -> Result<Self> {
        request.refuse_unknown_options(&["xnnpack"])?;
        let xnnpack = switch(request, "xnnpack", true)?;
        at_source(source, Self::from_bytes(&source.bytes()?, xnnpack))
    }

    fn from_bytes(bytes: &[u8], xnnpack: bool) -> Result<Self> {
        let contents = file::read(bytes)?;
        let flat = Flat::new(bytes).ok_or_else(|| fault(ENGINE, "loading", ErrorKind::Model, ""))?;
        // XNNPACK as it is in TensorFlow Lite 2.6.0 crashes over a value that it computes and nobody uses.
        let xnnpack = xnnpack && !contents.unused;
        let mut loaded = Loaded { contents, flat: Arc::new(flat), xnnpack };
        // It refuses graphs whose middle has open sizes, as those with variables; the library's own kernels do not.
        loaded.xnnpack = xnnpack && loaded.interpreter().is_ok();
        // What the engine lacks shows now.
        let interpreter = loaded.interpreter()?;
        compare("inputs", &loaded.contents.inputs, &interpreter.inputs())?;
        compare("outputs", &loaded.contents.outputs, &interpreter.outputs())?;
        Ok(Self { loaded: Arc::new(loaded) })
    }
}

/// Checks that the library sees the same tensors as the file's reader.
fn compare(what: &'static str, ports: &[Port], seen: &[Described]) -> Result<()> {
    let same = |port: &Port, tensor: &Described| {
        let scale = port.scale.map_or((tensor.scale.0, tensor.scale.1), |s| (s.scale, s.zero_point));
        (port.inner.as_str(), port.storage.number(), scale) == (tensor.name.as_str(), tensor.kind, tensor.scale)
            // XNNPACK has computed the outputs' shapes anew: an engine compares them with the request.
            && (what == "outputs" || port.given == tensor.shape)
    };
    if ports.len() == seen.len() && ports.iter().zip(seen).all(|(port, tensor)| same(port, tensor)) {
        return Ok(());
    }
    let said: Vec<_> = ports.iter().map(|p| (&p.inner, p.storage, &p.given, p.scale)).collect();
    let text = format!("the file says {said:?}, {ENGINE} reads {seen:?}; export the model anew");
    Err(Error::new(ErrorKind::Model, text).at(what))
}

impl Model for TfLiteModel {
    type Engine = TfLiteEngine;

    fn signature(&self) -> &Signature {
        &self.loaded.contents.signature
    }

    fn internal_state(&self) -> InternalState {
        if self.loaded.contents.remembers { InternalState::Inside } else { InternalState::None }
    }

    /// Runs the model once, on what the request says or zeros: what TensorFlow Lite lacks and what the model's shapes really are shows now.
    fn engine(&self, request: &EngineRequest) -> Result<TfLiteEngine> {
        TfLiteEngine::new(Arc::clone(&self.loaded), request)
    }
}
