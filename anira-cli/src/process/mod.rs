//! `anira process`: a recording through a model, called back block by block as a host would.

mod args;
mod blocks;
mod host;
mod report;
pub(crate) mod setup;

use std::io::Write;
use std::time::Duration;

use anira::{Error, ErrorKind, Result};

pub(crate) use args::ProcessArgs;
pub(crate) use report::granted;

use crate::audio_file::{Recording, WavSink};
use crate::engine;
use crate::whole_file::WholeFile;
use host::Host;
use setup::Setup;

/// Does what the command says: JSON to `out`, everything else to `log`.
pub(crate) fn run(args: &ProcessArgs, out: &mut impl Write, log: &mut impl Write) -> Result<()> {
    let recording = Recording::read(&args.input)?;
    let mut setup = Setup::find(args)?;
    if let Some(why) = &setup.choice.why {
        writeln!(log, "engine: {why}")?;
    }
    writeln!(log, "configuration: {}", setup.origin)?;
    for note in &setup.notes {
        writeln!(log, "note: {note}")?;
    }
    match setup.config.sample_rate() {
        None if args.resample => {
            writeln!(log, "note: the configuration names no sample rate: nothing is resampled")?
        }
        Some(model) if args.resample && model != f64::from(recording.rate) => {
            writeln!(log, "resampling: {} Hz to {model} Hz and back", recording.rate)?;
        }
        _ => check_rate(&setup, args, &recording)?,
    }
    setup.config = with_time(setup.config, args)?;
    let (engine, origin) = (setup.choice.engine, setup.origin.clone());
    // Both files are begun before the work, so that a place that cannot be written is told at once.
    let sink = WavSink::create(&args.output, recording.rate, recording.channels.len(), recording.frames())?;
    let report_file = args.report.as_deref().map(WholeFile::create).transpose()?;
    let trace_file = args.trace.as_deref().map(WholeFile::create).transpose()?;
    let (sink, played) = engine::with(engine, Host { setup, args, recording: &recording, sink })
        .map_err(|error| said_of_model(error, args))?;
    let report = report::Report::new(args, engine, &origin, &recording, &played);
    sink.finish()?;
    let json = report.json()?;
    if let (Some(file), Some(trace)) = (trace_file, &played.trace) {
        let mut text = Vec::new();
        trace.write(&mut text)?;
        file.finish_with(&text)?;
    }
    if let Some(file) = report_file {
        file.finish_with(json.as_bytes())?;
    }
    if args.json {
        out.write_all(json.as_bytes())?;
    }
    report.summary(log)?;
    Ok(())
}

/// The error with the model's file, unless it names it.
fn said_of_model(error: Error, args: &ProcessArgs) -> Error {
    let name = args.model.display().to_string();
    if error.to_string().contains(&name) { error } else { error.at(name) }
}

fn check_rate(setup: &Setup, args: &ProcessArgs, recording: &Recording) -> Result<()> {
    match setup.config.sample_rate() {
        Some(model) if model != f64::from(recording.rate) => {
            let message = format!(
                "is {model} Hz in the configuration ({}), the model's rate; {} has {} Hz: convert the recording to \
                 {model} Hz, process it with --resample, or take sample_rate out of the configuration if the model does not mind",
                setup.origin,
                args.input.display(),
                recording.rate
            );
            Err(Error::new(ErrorKind::Host, message).at("sample_rate"))
        }
        _ => Ok(()),
    }
}

/// The configuration with the worst inference time that holds: the flag's, its own, or 0 offline.
fn with_time(config: anira::InferenceConfig, args: &ProcessArgs) -> Result<anira::InferenceConfig> {
    match args.max_inference_ms.or(config.max_inference()) {
        Some(time) => Ok(config.with_max_inference(time)),
        None if args.realtime => Err(Error::config(
            "--max-inference-ms",
            "missing",
            "with --realtime it decides the latency: give the longest time of one inference, or put \
             max_inference_ms into the configuration",
        )),
        None => Ok(config.with_max_inference(Duration::ZERO)),
    }
}
