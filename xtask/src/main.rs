//! The project's own commands: `cargo xtask <verb>`. The README says what they are for.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program for people at a terminal")]

mod asan;
mod call;
mod engines;
mod features;
mod fuzz;
mod licence;
mod limit;
mod loom;
mod mutation;
mod native;
mod nightly;
mod panics;
mod plan;
mod rtsan;
mod runner;
mod shuttle;
mod soak;
mod table;
mod tail;
mod tally;
mod tidy;
mod toolchain;
mod tsan;
mod workspace;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::call::Call;
use crate::workspace::Workspace;

/// Checks, tests and documents anira.
///
/// Needs cargo and nothing else but for `native`: a missing rustfmt or clippy is installed through rustup. Every command that is run is
/// shown first, so that it can be repeated by hand. With CI=true, Cargo.lock is taken as it is (--locked).
///
/// Exit code: 0 all passed, 1 a step failed, 2 the command line is wrong.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", after_help = EXAMPLES)]
pub(crate) struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

const EXAMPLES: &str = "\
Examples:
  cargo xtask check             while you work: a few minutes
  cargo xtask test              before you push: everything, and a table of minutes at the end
  cargo xtask test --list       what `test` would run, and what each step proves
  LOOM_MAX_PREEMPTIONS=3 cargo xtask loom
                                a deeper look at the hand-over between threads";

