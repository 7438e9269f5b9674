//! What an inference engine is to anira: a [`Backend`] loads a [`Model`], a model makes [`Engine`]s.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::{Error, InferenceConfig, Result, Signature, TensorView, TensorViewMut};

/// Where a model comes from.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum ModelSource {
    /// A file, read when the model is loaded.
    File(PathBuf),
    /// The bytes of a file, shared.
    Memory(Arc<[u8]>),
    /// No file at all: the backend makes its model up (a bypass, a closure).
    None,
}

impl ModelSource {
    /// A file's path.
    #[must_use]
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self::File(path.into())
    }

    /// Bytes in memory.
    #[must_use]
    pub fn memory(bytes: impl Into<Arc<[u8]>>) -> Self {
        Self::Memory(bytes.into())
    }

    /// The file's path, where there is one.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::File(path) => Some(path),
            _ => None,
        }
    }

    /// The bytes: read from the file, or those in memory. Blocks.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`](crate::ErrorKind::NotFound) or [`ErrorKind::Io`](crate::ErrorKind::Io), with the
    /// path; [`ErrorKind::Config`](crate::ErrorKind::Config) for [`ModelSource::None`].
    pub fn bytes(&self) -> Result<Cow<'_, [u8]>> {
        match self {
            Self::File(path) => match std::fs::read(path) {
                Ok(bytes) => Ok(Cow::Owned(bytes)),
                Err(error) => Err(Error::from(error).at(path.display().to_string())),
            },
            Self::Memory(bytes) => Ok(Cow::Borrowed(bytes)),
            Self::None => Err(Error::config("model", "missing", "this backend needs a model file")),
        }
    }
}

/// What a caller asks of [`Backend::load`].
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct LoadRequest {
    /// Options by name, as the user wrote them. A backend refuses a name that it does not know, with
    /// [`ErrorKind::Config`](crate::ErrorKind::Config).
    pub options: BTreeMap<String, String>,
    /// The tensors that the session expects, for backends that make up a model to fit it.
    pub config: Option<InferenceConfig>,
}

impl LoadRequest {
    /// A request without options.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The same request for a session of this configuration.
    #[must_use]
    pub fn config(mut self, config: InferenceConfig) -> Self {
        self.config = Some(config);
        self
    }

    /// The same request with one option more.
    #[must_use]
    pub fn option(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.options.insert(name.into(), value.into());
        self
    }

    /// Refuses every option whose name is not in `known`.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config), naming the option and the known ones.
    pub fn refuse_unknown_options(&self, known: &[&str]) -> Result<()> {
        match self.options.iter().find(|(name, _)| !known.contains(&name.as_str())) {
            None => Ok(()),
            Some((name, value)) => {
                let right = match known {
                    [] => "this backend reads no options".to_owned(),
                    known => format!("this backend reads only: {}", known.join(", ")),
                };
                Err(Error::config(format!("options.{name}"), value, right))
            }
        }
    }
}

/// What a caller asks of [`Model::engine`]: a concrete shape for every tensor, so that an engine can bind its tensors once.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct EngineRequest {
    /// The extents of each input, in the order of [`Signature::inputs`].
    pub inputs: Vec<Vec<usize>>,
    /// The extents of each output, in the order of [`Signature::outputs`]; `None` where the caller ignores the output
    /// and its shape.
    pub outputs: Vec<Option<Vec<usize>>>,
    /// What each input holds in a trial run: one value per element, one for all, or none for zeros, as for all inputs that
    /// are beyond the end of this list. There are models that cannot run on zeros: one takes the sample rate as a tensor.
    pub values: Vec<Vec<f64>>,
}

impl EngineRequest {
    /// A request for these shapes.
    #[must_use]
    pub fn new(inputs: Vec<Vec<usize>>, outputs: Vec<Option<Vec<usize>>>) -> Self {
        Self { inputs, outputs, values: Vec::new() }
    }

    /// The same request with these [values](Self::values) for a trial run.
    #[must_use]
    pub fn values(mut self, values: Vec<Vec<f64>>) -> Self {
        self.values = values;
        self
    }

    /// For backends, before a trial run: puts the [values](Self::values) into the engine's inputs.
    pub fn put(&self, engine: &mut impl Engine) {
        self.write(engine, |values, at| values.get(at).or(values.first()).copied().unwrap_or(0.0));
    }

    /// For backends, after a trial run: makes those inputs zeros again.
    pub fn take_back(&self, engine: &mut impl Engine) {
        self.write(engine, |_, _| 0.0);
    }

    fn write(&self, engine: &mut impl Engine, value: impl Fn(&[f64], usize) -> f64) {
        for (input, values) in self.values.iter().enumerate().filter(|(_, values)| !values.is_empty()) {
            let Some(mut view) = engine.input(input) else { continue };
            (0..view.len()).for_each(|at| view.set_number(at, value(values, at)));
        }
    }
}

/// What an engine remembers from one run to the next, apart from the state tensors that the library feeds back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum InternalState {
    /// Nothing: the same inputs give the same outputs, always.
    #[default]
    None,
    /// Something inside the engine. Its session runs on one engine, strictly in order, and calls
    /// [`Engine::reset`] at a reset. What a failed run did to it cannot be undone.
    Inside,
}

