//! How much load real threads carry before samples come late, beside what the simulation says.

use std::time::Duration;

use anira::prelude::Pool;
use anira::scheduler::{Affinity, Priority};
use clap::Args;
use serde::Serialize;

use crate::mix::{self, Mix, Service};
use crate::report::{Report, aligned};
use crate::session::Cores;
use crate::stress::{self, Step};
use crate::task;

/// The loads that are tried, in percent of the cores that have workers: every multiple of this below 100.
const GRID: u32 = 5;

/// How often a load is tried before it counts as too much.
const TRIES: usize = 3;

/// How much load workers carry before samples come late, beside the simulated figure.
///
/// The sets of sessions of `docs/scheduling.md`, on real threads.
///
/// One audio thread calls all sessions at the pace of 48 kHz; their inferences compute for a set time on a core. For each way of
/// serving them the highest load is sought that holds, by halving, among 5, 10, ... 95 percent of the workers' cores. A
/// load holds if of each block size at most one slot in a thousand is late (of fewer than a thousand: none), at one of
/// three tries. One core: the worker's, so that the audio thread has the other. Two: both, so that workers and audio thread
/// share.
#[derive(Args)]
pub(crate) struct Options {
    /// Sets of sessions: short, one-long, two-long, classes, bursts, uneven; all unless given.
    #[arg(long, value_delimiter = ',')]
    mix: Vec<String>,
    /// Cores that have workers, as many of each band.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 2])]
    cores: Vec<usize>,
    /// How they are served: fifo, edf, bands, normal, edf-normal; all unless given.
    #[arg(long, value_delimiter = ',')]
    pool: Vec<String>,
    /// Seconds of callbacks per load.
    #[arg(long, default_value_t = 1.0)]
    seconds: f64,
}

/// One set of sessions served in one way.
#[derive(Serialize)]
struct Cell {
    pool: &'static str,
    /// The highest load that held, in percent; 0 if none did.
    held: u32,
    simulated: u32,
    /// Everything that was tried, in that order.
    steps: Vec<Step>,
}

#[derive(Serialize)]
struct Row {
    cores: usize,
    mix: &'static str,
    cells: Vec<Cell>,
}

/// All rows.
#[derive(Serialize)]
pub(crate) struct LoadReport {
    pools: Vec<&'static str>,
    /// Whether the system granted workers a real-time class.
    granted: bool,
    rows: Vec<Row>,
}

pub(crate) fn run(options: &Options, cores: Cores) -> anyhow::Result<LoadReport> {
    let (mixes, services) = (mix::mixes(&options.mix)?, mix::services(&options.pool)?);
    if options.cores.iter().any(|count| !(1..=2).contains(count)) {
        anyhow::bail!("workers run on one core or on two");
    }
    let granted = std::thread::spawn(|| task::WORKER.apply().refusal.is_none()).join().unwrap_or(false);
    let cells = mixes.len() * services.len() * options.cores.len();
    let bar = indicatif::ProgressBar::new(cells as u64);
    bar.set_style(indicatif::ProgressStyle::with_template("{bar:30} {pos}/{len} {msg}")?);
    let time = Duration::from_secs_f64(options.seconds);
    let mut rows = Vec::new();
    for &count in &options.cores {
        for &mix in &mixes {
            let mut cells = Vec::new();
            for &service in &services {
                let simulated = mix.simulated(service, count, service.urgent && granted);
                let mut steps = Vec::new();
                let held = highest(|percent| {
                    bar.set_message(format!("{}, {count} cores: {}, {percent} %", mix.words, service.words));
                    holds(mix, service, Trial { percent, time, count, cores }, &mut steps)
                })?;
                cells.push(Cell { pool: service.words, held, simulated, steps });
                bar.inc(1);
            }
            rows.push(Row { cores: count, mix: mix.words, cells });
        }
    }
    bar.finish_and_clear();
    Ok(LoadReport { pools: services.iter().map(|service| service.words).collect(), granted, rows })
}

/// The highest load that holds, if every lower one does.
fn highest(mut holds: impl FnMut(u32) -> anyhow::Result<bool>) -> anyhow::Result<u32> {
    let (mut held, mut failed) = (0, 100 / GRID);
    while failed - held > 1 {
        let middle = u32::midpoint(held, failed);
        if holds(middle * GRID)? {
            held = middle;
        } else {
            failed = middle;
        }
    }
    Ok(held * GRID)
}

#[derive(Clone, Copy)]
struct Trial {
    percent: u32,
    time: Duration,
    /// Cores that have workers.
    count: usize,
    cores: Cores,
}

fn holds(mix: &Mix, service: &Service, trial: Trial, steps: &mut Vec<Step>) -> anyhow::Result<bool> {
    let Trial { percent, time, count, cores } = trial;
    let workers = if count == 1 { vec![cores.worker] } else { vec![cores.worker, cores.audio] };
    for _ in 0..TRIES {
        let pool = Pool::builder()
            .threads(count)
            .bands(service.bands)
            .order(service.order)
            .affinity(Affinity::Set(workers.clone()))
            .priority(if service.urgent { task::WORKER } else { Priority::Normal })
            .build()?;
        let step = stress::step(&pool, &mix.demands(count, percent), percent, time, cores, count)?;
        let held = step.held();
        steps.push(step);
        if held {
            return Ok(true);
        }
    }
    Ok(false)
}

impl Report for LoadReport {
    fn table(&self) -> String {
        let mut heading = vec!["cores".to_owned(), "sessions".to_owned()];
        heading.extend(self.pools.iter().map(|&pool| pool.to_owned()));
        heading.extend(["workers used".to_owned(), "oversleep p99".to_owned(), "max".to_owned()]);
        let mut rows = vec![heading];
        for row in &self.rows {
            let mut cells = vec![row.cores.to_string(), row.mix.to_owned()];
            cells.extend(row.cells.iter().map(|c| format!("{} ({})", c.held, c.simulated)));
            let held = || {
                let steps = row.cells.iter().flat_map(|cell| &cell.steps);
                steps.filter(|step| step.held())
            };
            let beyond = held().map(|s| s.used - f64::from(s.percent)).fold(0.0, f64::max);
            cells.push(format!("+{beyond:.0}"));
            let micros = |nanos: Option<u64>| format!("{:.0}", nanos.unwrap_or(0) as f64 / 1e3);
            cells.push(micros(held().map(|s| s.oversleep.p99).max()));
            cells.push(micros(held().map(|s| s.oversleep.max).max()));
            rows.push(cells);
        }
        let granted = if self.granted { "granted" } else { "not granted" };
        let words = format!(
            "\nHighest load that held, percent of the cores (simulated). Real-time priority for workers: {granted}.\n\
             workers used: what they used beyond the load, percent of the cores; oversleep: how late the audio thread\n\
             came itself, microseconds. Both are the largest of all loads that held.\n"
        );
        format!("{}{words}", aligned(&rows))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halving_finds_the_highest_load_of_the_grid() {
        for limit in [0, 5, 50, 93, 95] {
            let mut tried = 0;
            let found = highest(|percent| {
                tried += 1;
                Ok(percent <= limit)
            });
            assert_eq!(found.unwrap(), limit / GRID * GRID);
            assert!(tried <= 5);
        }
    }
}
