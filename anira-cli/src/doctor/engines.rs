//! The engines: whether each is built in, which library runs it, and which version that is.

use std::io::Write;
#[cfg(any(feature = "torch", feature = "tflite", feature = "litert"))]
use std::path::PathBuf;

use anira::Result;
use serde::Serialize;

use crate::engine::{ENGINES, Engine};

/// One engine.
#[derive(Debug, Default, Serialize)]
pub(super) struct EngineReport {
    name: &'static str,
    built: bool,
    /// The file of its library; null where it is part of the program or was not found.
    library: Option<String>,
    version: Option<String>,
    /// Why it cannot run; null where it can.
    error: Option<String>,
}

/// Every engine, in the order in which `--engine auto` looks.
pub(super) fn all() -> Vec<EngineReport> {
    ENGINES.into_iter().map(EngineReport::of).collect()
}

impl EngineReport {
    fn of(engine: Engine) -> Self {
        let report = Self { name: engine.name(), built: engine.is_built(), ..Self::default() };
        if !report.built {
            return Self { error: Some("not built in".to_owned()), ..report };
        }
        match look(engine) {
            Ok(Found { library, version }) => Self { library, version, ..report },
            Err(error) => Self { error: Some(error.to_string()), ..report },
        }
    }

    /// What to do if it cannot run.
    pub(super) fn advice(&self) -> Option<String> {
        let error = self.error.as_ref()?;
        let name = self.name;
        let native = ["onnxruntime", "torch", "tflite", "litert"].contains(&name);
        Some(match (self.built, native) {
            (true, _) => format!("{name}: {error}"),
            (false, true) => format!(
                "{name}: `cargo xtask native --engine {name}` gets its library, then build with --features {name}"
            ),
            (false, false) => format!("{name}: build with --features {name}; it needs no library"),
        })
    }

    /// Its line of the table.
    pub(super) fn row(&self, out: &mut impl Write) -> Result<()> {
        let built = if self.built { "yes" } else { "no" };
        let library = match (&self.error, &self.library) {
            (Some(_), _) if self.built => "cannot be used, see below",
            (Some(error), _) => error,
            (None, Some(library)) => library,
            (None, None) => "in the program",
        };
        writeln!(out, "{:13}{built:7}{:10}{library}", self.name, self.version.as_deref().unwrap_or("-"))?;
        Ok(())
    }
}

/// What runs an engine.
#[derive(Default)]
struct Found {
    library: Option<String>,
    version: Option<String>,
}

/// The library of an engine that is built in, and its version.
fn look(engine: Engine) -> Result<Found> {
    let in_the_program = |version: &str| Found { library: None, version: Some(version.to_owned()) };
    Ok(match engine {
        #[cfg(feature = "rten")]
        Engine::Rten => {
            Found { library: None, version: option_env!("ANIRA_RTEN_VERSION").map(str::to_owned) }
        }
        #[cfg(feature = "onnxruntime")]
        Engine::Onnxruntime => {
            let library = anira::backends::OnnxRuntime.library()?;
            Found { library: Some(library.path.display().to_string()), version: Some(library.version) }
        }
        #[cfg(feature = "torch")]
        Engine::Torch => {
            let path = mapped("libtorch_cpu.");
            Found { version: path.as_deref().and_then(said_beside), library: text(path) }
        }
        #[cfg(feature = "tflite")]
        Engine::Tflite => Found {
            library: text(mapped("libtensorflowlite_c.")),
            version: anira::backends::TfLite.version(),
        },
        #[cfg(feature = "litert")]
        Engine::Litert => {
            let path = mapped("libLiteRt.");
            Found { version: path.as_deref().and_then(said_beside), library: text(path) }
        }
        _ => in_the_program(env!("CARGO_PKG_VERSION")),
    })
}

/// The file that the system mapped into this process, of those whose names begin so.
#[cfg(any(feature = "torch", feature = "tflite", feature = "litert"))]
fn mapped(name: &str) -> Option<PathBuf> {
    let maps = std::fs::read_to_string("/proc/self/maps").ok()?;
    let mut files = maps.lines().filter_map(|line| line.find('/').map(|at| PathBuf::from(&line[at..])));
    files.find(|file| file.file_name().and_then(|n| n.to_str()).is_some_and(|n| n.starts_with(name)))
}

/// The version of a library that does not say it itself: LibTorch's distributions have it in a file beside their folder of libraries,
/// and `cargo xtask native` writes such a file for LiteRT.
#[cfg(any(feature = "torch", feature = "litert"))]
fn said_beside(library: &std::path::Path) -> Option<String> {
    let text = std::fs::read_to_string(library.parent()?.parent()?.join("build-version")).ok()?;
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}

#[cfg(any(feature = "torch", feature = "tflite", feature = "litert"))]
fn text(path: Option<PathBuf>) -> Option<String> {
    path.map(|path| path.display().to_string())
}
