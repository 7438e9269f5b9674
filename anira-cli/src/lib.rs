//! The command line of anira: neural networks on recordings, and what they cost.
//!
//! The program `anira` is [`main`]. This library is for tests that run the program without a process of its own; for
//! anything else there is the library `anira`.

mod audio_file;
mod calibrate;
mod doctor;
mod engine;
mod inspect;
mod latency;
mod npy;
mod process;
mod replay;
mod run;
mod schema;
mod violations;
mod whole_file;

use std::ffi::OsString;
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
    Calibrate(calibrate::CalibrateArgs),
    Replay(replay::ReplayArgs),
    Doctor(doctor::DoctorArgs),
    Schema(schema::SchemaArgs),
    Violations(violations::ViolationsArgs),
}

/// The program: its arguments are the process's, and so are its outputs.
#[must_use]
pub fn main() -> ExitCode {
    ExitCode::from(run_with(std::env::args_os(), &mut std::io::stdout().lock(), &mut std::io::stderr()))
}

/// Does what the arguments say, of which the first is the program's name, and gives the exit code: 0 done, 2 a mistake
/// in what was given, 1 a fault of anira's; 3, of `replay --fail-if-late`, something was late. JSON goes to `out`, everything else to `log`; but help, and what is wrong with the
/// arguments themselves, go to the process's own outputs.
pub fn run_with(
    arguments: impl IntoIterator<Item = impl Into<OsString> + Clone>,
    out: &mut impl Write,
    log: &mut impl Write,
) -> u8 {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version come this way too, with code 0. A closed pipe leaves nobody to tell.
            let _ = error.print();
            return u8::try_from(error.exit_code()).unwrap_or(1);
        }
    };
    let mut out = Noticing { out, closed: false };
    let done = std::panic::catch_unwind(AssertUnwindSafe(|| dispatch(cli.command, &mut out, log)));
    match done {
        Ok(Ok(code)) => code,
        // Whoever reads has read enough, as `head` does.
        Ok(Err(_)) if out.closed => 0,
        Ok(Err(error)) => {
            let _ = writeln!(log, "error: {error}");
            if error.kind().is_users() { 2 } else { 1 }
        }
        // The panic has printed itself.
        Err(_) => 1,
    }
}

/// Notices that nobody reads any more.
struct Noticing<'a, W> {
    out: &'a mut W,
    closed: bool,
}

impl<W: Write> Noticing<'_, W> {
    fn noticed<T>(&mut self, result: std::io::Result<T>) -> std::io::Result<T> {
        self.closed |= matches!(&result, Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe);
        result
    }
}

impl<W: Write> Write for Noticing<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let result = self.out.write(bytes);
        self.noticed(result)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        let result = self.out.flush();
        self.noticed(result)
    }
}

/// What was done, as an exit code: 0, unless the command says of another one what it means.
fn dispatch(command: Command, out: &mut impl Write, log: &mut impl Write) -> Result<u8> {
    let mut code = 0;
    match command {
        Command::Process(args) => process::run(&args, out, log)?,
        Command::Inspect(args) => inspect::run(&args, out, log)?,
        Command::Run(args) => run::run(&args, out, log)?,
        Command::Latency(args) => latency::run(args, out)?,
        Command::Calibrate(args) => calibrate::run(&args, out, log)?,
        Command::Replay(args) => code = replay::run(&args, out)?,
        Command::Doctor(args) => doctor::run(&args, out)?,
        Command::Schema(args) => schema::run(&args, out)?,
        Command::Violations(args) => violations::run(&args, out, log)?,
    }
    out.flush().map_err(Error::from)?;
    Ok(code)
}
