//! What a sample costs in the native engine, at several block sizes: the least of many runs, in nanoseconds.
//!
//! ```sh
//! cargo run --release -p anira-backend-custom --features onnx --example native_cost -- models/amp-tcn-29k.onnx
//! ```
#![allow(clippy::print_stdout, reason = "a program that prints")]

use std::time::{Duration, Instant};

use anira_backend_custom::native::Native;
use anira_traits::*;

const BLOCKS: [usize; 5] = [1, 16, 64, 256, 2048];

fn main() -> Result<()> {
    for file in std::env::args().skip(1) {
        for simd in ["auto", "portable"] {
            let config = InferenceConfig::builder()
                .input(InputTensor::stream("input", 64))
                .output(OutputTensor::stream("output", 64))
                .build()?;
            let request = LoadRequest::new().config(config).option("simd", simd);
            let model = Native.load(&ModelSource::file(&file), &request)?;
            let past = model.past();
            println!(
                "{file}, {}: looks back {past} samples, {} floats of weights",
                model.vectors(),
                model.weights()
            );
            for block in BLOCKS {
                println!("  block {block:4}: {:8.1} ns per sample", cost(&model, block)?);
            }
        }
    }
    Ok(())
}

/// The least time of a run, by the samples in it.
fn cost(model: &impl Model, block: usize) -> Result<f64> {
    let shape =
        |info: &TensorInfo| info.shape.iter().map(|extent| extent.unwrap_or(block)).collect::<Vec<_>>();
    let signature = model.signature();
    let inputs = signature.inputs.iter().map(shape).collect();
    let outputs = signature.outputs.iter().map(|info| Some(shape(info))).collect();
    let mut engine = model.engine(&EngineRequest::new(inputs, outputs))?;
    let mut seed = 1u32;
    if let Some(x) = engine.input(0).and_then(TensorViewMut::f32_mut) {
        x.iter_mut().for_each(|x| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            *x = (seed >> 8) as f32 / (1 << 24) as f32 - 0.5;
        });
    }
    let (begin, mut least) = (Instant::now(), Duration::MAX);
    while begin.elapsed() < Duration::from_millis(400) {
        let start = Instant::now();
        // Blocks of one sample are far shorter than the clock is fine.
        let runs = (256 / block).max(1);
        for _ in 0..runs {
            engine.run()?;
        }
        least = least.min(start.elapsed() / runs as u32);
    }
    Ok(least.as_secs_f64() * 1e9 / block as f64)
}
