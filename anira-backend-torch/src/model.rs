//! A loaded module of LibTorch's.

use std::sync::Arc;

use anira_traits::{
    EngineRequest, Error, ErrorKind, InternalState, LoadRequest, Model, ModelSource, Result, Signature,
};
use tch::{CModule, Device};

use crate::TorchEngine;
use crate::about::{About, Port};
use crate::archive::Archive;
use crate::call::Call;
use crate::describe::{self, Seen};
use crate::fault;
use crate::settings::{Settings, State};
use crate::tensor::Slot;

/// A TorchScript module that LibTorch has loaded, and the method of it that engines run.
#[derive(Debug)]
pub struct TorchModel {
    loaded: Arc<Loaded>,
}

/// What the engines of a model share.
#[derive(Debug)]
pub(crate) struct Loaded {
    module: Module,
    pub(crate) signature: Signature,
    /// The inputs as far as they are known, in the signature's order.
    pub(crate) inputs: Vec<Port>,
    pub(crate) call: Call,
    inside: bool,
}

/// Where an engine's module comes from.
#[derive(Debug)]
enum Module {
    /// No run changes it: one for all engines.
    Shared(Arc<CModule>),
    /// Runs may change it: each engine loads its own from this archive, which has the methods that bring a state back or
    /// has them not.
    Own { bytes: Vec<u8>, restorable: bool },
}

impl TorchModel {
    pub(crate) fn load(source: &ModelSource, request: &LoadRequest) -> Result<Self> {
        let settings = Settings::read(request)?;
        let bytes = source.bytes()?;
        let model =
            fault::catch(ErrorKind::Model, "loading", || Self::from_bytes(&bytes, &settings, request));
        model.map_err(|e| match source.path() {
            Some(path) => e.at(path.display().to_string()),
            None => e,
        })
    }

    fn from_bytes(bytes: &[u8], settings: &Settings, request: &LoadRequest) -> Result<Self> {
        let archive = Archive::read(bytes)?;
        let method = archive.method(&settings.method)?;
        if archive.effects.forks {
            let text = "the code uses torch.jit.fork, for which LibTorch starts threads of its own; export without it";
            return Err(Error::new(ErrorKind::Unsupported, text));
        }
        let about = match &archive.about {
            Some(text) => About::read(text)?.of_method(&settings.method),
            None => About::default(),
        };
        let config = request.config.as_ref();
        let inputs = describe::inputs(method, settings, &about, config)?;
        let call = Call {
            method: method.name.clone(),
            single: method.returns == "Tensor" && inputs.iter().all(|port| !port.number),
            numbers: inputs.iter().map(|port| port.number).collect(),
            optimize: settings.optimize,
            changes: archive.effects.in_place,
            keeps: archive.effects.writes,
        };
        let guard = call.guard()?;
        let module = module(&archive.bytes)?;
        let seen = probe(&module, &call, &inputs)?;
        drop(guard);
        let outputs = describe::outputs(method, seen.as_deref(), settings, &about, config)?;
        let infos = inputs.iter().map(|p| describe::info(p.name.clone(), p.dtype, p.shape.clone())).collect();
        let inside = match settings.state {
            State::Auto => archive.effects.writes,
            State::None => false,
            State::Inside => true,
        };
        // Whatever the user says of state: a module that is written to belongs to one thread at a time.
        let module = if inside || archive.effects.writes {
            // Our own words in the code may be what LibTorch does not take: then without.
            match archive.restorable.filter(|bytes| self::module(bytes).is_ok()) {
                Some(bytes) => Module::Own { bytes, restorable: true },
                None => Module::Own { bytes: archive.bytes, restorable: false },
            }
        } else {
            Module::Shared(Arc::new(module))
        };
        let signature = Signature { inputs: infos, outputs };
        Ok(Self { loaded: Arc::new(Loaded { module, signature, inputs, call, inside }) })
    }
}

impl Loaded {
    /// The module for a new engine, and for one that is to forget.
    pub(crate) fn module(&self) -> Result<Arc<CModule>> {
        match &self.module {
            Module::Shared(module) => Ok(Arc::clone(module)),
            Module::Own { bytes, .. } => module(bytes).map(Arc::new),
        }
    }

    /// Whether a run may change the engine's module.
    pub(crate) fn remembers(&self) -> bool {
        matches!(self.module, Module::Own { .. })
    }

    /// Whether the module has the methods that tell its state and bring it back.
    pub(crate) fn restorable(&self) -> bool {
        matches!(self.module, Module::Own { restorable: true, .. })
    }
}

/// Loads a checked archive, ready for inference.
fn module(bytes: &[u8]) -> Result<CModule> {
    let mut module =
        CModule::load_data_on_device(&mut &bytes[..], Device::Cpu).map_err(|e| fault::load(&e))?;
    module.f_set_eval().map_err(|e| fault::load(&e))?;
    Ok(module)
}

/// Runs the method once on zeros if all shapes are known, and tells what it gives.
fn probe(module: &CModule, call: &Call, inputs: &[Port]) -> Result<Option<Vec<Seen>>> {
    let shape = |port: &Port| port.shape.as_ref()?.iter().copied().collect::<Option<Vec<usize>>>();
    let Some(shapes) = inputs.iter().map(shape).collect::<Option<Vec<_>>>() else { return Ok(None) };
    let slot = |(port, shape): (&Port, &Vec<usize>)| {
        let dtype = port.dtype.unwrap_or(anira_traits::DType::F32);
        let mut slot = Slot::zeros(dtype, shape).map_err(|e| e.at(format!("input `{}`", port.name)))?;
        slot.fill(&port.trial);
        Ok(slot)
    };
    let slots = inputs.iter().zip(&shapes).map(slot).collect::<Result<Vec<_>>>()?;
    let mut seen = Vec::new();
    let run = call.probe(module, &slots, &mut |tensor| {
        let shape = tensor.size().iter().map(|d| usize::try_from(*d).unwrap_or(0)).collect();
        seen.push((crate::tensor::dtype(tensor)?, shape));
        Ok(())
    });
    run.map_err(|e| {
        let tried: Vec<_> = inputs.iter().zip(&shapes).map(|(p, s)| format!("{} {s:?}", p.name)).collect();
        e.at(format!("running `{}` on zeros, {}", call.method, tried.join(", ")))
    })?;
    Ok(Some(seen))
}

impl Model for TorchModel {
    type Engine = TorchEngine;

    fn signature(&self) -> &Signature {
        &self.loaded.signature
    }

    fn internal_state(&self) -> InternalState {
        if self.loaded.inside { InternalState::Inside } else { InternalState::None }
    }

    /// Runs the method once, on what the request or the configuration says or zeros: what the module's shapes and types really are shows now.
    fn engine(&self, request: &EngineRequest) -> Result<TorchEngine> {
        TorchEngine::new(Arc::clone(&self.loaded), request)
    }
}
