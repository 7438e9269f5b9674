//! What anira costs, measured: `cargo xtask bench <measurement>`.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program for people at a terminal")]

mod audio;
mod driven;
mod exec;
mod idle;
mod load;
mod machine;
mod mix;
#[cfg(feature = "nets")]
mod nets;
mod policy;
mod reference;
mod report;
mod samples;
mod session;
mod stress;
mod task;
mod wake;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::machine::Machine;

/// Measures what anira costs on this machine, beside what nobody can do without.
///
/// Figures depend on the machine: it is described first, with what else was running. Nothing is checked against a limit
/// here: a shared or virtual machine may be slow for reasons of its own. Real-time priority is asked for and its refusal told;
/// without it the tails say more of the system than of anira.
#[derive(Parser)]
#[command(name = "cargo xtask bench", bin_name = "cargo xtask bench", after_help = EXAMPLES)]
struct Cli {
    #[command(subcommand)]
    what: What,
    /// Also write everything measured to this file, as JSON; `-` writes it to the standard output instead of the tables.
    #[arg(long, global = true, value_name = "FILE")]
    json: Option<PathBuf>,
    /// The core of the thread that plays the host's audio thread.
    #[arg(long, global = true, default_value_t = 0)]
    audio_core: usize,
    /// The core of the worker, and of the thread that rewrites the reference's lines.
    #[arg(long, global = true, default_value_t = 1)]
    worker_core: usize,
}

const EXAMPLES: &str = "\
Examples:
  cargo xtask bench audio                        a callback at six block sizes, mono and stereo: about three minutes
  cargo xtask bench audio --block 64 --channels 1
  cargo xtask bench wake --policy park,predictive  how soon a worker begins, and what its waiting costs
  cargo xtask bench idle --sessions 1,2,8        what sessions cost that nobody calls
  cargo xtask bench load --mix one-long,classes  how much load holds, beside the simulation: about a minute and a half
  cargo xtask bench driven --sessions 1,8        a host's threads, the user's, the pool's: about three minutes
  cargo xtask bench nets --block 64              a sample in small networks, engine beside engine";

#[derive(Subcommand)]
enum What {
    Audio(audio::Options),
    Wake(wake::Options),
    Idle(idle::Options),
    Load(load::Options),
    Driven(driven::Options),
    #[cfg(feature = "nets")]
    Nets(nets::Options),
}

fn main() -> ExitCode {
    match run(&Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cargo xtask bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: &Cli) -> anyhow::Result<()> {
    let cores = session::Cores { audio: cli.audio_core, worker: cli.worker_core };
    let machine = Machine::describe(cores)?;
    let quiet = cli.json.as_ref().is_some_and(|path| path.as_os_str() == "-");
    if !quiet {
        print!("{machine}");
    }
    let (table, figures) = match &cli.what {
        What::Audio(options) => report::of(audio::run(options, cores)?)?,
        What::Wake(options) => report::of(wake::run(options, cores)?)?,
        What::Idle(options) => report::of(idle::run(options, cores)?)?,
        What::Load(options) => report::of(load::run(options, cores)?)?,
        What::Driven(options) => report::of(driven::run(options, cores)?)?,
        #[cfg(feature = "nets")]
        What::Nets(options) => report::of(nets::run(options, cores)?)?,
    };
    let all = serde_json::json!({ "machine": &machine, "figures": figures });
    if quiet {
        println!("{all:#}");
        return Ok(());
    }
    print!("{table}");
    if let Some(path) = &cli.json {
        std::fs::write(path, format!("{all:#}\n"))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent_and_every_measurement_says_what_it_is() {
        let mut command = Cli::command();
        command.build();
        command.clone().debug_assert();
        for measurement in command.get_subcommands().filter(|s| s.get_name() != "help") {
            assert!(measurement.get_long_about().is_some(), "{}", measurement.get_name());
        }
    }
}
