//! The command line of anira: neural networks on recordings, and what they cost.

mod audio_file;
mod doctor;
mod engine;
#[cfg(feature = "onnxruntime")]
mod environment;
mod inspect;
mod latency;
mod npy;
mod process;
mod run;
mod schema;
mod violations;
mod whole_file;

use std::io::Write;
use std::panic::AssertUnwindSafe;
use std::process::ExitCode;

use anira::{Error, Result};
use clap::{Parser, Subcommand};

/// Neural network inference for real-time audio.
///
/// Runs models on recordings as an audio host would, block by block; shows what a model needs; computes the latency
/// that a host and a model lead to.
#[derive(Debug, Parser)]
#[command(name = "anira", version, arg_required_else_help = true)]
#[command(after_long_help = "\
First steps:
  anira inspect models/amp-tcn-29k.onnx                           what is in the model
  anira process models/amp-tcn-29k.onnx samples/guitar.wav out.wav   hear it
  anira latency --help                                            what it would cost in a host
  anira doctor                                                    what this machine and this build lack

JSON goes to standard output, everything else to standard error.
Exit codes: 0 done, 2 a mistake in what was given (the message says which), 1 a fault of anira's.")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Process(process::ProcessArgs),
    Inspect(inspect::InspectArgs),
    Run(run::RunArgs),
    Latency(latency::LatencyArgs),
    Doctor(doctor::DoctorArgs),
    Schema(schema::SchemaArgs),
    Violations(violations::ViolationsArgs),
}

fn main() -> ExitCode {
    #[cfg(feature = "onnxruntime")]
    environment::complete();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version come this way too, with code 0. A closed pipe leaves nobody to tell.
            let _ = error.print();
            return exit_code(error.exit_code());
        }
    };
    let mut log = std::io::stderr();
    match std::panic::catch_unwind(AssertUnwindSafe(|| dispatch(cli.command))) {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(error)) => {
            let _ = writeln!(log, "error: {error}");
            exit_code(if error.kind().is_users() { 2 } else { 1 })
        }
        // The panic has printed itself.
        Err(_) => ExitCode::FAILURE,
    }
}

fn exit_code(code: i32) -> ExitCode {
    ExitCode::from(u8::try_from(code).unwrap_or(1))
}

fn dispatch(command: Command) -> Result<()> {
    let (mut out, mut log) = (std::io::stdout().lock(), std::io::stderr());
    match command {
        Command::Process(args) => process::run(&args, &mut out, &mut log)?,
        Command::Inspect(args) => inspect::run(&args, &mut out, &mut log)?,
        Command::Run(args) => run::run(&args, &mut out, &mut log)?,
        Command::Latency(args) => latency::run(args, &mut out)?,
        Command::Doctor(args) => doctor::run(&args, &mut out)?,
        Command::Schema(args) => schema::run(&args, &mut out)?,
        Command::Violations(args) => violations::run(&args, &mut out, &mut log)?,
    }
    out.flush().map_err(Error::from)
}
