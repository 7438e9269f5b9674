//! `anira replay`: a recorded trace on the virtual clock, and why samples were late.

mod timeline;

use std::fs::File;
use std::io::{BufReader, Write};
use std::path::PathBuf;

use anira::trace::{Fate, LateRun, Replayed, Trace, VERSION, replay};
use anira::{Error, ErrorKind, Result};
use clap::Args;
use serde::Serialize;

/// Late runs that are drawn for people.
const MOST: usize = 16;

/// The exit code where samples were late and that was not to be.
const LATE: u8 = 3;

/// Replays a recorded trace, and says which samples were late, and why.
///
/// A trace is what a session's threads did: when callbacks came and what they brought, when hops were submitted, run and by which
/// worker, given up, handed out. `anira process --trace` writes one, and so does a program that uses the library's `trace`. The replay
/// has a virtual clock: callbacks come and inferences take as long as was recorded, on any machine.
///
/// With --seed the starts and durations are dealt out anew among the hops: another day with the same work. The same trace and the same
/// seed give the same output, byte for byte.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  Why did it click?
    anira process models/amp-tcn-29k.onnx samples/guitar.wav out.wav --realtime --block 64 --max-inference-ms 8 --trace click.jsonl
    anira replay click.jsonl

  Would it have clicked on another day? For a test: fails if anything is late.
    anira replay click.jsonl --seed 7 --fail-if-late

  For a script: the worst causes
    anira replay click.jsonl --json | jq '.late[].cause'

Exit codes: 0 replayed, 3 samples were late and --fail-if-late was given, 2 a mistake in what was given (the message names line, field
and value), 1 a fault of anira's.")]
pub(crate) struct ReplayArgs {
    /// The trace: JSON Lines
    trace: PathBuf,
    /// Deal starts and durations out anew; the same N deals the same
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Print one JSON document instead of text
    #[arg(long)]
    json: bool,
    /// End with exit code 3 if a sample was late
    #[arg(long)]
    fail_if_late: bool,
}

/// Does what the command says, and gives the exit code.
///
/// # Errors
/// Those of the file: what is wrong with it, with line, field and value.
pub(crate) fn run(args: &ReplayArgs, out: &mut impl Write) -> Result<u8> {
    let at = |error: Error| error.at(args.trace.display().to_string());
    let file = File::open(&args.trace).map_err(|error| at(error.into()))?;
    let trace = Trace::read(&mut BufReader::new(file)).map_err(at)?;
    let replayed = replay(&trace, args.seed).map_err(at)?;
    if args.json {
        let json = serde_json::to_string_pretty(&Document::of(&trace, &replayed, args.seed));
        writeln!(out, "{}", json.map_err(|error| Error::new(ErrorKind::Internal, error.to_string()))?)?;
    } else {
        text(&trace, &replayed, args.seed, out)?;
    }
    Ok(if args.fail_if_late && replayed.late_samples > 0 { LATE } else { 0 })
}

fn text(trace: &Trace, replayed: &Replayed, seed: Option<u64>, out: &mut impl Write) -> Result<()> {
    let h = &trace.header;
    let ms = |nanos: u64| nanos as f64 / 1e6;
    let blocks = if h.varying { "blocks of at most" } else { "blocks of" };
    writeln!(
        out,
        "session: {blocks} {} at {} Hz, hops of {}, engines: {}, latency {} samples",
        h.block, h.sample_rate, h.hop_in, h.engines, h.latency
    )?;
    writeln!(
        out,
        "declared: {:.3} ms of inference, {:.3} ms to begin",
        ms(h.max_inference),
        ms(h.scheduling_allowance)
    )?;
    let how = seed.map_or_else(|| "as recorded".to_owned(), |seed| format!("dealt out anew, seed {seed}"));
    let Replayed { callbacks, hops, samples, .. } = replayed;
    writeln!(out, "replayed: {} callbacks, {} hops, {samples} samples, {how}", callbacks.len(), hops.len())?;
    if replayed.late.is_empty() {
        writeln!(out, "late: nothing (when it was recorded: {} samples)", replayed.recorded_late_samples)?;
        return Ok(());
    }
    writeln!(
        out,
        "late: {} samples, {} times (when it was recorded: {} samples)",
        replayed.late_samples,
        replayed.late.len(),
        replayed.recorded_late_samples
    )?;
    for late in replayed.late.iter().take(MOST) {
        let LateRun { callback, hop, first, samples, at, cause, .. } = late;
        let last = first + samples - 1;
        writeln!(out)?;
        writeln!(
            out,
            "callback {callback} at {:.3} ms lacked samples {first} to {last}, of hop {hop}: {cause}",
            ms(*at)
        )?;
        timeline::draw(replayed, late, out)?;
    }
    if let Some(more) = replayed.late.len().checked_sub(MOST).filter(|more| *more > 0) {
        writeln!(out, "\n… and {more} more, which --json lists")?;
    }
    Ok(())
}

/// `--json`. Fields are only ever added.
#[derive(Debug, Serialize)]
struct Document {
    anira_trace: u64,
    seed: Option<u64>,
    sample_rate: f64,
    host_block: u64,
    latency_samples: u64,
    callbacks: usize,
    hops: usize,
    samples: u64,
    late_samples: u64,
    recorded_late_samples: u64,
    late: Vec<Line>,
}

/// The late samples of one hop in one callback.
#[derive(Debug, Serialize)]
struct Line {
    callback: u64,
    at_ns: u64,
    stream: u64,
    hop: u64,
    first_sample: u64,
    samples: u64,
    cause: &'static str,
    why: String,
    /// Null, as those below, where the hop never came so far.
    submitted_by: Option<u64>,
    submitted_ns: Option<u64>,
    start_ns: Option<u64>,
    end_ns: Option<u64>,
    worker: Option<u64>,
    dropped_ns: Option<u64>,
}

impl Document {
    fn of(trace: &Trace, replayed: &Replayed, seed: Option<u64>) -> Self {
        let line = |late: &LateRun| {
            let hop = late.place.and_then(|place| replayed.hops.get(place));
            let (mut start_ns, mut end_ns, mut of_worker, mut dropped_ns) = (None, None, None, None);
            match hop.map(|hop| hop.fate) {
                Some(Fate::Ran { start, end, worker, .. }) => {
                    (start_ns, end_ns, of_worker) = (Some(start), Some(end), worker);
                }
                Some(Fate::Dropped { at }) => dropped_ns = Some(at),
                _ => {}
            }
            Line {
                callback: late.callback,
                at_ns: late.at,
                stream: late.stream,
                hop: late.hop,
                first_sample: late.first,
                samples: late.samples,
                cause: late.cause.name(),
                why: late.cause.to_string(),
                submitted_by: hop.map(|hop| hop.callback),
                submitted_ns: hop.map(|hop| hop.submitted),
                start_ns,
                end_ns,
                worker: of_worker,
                dropped_ns,
            }
        };
        Self {
            anira_trace: VERSION,
            seed,
            sample_rate: trace.header.sample_rate,
            host_block: trace.header.block,
            latency_samples: trace.header.latency,
            callbacks: replayed.callbacks.len(),
            hops: replayed.hops.len(),
            samples: replayed.samples,
            late_samples: replayed.late_samples,
            recorded_late_samples: replayed.recorded_late_samples,
            late: replayed.late.iter().map(line).collect(),
        }
    }
}
