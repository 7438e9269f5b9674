//! `anira inspect`: a model's tensors, and the configuration that they suggest.

use std::io::Write;
use std::path::{Path, PathBuf};

use anira::file::ConfigFile;
use anira::suggest::{Suggestion, suggest};
use anira::traits::{Backend, LoadRequest, Model, Signature, TensorInfo, shape_text};
use anira::{Error, ErrorKind, ModelSource, Result};
use clap::Args;
use serde_json::{Value, json};

use crate::engine::{self, EngineArg, Task};

/// Shows a model's tensors, and the configuration that they suggest.
///
/// Lists name, element type and shape of every input and output (? where the model leaves a dimension open), then a
/// configuration file that fits them, ready to be saved and changed. What was assumed rather than read stands in its
/// comments; what shapes cannot tell, such as the worst inference time, is left to you.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  What is in this model?
    anira inspect models/amp-lstm-2k.onnx

  Save the suggested configuration, change it, use it:
    anira inspect models/amp-tcn-29k.onnx > models/mine.toml
    anira process models/mine.toml samples/guitar.wav out.wav

  For a script: the names of the inputs
    anira inspect models/amp-lstm-2k.onnx --json | jq -r '.inputs[].name'")]
pub(crate) struct InspectArgs {
    /// The model file
    model: PathBuf,
    /// The inference engine that reads it
    #[arg(long, value_enum, default_value = "auto")]
    engine: EngineArg,
    /// Print one JSON document instead
    #[arg(long)]
    json: bool,
}

/// Does what the command says: tensors to `log` and the configuration to `out`, or JSON to `out`.
pub(crate) fn run(args: &InspectArgs, out: &mut impl Write, log: &mut impl Write) -> Result<()> {
    let choice = args.engine.for_model(&args.model)?;
    if choice.engine == engine::Engine::Bypass {
        let right = "an engine that reads model files; a bypass makes up its own";
        return Err(Error::config("--engine", "bypass", right));
    }
    if let Some(why) = &choice.why {
        writeln!(log, "engine: {why}")?;
    }
    let signature = engine::with(choice.engine, Load { model: &args.model })?;
    let suggestion = suggest(&signature);
    let file = match &suggestion {
        Ok(Suggestion { config, .. }) => {
            Some(ConfigFile::from_config(config)?.with_engine(choice.engine.name(), file_name(&args.model)))
        }
        Err(_) => None,
    };
    if args.json {
        let config = file.as_ref().map(serde_json::to_value).transpose();
        let config = config.map_err(|error| Error::new(ErrorKind::Internal, error.to_string()))?;
        let (notes, problem) = match &suggestion {
            Ok(suggestion) => (suggestion.notes.clone(), None),
            Err(error) => (Vec::new(), Some(error.to_string())),
        };
        let document = json!({
            "engine": choice.engine.name(),
            "inputs": signature.inputs.iter().map(tensor).collect::<Vec<_>>(),
            "outputs": signature.outputs.iter().map(tensor).collect::<Vec<_>>(),
            "config": config,
            "inline": choice.engine.is_realtime_safe(),
            "notes": notes,
            "problem": problem,
        });
        writeln!(out, "{document:#}")?;
        return Ok(());
    }
    table(&signature, log)?;
    match (suggestion, file) {
        (Ok(suggestion), Some(file)) => write_file(&suggestion, &file, &args.model, out),
        (Err(error), _) => {
            writeln!(log, "no configuration suggests itself: {error}")?;
            Ok(())
        }
        (Ok(_), None) => Ok(()),
    }
}

struct Load<'a> {
    model: &'a Path,
}

impl Task for Load<'_> {
    type Output = Signature;

    fn run<B: Backend>(self, backend: B) -> Result<Signature> {
        Ok(backend.load(&ModelSource::file(self.model), &LoadRequest::new())?.signature().clone())
    }
}

/// The model's name without its folder: a configuration names files relative to itself.
fn file_name(model: &Path) -> &Path {
    model.file_name().map_or(model, Path::new)
}

fn tensor(info: &TensorInfo) -> Value {
    json!({"name": info.name, "dtype": info.dtype.name(), "shape": info.shape})
}

fn table(signature: &Signature, log: &mut impl Write) -> Result<()> {
    let all = signature.inputs.iter().chain(&signature.outputs);
    let width = all.map(|t| t.name.chars().count()).max().unwrap_or(0);
    for (side, tensors) in [("input ", &signature.inputs), ("output", &signature.outputs)] {
        for info in tensors {
            writeln!(
                log,
                "{side}  {:width$}  {:7}  {}",
                info.name,
                info.dtype.name(),
                shape_text(&info.shape)
            )?;
        }
    }
    Ok(())
}

fn write_file(suggestion: &Suggestion, file: &ConfigFile, model: &Path, out: &mut impl Write) -> Result<()> {
    writeln!(out, "# Suggested by the shapes of {}; save it beside the model.", file_name(model).display())?;
    for note in &suggestion.notes {
        writeln!(out, "# {note}")?;
    }
    writeln!(out, "# For real time add the longest time of one inference: max_inference_ms = 5.0")?;
    writeln!(out, "\n{}", file.to_toml()?.trim_end())?;
    Ok(())
}
