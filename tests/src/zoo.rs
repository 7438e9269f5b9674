//! The project's own models with what PyTorch makes of one input, and how a session plays them.

use std::path::PathBuf;
use std::time::Duration;

use anira::file::ConfigFile;
use anira::prelude::*;
use anira::traits::InputRole;

use crate::{blocks, here, valid};

/// Samples of the golden input: no block size divides it.
pub const ALL: usize = 24_001;

/// Sound by channel.
pub type Planar = Vec<Vec<f32>>;

/// A model, and how its golden was made.
#[derive(Clone, Copy, Debug)]
pub struct Golden {
    /// As its files are called.
    pub name: &'static str,
    /// In and out.
    pub channels: usize,
    /// Where its knobs stand; what is not here stands as the configuration says.
    pub knobs: &'static [(&'static str, f64)],
    /// Samples that are rendered for each list of blocks and each scheduler; the first list has all.
    pub samples: usize,
}

/// Half of the input.
pub const GAIN: Golden = Golden { name: "gain", channels: 1, knobs: &[], samples: ALL };
/// Four convolutions, 13,332 samples of context.
pub const TCN_29K: Golden = Golden { name: "amp-tcn-29k", samples: 8_000, ..GAIN };
/// Three convolutions.
pub const TCN_15K: Golden = Golden { name: "amp-tcn-15k", samples: 8_000, ..GAIN };
/// Two convolutions.
pub const TCN_1K: Golden = Golden { name: "amp-tcn-1k", ..GAIN };
/// An LSTM, whose state is tensors.
pub const LSTM: Golden = Golden { name: "amp-lstm-2k", ..GAIN };
/// Convolutions and an LSTM over 256 windows at once.
pub const HYBRID: Golden = Golden { name: "amp-hybrid-11k", samples: 8_000, ..GAIN };
/// Two channels.
pub const STEREO: Golden = Golden { name: "amp-stereo-4k", channels: 2, ..GAIN };
/// A knob.
pub const KNOB: Golden = Golden { name: "amp-knob-4k", knobs: &[("drive", 0.8)], ..GAIN };

/// All models that the repository has.
pub const ZOO: [&Golden; 8] = [&GAIN, &TCN_29K, &TCN_15K, &TCN_1K, &LSTM, &HYBRID, &STEREO, &KNOB];

/// All engines, and the ending of their files.
pub const ENGINES: [(&str, &str); 5] =
    [("rten", "onnx"), ("onnxruntime", "onnx"), ("torch", "pt"), ("tflite", "tflite"), ("litert", "tflite")];

/// The engine for small networks, which reads what rten reads.
pub const SMALL: &str = "native";

/// Evaluates `$body` with `$backend` being the backend of this engine, if it is built in: `Some`, else `None`.
#[macro_export]
macro_rules! with_engine {
    ($name:expr, |$backend:ident| $body:expr) => {
        match $name {
            #[cfg(feature = "native")]
            "native" => {
                let $backend = anira::backends::Native;
                Some($body)
            }
            #[cfg(feature = "rten")]
            "rten" => {
                let $backend = anira::backends::Rten;
                Some($body)
            }
            #[cfg(feature = "onnxruntime")]
            "onnxruntime" => {
                let $backend = anira::backends::OnnxRuntime;
                Some($body)
            }
            #[cfg(feature = "torch")]
            "torch" => {
                let $backend = anira::backends::Torch;
                Some($body)
            }
            #[cfg(feature = "tflite")]
            "tflite" => {
                let $backend = anira::backends::TfLite;
                Some($body)
            }
            #[cfg(feature = "litert")]
            "litert" => {
                let $backend = anira::backends::LiteRt;
                Some($body)
            }
            _ => None,
        }
    };
}

/// The engines that are built in.
#[must_use]
pub fn built_in() -> Vec<&'static str> {
    let names = [SMALL].into_iter().chain(ENGINES.iter().map(|(name, _)| *name));
    names.filter(|name| with_engine!(*name, |_backend| ()).is_some()).collect()
}

impl Golden {
    /// What a handler is built from: the model's configuration file, but for the number of engines and the time that is declared
    /// for an inference.
    ///
    /// # Panics
    /// If the file is not there or not valid.
    pub fn builder<B: Backend>(
        &self,
        backend: B,
        engines: usize,
        longest: Duration,
    ) -> anira::Builder<B, HopProcessor, Pool> {
        let models = here().join("../models");
        let text = valid(read(&models.join(format!("{}.toml", self.name))));
        let file = valid(ConfigFile::from_toml(&format!("engines = {engines}\n{text}")));
        let resolved = valid(file.resolve(backend.name(), &models));
        let config = resolved.config.with_max_inference(longest);
        let builder = InferenceHandler::builder(config).backend(backend).source(resolved.source);
        builder.options(resolved.options)
    }

    /// [`builder`](Self::builder), built, without time for an inference: rendering waits as long as it takes, and less latency
    /// leaves more to compare.
    ///
    /// # Panics
    /// If it cannot be.
    pub fn handler<B, S>(
        &self,
        backend: B,
        scheduler: S,
        engines: usize,
    ) -> InferenceHandler<B, HopProcessor, S>
    where
        B: Backend,
        S: Scheduler<anira::EngineOf<B>>,
    {
        valid(self.builder(backend, engines, Duration::ZERO).scheduler(scheduler).build())
    }

