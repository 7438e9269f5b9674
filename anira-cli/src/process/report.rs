//! What happened, for scripts and for people.

use std::io::Write;

use anira::scheduler::{Granted, HistogramSnapshot, Priority};
use anira::{Error, ErrorKind, Result};
use serde::Serialize;

use super::args::ProcessArgs;
use super::host::Played;
use crate::audio_file::Recording;
use crate::engine::Engine;

/// `--report`. Fields are only ever added.
#[derive(Debug, Serialize)]
pub(super) struct Report<'a> {
    schema: u32,
    engine: &'static str,
    configuration: &'a str,
    mode: &'static str,
    compensated: bool,
    sample_rate: u32,
    host_block: usize,
    channels: usize,
    frames: usize,
    max_inference_ms: f64,
    latency_samples: u64,
    latency: Parts,
    callbacks: u64,
    inferences: u64,
    late_samples: u64,
    late_blocks: u64,
    dropped: u64,
    failed: u64,
    inference_us: Times,
    callback_us: Times,
    seconds: f64,
    real_time_factor: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    audio_thread: Option<String>,
}

/// The latency in parts, in samples.
#[derive(Debug, Serialize)]
struct Parts {
    adaptation: u64,
    inference: u64,
    model: u64,
    padding: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    resampling: Option<u64>,
}

/// A distribution of times in microseconds.
#[derive(Debug, Serialize)]
struct Times {
    p50: f64,
    p99: f64,
    max: f64,
}

impl Times {
    fn of(histogram: &HistogramSnapshot) -> Self {
        let micros = |nanos: u64| nanos as f64 / 1000.0;
        Self {
            p50: micros(histogram.percentile(0.5)),
            p99: micros(histogram.percentile(0.99)),
            max: micros(histogram.max),
        }
    }
}

impl<'a> Report<'a> {
    pub(super) fn new(
        args: &ProcessArgs,
        engine: Engine,
        configuration: &'a str,
        recording: &Recording,
        played: &Played,
    ) -> Self {
        let Played { latency, telemetry, .. } = played;
        let length = recording.frames() as f64 / f64::from(recording.rate);
        let seconds = played.took.as_secs_f64();
        Self {
            schema: 1,
            engine: engine.name(),
            configuration,
            mode: if args.realtime { "realtime" } else { "offline" },
            compensated: !args.no_compensate,
            sample_rate: recording.rate,
            host_block: played.largest_block,
            channels: recording.channels.len(),
            frames: recording.frames(),
            max_inference_ms: played.max_inference.as_secs_f64() * 1000.0,
            latency_samples: latency.samples,
            latency: Parts {
                adaptation: latency.adaptation,
                inference: latency.inference,
                model: latency.model,
                padding: latency.padding,
                resampling: played.resampling,
            },
            callbacks: played.callbacks,
            inferences: telemetry.done,
            late_samples: telemetry.late_samples,
            late_blocks: telemetry.late_blocks,
            dropped: telemetry.dropped,
            failed: telemetry.failed,
            inference_us: Times::of(&telemetry.inference),
            callback_us: Times::of(&played.callback),
            seconds,
            real_time_factor: if seconds > 0.0 { length / seconds } else { 0.0 },
            audio_thread: played.priority.as_ref().map(granted),
        }
    }

    /// One document and a newline.
    pub(super) fn json(&self) -> Result<String> {
        let json = serde_json::to_string_pretty(self);
        json.map(|text| text + "\n").map_err(|error| Error::new(ErrorKind::Internal, error.to_string()))
    }

    /// For people, in a few lines.
    pub(super) fn summary(&self, log: &mut impl Write) -> Result<()> {
        let rate = f64::from(self.sample_rate);
        let ms = |samples: u64| samples as f64 * 1000.0 / rate;
        let Parts { adaptation, inference, model, padding, resampling } = self.latency;
        let more = |name: &str, part: u64| match part {
            0 => String::new(),
            part => format!(" + {name} {part} ({:.2} ms)", ms(part)),
        };
        writeln!(
            log,
            "processed: {} frames, {} channels, {} Hz, by {} ({})",
            self.frames, self.channels, self.sample_rate, self.engine, self.mode
        )?;
        writeln!(
            log,
            "latency: {} samples ({:.2} ms) = adaptation {adaptation} ({:.2} ms) + inference {inference} ({:.2} ms) \
             + model {model} ({:.2} ms){}{}{}",
            self.latency_samples,
            ms(self.latency_samples),
            ms(adaptation),
            ms(inference),
            ms(model),
            more("padding", padding),
            more("resampling", resampling.unwrap_or(0)),
            if self.compensated { ", taken off" } else { "" }
        )?;
        writeln!(
            log,
            "callbacks: {} of at most {} samples, {} in the middle, {} at worst",
            self.callbacks,
            self.host_block,
            time(self.callback_us.p50),
            time(self.callback_us.max)
        )?;
        writeln!(
            log,
            "inferences: {}, {} in the middle, {} for 99 of 100, {} at worst",
            self.inferences,
            time(self.inference_us.p50),
            time(self.inference_us.p99),
            time(self.inference_us.max)
        )?;
        if let Some(priority) = &self.audio_thread {
            writeln!(log, "audio thread: {priority}")?;
        }
        if self.late_samples + self.dropped + self.failed > 0 {
            writeln!(
                log,
                "late: {} samples in {} callbacks; {} inferences dropped, {} failed",
                self.late_samples, self.late_blocks, self.dropped, self.failed
            )?;
        } else {
            writeln!(log, "late: nothing")?;
        }
        writeln!(log, "speed: {:.2} s, {:.1} times real time", self.seconds, self.real_time_factor)?;
        Ok(())
    }
}

/// A time in microseconds, for people.
fn time(micros: f64) -> String {
    if micros < 1000.0 { format!("{micros:.1} us") } else { format!("{:.2} ms", micros / 1000.0) }
}

/// What the system granted, for people.
pub(crate) fn granted(granted: &Granted) -> String {
    match (granted.priority, &granted.refusal) {
        (Priority::Realtime(level), _) => format!("real-time priority {level}"),
        (_, Some(refusal)) => format!("normal priority (real time was refused: {refusal})"),
        _ => "normal priority".to_owned(),
    }
}
