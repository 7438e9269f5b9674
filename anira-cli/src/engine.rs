//! Which engine runs a model: what `--engine` means, what is built in, and why `auto` chose.

use std::path::Path;

use anira::backends::Bypass;
#[cfg(feature = "litert")]
use anira::backends::LiteRt;
#[cfg(feature = "native")]
use anira::backends::Native;
#[cfg(feature = "onnxruntime")]
use anira::backends::OnnxRuntime;
#[cfg(feature = "rten")]
use anira::backends::Rten;
#[cfg(feature = "tflite")]
use anira::backends::TfLite;
#[cfg(feature = "torch")]
use anira::backends::Torch;
use anira::traits::{Backend, LoadRequest};
use anira::{Error, ErrorKind, ModelSource, Result};
use clap::ValueEnum;

/// `--engine`: the inference engines by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum EngineArg {
    /// The first that is built in and reads this model.
    Auto,
    /// Small networks in Rust, fast enough for the callback itself.
    Native,
    /// ONNX, in Rust, always there unless turned off.
    Rten,
    /// ONNX, by ONNX Runtime.
    Onnxruntime,
    /// TorchScript, by LibTorch.
    Torch,
    /// TFLite models, by TensorFlow Lite.
    Tflite,
    /// TFLite models, by LiteRT.
    Litert,
    /// No network: the audio passes through, with the delay that the model would have.
    Bypass,
}

/// An engine that can be chosen: everything but `auto`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Engine {
    Native,
    Rten,
    Onnxruntime,
    Torch,
    Tflite,
    Litert,
    Bypass,
}

/// The order in which `auto` looks.
pub(crate) const ENGINES: [Engine; 7] = [
    Engine::Native,
    Engine::Rten,
    Engine::Onnxruntime,
    Engine::Torch,
    Engine::Tflite,
    Engine::Litert,
    Engine::Bypass,
];

impl Engine {
    /// As the command line and configuration files spell it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Rten => "rten",
            Self::Onnxruntime => "onnxruntime",
            Self::Torch => "torch",
            Self::Tflite => "tflite",
            Self::Litert => "litert",
            Self::Bypass => "bypass",
        }
    }

    /// Whether this build carries it.
    pub(crate) fn is_built(self) -> bool {
        match self {
            Self::Native => cfg!(feature = "native"),
            Self::Rten => cfg!(feature = "rten"),
            Self::Onnxruntime => cfg!(feature = "onnxruntime"),
            Self::Torch => cfg!(feature = "torch"),
            Self::Tflite => cfg!(feature = "tflite"),
            Self::Litert => cfg!(feature = "litert"),
            Self::Bypass => true,
        }
    }

    /// The endings of the model files that it reads.
    fn endings(self) -> &'static [&'static str] {
        match self {
            Self::Native => &["onnx", "nam", "json"],
            Self::Rten | Self::Onnxruntime => &["onnx"],
            Self::Torch => &["pt", "pth", "ts"],
            Self::Tflite | Self::Litert => &["tflite"],
            Self::Bypass => &[],
        }
    }

    /// Whether its inferences may run in the audio callback itself.
    pub(crate) fn is_realtime_safe(self) -> bool {
        matches!(self, Self::Bypass | Self::Native)
    }

    fn not_built(self) -> Error {
        let name = self.name();
        let message = format!("is not built in: build anira with the Cargo feature `{name}`");
        Error::new(ErrorKind::NotBuilt, message).at(format!("engine `{name}`"))
    }
}

/// An engine, and why it is this one where nobody named it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Choice {
    pub(crate) engine: Engine,
    pub(crate) why: Option<String>,
}

impl EngineArg {
    /// The engine that was named; `None` for `auto`.
    pub(crate) fn named(self) -> Option<Engine> {
        match self {
            Self::Auto => None,
            Self::Native => Some(Engine::Native),
            Self::Rten => Some(Engine::Rten),
            Self::Onnxruntime => Some(Engine::Onnxruntime),
            Self::Torch => Some(Engine::Torch),
            Self::Tflite => Some(Engine::Tflite),
            Self::Litert => Some(Engine::Litert),
            Self::Bypass => Some(Engine::Bypass),
        }
    }