    /// What goes in: the sound that all models share, or one with more channels that is the model's own.
    #[must_use]
    pub fn input(&self) -> Planar {
        if self.channels == 1 { npy("input", 1) } else { npy(&format!("{}.input", self.name), self.channels) }
    }

    /// What PyTorch makes of it.
    #[must_use]
    pub fn output(&self) -> Planar {
        npy(&format!("{}.output", self.name), self.channels)
    }

    /// Sets the knobs as they stood for the golden.
    pub fn turn(&self, control: &Control) {
        self.knobs.iter().for_each(|(name, place)| valid(control.set_parameter(name, &[*place])));
    }

    /// Renders the first `samples` of the input in blocks of these sizes; what comes out, without the latency.
    pub fn render<B, S>(
        &self,
        handler: &mut InferenceHandler<B, HopProcessor, S>,
        samples: usize,
        pattern: &[usize],
    ) -> Planar
    where
        B: Backend,
        S: Scheduler<anira::EngineOf<B>>,
    {
        self.render_sound(handler, self.input(), samples, pattern)
    }

    /// The same for another sound.
    ///
    /// # Panics
    /// If a sample is late or a call fails.
    pub fn render_sound<B, S>(
        &self,
        handler: &mut InferenceHandler<B, HopProcessor, S>,
        mut sound: Planar,
        samples: usize,
        pattern: &[usize],
    ) -> Planar
    where
        B: Backend,
        S: Scheduler<anira::EngineOf<B>>,
    {
        let longest = pattern.iter().copied().max().unwrap_or(0);
        let host = HostConfig::varying(48_000.0, longest).channels(self.channels).mode(Mode::Offline);
        let Prepared { mut audio, report, .. } = valid(handler.prepare(&host));
        self.turn(&handler.control());
        let mut at = 0;
        for size in blocks(pattern, samples) {
            let mut block: Vec<&mut [f32]> = sound.iter_mut().map(|c| &mut c[at..at + size]).collect();
            let status = audio.process(&mut block[..]);
            assert_eq!((status.fault, status.late_samples), (None, 0));
            at += size;
        }
        assert_eq!(handler.control().last_error(), None);
        let latency = report.latency[0].samples as usize;
        sound.into_iter().map(|channel| channel[latency..samples].to_vec()).collect()
    }
}

fn read(path: &std::path::Path) -> Result<String, Error> {
    let told = |e| Error::new(ErrorKind::Io, format!("{}: {e}", path.display()));
    std::fs::read_to_string(path).map_err(told)
}

/// The samples per inference.
#[must_use]
pub fn hop(config: &InferenceConfig) -> usize {
    match config.inputs()[0].role {
        InputRole::Stream { hop, .. } => hop,
        _ => 0,
    }
}

/// The golden file of this name, which has [`ALL`] samples in each of its channels.
///
/// # Panics
/// If it has not.
#[must_use]
pub fn npy(name: &str, channels: usize) -> Planar {
    let samples = npy_file(&here().join("golden").join(format!("{name}.npy")));
    assert_eq!(samples.len(), channels * ALL, "{name}");
    samples.chunks(ALL).map(<[f32]>::to_vec).collect()
}

/// All that an `.npy` file of float32 in C order holds.
///
/// # Panics
/// If it is not one.
#[must_use]
pub fn npy_file(path: &PathBuf) -> Vec<f32> {
    let bytes =
        valid(std::fs::read(path).map_err(|e| Error::new(ErrorKind::Io, format!("{}: {e}", path.display()))));
    assert_eq!(&bytes[..8], b"\x93NUMPY\x01\x00", "{}", path.display());
    let (header, data) = bytes[10..].split_at(usize::from(u16::from_le_bytes([bytes[8], bytes[9]])));
    let header = String::from_utf8_lossy(header);
    assert!(header.contains("'<f4'") && header.contains("'fortran_order': False"), "{header}");
    data.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect()
}

/// The largest difference between two sounds, as a part of the second one's peak; and where.
///
/// # Panics
/// If one is not a number, they have other lengths, or the second is silent.
#[must_use]
pub fn distance(got: &[f32], right: &[f32]) -> (f32, usize) {
    let len = got.len().min(right.len());
    let peak = right.iter().fold(0.0f32, |a, b| a.max(b.abs()));
    assert!(len > 0 && peak > 0.1, "a golden of silence shows nothing");
    assert!(got.iter().all(|x| x.is_finite()), "not a number");
    let worst = (0..len).map(|i| ((got[i] - right[i]).abs(), i)).max_by(|a, b| a.0.total_cmp(&b.0));
    worst.map_or((0.0, 0), |(error, at)| (error / peak, at))
}

/// The whole at once first, then lists of blocks.
#[must_use]
pub fn patterns() -> Vec<Vec<usize>> {
    let mut random = crate::Random(2);
    let wild = (0..400).map(|_| random.below(1000)).collect();
    let sizes = [ALL, 1, 32, 64, 100, 441, 480, 512, 2048, 4096];
    let mut all: Vec<Vec<usize>> = sizes.map(|n| vec![n]).to_vec();
    all.push(wild);
    all
}
