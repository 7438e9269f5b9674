//! What a run costs, by file and engine, on XNNPACK's kernels and on the engine's own. Needs an engine's feature:
//!
//! `cargo run --release -p anira-backend-tflite --features tflite,litert --example tflite_cost -- FILE…`
#![allow(clippy::print_stdout, reason = "it reports")]

use std::time::{Duration, Instant};

use anira_traits::{Backend, Engine, EngineRequest, LoadRequest, Model, ModelSource, Result, TensorInfo};

/// Where an extent is open.
const OPEN: usize = 512;

fn main() -> Result<()> {
    for file in std::env::args().skip(1) {
        for xnnpack in ["true", "false"] {
            measure(&anira_backend_tflite::TfLite, &file, xnnpack)?;
            measure(&anira_backend_tflite::LiteRt, &file, xnnpack)?;
        }
    }
    Ok(())
}

/// The median and the worst of 200 runs on zeros. An engine that is not built in is passed over.
fn measure(backend: &impl Backend, file: &str, xnnpack: &str) -> Result<()> {
    let request = LoadRequest::new().option("xnnpack", xnnpack);
    let model = match backend.load(&ModelSource::file(file), &request) {
        Err(error) if error.kind() == anira_traits::ErrorKind::NotBuilt => return Ok(()),
        result => result?,
    };
    let shape = |t: &TensorInfo| t.shape.iter().map(|n| n.unwrap_or(OPEN)).collect::<Vec<_>>();
    let signature = model.signature();
    let inputs = signature.inputs.iter().map(shape).collect();
    let mut engine = model.engine(&EngineRequest::new(inputs, vec![None; signature.outputs.len()]))?;
    let mut times: Vec<Duration> = Vec::new();
    for _ in 0..200 {
        let start = Instant::now();
        engine.run()?;
        times.push(start.elapsed());
    }
    times.sort();
    println!("{:7} xnnpack {xnnpack:5} {:>12.1?} {:>12.1?}  {file}", backend.name(), times[100], times[199]);
    Ok(())
}
