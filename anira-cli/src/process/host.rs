//! A host that calls back block by block, as fast as it goes or when a sound card would.

use std::time::{Duration, Instant};

use anira::latency::Latency;
use anira::prelude::{Audio, Control, InferenceHandler, Prepared, Status};
use anira::scheduler::{Granted, Histogram, HistogramSnapshot, Pool, Priority, TelemetrySnapshot};
use anira::trace::{self, Trace};
use anira::traits::{Backend, InputRole, OutputRole, PrePostProcessor, Scheduler};
use anira::{EngineOf, Error, ErrorKind, Fault, HostConfig, InferenceConfig, Mode, Resampled, Result};
use indicatif::{ProgressBar, ProgressStyle};

use super::args::ProcessArgs;
use super::setup::Setup;
use crate::audio_file::{Recording, WavSink};
use crate::engine::Task;

/// Events of one thread between two callbacks: those of a block of 2^20 samples in hops of 8, and more.
const TRACE_EVENTS: usize = 1 << 18;

/// What came of it.
#[derive(Debug)]
pub(super) struct Played {
    /// In samples of the recording, as all that is said of it.
    pub(super) latency: Latency,
    /// What of it resampling costs, if there was any to be done.
    pub(super) resampling: Option<u64>,
    pub(super) callbacks: u64,
    pub(super) largest_block: usize,
    pub(super) telemetry: TelemetrySnapshot,
    pub(super) callback: HistogramSnapshot,
    pub(super) took: Duration,
    pub(super) max_inference: Duration,
    /// What the system granted the thread that stood for the audio thread, in real time.
    pub(super) priority: Option<Granted>,
    /// What the session's threads did, if somebody wants to know.
    pub(super) trace: Option<Trace>,
}

/// The task: a session, a recording through it, and the file that gets what comes out.
pub(super) struct Host<'a> {
    pub(super) setup: Setup,
    pub(super) args: &'a ProcessArgs,
    pub(super) recording: &'a Recording,
    pub(super) sink: WavSink,
}

impl Task for Host<'_> {
    type Output = (WavSink, Played);

    fn run<B: Backend>(self, backend: B) -> Result<Self::Output> {
        let Self { setup, args, recording, mut sink } = self;
        let others = Others::beside_the_first(&setup.config)?;
        // Rendering is no reason to crowd out the rest of the machine: real-time workers are for real time.
        let pool = if args.realtime { Pool::shared() } else { Pool::builder().build()? };
        let mut handler = InferenceHandler::builder(setup.config)
            .backend(backend)
            .scheduler(pool)
            .source(setup.source)
            .options(setup.options)
            .name("anira process")
            .build()?;
        let sizes = args.block_sizes();
        let largest_block = sizes.announced().max();
        let host = HostConfig::fixed(f64::from(recording.rate), largest_block)
            .block(sizes.announced())
            .channels(recording.channels.len())
            .mode(if args.realtime { Mode::Realtime } else { Mode::Offline });
        handler.record(if args.trace.is_some() { TRACE_EVENTS } else { 0 });
        let (mut audio, report, resampling, traced) =
            if args.resample && handler.config().sample_rate().is_some() {
                let (audio, report) = handler.prepare_resampled(&host)?;
                let mut session = report.session;
                if let Some(latency) = session.latency.first_mut() {
                    latency.samples = report.latency;
                    (latency.adaptation, latency.inference) = (report.adaptation, report.inference);
                    (latency.model, latency.padding) = (report.model, report.padding);
                }
                (Half::Resampled(Box::new(audio)), session, Some(report.resampling), None)
            } else {
                let Prepared { audio, report, recording, .. } = handler.prepare(&host)?;
                (Half::Plain(audio), report, None, recording)
            };
        let latency = report.latency.first().cloned().ok_or_else(|| no_stream("output"))?;
        let control = handler.control();
        let mut playing = Playing {
            recording,
            skip: if args.no_compensate { 0 } else { latency.samples },
            others,
            clock: args.realtime.then(Instant::now),
            callback: Histogram::default(),
            callbacks: 0,
            traced,
        };
        // The audio thread of a host stands above the workers; as a thread like any other it would be late by itself.
        let priority = args.realtime.then(|| Priority::Realtime(60).apply());
        let started = Instant::now();
        playing.play(&mut audio, &control, sizes, &mut sink)?;
        let took = started.elapsed();
        let telemetry = settled(&control);
        drop(audio);
        let played = Played {
            latency,
            resampling,
            callbacks: playing.callbacks,
            largest_block,
            telemetry,
            callback: playing.callback.snapshot(),
            took,
            max_inference: report.max_inference,
            priority,
            trace: playing.traced.map(trace::Recording::finish),
        };
        Ok((sink, played))
    }
}

