//! One session: what a plugin instance has.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anira::backends::{AnyBackend, FnBackend, Inputs, Outputs};
use anira::file::ConfigFile;
use anira::prelude::*;
use anira::traits::{DType, Signature, TensorInfo};

/// Samples of a hop, and of a host's block.
const HOP: usize = 256;
const BLOCK: usize = 256;

/// Whether engines stand still.
pub(crate) static HELD: AtomicBool = AtomicBool::new(false);

/// A session of any backend.
pub trait Instance {
    /// One callback.
    fn process(&mut self, block: &mut [f32]) -> i64;
    /// Samples of latency.
    fn latency(&self) -> u64;
    /// Hops that came back.
    fn returned(&self) -> u64;
    /// Exchanges its model for another while it plays, once.
    ///
    /// # Errors
    /// If it was not made for that.
    fn exchange(&mut self) -> Result<(), Error>;
    /// Ends it.
    ///
    /// # Errors
    /// If an engine does not come back in time.
    fn close(self: Box<Self>, patience: Duration) -> Result<(), Error>;
}

struct Playing<B: Backend> {
    audio: Audio<B, HopProcessor, Pool>,
    handler: InferenceHandler<B, HopProcessor, Pool>,
    /// What its model may be exchanged for.
    other: Option<B>,
}

impl<B: Backend> Instance for Playing<B> {
    fn process(&mut self, block: &mut [f32]) -> i64 {
        let status = self.audio.process(&mut [block]);
        if status.fault.is_some() { -1 } else { status.late_samples as i64 }
    }

    fn latency(&self) -> u64 {
        self.audio.latency(0).unwrap_or_default()
    }

    fn returned(&self) -> u64 {
        self.handler.control().telemetry().returned
    }

    fn exchange(&mut self) -> Result<(), Error> {
        let other = self.other.take().ok_or(Error::new(ErrorKind::Config, "has no other model"))?;
        self.handler.swap(0, &EngineSpec::new(other), Duration::from_secs(10))
    }

    fn close(self: Box<Self>, patience: Duration) -> Result<(), Error> {
        let Self { audio, handler, .. } = *self;
        drop(audio);
        handler.close(patience)
    }
}

/// Makes a session of this engine.
pub(crate) fn make(engine: &str, config: &str) -> Result<Box<dyn Instance>, Error> {
    let plain = InferenceConfig::builder()
        .input(InputTensor::stream("input", HOP))
        .output(OutputTensor::stream("output", HOP))
        .max_inference(Duration::from_millis(2));
    match engine {
        "bypass" => start(InferenceHandler::builder(plain.build()?).backend(Bypass)),
        "held" => start(InferenceHandler::builder(plain.build()?).backend(copying(|| {
            while HELD.load(Ordering::SeqCst) {
                std::thread::sleep(Duration::from_millis(1));
            }
        }))),
        "panics" => start(
            InferenceHandler::builder(plain.warm_up(0).build()?).backend(copying(|| panic!("on purpose"))),
        ),
        // Its fades are longer than anybody waits for.
        "exchanged" => {
            let builder = InferenceHandler::builder(plain.build()?).backend(Bypass);
            exchangeable(builder.swappable(true).switch_fade(1 << 20), Some(Bypass))
        }
        engine => {
            let path = Path::new(config);
            let base = path.parent().unwrap_or(Path::new("."));
            let resolved = ConfigFile::read(path)?.resolve(engine, base)?;
            let backend = AnyBackend::named(engine)?;
            let config = resolved.config;
            let builder = InferenceHandler::builder(config).backend(backend).source(resolved.source);
            start(builder.options(resolved.options))
        }
    }
}

/// A backend that copies, and does this at every run.
fn copying(mut then: impl FnMut() + Clone + Send + Sync + 'static) -> impl Backend {
    let tensor = |name: &str| TensorInfo::new(name, DType::F32, [1, 1, HOP].map(Some));
    let signature = Signature { inputs: vec![tensor("input")], outputs: vec![tensor("output")] };
    let run = move |x: &Inputs<'_>, y: &mut Outputs<'_>| {
        y.f32(0)?.copy_from_slice(x.f32(0)?);
        then();
        Ok(())
    };
    FnBackend::new("copying", signature, move || run.clone())
}

fn start<B: Backend>(builder: anira::Builder<B, HopProcessor, Pool>) -> Result<Box<dyn Instance>, Error> {
    exchangeable(builder, None)
}

fn exchangeable<B: Backend>(
    builder: anira::Builder<B, HopProcessor, Pool>,
    other: Option<B>,
) -> Result<Box<dyn Instance>, Error> {
    let mut handler = builder.build()?;
    let Prepared { audio, .. } = handler.prepare(&HostConfig::fixed(48_000.0, BLOCK))?;
    Ok(Box::new(Playing { audio, handler, other }))
}

/// Says what went wrong.
#[allow(clippy::print_stderr, reason = "a test reads it")]
pub(crate) fn complain(error: &Error) {
    eprintln!("{:?}: {error}", error.kind());
}
