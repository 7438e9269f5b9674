//! Sessions that are built, prepared, played and dropped, and others that are refused, again and again: memory does not grow, on any
//! engine. Alone in this binary, because it measures the process.
//!
//! ANIRA_LOADS=1000 for the long version; 50 rounds unless it is set. A round is four loads. ANIRA_LOADS_ENGINE=rten for one engine
//! alone.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test's failure")]
#![allow(clippy::print_stderr, reason = "the figures are for who asks for them")]

use std::time::Duration;

use anira::file::ConfigFile;
use anira::prelude::*;
use anira_tests::{here, refused, valid};

/// Rounds before the measurement: allocators keep what they once had.
const WARM: usize = 20;

/// The most that the process may grow, besides a tenth of the files' bytes per round: one copy of a file in ten rounds is seen.
const MOST: usize = 1 << 20;

/// The process's memory in bytes.
fn resident() -> usize {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    pages.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

/// A model of the project by its configuration file, from memory.
struct Project {
    config: InferenceConfig,
    bytes: Vec<u8>,
}

impl Project {
    fn new(name: &str, engine: &str) -> Self {
        let models = here().join("../models");
        let file = valid(ConfigFile::read(models.join(format!("{name}.toml"))));
        let resolved = valid(file.resolve(engine, &models));
        let config = resolved.config.with_max_inference(Duration::ZERO);
        Self { config, bytes: resolved.source.bytes().unwrap().into_owned() }
    }

    /// Builds, prepares and plays a session; the first error.
    fn play<B: Backend>(&self, backend: B, bytes: Vec<u8>) -> Result<(), Error> {
        let builder = InferenceHandler::builder(self.config.clone()).backend(backend);
        let mut handler = builder.source(ModelSource::memory(bytes)).scheduler(Offline).build()?;
        let mut audio = handler.prepare(&HostConfig::fixed(48_000.0, 512).mode(Mode::Offline))?.audio;
        let mut block = [0.25; 512];
        for _ in 0..3 {
            assert!(audio.process(&mut [&mut block[..]]).is_ok());
        }
        handler.control().last_error().map_or(Ok(()), Err)
    }
}

/// A network with a state and one without, a file that is cut, and one that the engine refuses at its very end.
fn round<B: Backend + Clone>(backend: &B, gain: &Project, lstm: &Project, foreign: &[u8]) {
    valid(lstm.play(backend.clone(), lstm.bytes.clone()));
    valid(gain.play(backend.clone(), gain.bytes.clone()));
    let cut = lstm.bytes[..lstm.bytes.len() * 3 / 4].to_vec();
    refused(lstm.play(backend.clone(), cut), ErrorKind::Model, &[]);
    refused(gain.play(backend.clone(), foreign.to_vec()), ErrorKind::Unsupported, &[]);
}

fn grows_not<B: Backend + Clone>(backend: B) {
    if std::env::var("ANIRA_LOADS_ENGINE").is_ok_and(|only| only != backend.name()) {
        return;
    }
    let rounds = std::env::var("ANIRA_LOADS").map_or(50, |n| n.parse().unwrap());
    let (gain, lstm) = (Project::new("gain", backend.name()), Project::new("amp-lstm-2k", backend.name()));
    let foreign = lacking_an_operator(backend.name(), &gain);
    (0..WARM).for_each(|_| round(&backend, &gain, &lstm, &foreign));
    let before = resident();
    (0..rounds).for_each(|_| round(&backend, &gain, &lstm, &foreign));
    let grown = resident().saturating_sub(before);
    let most = MOST + rounds * (gain.bytes.len() + lstm.bytes.len()) / 10;
    eprintln!("{}: {} KiB more after {rounds} rounds of four loads", backend.name(), grown >> 10);
    assert!(grown < most, "{}: {grown} bytes more after {rounds} rounds; less than {most}", backend.name());
}

/// A file with an operator that no engine has.
fn lacking_an_operator(engine: &str, gain: &Project) -> Vec<u8> {
    let fixture = |path: &str| std::fs::read(here().join("..").join(path)).unwrap();
    match engine {
        "torch" => fixture("anira-backend-torch/tests/fixtures/lacking.pt"),
        "tflite" | "litert" => fixture("anira-backend-tflite/tests/fixtures/lacking.tflite"),
        _ => {
            let mut bytes = gain.bytes.clone();
            let at = bytes.windows(3).rposition(|w| w == b"Mul").unwrap();
            bytes[at..at + 3].copy_from_slice(b"Mux");
            bytes
        }
    }
}

/// One test, as another would be measured, too.
#[test]
fn loads_leave_nothing_behind() {
    grows_not(Rten);
    #[cfg(feature = "onnxruntime")]
    grows_not(OnnxRuntime);
    #[cfg(feature = "torch")]
    grows_not(Torch);
    #[cfg(feature = "tflite")]
    grows_not(TfLite);
    #[cfg(feature = "litert")]
    grows_not(LiteRt);
}