    /// The engine for a model file, by its ending.
    ///
    /// # Errors
    /// `NotBuilt` naming the feature; `Config` for an ending that no engine reads.
    pub(crate) fn for_model(self, model: &Path) -> Result<Choice> {
        if let Some(engine) = self.named() {
            return Choice::of(engine);
        }
        let ending = model.extension().and_then(|e| e.to_str()).unwrap_or_default().to_ascii_lowercase();
        let readers: Vec<Engine> =
            ENGINES.into_iter().filter(|engine| engine.endings().contains(&ending.as_str())).collect();
        let lacks = try_native(&readers, || native_lacks(&ModelSource::file(model)));
        let chosen = pick(&readers, lacks.is_some());
        let Some(&engine) = chosen else {
            let right = "an ending tells the engine: .onnx, .pt, .tflite, .nam; or name one with --engine";
            let error = Error::config("ending", format_args!("`{ending}`"), right);
            return Err(error.at(model.display().to_string()));
        };
        let others = others(&readers, engine, lacks.as_deref());
        let why = format!("{} (reads .{ending}{others})", engine.name());
        Ok(Choice { why: Some(why), ..Choice::of(engine)? })
    }

    /// The engine for a configuration file, among those that it has a table for; `native` says where the native one's model is.
    ///
    /// # Errors
    /// `NotBuilt` naming the feature; `Config` where the file names no engine that exists.
    pub(crate) fn for_tables<'a>(
        self,
        tables: impl Iterator<Item = &'a str>,
        native: impl FnOnce() -> Result<ModelSource>,
    ) -> Result<Choice> {
        if let Some(engine) = self.named() {
            return Choice::of(engine);
        }
        let tables: Vec<&str> = tables.collect();
        let listed: Vec<Engine> =
            ENGINES.into_iter().filter(|engine| tables.contains(&engine.name())).collect();
        let lacks = try_native(&listed, || match native() {
            Ok(source) => native_lacks(&source),
            Err(error) => Some(error.to_string()),
        });
        let chosen = pick(&listed, lacks.is_some());
        let Some(&engine) = chosen else {
            let names: Vec<&str> = ENGINES.iter().map(|engine| engine.name()).collect();
            let value = if tables.is_empty() { "missing".to_owned() } else { tables.join(", ") };
            let right =
                format!("a table for one of {}: [engine.rten] with file = \"model.onnx\"", names.join(", "));
            return Err(Error::config("engine", value, right));
        };
        let others = others(&listed, engine, lacks.as_deref());
        let why = format!("{} (from the configuration{others})", engine.name());
        Ok(Choice { why: Some(why), ..Choice::of(engine)? })
    }
}

/// What the native engine lacks for a model, if it is built, listed, and not the only one.
fn try_native(possible: &[Engine], lacks: impl FnOnce() -> Option<String>) -> Option<String> {
    let others = possible.iter().any(|engine| *engine != Engine::Native && engine.is_built());
    let tried = possible.contains(&Engine::Native) && Engine::Native.is_built() && others;
    if tried { lacks() } else { None }
}

/// Why the native engine cannot load a model.
fn native_lacks(source: &ModelSource) -> Option<String> {
    struct Load<'a>(&'a ModelSource);
    impl Task for Load<'_> {
        type Output = ();

        fn run<B: Backend>(self, backend: B) -> Result<()> {
            backend.load(self.0, &LoadRequest::new()).map(drop)
        }
    }
    with(Engine::Native, Load(source)).err().map(|error| error.to_string())
}

/// The first that is built, but for the native one where it lacks something; else the first.
fn pick(possible: &[Engine], native_lacks: bool) -> Option<&Engine> {
    let fits = |engine: &&Engine| engine.is_built() && !(native_lacks && **engine == Engine::Native);
    possible.iter().find(fits).or(possible.first())
}

/// What else could have been, for the line that says what `auto` chose.
fn others(possible: &[Engine], chosen: Engine, native_lacks: Option<&str>) -> String {
    let skipped = possible.iter().take_while(|engine| **engine != chosen);
    let (tried, absent): (Vec<&Engine>, Vec<&Engine>) = skipped.partition(|engine| engine.is_built());
    let absent: Vec<&str> = absent.iter().map(|engine| engine.name()).collect();
    let mut text =
        if absent.is_empty() { String::new() } else { format!("; {} not built in", absent.join(", ")) };
    if let (Some(lacks), Some(engine)) = (native_lacks, tried.first()) {
        text.push_str(&format!("; not {}: {lacks}", engine.name()));
    }
    text
}

impl Choice {
    fn of(engine: Engine) -> Result<Self> {
        if engine.is_built() { Ok(Self { engine, why: None }) } else { Err(engine.not_built()) }
    }
}

