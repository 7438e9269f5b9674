//! From a submission to the start of its inference, and what a worker's waiting costs.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anira::HostConfig;
use anira::prelude::{
    FnBackend, InferenceConfig, InferenceHandler, InputTensor, Inputs, OutputTensor, Outputs,
};
use anira::scheduler::{IdlePolicy, Priority, clock};
use anira::traits::{Signature, TensorInfo};
use clap::Args;
use serde::Serialize;

use crate::policy;
use crate::report::{Report, aligned};
use crate::samples::{Samples, Summary};
use crate::session::{Beat, Cores, RATE, Sizes, WORKERS, pool_at};
use crate::task::{self, Usage};

/// From a submission to the start of its inference, and what the worker's waiting costs.
///
/// One worker, for each idle policy, at the pace of 48 kHz.
///
/// Policies take turns, each with a pool of its own that ends with its turn. The time runs from just before the call of `process` to
/// the first line of the engine.
#[derive(Args)]
pub(crate) struct Options {
    /// Host blocks; the model's hop is the same.
    #[arg(long, value_delimiter = ',', default_values_t = [64, 128])]
    block: Vec<usize>,
    /// Idle policies, by name; all unless given.
    #[arg(long, value_delimiter = ',')]
    policy: Vec<String>,
    /// Seconds of callbacks per turn before anything is counted.
    #[arg(long, default_value_t = 1.0)]
    settle: f64,
    /// Seconds that are counted per turn.
    #[arg(long, default_value_t = 3.0)]
    seconds: f64,
    /// Workers at normal priority: for `awake`, which a system throttles that has given it a real-time class.
    #[arg(long)]
    normal: bool,
    /// Turns per policy and block.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
}

/// One policy at one block size.
#[derive(Serialize)]
struct Row {
    policy: &'static str,
    block: usize,
    start: Summary,
    process: Summary,
    /// Share of a core that the worker used.
    core_share: f64,
    switches_per_second: f64,
    /// Submissions whose inference did not begin before the turn ended.
    lost: usize,
}

/// All rows.
#[derive(Serialize)]
pub(crate) struct WakeReport {
    rows: Vec<Row>,
}

/// What turns add up to.
#[derive(Default)]
struct Sum {
    start: Samples,
    process: Samples,
    used: Usage,
    time: Duration,
    lost: usize,
}

