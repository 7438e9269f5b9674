//! What one inference of rten costs: inside a worker's scope, where it runs on the spot, and outside of it, where it is
//! handed to a thread and waited for.
//!
//! `cargo run --release -p anira-backend-onnx --features rten --example rten_cost [FILE.onnx ...]`
#![allow(clippy::print_stdout, reason = "a table is what it is for")]

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anira_backend_onnx::{Rten, RtenEngine};
use anira_traits::{Backend, Engine, EngineRequest, LoadRequest, Model, ModelSource, Result, TensorInfo};

const RUNS: usize = 200;

fn main() -> Result<()> {
    let mut files: Vec<PathBuf> = std::env::args().skip(1).map(PathBuf::from).collect();
    if files.is_empty() {
        let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models");
        files.extend(std::fs::read_dir(models)?.filter_map(|entry| Some(entry.ok()?.path())));
        files.retain(|path| path.extension().is_some_and(|e| e == "onnx"));
        files.sort();
    }
    println!("{RUNS} runs each; least / median / 99th percentile, in microseconds\n");
    println!("| model | options | inside a scope | outside |");
    println!("|---|---|---|---|");
    for file in &files {
        for (name, value) in [("optimize", "true"), ("optimize", "false"), ("prepack", "true")] {
            let (inside, outside) = measure(file, name, value)?;
            let stem = file.file_stem().unwrap_or_default().to_string_lossy();
            println!("| {stem} | {name}={value} | {} | {} |", text(inside), text(outside));
        }
    }
    Ok(())
}

fn measure(file: &Path, option: &str, value: &str) -> Result<(Vec<Duration>, Vec<Duration>)> {
    let model = Rten.load(&ModelSource::file(file), &LoadRequest::new().option(option, value))?;
    let shape = |t: &TensorInfo| t.shape.iter().map(|d| d.unwrap_or(512)).collect::<Vec<_>>();
    let inputs = model.signature().inputs.iter().map(shape).collect();
    let mut engine =
        model.engine(&EngineRequest::new(inputs, vec![None; model.signature().outputs.len()]))?;
    let mut inside = Ok(Vec::new());
    match RtenEngine::SCOPE {
        Some(scope) => scope(&mut || inside = times(&mut engine)),
        None => inside = times(&mut engine),
    }
    Ok((inside?, times(&mut engine)?))
}

fn times(engine: &mut RtenEngine) -> Result<Vec<Duration>> {
    for _ in 0..RUNS / 10 {
        engine.run()?;
    }
    let mut times = Vec::with_capacity(RUNS);
    for _ in 0..RUNS {
        let start = Instant::now();
        engine.run()?;
        times.push(start.elapsed());
    }
    times.sort();
    Ok(times)
}

fn text(times: Vec<Duration>) -> String {
    let at = |part: f64| times.get((part * RUNS as f64) as usize).map_or(0.0, |t| t.as_secs_f64() * 1e6);
    format!("{:.1} / {:.1} / {:.1}", at(0.0), at(0.5), at(0.99))
}