/// The audio thread's half of the session, at the recording's rate.
enum Half<B: Backend, P: PrePostProcessor, S: Scheduler<EngineOf<B>>> {
    Plain(Audio<B, P, S>),
    Resampled(Box<Resampled<B, P, S>>),
}

impl<B: Backend, P: PrePostProcessor, S: Scheduler<EngineOf<B>>> Half<B, P, S> {
    fn process(&mut self, block: &mut [&mut [f32]]) -> Status {
        match self {
            Self::Plain(audio) => audio.process(block),
            Self::Resampled(audio) => audio.process(block),
        }
    }

    /// A stream beside the first; where there are any, nothing is resampled.
    fn push_silence(&mut self, stream: usize, frames: usize) {
        if let Self::Plain(audio) = self {
            // Silence has any number of channels: nothing to be wrong about.
            let _ = audio.push_silence(stream, frames);
        }
    }

    fn pop(&mut self, stream: usize, scrap: &mut [f32]) {
        if let Self::Plain(audio) = self {
            // Nobody listens to it; taking it keeps it in step.
            let _ = audio.pop(stream, &mut [scrap]);
        }
    }
}

/// The counters once what was submitted has ended: the last inferences may still run.
fn settled(control: &Control) -> TelemetrySnapshot {
    let patience = Instant::now() + Duration::from_secs(2);
    loop {
        let now = control.telemetry();
        if now.done + now.failed + now.dropped >= now.submitted || Instant::now() > patience {
            return now;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn no_stream(side: &str) -> Error {
    let right = format!("`process` needs an {side} tensor with the role `stream`");
    Error::config(format!("{side} streams"), "none", right)
}

/// The hops of the streams beside the first ones, relative to the first input: fed with silence, and thrown away.
#[derive(Debug)]
struct Others {
    hop: u64,
    inputs: Vec<u64>,
    outputs: Vec<u64>,
}

impl Others {
    fn beside_the_first(config: &InferenceConfig) -> Result<Self> {
        let inputs = config.inputs().iter().filter_map(|t| match t.role {
            InputRole::Stream { hop, .. } => Some(hop as u64),
            _ => None,
        });
        let outputs = config.outputs().iter().filter_map(|t| match t.role {
            OutputRole::Stream { hop, .. } => Some(hop as u64),
            _ => None,
        });
        let (mut inputs, mut outputs) = (inputs.collect::<Vec<_>>(), outputs.collect::<Vec<_>>());
        let from = *inputs.first().ok_or_else(|| no_stream("input"))?;
        let to = *outputs.first().ok_or_else(|| no_stream("output"))?;
        if from != to {
            let message = format!(
                "the model turns {from} samples into {to}: its output has another rate than its input, and `process` \
                 writes files of the input's rate; use the library for such a model"
            );
            return Err(Error::new(ErrorKind::Unsupported, message).at("hop"));
        }
        Ok(Self { hop: from, inputs: inputs.split_off(1), outputs: outputs.split_off(1) })
    }

    /// Samples of a stream of this hop that belong to the first `frames` samples of the reference.
    fn until(&self, hop: u64, frames: u64) -> u64 {
        (u128::from(frames) * u128::from(hop) / u128::from(self.hop.max(1))) as u64
    }
}

struct Playing<'a> {
    recording: &'a Recording,
    /// Samples at the start that are not written.
    skip: u64,
    others: Others,
    /// When the first callback came, if a clock paces them.
    clock: Option<Instant>,
    callback: Histogram,
    callbacks: u64,
    traced: Option<trace::Recording>,
}

impl Playing<'_> {
    fn play<B, P, S>(
        &mut self,
        audio: &mut Half<B, P, S>,
        control: &Control,
        sizes: impl Iterator<Item = usize>,
        sink: &mut WavSink,
    ) -> Result<()>
    where
        B: Backend,
        P: PrePostProcessor,
        S: Scheduler<EngineOf<B>>,
    {
        let frames = self.recording.frames() as u64;
        let total = if frames == 0 { 0 } else { self.skip + frames };
        let bar = progress(total);
        let mut block = vec![Vec::new(); self.recording.channels.len()];
        let mut scrap = Vec::new();
        let mut done = 0;
        for size in sizes {
            if done >= total {
                break;
            }
            self.fill(&mut block, done, size);
            if let Some(traced) = &mut self.traced {
                traced.drain();
            }
            self.wait_for(done);
            let (status, time) = self.call(audio, &mut block, &mut scrap, done, size);
            self.callback.record(time);
            self.callbacks += 1;
            check(status, control, self.clock.is_some())
                .map_err(|error| error.at(format!("callback {}", self.callbacks)))?;
            let end = done + size as u64;
            let from = self.skip.saturating_sub(done).min(size as u64);
            let to = total.saturating_sub(done).min(size as u64);
            sink.write(&block, from as usize, to.max(from) as usize)?;
            done = end;
            bar.inc(size as u64);
        }
        bar.finish_and_clear();
        Ok(())
    }

    /// The recording from sample `start` on, then silence.
    fn fill(&self, block: &mut [Vec<f32>], start: u64, size: usize) {
        for (target, source) in block.iter_mut().zip(&self.recording.channels) {
            let start = usize::try_from(start).unwrap_or(usize::MAX).min(source.len());
            let rest = source.get(start..).unwrap_or_default();
            target.clear();
            target.extend_from_slice(&rest[..rest.len().min(size)]);
            target.resize(size, 0.0);
        }
    }

    /// Until the callback that begins with this sample is due.
    fn wait_for(&self, sample: u64) {
        if let Some(first) = self.clock {
            let due = first + Duration::from_secs_f64(sample as f64 / f64::from(self.recording.rate));
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
        }
    }

    /// One callback, and how many nanoseconds it took.
    fn call<B, P, S>(
        &self,
        audio: &mut Half<B, P, S>,
        block: &mut [Vec<f32>],
        scrap: &mut Vec<f32>,
        start: u64,
        size: usize,
    ) -> (Status, u64)
    where
        B: Backend,
        P: PrePostProcessor,
        S: Scheduler<EngineOf<B>>,
    {
        let share = |hop: &u64| {
            (self.others.until(*hop, start + size as u64) - self.others.until(*hop, start)) as usize
        };
        let mut channels: Vec<&mut [f32]> = block.iter_mut().map(Vec::as_mut_slice).collect();
        let outputs: Vec<usize> = self.others.outputs.iter().map(share).collect();
        scrap.resize(outputs.iter().copied().max().unwrap_or(0), 0.0);
        let began = Instant::now();
        for (stream, hop) in self.others.inputs.iter().enumerate() {
            audio.push_silence(stream + 1, share(hop));
        }
        let status = audio.process(&mut channels[..]);
        let took = began.elapsed();
        for (stream, frames) in outputs.into_iter().enumerate() {
            audio.pop(stream + 1, &mut scrap[..frames]);
        }
        (status, u64::try_from(took.as_nanos()).unwrap_or(u64::MAX))
    }
}

/// What a status means for the command: offline, nothing may be late.
fn check(status: Status, control: &Control, realtime: bool) -> Result<()> {
    match status.fault {
        Some(Fault::Channels) => {
            let message = "the model yields another number of channels than it takes; `process` writes as many as it reads";
            return Err(Error::new(ErrorKind::Unsupported, message).at("channels"));
        }
        Some(fault) => {
            return Err(Error::new(ErrorKind::Internal, format!("the session refused a block: {fault:?}")));
        }
        None => {}
    }
    if realtime || status.late_samples == 0 {
        return Ok(());
    }
    Err(control.last_error().unwrap_or_else(|| {
        let message = format!("{} samples were late although nothing is offline", status.late_samples);
        Error::new(ErrorKind::Internal, message)
    }))
}

/// A bar where a terminal is, nothing elsewhere.
fn progress(total: u64) -> ProgressBar {
    let bar = ProgressBar::new(total);
    match ProgressStyle::with_template("{bar:40} {percent:>3} % {elapsed} (left: {eta})") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
