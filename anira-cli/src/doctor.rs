//! `anira doctor`: what this build and this machine have, what they lack, and what to do about it.

mod engines;
mod machine;
mod workers;

use std::io::Write;

use anira::{Error, ErrorKind, Result};
use clap::Args;
use serde::Serialize;

use engines::EngineReport;
use machine::{Affinity, Limits, Machine};
use workers::{Priority, Workers};

/// Shows engines, libraries and what this machine grants to real-time threads.
///
/// Loads every engine's library and asks for its version, starts real workers and looks at what they were granted: their
/// priority, their core, their flush-to-zero. Says for each lack what to do about it. It is a report: whatever is lacking,
/// the exit code is 0.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  What is missing here?
    anira doctor

  For a script: the engines that can run
    anira doctor --json | jq -r '.engines[] | select(.error == null).name'

  For a script: does the system grant a real-time priority?
    anira doctor --json | jq -r .priority.granted")]
pub(crate) struct DoctorArgs {
    /// Print one JSON document instead
    #[arg(long)]
    json: bool,
}

/// All that is found out. Its fields are those of the JSON document.
#[derive(Debug, Serialize)]
struct Report {
    /// That of anira.
    version: &'static str,
    engines: Vec<EngineReport>,
    /// What the workers asked for, and what they were granted.
    priority: Priority,
    affinity: Affinity,
    /// Whether a worker takes denormal numbers for zero; null where no worker ran.
    flush_to_zero: Option<bool>,
    /// Threads that run at the same time, as far as this process may use the cores.
    cores: usize,
    limits: Limits,
    machine: Machine,
    /// What to do about what is lacking, a sentence each.
    advice: Vec<String>,
}

/// Prints the report to `out`.
pub(crate) fn run(args: &DoctorArgs, out: &mut impl Write) -> Result<()> {
    let report = Report::collect();
    if args.json {
        let text = serde_json::to_string_pretty(&report);
        let text = text.map_err(|error| Error::new(ErrorKind::Internal, error.to_string()))?;
        writeln!(out, "{text}")?;
        return Ok(());
    }
    report.table(out)
}

impl Report {
    fn collect() -> Self {
        let engines = engines::all();
        let limits = Limits::read();
        let machine = Machine::read();
        let cores = std::thread::available_parallelism().map_or(1, |count| count.get());
        let Workers { priority, flush_to_zero, affinity } = workers::ask();
        let mut advice: Vec<String> = engines.iter().filter_map(EngineReport::advice).collect();
        advice.extend(priority.advice());
        advice.extend(affinity.advice(cores));
        advice.extend(machine.advice());
        if flush_to_zero == Some(false) {
            advice.push("flush-to-zero: this processor has none that anira knows; a fading tail may cost many times as much, so give max_inference_ms a margin".to_owned());
        }
        Self {
            version: env!("CARGO_PKG_VERSION"),
            engines,
            priority,
            affinity,
            flush_to_zero,
            cores,
            limits,
            machine,
            advice,
        }
    }

    fn table(&self, out: &mut impl Write) -> Result<()> {
        writeln!(out, "anira {} on {} {}", self.version, std::env::consts::OS, std::env::consts::ARCH)?;
        writeln!(out, "\n{:13}{:7}{:10}library", "engine", "built", "version")?;
        for engine in &self.engines {
            engine.row(out)?;
        }
        writeln!(out)?;
        let mut row = |name: &str, value: String| writeln!(out, "{name:20}{value}");
        row("cores", format!("{}{}", self.cores, self.machine.cores_text()))?;
        row("worker priority", self.priority.text())?;
        row("worker pinned", self.affinity.text())?;
        let flush = match self.flush_to_zero {
            Some(true) => "on, in the workers",
            Some(false) => "off, even in the workers",
            None => "unknown: no worker ran",
        };
        row("flush-to-zero", flush.to_owned())?;
        row("real-time limit", self.limits.realtime_text())?;
        row("memory lock limit", self.limits.memory_text())?;
        row("kernel", self.machine.kernel_text())?;
        if self.advice.is_empty() {
            writeln!(out, "\nNothing is lacking.")?;
            return Ok(());
        }
        writeln!(out, "\nWhat to do:")?;
        for sentence in &self.advice {
            writeln!(out, "- {sentence}")?;
        }
        Ok(())
    }
}
