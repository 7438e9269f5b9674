//! A loaded model of LiteRT's.

use std::sync::Arc;

use anira_traits::{
    EngineRequest, Error, ErrorKind, InternalState, LoadRequest, Model, ModelSource, Result, Signature,
};

use super::engine::LiteRtEngine;
use super::ffi::{Compiled, Described, Failed, Flat};
use crate::backend::{at_source, switch};
use crate::fault::fault;
use crate::file::{self, Contents, Port};

/// The name in messages.
pub(super) const ENGINE: &str = "LiteRT";

/// A .tflite model that LiteRT has loaded: shared by all its engines.
#[derive(Debug)]
pub struct LiteRtModel {
    loaded: Arc<Loaded>,
}

/// What the engines of a model share.
#[derive(Debug)]
pub(super) struct Loaded {
    pub(super) contents: Contents,
    flat: Arc<Flat>,
    pub(super) xnnpack: bool,
    /// Which tensor of our signature stands at each place of LiteRT's: the order of its own may be another.
    pub(super) inputs: Vec<usize>,
    pub(super) outputs: Vec<usize>,
}

impl Loaded {
    /// The model made ready to run.
    pub(super) fn compile(&self, xnnpack: bool) -> Result<Compiled> {
        let entry = self.contents.entry.unwrap_or(0);
        Compiled::new(Arc::clone(&self.flat), entry, xnnpack).map_err(|Failed(words)| self.refused(&words))
    }

    /// The library says on standard error alone why it does not compile a model. The file is well formed, as it has been
    /// read: so it is something that LiteRT lacks, or shapes that do not fit each other.
    fn refused(&self, words: &str) -> Error {
        let operators = self.contents.operators.join(", ");
        let text = format!(
            "{words}; it lacks an operator in the version of the file, or shapes do not fit: {operators}"
        );
        fault(ENGINE, "loading", ErrorKind::Unsupported, &text)
    }
}

impl LiteRtModel {
    pub(super) fn load(source: &ModelSource, request: &LoadRequest) -> Result<Self> {
        request.refuse_unknown_options(&["xnnpack"])?;
        let xnnpack = switch(request, "xnnpack", true)?;
        at_source(source, Self::from_bytes(&source.bytes()?, xnnpack))
    }

    fn from_bytes(bytes: &[u8], xnnpack: bool) -> Result<Self> {
        let contents = file::read(bytes)?;
        if contents.entry.is_none() && contents.entries > 0 {
            let text =
                "its named signatures do not name its inputs and outputs once each; LiteRT runs it by them";
            return Err(Error::new(ErrorKind::Unsupported, text));
        }
        let broken = |Failed(words)| fault(ENGINE, "loading", ErrorKind::Model, &words);
        let flat = Flat::new(bytes).map_err(broken)?;
        let (inputs, outputs) = flat.tensors(contents.entry.unwrap_or(0)).map_err(broken)?;
        let named = contents.entry.is_some();
        let inputs = places("inputs", &contents.inputs, &inputs, named)?;
        let outputs = places("outputs", &contents.outputs, &outputs, named)?;
        let loaded = Loaded { contents, flat: Arc::new(flat), xnnpack, inputs, outputs };
        // What the engine lacks shows now.
        loaded.compile(xnnpack)?;
        Ok(Self { loaded: Arc::new(loaded) })
    }
}

/// Where each of LiteRT's tensors stands among ours, if it sees the same as the file's reader.
fn places(what: &'static str, ports: &[Port], seen: &[Described], named: bool) -> Result<Vec<usize>> {
    let same = |port: &Port, tensor: &Described| {
        let name = if named { &port.info.name } else { &port.inner };
        let open = port.info.shape.iter().map(|n| n.map_or(-1, |n| n as i32));
        (name, port.storage.number()) == (&tensor.name, tensor.kind) && open.eq(tensor.shape.iter().copied())
    };
    let place = |tensor: &Described| ports.iter().position(|port| same(port, tensor));
    let places = seen.iter().map(place).collect::<Option<Vec<_>>>();
    let whole =
        |places: &Vec<usize>| places.len() == ports.len() && (0..ports.len()).all(|i| places.contains(&i));
    places.filter(whole).ok_or_else(|| {
        let said: Vec<_> = ports.iter().map(|p| (&p.info, p.storage)).collect();
        let text = format!("the file says {said:?}, {ENGINE} reads {seen:?}; export the model anew");
        Error::new(ErrorKind::Model, text).at(what)
    })
}

impl Model for LiteRtModel {
    type Engine = LiteRtEngine;

    fn signature(&self) -> &Signature {
        &self.loaded.contents.signature
    }

    fn internal_state(&self) -> InternalState {
        if self.loaded.contents.remembers { InternalState::Inside } else { InternalState::None }
    }

    /// Runs the model twice, on what the request says or zeros: what LiteRT lacks and what the model's shapes really are shows now.
    fn engine(&self, request: &EngineRequest) -> Result<LiteRtEngine> {
        LiteRtEngine::new(Arc::clone(&self.loaded), request)
    }
}
