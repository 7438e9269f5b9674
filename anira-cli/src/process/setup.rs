//! What a run needs before it starts: engine, configuration, model, and where each came from.

use std::collections::BTreeMap;
use std::path::Path;

use anira::file::ConfigFile;
use anira::suggest::{Suggestion, suggest};
use anira::traits::{Backend, LoadRequest, Model};
use anira::{Error, InferenceConfig, ModelSource, Result};

use super::args::ProcessArgs;
use crate::engine::{self, Choice, Engine, EngineArg, Task};

/// Everything that a command was told of a model, found out.
#[derive(Debug)]
pub(crate) struct Setup {
    pub(crate) choice: Choice,
    pub(crate) config: InferenceConfig,
    pub(crate) source: ModelSource,
    pub(crate) options: BTreeMap<String, String>,
    /// Where the configuration comes from, as a sentence.
    pub(crate) origin: String,
    /// What was assumed.
    pub(crate) notes: Vec<String>,
}

impl Setup {
    /// Reads the configuration, or derives it from the model.
    ///
    /// # Errors
    /// Those of the files, of the configuration, and `NotBuilt` for the engine.
    pub(super) fn find(args: &ProcessArgs) -> Result<Self> {
        Self::with(&args.model, args.config.as_deref(), args.engine)
    }

    /// The same for a model and a configuration, if there is one.
    ///
    /// # Errors
    /// As [`find`](Self::find).
    pub(crate) fn with(model: &Path, config: Option<&Path>, engine: EngineArg) -> Result<Self> {
        match (config, is_configuration(model)) {
            (Some(config), true) => {
                let value = format!("{} beside {}", config.display(), model.display());
                Err(Error::config(
                    "--config",
                    value,
                    "one configuration: leave --config out, or name the model file",
                ))
            }
            (Some(config), false) => Self::configured(config, Some(model), engine),
            (None, _) => Self::of(model, engine),
        }
    }

    /// Reads the configuration, if it is one, or derives it from the model.
    ///
    /// # Errors
    /// As [`find`](Self::find).
    pub(crate) fn of(model: &Path, engine: EngineArg) -> Result<Self> {
        match is_configuration(model) {
            true => Self::configured(model, None, engine),
            false => Self::derived(model, engine),
        }
    }

    fn configured(path: &Path, model: Option<&Path>, engine: EngineArg) -> Result<Self> {
        let mut file = ConfigFile::read(path)?;
        let choice = match model {
            None => {
                let folder = path.parent().unwrap_or(Path::new(""));
                let native = || file.clone().resolve("native", folder).map(|resolved| resolved.source);
                engine.for_tables(file.engines(), native).map_err(|e| e.at(path.display().to_string()))?
            }
            Some(model) => {
                let choice = engine.for_model(model)?;
                let name = choice.engine.name();
                if !file.engines().any(|table| table == name) {
                    file = file.with_engine(name, model);
                }
                choice
            }
        };
        let folder = path.parent().unwrap_or(Path::new(""));
        let resolved = file.resolve(choice.engine.name(), folder)?;
        Ok(Self {
            choice,
            config: resolved.config,
            source: model.map_or(resolved.source, ModelSource::file),
            options: resolved.options,
            origin: format!("read from {}", path.display()),
            notes: Vec::new(),
        })
    }

    fn derived(model: &Path, engine: EngineArg) -> Result<Self> {
        let choice = engine.for_model(model)?;
        // A bypass has no shapes of its own: it stands in for the model.
        let reader = match choice.engine {
            Engine::Bypass => EngineArg::Auto.for_model(model)?.engine,
            engine => engine,
        };
        let source = ModelSource::file(model);
        let Suggestion { config, notes, .. } = engine::with(reader, Derive { source: &source })?;
        let source = if choice.engine == Engine::Bypass { ModelSource::None } else { source };
        let origin = format!("derived from the shapes of {}", model.display());
        Ok(Self { choice, config, source, options: BTreeMap::new(), origin, notes })
    }
}

fn is_configuration(path: &Path) -> bool {
    let ending = path.extension().and_then(|e| e.to_str()).unwrap_or_default();
    ending.eq_ignore_ascii_case("toml") || ending.eq_ignore_ascii_case("json") && !is_network(path)
}

/// Whether a JSON file is a network of RTNeural's, which names its layers.
fn is_network(path: &Path) -> bool {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let document: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
    document.get("layers").is_some() && document.get("in_shape").is_some()
}

struct Derive<'a> {
    source: &'a ModelSource,
}

impl Task for Derive<'_> {
    type Output = Suggestion;

    fn run<B: Backend>(self, backend: B) -> Result<Suggestion> {
        let model = backend.load(self.source, &LoadRequest::new())?;
        let named = |error: Error| match self.source.path() {
            Some(path) => error.at(path.display().to_string()),
            None => error,
        };
        suggest(model.signature()).map_err(named)
    }
}