pub(crate) fn run(options: &Options, cores: Cores) -> anyhow::Result<WakeReport> {
    let policies = policy::named(&options.policy)?;
    let cases: Vec<_> = options.block.iter().flat_map(|b| policies.iter().map(|p| (*b, *p))).collect();
    let mut sums: Vec<Sum> = cases.iter().map(|_| Sum::default()).collect();
    let bar = indicatif::ProgressBar::new((cases.len() * options.rounds) as u64);
    bar.set_style(indicatif::ProgressStyle::with_template("{bar:30} {pos}/{len} {msg}")?);
    for _ in 0..options.rounds {
        for ((block, (name, idle)), sum) in cases.iter().zip(&mut sums) {
            bar.set_message(format!("{name}, block {block}"));
            turn(Sizes::even(*block, 1), *idle, options, cores, sum)?;
            bar.inc(1);
        }
    }
    bar.finish_and_clear();
    let row = |((block, (policy, _)), sum): (&(usize, (&'static str, IdlePolicy)), &Sum)| Row {
        policy,
        block: *block,
        start: sum.start.summary(0),
        process: sum.process.summary(0),
        core_share: sum.used.busy.as_secs_f64() / sum.time.as_secs_f64().max(1e-9),
        switches_per_second: sum.used.switches as f64 / sum.time.as_secs_f64().max(1e-9),
        lost: sum.lost,
    };
    Ok(WakeReport { rows: cases.iter().zip(&sums).map(row).collect() })
}

/// One policy's turn: a pool, a session, callbacks until the time is over.
fn turn(
    sizes: Sizes,
    idle: IdlePolicy,
    options: &Options,
    cores: Cores,
    sum: &mut Sum,
) -> anyhow::Result<()> {
    let callbacks = |seconds: f64| (seconds / sizes.period().as_secs_f64()).ceil() as usize;
    let (settle, counted) = (callbacks(options.settle), callbacks(options.seconds));
    let starts: Arc<[AtomicU64]> = (0..settle + counted).map(|_| AtomicU64::new(0)).collect();
    let shape = [1, 1, sizes.hop];
    let signature = Signature {
        inputs: vec![TensorInfo::f32("input", &shape)],
        outputs: vec![TensorInfo::f32("output", &shape)],
    };
    let theirs = starts.clone();
    // The number of the callback comes as the first sample; a warm-up brings zero, which is no callback's.
    let backend = FnBackend::new("stamp", signature, move || {
        let starts = theirs.clone();
        move |inputs: &Inputs<'_>, outputs: &mut Outputs<'_>| {
            let now = clock::now();
            let number = inputs.f32(0)?.first().map_or(0, |n| *n as usize);
            if let Some(start) = number.checked_sub(1).and_then(|n| starts.get(n)) {
                start.store(now, Ordering::Relaxed);
            }
            outputs.f32(0)?.fill(0.0);
            Ok(())
        }
    });
    let config = InferenceConfig::builder()
        .input(InputTensor::stream("input", sizes.hop))
        .output(OutputTensor::stream("output", sizes.hop))
        .max_inference(Duration::from_micros(500))
        .build()?;
    let priority = if options.normal { Priority::Normal } else { task::WORKER };
    let pool = pool_at(priority, idle, cores)?;
    let mut handler = InferenceHandler::builder(config).backend(backend).scheduler(pool).build()?;
    let mut audio = handler.prepare(&HostConfig::fixed(RATE, sizes.block))?.audio;
    let host = move || {
        let _ = task::become_thread(cores.audio, task::AUDIO);
        let mut block = vec![0.0f32; sizes.block];
        let (mut sent, mut process) = (Vec::with_capacity(settle + counted), Samples::with_capacity(counted));
        let mut beat = Beat::new(sizes.period());
        let (mut used, mut begin) = (Usage::default(), Instant::now());
        for n in 0..settle + counted {
            block.fill((n + 1) as f32);
            if n == settle {
                (used, begin) = (Usage::of(WORKERS), Instant::now());
            }
            beat.wait();
            sent.push(clock::now());
            let called = Instant::now();
            let _ = audio.process(&mut [&mut block[..]]);
            if n >= settle {
                process.push(called.elapsed().as_nanos() as u64);
            }
        }
        (sent, process, Usage::of(WORKERS).since(used), begin.elapsed())
    };
    let ended = std::thread::scope(|scope| scope.spawn(host).join());
    let (sent, process, used, time) = ended.map_err(|_| anyhow::anyhow!("the audio thread panicked"))?;
    for (sent, start) in sent.iter().zip(&*starts).skip(settle) {
        match start.load(Ordering::Relaxed) {
            0 => sum.lost += 1,
            start => sum.start.push(start.saturating_sub(*sent)),
        }
    }
    sum.process.append(process);
    sum.used.busy += used.busy;
    sum.used.switches += used.switches;
    sum.time += time;
    Ok(())
}

impl Report for WakeReport {
    fn table(&self) -> String {
        let heading = [
            "policy",
            "block",
            "start p50",
            "p99",
            "p99.9",
            "max",
            "process p50",
            "p99",
            "p99.9",
            "core",
            "sleeps/s",
            "lost",
        ];
        let mut rows = vec![heading.map(str::to_owned).to_vec()];
        rows.extend(self.rows.iter().map(|row| {
            let mut cells = vec![row.policy.to_owned(), row.block.to_string()];
            let (start, process) = (row.start, row.process);
            cells.extend([start.p50, start.p99, start.p999, start.max].map(micros));
            cells.extend([process.p50, process.p99, process.p999].map(micros));
            cells.push(format!("{:.2} %", row.core_share * 100.0));
            cells.push(format!("{:.0}", row.switches_per_second));
            cells.push(row.lost.to_string());
            cells
        }));
        let words = "\nMicroseconds. core: share of one core that the worker used; sleeps/s: its voluntary switches;\n\
            lost: submissions that were not begun.\n";
        format!("{}{words}", aligned(&rows))
    }
}

fn micros(nanos: u64) -> String {
    format!("{:.2}", nanos as f64 / 1e3)
}
