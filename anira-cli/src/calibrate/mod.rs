//! `anira calibrate`: how long a model's slots take on this machine, and what to declare.

mod report;

use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use anira::calibration::{Calibration, Progress, Settings, calibrate};
use anira::prelude::InferenceHandler;
use anira::scheduler::{Granted, Priority};
use anira::traits::{Backend, MAX_BLOCK};
use anira::{Error, ErrorKind, Result};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};

use crate::engine::{self, EngineArg, Task};
use crate::process::setup::Setup;
use report::Report;

/// Measures a model on this machine, and says what to declare.
///
/// Runs slots as a worker would (windows into tensors, the engine, tensors into a hop), one after the other, on noise, until their
/// times are stable: the warm-up is found and left out, and half of all, 99 in 100, 999 in 1000 and the longest are told with the
/// interval in which 95 % of repeated measurements would lie. Then it watches for two seconds how long the pool's workers take to begin.
///
/// From that it recommends max_inference (a quarter more than the longest slot that was seen), scheduling_allowance, and for each
/// host block the hop, the threads (engines at once) and the latency that results. Nothing is changed: what is declared decides.
///
/// What else the machine does meanwhile is in the figures. The longest of N slots is no bound on the next: with 95 % confidence
/// fewer than 3 in N take longer.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  What should I declare for this model?
    anira calibrate models/amp-tcn-29k.onnx

  In a host with blocks of 128 at 96 kHz, with a configuration of my own:
    anira calibrate models/amp-tcn-29k.onnx --config amp.toml --block 128 --sample-rate 96000

  For a script:
    anira calibrate models/amp-tcn-29k.onnx --json | jq .recommended_max_inference_ms

Exit codes: 0 the times are stable, 2 they are not (the document says `\"stable\": false`, the message why), or a mistake in what was
given, 1 a fault of anira's.")]
pub(crate) struct CalibrateArgs {
    /// The model file, or a configuration file (.toml, .json) that names one
    model: PathBuf,
    /// A configuration file (.toml, .json) for the model file MODEL
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The inference engine
    #[arg(long, value_enum, default_value = "auto")]
    engine: EngineArg,
    /// Samples in every callback of the host that the recommendation is for; the table has other blocks besides
    #[arg(long, value_name = "N", default_value = "512", value_parser = block, allow_negative_numbers = true)]
    block: usize,
    /// The host's sample rate in Hz [default: the configuration's, or 48000]
    #[arg(long, value_name = "R", value_parser = rate, allow_negative_numbers = true)]
    sample_rate: Option<f64>,
    /// The longest that slots of one hop are measured, in seconds
    #[arg(long, value_name = "S", default_value = "30", value_parser = seconds, allow_negative_numbers = true)]
    seconds: Duration,
    /// Print one JSON document instead of a table
    #[arg(long)]
    json: bool,
}

/// Does what the command says: the document or the table to `out`, everything else to `log`.
///
/// # Errors
/// Those of the files, the configuration and the engine; [`ErrorKind::Config`] where the times did not become stable, after everything
/// was written.
pub(crate) fn run(args: &CalibrateArgs, out: &mut impl Write, log: &mut impl Write) -> Result<()> {
    let setup = Setup::with(&args.model, args.config.as_deref(), args.engine)?;
    if let Some(why) = &setup.choice.why {
        writeln!(log, "engine: {why}")?;
    }
    writeln!(log, "configuration: {}", setup.origin)?;
    for note in &setup.notes {
        writeln!(log, "note: {note}")?;
    }
    let engine = setup.choice.engine;
    let sample_rate = args.sample_rate.or(setup.config.sample_rate()).unwrap_or(48_000.0);
    let mut blocks: Vec<usize> = (5..12).map(|power| 1 << power).chain([args.block]).collect();
    blocks.sort_unstable();
    blocks.dedup();
    let settings = Settings::default().sample_rate(sample_rate).blocks(blocks).limit(args.seconds);
    let (found, granted) = engine::with(engine, Measure { setup, settings }).map_err(|error| {
        let name = args.model.display().to_string();
        if error.to_string().contains(&name) { error } else { error.at(name) }
    })?;
    writeln!(log, "measuring thread: {}", crate::process::granted(&granted))?;
    let report = Report::new(engine.name(), sample_rate, args.block, &found);
    if args.json {
        let json = serde_json::to_string_pretty(&report);
        writeln!(out, "{}", json.map_err(|error| Error::new(ErrorKind::Internal, error.to_string()))?)?;
    } else {
        report.table(out)?;
    }
    let unstable = found.slots.iter().find_map(|slot| slot.unstable.as_ref().map(|why| (slot.hop, why)));
    let Some((hop, why)) = unstable else { return Ok(()) };
    let message = format!(
        "the times of slots at a hop of {hop} did not become stable on this machine: {why}; close what else runs, or give it \
         longer than --seconds {}",
        args.seconds.as_secs_f64()
    );
    Err(Error::new(ErrorKind::Config, message).at(args.model.display().to_string()))
}

/// The task: measures on a thread of its own, with a worker's priority where the system grants it.
struct Measure {
    setup: Setup,
    settings: Settings,
}

impl Task for Measure {
    type Output = (Calibration, Granted);

    fn run<B: Backend>(self, backend: B) -> Result<Self::Output> {
        let Self { setup, settings } = self;
        let builder = InferenceHandler::builder(setup.config)
            .backend(backend)
            .source(setup.source)
            .options(setup.options)
            .name("anira calibrate");
        let bar = bar();
        let tell = bar.clone();
        let measure = move || {
            let priority = if may_be_realtime() { Priority::Realtime(40) } else { Priority::Normal };
            let granted = priority.apply();
            let progress = |Progress { part, parts, done, .. }: Progress| {
                tell.set_position(((part as f64 + done) / parts.max(1) as f64 * 1000.0) as u64);
            };
            Ok((calibrate(builder, &settings, progress)?, granted))
        };
        let done = std::thread::scope(|scope| scope.spawn(measure).join());
        bar.finish_and_clear();
        done.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}

/// A thread that never rests must not be of real time where the system ends those, nor where it would be the only one.
fn may_be_realtime() -> bool {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    if rustix::process::getrlimit(rustix::process::Resource::Rttime).current.is_some() {
        return false;
    }
    std::thread::available_parallelism().is_ok_and(|cores| cores.get() > 1)
}

/// A bar where a terminal is, nothing elsewhere.
fn bar() -> ProgressBar {
    let bar = ProgressBar::new(1000);
    match ProgressStyle::with_template("measuring {bar:40} {elapsed}") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

fn block(text: &str) -> Result<usize, String> {
    match text.trim().parse() {
        Ok(size) if (1..=MAX_BLOCK).contains(&size) => Ok(size),
        _ => Err(format!("a block has 1 to {MAX_BLOCK} samples")),
    }
}

fn rate(text: &str) -> Result<f64, String> {
    match text.trim().parse() {
        Ok(rate) if (1.0..=10_000_000.0).contains(&rate) => Ok(rate),
        _ => Err("a sample rate from 1 to 10000000 Hz, as in 48000".to_owned()),
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    match text.trim().parse::<f64>() {
        Ok(seconds) if (0.1..=3600.0).contains(&seconds) => Ok(Duration::from_secs_f64(seconds)),
        _ => Err("a time from 0.1 to 3600 seconds".to_owned()),
    }
}
