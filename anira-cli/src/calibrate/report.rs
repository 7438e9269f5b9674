//! What was found, for scripts and for people.

use std::io::Write;
use std::time::Duration;

use anira::Result;
use anira::calibration::{Calibration, Figure, Row, SlotTimes, Times};
use serde::Serialize;

/// `--json`. Fields are only ever added.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    schema: u32,
    engine: &'static str,
    sample_rate: f64,
    stable: bool,
    /// Why not, if not.
    unstable: Option<String>,
    hop: usize,
    /// Slots that are counted, and those before, that are not.
    slots: usize,
    warm_up: usize,
    p50_us: f64,
    p99_us: f64,
    p999_us: f64,
    max_us: f64,
    /// Where 95 % of repeated measurements would lie.
    intervals_us: Intervals,
    preparation_us: Parts,
    run_us: Parts,
    finish_us: Parts,
    wake_up_us: Option<Parts>,
    recommended_max_inference_ms: f64,
    recommended_shortest_takes_ms: Option<f64>,
    recommended_scheduling_allowance_ms: f64,
    recommended: Option<Line>,
    table: Vec<Line>,
}

#[derive(Debug, Serialize)]
struct Intervals {
    p50: [f64; 2],
    p99: [f64; 2],
    p999: [f64; 2],
    max: [f64; 2],
}

#[derive(Clone, Copy, Debug, Serialize)]
struct Parts {
    p50: f64,
    p99: f64,
    p999: f64,
    max: f64,
}

/// One host block.
#[derive(Clone, Debug, Serialize)]
struct Line {
    host_block: usize,
    hop: usize,
    threads: usize,
    max_inference_ms: f64,
    load: f64,
    /// Null, as the four below, where the model cannot keep up.
    latency_samples: Option<u64>,
    latency_ms: Option<f64>,
    adaptation: Option<u64>,
    inference: Option<u64>,
    model: Option<u64>,
}

fn micros(nanos: u64) -> f64 {
    nanos as f64 / 1000.0
}

fn millis(time: Duration) -> f64 {
    time.as_nanos() as f64 / 1e6
}

impl Parts {
    fn of(times: &Times) -> Self {
        Self {
            p50: micros(times.p50.nanos),
            p99: micros(times.p99.nanos),
            p999: micros(times.p999.nanos),
            max: micros(times.max.nanos),
        }
    }
}

impl Line {
    fn of(row: &Row) -> Self {
        let latency = row.latency.as_ref();
        Self {
            host_block: row.block,
            hop: row.hop,
            threads: row.engines,
            max_inference_ms: millis(row.max_inference),
            load: row.load,
            latency_samples: latency.map(|l| l.samples),
            latency_ms: latency.map(|l| l.milliseconds()),
            adaptation: latency.map(|l| l.adaptation),
            inference: latency.map(|l| l.inference),
            model: latency.map(|l| l.model),
        }
    }
}

impl Report {
    pub(super) fn new(engine: &'static str, sample_rate: f64, block: usize, found: &Calibration) -> Self {
        let slot: &SlotTimes = found.slot();
        let Times { count, p50, p99, p999, max, .. } = slot.total;
        let both = |figure: Figure| [micros(figure.low), micros(figure.high)];
        let table: Vec<Line> = found.table.iter().map(Line::of).collect();
        let why = |s: &SlotTimes| s.unstable.as_ref().map(|why| format!("at a hop of {}: {why}", s.hop));
        Self {
            schema: 1,
            engine,
            sample_rate,
            stable: found.is_stable(),
            unstable: found.slots.iter().find_map(why),
            hop: slot.hop,
            slots: count,
            warm_up: slot.warm_up,
            p50_us: micros(p50.nanos),
            p99_us: micros(p99.nanos),
            p999_us: micros(p999.nanos),
            max_us: micros(max.nanos),
            intervals_us: Intervals { p50: both(p50), p99: both(p99), p999: both(p999), max: both(max) },
            preparation_us: Parts::of(&slot.preparation),
            run_us: Parts::of(&slot.run),
            finish_us: Parts::of(&slot.finish),
            wake_up_us: found.wake_up.as_ref().map(Parts::of),
            recommended_max_inference_ms: millis(found.max_inference),
            recommended_shortest_takes_ms: found.shortest_takes.map(millis),
            recommended_scheduling_allowance_ms: millis(found.scheduling_allowance),
            recommended: table.iter().find(|line| line.host_block == block).cloned(),
            table,
        }
    }

    /// For people.
    pub(super) fn table(&self, out: &mut impl Write) -> Result<()> {
        let Self { hop, slots, warm_up, .. } = self;
        writeln!(
            out,
            "{} on this machine: {slots} slots of {hop} samples, after a warm-up of {warm_up}",
            self.engine
        )?;
        writeln!(out)?;
        writeln!(out, "{:<14}{:>12}{:>12}{:>12}{:>12}", "microseconds", "p50", "p99", "p99.9", "max")?;
        let mut line = |name: &str, p: [f64; 4]| {
            writeln!(out, "{name:<14}{:>12.1}{:>12.1}{:>12.1}{:>12.1}", p[0], p[1], p[2], p[3])
        };
        let parts = |p: &Parts| [p.p50, p.p99, p.p999, p.max];
        line("preparation", parts(&self.preparation_us))?;
        line("run", parts(&self.run_us))?;
        line("finish", parts(&self.finish_us))?;
        line("slot", [self.p50_us, self.p99_us, self.p999_us, self.max_us])?;
        let all = &self.intervals_us;
        let ends = |end: usize| [all.p50, all.p99, all.p999, all.max].map(|interval| interval[end]);
        line("  from", ends(0))?;
        line("  to", ends(1))?;
        if let Some(wake_up) = &self.wake_up_us {
            line("wake-up", parts(wake_up))?;
        }
        writeln!(out)?;
        writeln!(out, "declare: max_inference_ms = {}", self.recommended_max_inference_ms)?;
        if let Some(time) = self.recommended_shortest_takes_ms {
            writeln!(out, "         in the hop range, the time of the shortest: {time} ms")?;
        }
        writeln!(out, "         scheduling_allowance_ms = {}", self.recommended_scheduling_allowance_ms)?;
        writeln!(out)?;
        let head =
            ["host block", "hop", "threads", "load", "latency", "ms", "adaptation", "inference", "model"];
        writeln!(out, "{}", head.map(|name| format!("{name:>11}")).concat())?;
        for row in &self.table {
            let Line { host_block, hop, threads, load, .. } = row;
            write!(out, "{host_block:>11}{hop:>11}{threads:>11}{:>9.0} %", load * 100.0)?;
            match (row.latency_samples, row.latency_ms) {
                (Some(samples), Some(ms)) => {
                    write!(out, "{samples:>11}{ms:>11.2}")?;
                    for part in [row.adaptation, row.inference, row.model] {
                        write!(out, "{:>11}", part.unwrap_or(0))?;
                    }
                }
                _ => write!(out, "  cannot keep up")?,
            }
            let chosen = self.recommended.as_ref().is_some_and(|line| line.host_block == row.host_block);
            writeln!(out, "{}", if chosen { "  <-" } else { "" })?;
        }
        Ok(())
    }
}
