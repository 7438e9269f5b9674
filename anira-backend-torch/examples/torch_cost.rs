//! What LibTorch's runs cost: the first ones, which compile, and those after.
//!
//! `cargo run --release -p anira-backend-torch --features torch --example torch_cost [-- MODEL.pt 1x1x512 …]`
//!
//! A module and the shape of each of its inputs; without arguments the modules that the tests use. LibTorch's libraries
//! have to be found (`cargo xtask native` puts them where the build looks).
#![allow(clippy::print_stdout, reason = "its output is what it is for")]

use std::error::Error;
use std::time::{Duration, Instant};

use anira_backend_torch::Torch;
use anira_traits::{Backend, Engine, EngineRequest, LoadRequest, Model, ModelSource};

/// Runs whose times are shown one by one, then in all.
const FIRST: usize = 20;
const RUNS: usize = 500;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let fixture = |name: &str| format!("{}/tests/fixtures/{name}.pt", env!("CARGO_MANIFEST_DIR"));
    let own = |name: &str, shapes: &[&str]| (fixture(name), shapes.iter().map(|s| (*s).to_owned()).collect());
    let models: Vec<(String, Vec<String>)> = match arguments.split_first() {
        Some((model, shapes)) => vec![(model.clone(), shapes.to_vec())],
        None => vec![
            own("gain", &["1x1x512"]),
            own("tcn", &["1x1x512"]),
            own("states", &["1x64x1", "1x1x4", "1x1x4"]),
            own("counter", &["1x1x512"]),
        ],
    };
    println!("times in us; runs 1 to {FIRST}, then the median and the longest of {RUNS}");
    for (path, shapes) in models {
        for optimize in ["false", "true"] {
            measure(&path, &shapes, optimize)?;
        }
    }
    Ok(())
}

fn measure(path: &str, shapes: &[String], optimize: &str) -> Result<(), Box<dyn Error>> {
    let start = Instant::now();
    let request = LoadRequest::new().option("optimize", optimize);
    let model = Torch.load(&ModelSource::file(path), &request)?;
    let load = start.elapsed();
    let shape = |text: &String| text.split('x').map(str::parse).collect::<Result<Vec<usize>, _>>();
    let inputs = shapes.iter().map(shape).collect::<Result<Vec<_>, _>>()?;
    let start = Instant::now();
    let mut engine =
        model.engine(&EngineRequest::new(inputs, vec![None; model.signature().outputs.len()]))?;
    let make = start.elapsed();
    let mut times = Vec::with_capacity(RUNS);
    for _ in 0..RUNS {
        let start = Instant::now();
        engine.run()?;
        times.push(start.elapsed());
    }
    let start = Instant::now();
    engine.reset()?;
    let reset = start.elapsed();
    let start = Instant::now();
    engine.run()?;
    let after = start.elapsed();
    let name = path.rsplit('/').next().unwrap_or(path);
    println!("{name}, optimize {optimize}: load {}, engine {}", us(load), us(make));
    let first: Vec<_> = times.iter().take(FIRST).map(|t| us(*t)).collect();
    println!("  first: {}", first.join(" "));
    let mut rest = times.split_off(FIRST.min(times.len()));
    rest.sort();
    let median = rest.get(rest.len() / 2).copied().unwrap_or_default();
    let longest = rest.last().copied().unwrap_or_default();
    println!(
        "  then: {} median, {} longest; reset {}, the run after it {}",
        us(median),
        us(longest),
        us(reset),
        us(after)
    );
    Ok(())
}

fn us(time: Duration) -> String {
    format!("{:.0}", time.as_secs_f64() * 1e6)
}