/// Something to do with a backend, whichever it is.
pub(crate) trait Task {
    /// What it gives.
    type Output;

    /// Does it.
    fn run<B: Backend>(self, backend: B) -> Result<Self::Output>;
}

/// Does the task with the backend of this engine.
///
/// # Errors
/// `NotBuilt` naming the feature; what the task answers.
pub(crate) fn with<T: Task>(engine: Engine, task: T) -> Result<T::Output> {
    match engine {
        Engine::Bypass => task.run(Bypass),
        #[cfg(feature = "native")]
        Engine::Native => task.run(Native),
        #[cfg(feature = "rten")]
        Engine::Rten => task.run(Rten),
        #[cfg(feature = "onnxruntime")]
        Engine::Onnxruntime => task.run(OnnxRuntime),
        #[cfg(feature = "torch")]
        Engine::Torch => task.run(Torch),
        #[cfg(feature = "tflite")]
        Engine::Tflite => task.run(TfLite),
        #[cfg(feature = "litert")]
        Engine::Litert => task.run(LiteRt),
        #[allow(unreachable_patterns, reason = "with every feature there is no other")]
        other => Err(other.not_built()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn auto_goes_by_the_ending() {
        let choice = EngineArg::Auto.for_model(Path::new("a/amp.ONNX"));
        if cfg!(feature = "rten") {
            // A file that is not there: whatever the native engine says of it, the next one is to say it.
            let choice = choice.unwrap();
            assert_eq!(choice.engine, Engine::Rten);
            assert!(choice.why.unwrap().starts_with("rten (reads .onnx"));
        } else if cfg!(feature = "native") {
        } else if cfg!(feature = "onnxruntime") {
            let choice = choice.unwrap();
            assert_eq!(choice.engine, Engine::Onnxruntime);
            assert_eq!(choice.why.as_deref(), Some("onnxruntime (reads .onnx; rten not built in)"));
        } else {
            assert_eq!(choice.unwrap_err().kind(), ErrorKind::NotBuilt);
        }
        built_or_named(Engine::Torch, EngineArg::Auto.for_model(Path::new("amp.pt")));
        let unknown = EngineArg::Auto.for_model(Path::new("amp.h5")).unwrap_err();
        assert_eq!(unknown.kind(), ErrorKind::Config);
        assert!(unknown.to_string().contains("amp.h5: ending: is `h5`"), "{unknown}");
    }

    #[test]
    fn auto_takes_a_table_that_can_run() {
        let nowhere = || Ok(ModelSource::file("nowhere.onnx"));
        let choice = EngineArg::Auto.for_tables(["bypass", "native"].into_iter(), nowhere).unwrap();
        assert_eq!(choice.engine, Engine::Bypass);
        let why = choice.why.unwrap();
        let right = if Engine::Native.is_built() { "; not native: " } else { "; native not built in)" };
        assert!(why.starts_with("bypass (from the configuration") && why.contains(right), "{why}");
        let unknown = EngineArg::Auto.for_tables(["rtne"].into_iter(), nowhere).unwrap_err();
        assert!(
            unknown.to_string().contains("engine: is rtne; a table for one of native, rten"),
            "{unknown}"
        );
        let none = EngineArg::Auto.for_tables([].into_iter(), nowhere).unwrap_err();
        assert!(none.to_string().contains("engine: is missing"), "{none}");
        built_or_named(Engine::Torch, EngineArg::Auto.for_tables(["torch"].into_iter(), nowhere));
        let absent = EngineArg::Auto.for_tables(["torch", "native"].into_iter(), nowhere);
        if !Engine::Torch.is_built() {
            built_or_named(Engine::Native, absent);
        }
    }

    #[test]
    fn a_named_engine_is_taken_at_its_word() {
        assert_eq!(EngineArg::Bypass.for_model(Path::new("x")).unwrap().why, None);
        for arg in EngineArg::value_variants() {
            if let Some(engine) = arg.named() {
                built_or_named(engine, arg.for_model(Path::new("amp.onnx")));
            }
        }
    }

    /// A choice of this engine, or an error that names its feature.
    #[track_caller]
    fn built_or_named(engine: Engine, choice: Result<Choice>) {
        if engine.is_built() {
            assert_eq!(choice.unwrap().engine, engine);
        } else {
            let error = choice.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::NotBuilt);
            assert!(error.to_string().contains(&format!("feature `{}`", engine.name())), "{error}");
        }
    }
}
