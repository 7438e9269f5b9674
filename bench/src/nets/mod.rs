//! What a sample costs in small networks: the native engine beside the general ones and the processor's peak.

mod case;
mod contest;
mod peak;

use std::time::{Duration, Instant};

use clap::Args;
use serde::Serialize;

use crate::report::{Report, aligned};
use crate::session::Cores;
use case::Case;
use contest::{Contestant, Noise};

/// The engine that the others are compared with.
const OURS: &str = "native";

/// What a sample costs in small networks, by the block.
///
/// The native engine beside rten and, where its library is, ONNX Runtime, all on one thread with flush-to-zero, in turns with a loop of
/// nothing but multiply-adds; of each the least time counts.
///
/// Networks of `models/`, and some that are made here with random weights: LSTM and GRU with a dense layer behind, the
/// standard WaveNet of Neural Amp Modeler, and two without biases, for small numbers, which the general engines have no files of. The general engines answer a convolution's whole
/// window for every block, as they do in a session; the LSTM's state they keep.
#[derive(Args)]
pub(crate) struct Options {
    /// Samples of a block.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 16, 64, 256, 2048])]
    block: Vec<usize>,
    /// Networks, by name; all unless given.
    #[arg(long, value_delimiter = ',')]
    network: Vec<String>,
    /// Seconds per network and block.
    #[arg(long, default_value_t = 0.5)]
    seconds: f64,
    /// Leave the other engines out.
    #[arg(long)]
    alone: bool,
}

/// One engine in one case.
#[derive(Serialize)]
struct Cost {
    engine: &'static str,
    /// Nanoseconds per sample.
    nanos: f64,
    /// How many times as long as ours.
    of_ours: f64,
}

/// One network at one block size.
#[derive(Serialize)]
struct Row {
    network: &'static str,
    multiply_adds: usize,
    block: usize,
    costs: Vec<Cost>,
    /// What ours reaches in the network's own multiply-adds, activations not counted, and the peak measured beside it.
    gflops: f64,
    peak_gflops: f64,
    /// Ours on numbers of the size of 1e-39, flushed to zero and not.
    flushed: f64,
    unflushed: f64,
}

/// All rows.
#[derive(Serialize)]
pub(crate) struct NetsReport {
    rows: Vec<Row>,
    /// What could not take part.
    absent: Vec<String>,
}

pub(crate) fn run(options: &Options, cores: Cores) -> anyhow::Result<NetsReport> {
    let _ = core_affinity::set_for_current(core_affinity::CoreId { id: cores.audio });
    let mut cases = case::all()?;
    if let Some(name) = options.network.iter().find(|name| cases.iter().all(|case| case.name != **name)) {
        let names: Vec<_> = cases.iter().map(|case| case.name).collect();
        anyhow::bail!("--network {name}: there is {}", names.join(", "));
    }
    cases.retain(|case| options.network.is_empty() || options.network.iter().any(|name| name == case.name));
    let bar = indicatif::ProgressBar::new((cases.len() * options.block.len()) as u64);
    bar.set_style(indicatif::ProgressStyle::with_template("{bar:30} {pos}/{len} {msg}")?);
    let mut report = NetsReport { rows: Vec::new(), absent: Vec::new() };
    for case in &cases {
        for &block in options.block.iter().filter(|block| case.takes(**block)) {
            bar.set_message(format!("{}, block {block}", case.name));
            let row = measure(case, block.max(1), options, &mut report.absent)?;
            report.rows.push(row);
            bar.inc(1);
        }
    }
    bar.finish_and_clear();
    Ok(report)
}

