//! `anira violations`: what an engine does inside of one inference that real-time code must not do.

#[cfg(feature = "violations")]
mod count;
#[cfg(feature = "violations")]
mod document;
#[cfg(feature = "violations")]
mod table;

use std::io::Write;
use std::path::PathBuf;

use anira::Result;
use clap::Args;

use crate::engine::EngineArg;

/// Counts what engines do inside of one inference: memory, locks, files, sleep, system calls.
///
/// Runs each model with each engine where a worker would run it, and counts each inference by itself, in Rust, C and C++
/// alike: the program's own malloc, free and pthread functions stand in front of the C library's, and the kernel reports
/// every system call. The kinds: malloc, calloc, realloc, free, posix_memalign; mutex, rwlock, condvar (asked for); sleep,
/// file (system calls that wait, or that are on files); syscall (all others). `others` is what other threads did meanwhile.
///
/// An engine is run on trial when it is made, as anira makes it: what is counted as the first inference comes after that. The
/// column `prepared` (--with-preparation) is loading and making.
///
/// Counting changes the whole program, so it is a build of its own, on Linux: the feature `violations`.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  What does this model do on the engine that reads it?
    cargo run --release -p anira-cli --features violations -- violations models/amp-tcn-29k.onnx

  Two engines beside each other, as a drawing too:
    anira violations models/amp-lstm-2k.toml --engine rten,onnxruntime --svg violations.svg

  For a script: what remains after fifty inferences?
    anira violations models/gain.onnx --json | jq '.[] | select(.iteration == 50 and .count > 0)'")]
pub(crate) struct ViolationsArgs {
    /// Model files, or configuration files
    #[arg(required = true, value_name = "MODEL")]
    models: Vec<PathBuf>,
    /// The inference engines, separated by commas
    #[arg(long, value_enum, default_value = "auto", value_delimiter = ',')]
    engine: Vec<EngineArg>,
    /// Inferences per model and engine
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    iterations: u32,
    /// Print one JSON document instead of tables: a list with an object per engine, model, iteration and kind
    #[arg(long, conflicts_with = "csv")]
    json: bool,
    /// Print the same as comma-separated values
    #[arg(long)]
    csv: bool,
    /// Write a drawing of first, second and later inferences
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// With --json and --csv, list loading the model and making an engine too, as iteration 0
    #[arg(long)]
    with_preparation: bool,
}

/// Does what the command says.
///
/// # Errors
/// `NotBuilt` without the feature `violations`.
#[cfg(not(feature = "violations"))]
pub(crate) fn run(_: &ViolationsArgs, _: &mut impl Write, _: &mut impl Write) -> Result<()> {
    let message = "is not built in, as counting changes the whole program: cargo run --release -p anira-cli \
                   --features violations -- violations MODEL";
    Err(anira::Error::new(anira::ErrorKind::NotBuilt, message).at("anira violations"))
}

/// Does what the command says: tables or documents to `out`, what was assumed to `log`.
///
/// # Errors
/// Those of the files and engines; `Unsupported` where nothing can be counted.
#[cfg(feature = "violations")]
pub(crate) fn run(args: &ViolationsArgs, out: &mut impl Write, log: &mut impl Write) -> Result<()> {
    use anira::{Error, ErrorKind};

    // Begun before the work, so that a place that cannot be written is told at once.
    let svg = args.svg.as_deref().map(crate::whole_file::WholeFile::create).transpose()?;
    let mut all = Vec::new();
    for model in &args.models {
        for engine in &args.engine {
            let counted = count::count(model, *engine, args.iterations, log)?;
            if !args.json && !args.csv {
                table::write(&counted, out)?;
            }
            all.push(counted);
        }
    }
    if args.json {
        document::json(&all, args.with_preparation, out)?;
    } else if args.csv {
        document::csv(&all, args.with_preparation, out)?;
    }
    if let Some(file) = svg {
        let series: Vec<_> = all.into_iter().map(|counted| counted.series).collect();
        let drawing = anira_intercept::svg(&series);
        let drawing = drawing.map_err(|error| Error::new(ErrorKind::Internal, error).at("--svg"))?;
        file.finish_with(drawing.as_bytes())?;
    }
    Ok(())
}
