//! What a cross-fade between two engines costs: the latency of the longest one alone, of both with a cut, of both with a fade. The table
//! of `docs/living-in-a-host.md`.
//!
//! Run: `cargo run -p anira --example fade_cost [-- A_MS B_MS HOP]`

use std::io::Write;
use std::time::Duration;

use anira::prelude::*;

const RATE: f64 = 48_000.0;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let argument = |n: usize, default: f64| std::env::args().nth(n).map_or(Ok(default), |text| text.parse());
    let (a, b, hop) = (argument(1, 2.0)?, argument(2, 5.0)?, argument(3, 512.0)? as usize);
    let mut out = std::io::stdout().lock();
    writeln!(out, "| host block | longest alone | cut | cross-fade |\n|---:|---:|---:|---:|")?;
    for block in [64, 96, 128, 256, 480, 512, 1024] {
        let host = HostConfig::fixed(RATE, block);
        let row = [
            latency(&[a.max(b)], hop, 128, &host),
            latency(&[a, b], hop, 0, &host),
            latency(&[a, b], hop, 128, &host),
        ];
        // Two engines that have no time for every hop are no session.
        let [alone, cut, fade] =
            row.map(|latency| latency.map_or("-".to_owned(), |samples| samples.to_string()));
        writeln!(out, "| {block} | {alone} | {cut} | {fade} |")?;
    }
    Ok(())
}

/// What a host is told for a session of engines that take these milliseconds, in samples.
fn latency(times: &[f64], hop: usize, fade: usize, host: &HostConfig) -> Result<u64, Error> {
    let config = |milliseconds: &f64| {
        InferenceConfig::builder()
            .input(InputTensor::stream("input", hop))
            .output(OutputTensor::stream("output", hop))
            .max_inference(Duration::from_secs_f64(milliseconds / 1000.0))
            .build()
    };
    let mut builder = InferenceHandler::builder(config(&times[0])?).backend(Bypass).switch_fade(fade);
    for time in &times[1..] {
        builder = builder.engine(EngineSpec::new(Bypass).config(config(time)?));
    }
    Ok(builder.build()?.latency(host)?[0].samples)
}
