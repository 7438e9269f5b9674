//! A model that ONNX Runtime accepts.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use anira_traits::{
    EngineRequest, Error, ErrorKind, LoadRequest, Model, ModelSource, Result, Signature, TensorInfo,
};
use ort::session::Session;
use ort::value::{Outlet, ValueType};

use super::options::Options;
use super::{NAME, OnnxRuntimeEngine, fault, tensor};
use crate::backend::at;
use crate::graph_proto::{self, Told};
use crate::panic::catch;

/// An ONNX model that ONNX Runtime has accepted. Each of its engines has a session of its own.
///
/// Not one session for all: its engines would share an allocator and take its lock in every run, so that a worker of low priority
/// could hold up one of high priority.
pub struct OnnxRuntimeModel {
    bytes: Arc<[u8]>,
    options: Options,
    signature: Signature,
    /// The session by which the model was checked; the first engine takes it.
    first: Mutex<Option<Session>>,
}

impl OnnxRuntimeModel {
    pub(crate) fn load(source: &ModelSource, request: &LoadRequest) -> Result<Self> {
        let options = Options::read(request)?;
        let bytes: Arc<[u8]> = match source {
            ModelSource::Memory(bytes) => Arc::clone(bytes),
            source => source.bytes()?.into(),
        };
        Self::from_bytes(bytes, options).map_err(|error| match error.field() {
            Some("library of ONNX Runtime" | "options.providers") => error,
            _ => at(source, error),
        })
    }

    fn from_bytes(bytes: Arc<[u8]>, options: Options) -> Result<Self> {
        let signature = graph_proto::read(&bytes, Told::Survived)?;
        let session = session(&bytes, &options)?;
        check("inputs", session.inputs(), &signature.inputs)?;
        check("outputs", session.outputs(), &signature.outputs)?;
        Ok(Self { bytes, options, signature, first: Mutex::new(Some(session)) })
    }
}

impl fmt::Debug for OnnxRuntimeModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OnnxRuntimeModel").field("signature", &self.signature).finish_non_exhaustive()
    }
}

fn session(bytes: &[u8], options: &Options) -> Result<Session> {
    let mut builder = options.builder()?;
    catch(NAME, ErrorKind::Model, "loading", || builder.commit_from_memory(bytes).map_err(fault::load))
}

/// Whether it sees the same tensors as the file's signature.
fn check(what: &'static str, seen: &[Outlet], said: &[TensorInfo]) -> Result<()> {
    let same = |(outlet, info): (&Outlet, &TensorInfo)| {
        let ty = match outlet.dtype() {
            ValueType::Tensor { ty, .. } => Some(*ty),
            _ => None,
        };
        outlet.name() == info.name && ty.is_some() && ty == tensor::element_type(info.dtype)
    };
    if seen.len() == said.len() && seen.iter().zip(said).all(same) {
        return Ok(());
    }
    let seen: Vec<_> = seen.iter().map(|outlet| format!("{}: {}", outlet.name(), outlet.dtype())).collect();
    let said: Vec<_> = said.iter().map(|info| format!("{}: {}", info.name, info.dtype)).collect();
    let text = format!("the file says {said:?}, {NAME} reads {seen:?}; export the model anew");
    Err(Error::new(ErrorKind::Model, text).at(what))
}

impl Model for OnnxRuntimeModel {
    type Engine = OnnxRuntimeEngine;

    fn signature(&self) -> &Signature {
        &self.signature
    }

    /// Makes a session, unless this is the first engine, and runs it on what the request says or zeros: what ONNX Runtime lacks and what the model's shapes
    /// really are shows now.
    fn engine(&self, request: &EngineRequest) -> Result<OnnxRuntimeEngine> {
        OnnxRuntimeEngine::check(&self.signature, request)?;
        let first = self.first.lock().unwrap_or_else(PoisonError::into_inner).take();
        let session = first.map_or_else(|| session(&self.bytes, &self.options), Ok)?;
        OnnxRuntimeEngine::new(session, &self.signature, request)
    }
}
