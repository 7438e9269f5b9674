//! ONNX Runtime's environment: one per process, made with the first model, there for good.

use std::sync::{Mutex, OnceLock, PoisonError};

use anira_traits::{Error, ErrorKind, Result};
use ort::environment::Environment;
use ort::logging::LogLevel;

use super::NAME;
use crate::LoadedLibrary;
use crate::panic::catch;

/// What is there once the library is loaded. A static is never dropped, so the environment and the library stay.
static RUNTIME: OnceLock<Runtime> = OnceLock::new();
/// Held while the library is looked for and loaded; models load without it.
static STARTING: Mutex<()> = Mutex::new(());

#[derive(Debug)]
struct Runtime {
    environment: Environment,
    library: LoadedLibrary,
}

/// The environment, made now if there is none. A failure is not kept: the next call looks anew.
///
/// # Errors
/// Those of [`super::library::find`]; [`ErrorKind::Engine`] if the environment cannot be made.
pub(crate) fn environment() -> Result<&'static Environment> {
    runtime().map(|runtime| &runtime.environment)
}

/// The library, loaded now if it is not.
///
/// # Errors
/// As [`environment`].
pub(crate) fn library() -> Result<LoadedLibrary> {
    runtime().map(|runtime| runtime.library.clone())
}

fn runtime() -> Result<&'static Runtime> {
    if let Some(runtime) = RUNTIME.get() {
        return Ok(runtime);
    }
    let _starting = STARTING.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(runtime) = RUNTIME.get() {
        return Ok(runtime);
    }
    let started = catch(NAME, ErrorKind::Engine, "starting", start)?;
    Ok(RUNTIME.get_or_init(|| started))
}

fn start() -> Result<Runtime> {
    let found = super::library::find()?;
    let builder = ort::init_from(&found.path).map_err(|error| {
        Error::new(ErrorKind::Unsupported, error.to_string()).at("library of ONNX Runtime")
    })?;
    let environment = builder.with_name("anira").with_telemetry(false).build().map_err(|error| {
        let text = format!(
            "{NAME}: {error} (a program that uses `ort` itself has to load its first model after anira)"
        );
        Error::new(ErrorKind::Engine, text)
    })?;
    // It prints each refused model and each failed run, which come as errors anyway. Who wants to read it sets ORT_LOG.
    if std::env::var_os("ORT_LOG").is_none() {
        environment.set_log_level(LogLevel::Fatal);
    }
    Ok(Runtime { environment, library: found })
}