/// The factory that turns a model file into engines of one runtime.
///
/// # For authors
/// A backend is three types: this factory, the [`Model`] that it loads, the [`Engine`] that the model makes.
/// `docs/adding-a-backend.md` in the repository is the recipe. All methods are called from control threads and may
/// block, allocate and fail; none is ever called from an audio thread. No lock of the library's is held during a call.
///
/// # For users
/// A backend is a type parameter of the handler, chosen at compile time.
pub trait Backend: Send + Sync + 'static {
    /// What [`load`](Self::load) gives.
    type Model: Model;

    /// The engine's name, as the command line and configuration files spell it: `"rten"`, `"onnxruntime"`, …
    fn name(&self) -> &str;

    /// Whether sessions may share a model that was loaded from the same bytes with the same options, and what else it depends on:
    /// two values of this type that answer the same text load the same model. `None`, the default: every session loads
    /// its own. Control thread.
    ///
    /// A backend that reads nothing but bytes and options answers an empty text; one whose signature comes from the request's
    /// configuration puts that into the text.
    fn sharing(&self, request: &LoadRequest) -> Option<String> {
        let _ = request;
        None
    }

    /// Loads a model. Control thread; may block.
    ///
    /// A model is untrusted input: whatever the bytes hold, this returns an error rather than crash.
    ///
    /// # Errors
    /// [`NotBuilt`](crate::ErrorKind::NotBuilt) without the engine's feature, [`NotFound`](crate::ErrorKind::NotFound)
    /// and [`Io`](crate::ErrorKind::Io) for files, [`Model`](crate::ErrorKind::Model) for malformed ones,
    /// [`Unsupported`](crate::ErrorKind::Unsupported) for what the engine lacks, [`Config`](crate::ErrorKind::Config)
    /// for options.
    fn load(&self, source: &ModelSource, request: &LoadRequest) -> Result<Self::Model>;
}

/// A loaded model: shared, immutable, one per file (see [`Backend::sharing`]). Engines are made from it, one per worker that a session may use at once.
pub trait Model: Send + Sync + 'static {
    /// What [`engine`](Self::engine) gives.
    type Engine: Engine;

    /// The model's tensors. Control thread.
    fn signature(&self) -> &Signature;

    /// What its engines remember between runs. Control thread.
    fn internal_state(&self) -> InternalState {
        InternalState::None
    }

    /// Makes an engine with its tensors allocated in the requested shapes. Control thread; may block.
    ///
    /// # Errors
    /// [`Shape`](crate::ErrorKind::Shape) if the model cannot take these shapes; the vendor's own failures as
    /// [`Engine`](crate::ErrorKind::Engine).
    fn engine(&self, request: &EngineRequest) -> Result<Self::Engine>;
}

/// Something that has to surround a thread which runs an engine, for as long as the thread lives: a guard that is per
/// thread, or a thread pool that would otherwise take the work away from the worker.
///
/// It is called on the worker, must call `body` exactly once, on this thread or on one that does nothing else until
/// `body` returns, and returns after it.
pub type WorkerScope = fn(body: &mut (dyn FnMut() + Send));

/// A runnable instance of a model: owns its tensors, runs on one thread at a time.
///
/// # For authors
/// - `Send`, not `Sync`: an engine moves between workers, two never use it at once.
/// - Tensors are allocated in [`Model::engine`] and stay; [`input`](Self::input) and [`output`](Self::output) borrow
///   them. Addresses may change from run to run: callers take them anew for every run.
/// - Called on a worker (or on the caller's thread in offline mode, or on the audio thread if it is
///   [`RealtimeSafe`]): do not block on other threads' work, do not print, use no threads of your own.
/// - A panic is caught; the engine is then never run again.
pub trait Engine: Send + 'static {
    /// What a worker enters before it runs engines of this type for the first time, and leaves when it ends. An engine
    /// must also work outside of it (offline rendering runs engines on the caller's thread).
    const SCOPE: Option<WorkerScope> = None;

    /// Input tensor `index` of the signature, to be filled before [`run`](Self::run). `None` if there is none.
    fn input(&mut self, index: usize) -> Option<TensorViewMut<'_>>;

    /// Output tensor `index` of the signature as the last successful [`run`](Self::run) left it. `None` if there is none.
    fn output(&self, index: usize) -> Option<TensorView<'_>>;

    /// Runs one inference: all inputs are read, all outputs are written. Inputs keep their contents.
    ///
    /// # Errors
    /// [`Engine`](crate::ErrorKind::Engine), [`Shape`](crate::ErrorKind::Shape), …: the outputs count as not written.
    fn run(&mut self) -> Result<()>;

    /// Forgets everything: back to what it was when it was made. Nothing to do without [internal state](InternalState).
    ///
    /// # Errors
    /// [`Engine`](crate::ErrorKind::Engine) if the state cannot be restored; the engine is then never run again.
    fn reset(&mut self) -> Result<()> {
        Ok(())
    }
}

/// A promise: this engine may run inside an audio callback.
///
/// # Safety
/// From [`Engine::input`], [`Engine::output`], [`Engine::run`] and [`Engine::reset`] an implementor never allocates or
/// frees memory, takes a lock, makes a system call, waits, panics, or loops without a bound that is known beforehand.
/// Nothing is unsound if the promise is broken, but sound stops: it is `unsafe` so that it is given by someone who
/// has checked it with tools.
#[allow(unsafe_code, reason = "declares the marker; nothing unsafe happens in this crate")]
pub unsafe trait RealtimeSafe: Engine {}
