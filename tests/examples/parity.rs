//! Every model on every engine: how far from PyTorch, whether block sizes change a bit, what a run takes beside the other engines.
//!
//! Prints the tables of docs/engines.md; with `--write` it also puts them there. All engines have to be built in:
//!
//! ```sh
//! cargo run --release -p anira-tests --features onnxruntime,torch,tflite,litert --example parity -- --write
//! ```
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a program for people at a terminal")]

use std::thread;
use std::time::{Duration, Instant};

use anira::prelude::*;
use anira::traits::{EngineRequest, TensorInfo};
use anira_conformance::CountingAllocator;
use anira_tests::zoo::{ALL, ENGINES, Golden, ZOO, built_in, distance, patterns};
use anira_tests::{Random, here, valid, with_engine};

#[global_allocator]
static COUNTING: CountingAllocator = CountingAllocator;

/// Rounds of all engines in turn, so that what else the machine does meets all of them.
const ROUNDS: usize = 10;
/// How long an engine runs in each.
const ROUND: Duration = Duration::from_millis(100);

const BEGIN: &str = "<!-- from here on made by tests/examples/parity.rs -->\n";
const END: &str = "<!-- up to here -->\n";

/// An engine that runs for a round.
type Runner = Box<dyn FnMut(&mut Vec<f64>) -> u64>;

/// What is known of a model on an engine.
struct Entry {
    distance: f32,
    equal: bool,
    median: f64,
    allocations: u64,
}

fn main() {
    assert_eq!(built_in()[1..], ENGINES.map(|(name, _)| name), "every engine has to be built in");
    let all: Vec<(&Golden, Vec<Entry>)> = ZOO.into_iter().map(|golden| (golden, entries(golden))).collect();
    let text = tables(&all);
    print!("{text}");
    if std::env::args().any(|arg| arg == "--write") {
        let path = here().join("../docs/engines.md");
        let page = std::fs::read_to_string(&path).unwrap();
        let (before, rest) = page.split_once(BEGIN).unwrap();
        let (_, after) = rest.split_once(END).unwrap();
        std::fs::write(path, format!("{before}{BEGIN}{text}{END}{after}")).unwrap();
    }
}

fn entries(golden: &Golden) -> Vec<Entry> {
    let sounds = ENGINES.map(|(engine, _)| with_engine!(engine, |b| sound(b, golden)).unwrap());
    let mut runners = ENGINES.map(|(engine, _)| with_engine!(engine, |b| runner(b, golden)).unwrap());
    let mut times = [(); ENGINES.len()].map(|()| Vec::new());
    let mut allocations = [0; ENGINES.len()];
    for _ in 0..ROUNDS {
        for (i, runner) in runners.iter_mut().enumerate() {
            allocations[i] = runner(&mut times[i]);
        }
    }
    let median = |mut times: Vec<f64>| {
        times.sort_by(f64::total_cmp);
        times[times.len() / 2]
    };
    let rows = sounds.into_iter().zip(times).zip(allocations);
    rows.map(|(((distance, equal), times), allocations)| Entry {
        distance,
        equal,
        median: median(times),
        allocations,
    })
    .collect()
}

/// The largest distance from PyTorch as a part of its peak, and whether all lists of blocks give the same bits.
fn sound<B: Backend>(backend: B, golden: &Golden) -> (f32, bool) {
    let mut handler = golden.handler(backend, Offline, 1);
    let whole = golden.render(&mut handler, ALL, &[ALL]);
    let worst =
        whole.iter().zip(&golden.output()).map(|(got, right)| distance(got, right).0).fold(0.0, f32::max);
    let equal = patterns().iter().all(|pattern| {
        let output = golden.render(&mut handler, ALL, pattern);
        // With another latency another number of samples comes out.
        let bits = |x: &[f32]| x.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
        let same = |(a, b): (&Vec<f32>, &Vec<f32>)| {
            let len = a.len().min(b.len());
            bits(&a[..len]) == bits(&b[..len])
        };
        output.iter().zip(&whole).all(same)
    });
    (worst, equal)
}

/// Runs an engine for a round where a worker would, adds each run's microseconds, gives a run's allocations.
fn runner<B: Backend>(backend: B, golden: &Golden) -> Runner {
    let handler = golden.handler(backend, Offline, 1);
    let (signature, config) = (handler.model().signature(), handler.config());
    let known = |t: &TensorInfo, shape: Option<Vec<usize>>| {
        shape.or_else(|| t.shape.iter().copied().collect()).unwrap()
    };
    let inputs = signature.inputs.iter().map(|t| {
        let configured = config.inputs().iter().find(|c| c.name_in_model() == t.name);
        known(t, configured.and_then(|c| c.shape.clone()))
    });
    let outputs = signature.outputs.iter().map(|t| {
        let configured = config.outputs().iter().find(|c| c.name_in_model() == t.name);
        Some(known(t, configured.and_then(|c| c.shape.clone())))
    });
    let request = EngineRequest::new(inputs.collect(), outputs.collect());
    let mut engine = valid(handler.model().engine(&request));
    let mut random = Random(7);
    for i in 0..signature.inputs.len() {
        let mut input = engine.input(i).unwrap();
        (0..input.len()).for_each(|k| input.set_number(k, random.below(2_001) as f64 / 1_000.0 - 1.0));
    }
    Box::new(move |times| {
        let mut most = 0;
        let engine = &mut engine;
        let mut body = || {
            (0..3).for_each(|_| valid(engine.run()));
            let start = Instant::now();
            while start.elapsed() < ROUND {
                let before = Instant::now();
                let (result, taken) = CountingAllocator::during(|| engine.run());
                times.push(before.elapsed().as_secs_f64() * 1e6);
                valid(result);
                most = most.max(taken.calls);
            }
        };
        match <anira::EngineOf<B> as Engine>::SCOPE {
            None => body(),
            Some(scope) => {
                thread::scope(|threads| threads.spawn(|| scope(&mut body)).join()).unwrap();
            }
        }
        most
    })
}

fn tables(all: &[(&Golden, Vec<Entry>)]) -> String {
    let heads = ENGINES.map(|(name, _)| name).join(" | ");
    let line = "|---".repeat(ENGINES.len());
    let table = |title: &str, cell: &dyn Fn(&[Entry], &Entry) -> String| {
        let mut text = format!("\n{title}\n\n| model | {heads} |\n|---{line}|\n");
        for (golden, entries) in all {
            let cells: Vec<_> = entries.iter().map(|entry| cell(entries, entry)).collect();
            text += &format!("| {} | {} |\n", golden.name, cells.join(" | "));
        }
        text
    };
    let lists = patterns().len();
    let distances = table(
        &format!(
            "**Largest difference from PyTorch**, as a part of the golden's peak; `=` if all {lists} lists of blocks give the same bits:"
        ),
        &|_, entry| format!("{:.1e} {}", entry.distance, if entry.equal { "=" } else { "differs" }),
    );
    let times = table(
        "**Median time of a run**, in microseconds and as a multiple of the fastest engine of the row:",
        &|row, entry| {
            let fastest = row.iter().map(|entry| entry.median).fold(f64::INFINITY, f64::min);
            let digits = usize::from(entry.median < 10.0);
            format!("{:.digits$} µs, {:.1}×", entry.median, entry.median / fastest)
        },
    );
    let allocations = table(
        "**Allocations of a run in Rust**, at most (what a library in C or C++ allocates is not seen):",
        &|_, entry| entry.allocations.to_string(),
    );
    format!("{distances}{times}{allocations}\n")
}
