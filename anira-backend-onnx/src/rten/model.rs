//! A loaded model of rten's.

use std::sync::Arc;

use anira_traits::{
    EngineRequest, Error, ErrorKind, LoadRequest, Model, ModelSource, Result, Signature, TensorInfo,
};
use rten::{ModelOptions, NodeId};

use super::{RtenEngine, fault, thread};
use crate::backend::at;
use crate::graph_proto::{self, Told};
use crate::panic::catch;

/// An ONNX model that rten has loaded: shared by all its engines.
#[derive(Debug)]
pub struct RtenModel {
    loaded: Arc<Loaded>,
}

/// What the engines of a model share.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) model: rten::Model,
    pub(crate) signature: Signature,
    /// rten's numbers of the inputs and outputs, in the signature's order.
    pub(crate) inputs: Vec<NodeId>,
    pub(crate) outputs: Vec<NodeId>,
}

impl RtenModel {
    pub(crate) fn load(source: &ModelSource, request: &LoadRequest) -> Result<Self> {
        request.refuse_unknown_options(&["optimize", "prepack"])?;
        let mut options = ModelOptions::with_all_ops();
        let (optimize, prepack) = (switch(request, "optimize", true)?, switch(request, "prepack", false)?);
        options.enable_optimization(optimize);
        options.prepack_weights(prepack);
        let bytes = source.bytes()?;
        let folds = if prepack { Some("prepack") } else { optimize.then_some("optimize") };
        Self::from_bytes(&bytes, &options, folds).map_err(|error| at(source, error))
    }

    /// `folds`: the option for which rten computes while it loads, on its global pool.
    fn from_bytes(bytes: &[u8], options: &ModelOptions, folds: Option<&'static str>) -> Result<Self> {
        let signature = graph_proto::read(bytes, Told::Refused)?;
        let pool_is_here = thread::start_global_pool();
        if let Some(option) = folds.filter(|_| !pool_is_here) {
            let right = "`false`: rten's threads stayed in the process that this one was forked from";
            return Err(Error::config(option, true, right).of_kind(ErrorKind::System));
        }
        let model = catch("rten", ErrorKind::Model, "loading", || {
            options.load(bytes.to_vec()).map_err(|e| fault::load(&e))
        })?;
        let inputs = nodes(&model, "inputs", model.input_ids(), &signature.inputs)?;
        let outputs = nodes(&model, "outputs", model.output_ids(), &signature.outputs)?;
        Ok(Self { loaded: Arc::new(Loaded { model, signature, inputs, outputs }) })
    }
}

fn switch(request: &LoadRequest, name: &'static str, unset: bool) -> Result<bool> {
    match request.options.get(name).map(String::as_str) {
        None => Ok(unset),
        Some("true") => Ok(true),
        Some("false") => Ok(false),
        Some(other) => {
            Err(Error::config(format!("options.{name}"), format_args!("`{other}`"), "`true` or `false`"))
        }
    }
}

/// rten's numbers, if it sees the same tensors as the file's signature.
fn nodes(
    model: &rten::Model,
    what: &'static str,
    ids: &[NodeId],
    tensors: &[TensorInfo],
) -> Result<Vec<NodeId>> {
    let name = |id: &NodeId| model.node_info(*id).and_then(|node| node.name());
    if ids.len() == tensors.len() && ids.iter().zip(tensors).all(|(id, t)| name(id) == Some(&t.name)) {
        return Ok(ids.to_vec());
    }
    let seen: Vec<_> = ids.iter().map(|id| name(id).unwrap_or("?")).collect();
    let said: Vec<_> = tensors.iter().map(|t| t.name.as_str()).collect();
    let text = format!("the file says {said:?}, rten reads {seen:?}; export the model anew");
    Err(Error::new(ErrorKind::Model, text).at(what))
}

impl Model for RtenModel {
    type Engine = RtenEngine;

    fn signature(&self) -> &Signature {
        &self.loaded.signature
    }

    /// Runs the model once, on what the request says or zeros: what rten lacks and what the model's shapes really are shows now.
    fn engine(&self, request: &EngineRequest) -> Result<RtenEngine> {
        RtenEngine::new(Arc::clone(&self.loaded), request)
    }
}