fn measure(case: &Case, block: usize, options: &Options, absent: &mut Vec<String>) -> anyhow::Result<Row> {
    let budget = Duration::from_secs_f64(options.seconds);
    let mut engines: Vec<(&str, Box<dyn Contestant>)> =
        vec![(OURS, contest::native(case, block, Noise::Loud)?)];
    let mut quiet = contest::native(case, block, Noise::Denormal)?;
    for (name, made) in [("rten", contest::rten as contest::Make), ("onnxruntime", contest::onnxruntime)] {
        match made(case, block) {
            _ if options.alone => {}
            Ok(Some(contestant)) => engines.push((name, contestant)),
            Ok(None) => {}
            Err(error) => {
                let text = format!("{name}: {error:#}");
                if !absent.contains(&text) {
                    absent.push(text);
                }
            }
        }
    }
    let mut least = vec![f64::INFINITY; engines.len()];
    let (mut flushed, mut unflushed, mut peak) = (f64::INFINITY, f64::INFINITY, 0.0f64);
    let begin = Instant::now();
    while begin.elapsed() < budget || peak == 0.0 {
        peak = peak.max(peak::gflops());
        for ((_, engine), least) in engines.iter_mut().zip(&mut least) {
            *least = least.min(turn(engine.as_mut(), true)? / block as f64);
        }
        flushed = flushed.min(turn(quiet.as_mut(), true)? / block as f64);
        unflushed = unflushed.min(turn(quiet.as_mut(), false)? / block as f64);
    }
    let ours = least.first().copied().unwrap_or(f64::NAN);
    let costs = engines.iter().zip(&least).map(|((engine, _), nanos)| Cost {
        engine,
        nanos: *nanos,
        of_ours: nanos / ours,
    });
    Ok(Row {
        network: case.name,
        multiply_adds: case.multiply_adds,
        block,
        costs: costs.collect(),
        gflops: 2.0 * case.multiply_adds as f64 / ours,
        peak_gflops: peak,
        flushed,
        unflushed,
    })
}

/// The least of two milliseconds of bursts, or of one that takes longer: so the slow ones do not take the time of the fast.
fn turn(engine: &mut dyn Contestant, flush: bool) -> anyhow::Result<f64> {
    let (begin, mut least) = (Instant::now(), f64::INFINITY);
    while least.is_infinite() || begin.elapsed() < Duration::from_millis(2) {
        least = least.min(engine.burst(flush)?);
    }
    Ok(least)
}

impl Report for NetsReport {
    fn table(&self) -> String {
        let heading = [
            "network",
            "mul-adds",
            "block",
            OURS,
            "GFLOP/s",
            "of peak",
            "peak",
            "rten",
            "/ native",
            "onnxruntime",
            "/ native",
            "1e-39",
            "unflushed",
        ];
        let mut rows = vec![heading.map(str::to_owned).to_vec()];
        for row in &self.rows {
            let cost = |engine: &str| row.costs.iter().find(|cost| cost.engine == engine);
            let nanos = |engine| cost(engine).map_or("-".into(), |cost| format!("{:.1}", cost.nanos));
            let ratio = |engine| cost(engine).map_or("-".into(), |cost| format!("{:.1}", cost.of_ours));
            rows.push(vec![
                row.network.to_owned(),
                row.multiply_adds.to_string(),
                row.block.to_string(),
                nanos(OURS),
                format!("{:.1}", row.gflops),
                format!("{:.0} %", 100.0 * row.gflops / row.peak_gflops),
                format!("{:.1}", row.peak_gflops),
                nanos("rten"),
                ratio("rten"),
                nanos("onnxruntime"),
                ratio("onnxruntime"),
                format!("{:.1}", row.flushed),
                format!("{:.1}", row.unflushed),
            ]);
        }
        let words = "\nnanoseconds per sample, the least of many runs; GFLOP/s: two for each multiply-add of the network, activations not counted;\n\
            peak: a loop of multiply-adds in the same turns; 1e-39, unflushed: ours on an input of that size, with flush-to-zero and without.\n";
        let absent: String = self.absent.iter().map(|text| format!("absent: {text}\n")).collect();
        format!("{}{words}{absent}", aligned(&rows))
    }
}
