//! The arguments of `anira process`.

use std::path::PathBuf;
use std::time::Duration;

use anira::traits::MAX_BLOCK;
use clap::Args;

use crate::engine::EngineArg;

use super::blocks::{Blocks, RandomBlocks};

/// Processes a recording with a model.
///
/// Reads IN (WAV or FLAC), plays the part of an audio host that calls the library back block by block, writes OUT (WAV,
/// 32-bit float) with IN's frames, channels and sample rate, and says what happened: latency, inferences, times.
///
/// MODEL is a model file, or a configuration file (.toml, .json) that names one. For a model file alone the
/// configuration is derived from its shapes; `anira inspect MODEL` shows it, ready to be saved and changed.
///
/// Offline (the default) every block waits for its results: nothing is ever late, and the samples are the same whatever
/// the block sizes. With --realtime a clock paces the callbacks, as a sound card does, and results that come too late are
/// replaced by silence and counted.
///
/// OUT is aligned with IN: the latency that a host would compensate is taken off, and the tail is flushed. With
/// --no-compensate OUT is what the host would hear: it starts with the latency's zeros, and its end is cut.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  A guitar through an amplifier model:
    anira process models/amp-tcn-29k.onnx samples/guitar.wav out.wav

  As a sound card with blocks of 128 would do it, when an inference may take 8 ms:
    anira process models/amp-tcn-29k.onnx samples/guitar.wav out.wav --realtime --block 128 --max-inference-ms 8

  A recording at 44.1 kHz through a model whose configuration says 48 kHz:
    anira process amp.toml take.wav out.wav --resample

  As an awkward host, with blocks of any length up to 1000, and a report for a script:
    anira process amp.toml in.flac out.wav --random-blocks 7,1000 --report report.json

Exit codes: 0 done, 2 a mistake in what was given (the message says which), 1 a fault of anira's.")]
pub(crate) struct ProcessArgs {
    /// The model file, or a configuration file (.toml, .json) that names one
    pub(super) model: PathBuf,
    /// The recording to process: WAV (8 to 32 bits, float 32 or 64) or FLAC, up to 26 channels
    #[arg(value_name = "IN")]
    pub(super) input: PathBuf,
    /// The WAV file to write; it appears when it is whole, an existing one is replaced then
    #[arg(value_name = "OUT")]
    pub(super) output: PathBuf,
    /// A configuration file (.toml, .json) for the model file MODEL
    #[arg(long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// The inference engine
    #[arg(long, value_enum, default_value = "auto")]
    pub(super) engine: EngineArg,
    /// Samples in every callback [default: 512]
    #[arg(long, value_name = "N", value_parser = block, allow_negative_numbers = true, group = "size")]
    pub(super) block: Option<usize>,
    /// Samples in the callbacks one after the other, then over again: 64,32,100
    #[arg(long, value_name = "N,N,…", value_parser = block, value_delimiter = ',', group = "size")]
    pub(super) blocks: Option<Vec<usize>>,
    /// Samples in each callback drawn from 1 to MAX; the same SEED draws the same
    #[arg(long, value_name = "SEED,MAX", value_parser = random, group = "size")]
    pub(super) random_blocks: Option<RandomBlocks>,
    /// The longest that one inference takes, in milliseconds; it decides the latency [default: the configuration's; 0
    /// offline]
    #[arg(long, value_name = "X", value_parser = milliseconds, allow_negative_numbers = true)]
    pub(super) max_inference_ms: Option<Duration>,
    /// Wait for every result, as fast as it goes (the default)
    #[arg(long, conflicts_with = "realtime")]
    pub(super) offline: bool,
    /// Call back when a sound card would; count what comes too late
    #[arg(long)]
    pub(super) realtime: bool,
    /// Convert the sample rate there and back where the configuration names another one than IN has; the latency counts it in
    #[arg(long)]
    pub(super) resample: bool,
    /// Leave the latency's zeros at the start of OUT and cut its end
    #[arg(long)]
    pub(super) no_compensate: bool,
    /// Write a report to this file, as JSON
    #[arg(long, value_name = "FILE")]
    pub(super) report: Option<PathBuf>,
    /// Record what the session's threads do to this file, for `anira replay`
    #[arg(long, value_name = "FILE", conflicts_with = "resample")]
    pub(super) trace: Option<PathBuf>,
    /// Print the report on standard output, as JSON
    #[arg(long)]
    pub(super) json: bool,
}

impl ProcessArgs {
    /// The sequence of block sizes that was asked for.
    pub(super) fn block_sizes(&self) -> Blocks {
        match (&self.blocks, self.random_blocks, self.block) {
            (Some(list), _, _) => Blocks::list(list.clone()),
            (_, Some(random), _) => Blocks::random(random),
            (_, _, size) => Blocks::list(vec![size.unwrap_or(512)]),
        }
    }
}

fn block(text: &str) -> Result<usize, String> {
    match text.trim().parse() {
        Ok(size) if (1..=MAX_BLOCK).contains(&size) => Ok(size),
        _ => Err(format!("a block has 1 to {MAX_BLOCK} samples")),
    }
}

fn random(text: &str) -> Result<RandomBlocks, String> {
    let right =
        || format!("write SEED,MAX: a whole number, and a block of 1 to {MAX_BLOCK} samples; as in 7,512");
    let (seed, max) = text.split_once(',').ok_or_else(right)?;
    let seed = seed.trim().parse().map_err(|_| right())?;
    Ok(RandomBlocks { seed, max: block(max).map_err(|_| right())? })
}

fn milliseconds(text: &str) -> Result<Duration, String> {
    const LONGEST: f64 = 3_600_000.0;
    match text.parse::<f64>() {
        Ok(ms) if (0.0..=LONGEST).contains(&ms) => Ok(Duration::from_nanos((ms * 1e6).round() as u64)),
        _ => Err(format!("a time from 0 to {LONGEST} milliseconds, as in 2.5")),
    }
}