#[derive(Subcommand)]
enum Verb {
    /// Formatting, clippy, tidy and the unit tests: the quick part of `test`.
    Check(Steps),
    /// Everything: what CI runs, and what a change has to pass.
    ///
    /// Streams the output of every step, then prints a table of minutes per step, and as the last line the number of
    /// tests that passed, failed and were ignored.
    Test(Steps),
    /// Builds the documentation of all library crates; a warning is an error.
    Doc {
        /// Open it in a browser afterwards.
        #[arg(long)]
        open: bool,
    },
    /// Text checks that no compiler makes; each finding says how to mend it.
    ///
    /// Where `unsafe` may stand and that it is explained, that the scheduler takes its atomics from one file, who may
    /// depend on whom, how long files are, ignored tests without a reason, unfinished work, paths of somebody's
    /// machine, line endings, what a crate's manifest has to hold, and that the README's first commands exist.
    Tidy,
    /// Lays the native engines' libraries and the tests' models of others into `.native`, where builds and runs look for them.
    ///
    /// Downloads each from its registry by the ordinary client (pip for wheels, cargo for crates), compares its hash with the
    /// one in xtask/src/native/table.rs or models.rs, and unpacks what is needed. What is there already is verified by its hash and left
    /// alone. `.cargo/config.toml` sets the variables that builds and runs read to places in `.native`; a variable of your own
    /// wins: ORT_DYLIB_PATH; LIBTORCH; TFLITEC_PREBUILT_PATH and TFLITEC_HEADER_DIR; LITERT_LIB_DIR.
    ///
    /// Needs python3 with pip and gcc, and for building with TensorFlow Lite libssl-dev and pkg-config as well. Only Linux on x86-64
    /// is known; elsewhere install the libraries yourself and set the variables. All together: 618 MB to download,
    /// 593 MB on disk; the models alone 12.5 and 5.1.
    ///
    /// What cannot be had is skipped with a line that says so; with CI=true, or named by --engine or --models, it is an error. A file with
    /// another hash than expected is always an error.
    Native(native::Native),
    /// Builds every library without features and with each alone, `anira` with every set of engines, and sees that no native code
    /// comes in unasked.
    ///
    /// A feature whose engine's library is not there is skipped with a line that says so; with CI=true it is an error.
    Features {
        /// Instead build `anira` with every set of the features that matter. Slow: some 190 sets.
        #[arg(long)]
        powerset: bool,
    },
    /// Measures what anira costs on this machine: `audio`, `wake`, `idle`, `load`; `cargo xtask bench --help` says more.
    ///
    /// Builds the program `anira-bench`, optimised, and hands everything behind the verb to it. docs/benchmarks.md says what
    /// each figure means.
    #[command(disable_help_flag = true)]
    Bench {
        /// What to measure, and how.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// Model-checks the scheduler: loom runs its hand-overs in every order within a bound.
    ///
    /// The bound is the number of involuntary thread switches per run, LOOM_MAX_PREEMPTIONS, 2 unless set. What loom
    /// finds is real; what it doesn't find within the bound is not proven absent.
    Loom {
        /// Also see that the models notice each fault that is planted in the scheduler (anira-scheduler/mutations.txt).
        #[arg(long)]
        mutations: bool,
        /// Also weaken each memory ordering of the scheduler in turn, in a copy, and see that some model fails. Slow.
        #[arg(long, conflicts_with = "mutations")]
        orderings: bool,
        /// Of the orderings, take those in files whose path contains this.
        #[arg(long, requires = "orderings", default_value = "")]
        only: String,
    },
    /// Runs longer lives of a ring under shuttle, in thousands of random schedules.
    ///
    /// More threads, slots and hops than loom can exhaust, but a sample of the schedules, and every memory ordering is taken
    /// as the strongest: a second opinion on the logic. A failure prints the schedule, which can be run again.
    Shuttle {
        /// How often each of the two schedulers runs each test.
        #[arg(long, default_value_t = shuttle::MODEST)]
        iterations: u64,
        /// Also see that the runs notice the planted faults that anira-scheduler/mutations.txt marks with `shuttle`.
        #[arg(long)]
        mutations: bool,
    },
    /// Runs the stress test of pools, for as long as you like.
    Soak {
        /// How long to go on.
        #[arg(long, default_value_t = 60)]
        seconds: u64,
        /// The first scenario; a failure names the one to begin with.
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
    /// Runs the scheduler's tests under AddressSanitizer and LeakSanitizer. Advisory: no part of `test`.
    ///
    /// Needs a nightly toolchain: `rustup toolchain install nightly`. xtask/lsan.suppressions says what is left behind on purpose.
    Asan,
    /// Checks the licences and the sources of all crates that we depend on against deny.toml.
    ///
    /// All features, all systems, tests and this program included. It needs nothing but cargo; security advisories and withdrawn
    /// versions are left to `cargo deny check`, which has to download a database.
    Licences,
    /// Follows every call of the audio path through its machine code: none leads to a panic, to the allocator, or to a function of
    /// the system's that is not listed.
    ///
    /// Compiles tests/audio-path, which holds every call of an audio half and nothing else, as users compile. Ways out that are
    /// planted there have to be found. docs/realtime.md says what is promised.
    Panics,
    /// Runs the matrix of sessions under RealtimeSanitizer: no call on the audio thread does what may block.
    ///
    /// Engines that work, fail, panic, give no numbers or never come back; blocks of all kinds; late blocks; full queues; all idle
    /// policies. Then violations that are planted, each of which has to be reported. Needs a nightly toolchain: `rustup toolchain
    /// install nightly`. docs/realtime.md says what is promised.
    Rtsan,
    /// Fuzzes: gives inputs that are made up and bettered by what they reach to everything that reads or computes. No part of `test`.
    ///
    /// Needs a nightly toolchain (`rustup toolchain install nightly`) and a C++ compiler. The targets are built optimised, with
    /// every check of Rust's and under AddressSanitizer; an input that takes more than 10 seconds or 2 GB is a finding, too. What a run
    /// learns is kept in fuzz/corpus, what it finds is written to fuzz/artifacts. fuzz/README.md says what each target checks.
    /// Exit code: 0 nothing was found, 1 something was.
    Fuzz {
        /// How long each target goes on.
        #[arg(long, default_value_t = 60)]
        seconds: u64,
        /// Only this target; may be given several times. Without it, all but those of native engines.
        #[arg(long = "target", value_name = "NAME")]
        only: Vec<String>,
    },
    /// Runs the stress test of pools under ThreadSanitizer. Advisory: no part of `test`.
    ///
    /// Needs a nightly toolchain with the sources of the standard library, which is built anew with instrumentation:
    /// `rustup toolchain install nightly -c rust-src`. xtask/tsan.suppressions says which reports are left out and why.
    /// Exit code: 0 no race was seen, 1 one was or the test failed.
    Tsan {
        /// How long to go on.
        #[arg(long, default_value_t = 20)]
        seconds: u64,
    },
}

#[derive(Args)]
struct Steps {
    /// Run the remaining steps after one has failed.
    #[arg(long)]
    keep_going: bool,
    /// Name the steps and what each proves; run nothing.
    #[arg(long)]
    list: bool,
    /// Only this step, as --list names it; may be given several times.
    #[arg(long = "step", value_name = "NAME")]
    only: Vec<String>,
}

fn main() -> ExitCode {
    let verb = Cli::parse().verb;
    match Workspace::find().and_then(|workspace| run(&verb, &workspace)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("cargo xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Whether all went well.
fn run(verb: &Verb, workspace: &Workspace) -> anyhow::Result<bool> {
    match verb {
        Verb::Check(steps) => go(plan::check(), steps, workspace),
        Verb::Test(steps) => go(plan::test(), steps, workspace),
        Verb::Doc { open } => plan::doc(workspace, *open).map(|()| true),
        Verb::Tidy => tidy::run(workspace).map(|()| true),
        Verb::Native(options) => native::run(workspace, options),
        Verb::Features { powerset: true } => features::powerset(workspace).map(|()| true),
        Verb::Features { powerset: false } => features::run(workspace).map(|()| true),
        Verb::Bench { arguments } => {
            // With the engines of `nets` only where that, or help, is asked for: they take minutes to build.
            let others = ["audio", "wake", "idle", "load", "driven"];
            let is_other = |argument: &OsString| others.iter().any(|other| argument == other);
            let nets: &[&str] = if arguments.iter().any(is_other) { &[] } else { &["--features", "nets"] };
            let run = ["--release", "--quiet", "--package", "anira-bench"];
            let call = Call::new(workspace, "run").args(run).args(nets).args(["--"]);
            call.args(arguments).run().map(|()| true)
        }
        Verb::Loom { mutations: true, .. } => mutation::planted::run(workspace).map(|()| true),
        Verb::Loom { orderings: true, only, .. } => mutation::weakened::run(workspace, only).map(|()| true),
        Verb::Loom { .. } => loom::run(workspace, &mut tally::Tally::default()).map(|()| true),
        Verb::Shuttle { iterations, mutations: true } => {
            mutation::planted::run_under_shuttle(workspace, *iterations).map(|()| true)
        }
        Verb::Shuttle { iterations, .. } => {
            shuttle::run(workspace, *iterations, &mut tally::Tally::default()).map(|()| true)
        }
        Verb::Soak { seconds, seed } => soak::run(workspace, *seconds, *seed).map(|()| true),
        Verb::Asan => asan::run(workspace, &mut tally::Tally::default()).map(|()| true),
        Verb::Licences => licence::run(workspace, &plan::MANIFESTS).map(|()| true),
        Verb::Panics => panics::run(workspace).map(|()| true),
        Verb::Rtsan => rtsan::run(workspace, &mut tally::Tally::default()).map(|()| true),
        Verb::Fuzz { seconds, only } => fuzz::run(workspace, *seconds, only).map(|()| true),
        Verb::Tsan { seconds } => tsan::run(workspace, *seconds).map(|()| true),
    }
}

fn go(mut plan: Vec<plan::Step>, steps: &Steps, workspace: &Workspace) -> anyhow::Result<bool> {
    if let Some(unknown) = steps.only.iter().find(|name| plan.iter().all(|step| step.name != **name)) {
        let names: Vec<_> = plan.iter().map(|step| step.name).collect();
        anyhow::bail!("--step {unknown}: there is no such step; there are {}", names.join(", "));
    }
    plan.retain(|step| steps.only.is_empty() || steps.only.iter().any(|name| name == step.name));
    if steps.list {
        print!("{}", table::contents(&plan));
        return Ok(true);
    }
    Ok(runner::run(&plan, workspace, steps.keep_going))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent_and_every_verb_says_what_it_does() {
        let mut command = Cli::command();
        command.build();
        command.clone().debug_assert();
        for verb in command.get_subcommands() {
            assert!(verb.get_about().is_some(), "{} has no description", verb.get_name());
        }
    }
}
