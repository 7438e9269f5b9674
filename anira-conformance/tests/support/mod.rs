//! A small backend of this test's own, right as long as no fault is planted in it.

mod engine;
mod file;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use anira_traits::*;

pub(crate) use engine::{ToyEngine, scopes};
pub(crate) use file::file;

/// What is wrong with the backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    None,
    NameWithBlank,
    LoadsNothing,
    OptionAccepted,
    OptionNotNamed,
    MissingFileIsMalformed,
    SourceNotNeeded,
    PathForgotten,
    MemoryLosesWeights,
    EmptyAccepted,
    CutAccepted,
    CutPanics,
    FlipPanics,
    HeaderIsEnough,
    ForeignAccepted,
    WildWeightsAccepted,
    NamesTwice,
    NameChanges,
    LongerTensors,
    Narrowed,
    AxisMore,
    ExtentAccepted,
    CountAccepted,
    HugePanics,
    IgnoredIsRefused,
    FirstShapeForAll,
    SlightlyOff,
    InputOverwritten,
    HalfWritten,
    WrittenOnce,
    Dice,
    OneRunBehind,
    RemembersSecretly,
    ResetForgotten,
    WarmthStays,
    StateNotTaken,
    StatesShared,
    FailureStays,
    SharedOutput,
    SharedMemory,
    NotAtOnce,
    BoundToThread,
    LastModelWins,
    ModelNeeded,
    Allocates,
    Leaks,
}

/// `y = a·x + b·x²`, each times `gain`; with a memory also a running mean of x. Types of scope by number, see [`scopes`].
pub(crate) struct Toy<const SCOPE: usize = 0> {
    pub(crate) fault: Fault,
    pub(crate) remembers: bool,
    pub(crate) loads: AtomicUsize,
    pub(crate) last: Arc<Mutex<[f32; 2]>>,
}

impl<const SCOPE: usize> Toy<SCOPE> {
    pub(crate) fn new(fault: Fault, remembers: bool) -> Self {
        Self { fault, remembers, loads: AtomicUsize::new(0), last: Arc::default() }
    }
}

/// What engines of one model share; all but the weights serves faults alone.
pub(crate) struct Shared {
    pub(crate) fault: Fault,
    pub(crate) remembers: bool,
    pub(crate) weights: [f32; 2],
    pub(crate) last: Arc<Mutex<[f32; 2]>>,
    pub(crate) output: Mutex<Vec<f32>>,
    pub(crate) memory: Mutex<f32>,
    pub(crate) running: AtomicUsize,
    pub(crate) dice: AtomicU64,
}

pub(crate) struct ToyModel<const SCOPE: usize> {
    signature: Signature,
    shared: Arc<Shared>,
    first: Mutex<Option<usize>>,
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(crate) fn malformed(text: &'static str) -> Error {
    Error::new(ErrorKind::Model, text)
}

impl<const SCOPE: usize> Backend for Toy<SCOPE> {
    type Model = ToyModel<SCOPE>;

    fn name(&self) -> &str {
        if self.fault == Fault::NameWithBlank { "my toy" } else { "toy" }
    }

    fn load(&self, source: &ModelSource, request: &LoadRequest) -> Result<ToyModel<SCOPE>> {
        match self.fault {
            Fault::LoadsNothing => return Err(Error::new(ErrorKind::NotBuilt, "not built")),
            Fault::OptionAccepted => {}
            Fault::OptionNotNamed => {
                request.refuse_unknown_options(&[]).map_err(|_| Error::config("options", "odd", "none"))?;
            }
            _ => request.refuse_unknown_options(&[])?,
        }
        let read = source.bytes();
        let bytes = match (&read, self.fault) {
            (Err(_), Fault::SourceNotNeeded) if source.path().is_none() => file(1.0, 0.5),
            (Err(_), Fault::MissingFileIsMalformed) => Vec::new(),
            _ => read?.into_owned(),
        };
        let mut weights = file::parse(&bytes, self.fault).map_err(|e| match source.path() {
            Some(path) if self.fault != Fault::PathForgotten => e.at(path.display().to_string()),
            _ => e,
        })?;
        if self.fault == Fault::MemoryLosesWeights && source.path().is_none() {
            weights[1] = 0.0;
        }
        let count = self.loads.fetch_add(1, Ordering::SeqCst);
        if self.fault == Fault::Leaks {
            std::hint::black_box(Box::leak(Box::new([0u8; 3_000])));
        }
        *lock(&self.last) = weights;
        let open =
            || if self.fault == Fault::AxisMore { vec![Some(1), None, Some(1)] } else { vec![Some(1), None] };
        let x = if self.fault == Fault::NameChanges { format!("x{count}") } else { "x".into() };
        let gain = if self.fault == Fault::NamesTwice { x.clone() } else { "gain".into() };
        Ok(ToyModel {
            signature: Signature {
                inputs: vec![TensorInfo::new(x, DType::F32, open()), TensorInfo::f32(gain, &[1])],
                outputs: vec![TensorInfo::new("y", DType::F32, open()), TensorInfo::f32("peak", &[1])],
            },
            shared: Arc::new(Shared {
                fault: self.fault,
                remembers: self.remembers,
                weights,
                last: Arc::clone(&self.last),
                output: Mutex::default(),
                memory: Mutex::default(),
                running: AtomicUsize::new(0),
                dice: AtomicU64::new(1),
            }),
            first: Mutex::new(None),
        })
    }
}

impl<const SCOPE: usize> Model for ToyModel<SCOPE> {
    type Engine = ToyEngine<SCOPE>;

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn internal_state(&self) -> InternalState {
        let said = self.shared.remembers && self.shared.fault != Fault::RemembersSecretly;
        if said { InternalState::Inside } else { InternalState::None }
    }

    fn engine(&self, request: &EngineRequest) -> Result<ToyEngine<SCOPE>> {
        let wrong = || Error::new(ErrorKind::Shape, "x and y are [1, n], gain and peak [1]");
        let fault = self.shared.fault;
        let (inputs, outputs) = (request.inputs.as_slice(), request.outputs.as_slice());
        let strict = inputs.len() == 2 && outputs.len() == 2;
        if !strict && fault != Fault::CountAccepted {
            return Err(wrong());
        }
        let (Some([one, n]), Some([g])) =
            (inputs.first().map(Vec::as_slice), inputs.get(1).map_or(Some(&[1][..]), |s| Some(s.as_slice())))
        else {
            return Err(wrong());
        };
        let fits = |i: usize, right: &[usize]| match outputs.get(i) {
            Some(Some(shape)) => shape == right,
            Some(None) => fault != Fault::IgnoredIsRefused,
            None => true,
        };
        let fit = (*one, *g) == (1, 1) && fits(0, &[1, *n]) && fits(1, &[1]);
        if !fit && fault != Fault::ExtentAccepted {
            return Err(wrong());
        }
        let n = match fault {
            Fault::FirstShapeForAll => *lock(&self.first).get_or_insert(*n),
            Fault::LongerTensors => n + 1,
            _ => *n,
        };
        if n > 1 << 20 && fault != Fault::HugePanics {
            return Err(wrong());
        }
        Ok(ToyEngine::new(&self.shared, n))
    }
}
