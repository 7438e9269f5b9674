//! A closure as the model, a fake host as the audio thread: what a plugin does, without a plugin.
//!
//! Run: `cargo run -p anira --example closure`

use std::error::Error;
use std::io::Write;
use std::time::Duration;

use anira::prelude::*;
use anira::traits::{Signature, TensorInfo};

fn main() -> Result<(), Box<dyn Error>> {
    // A "network" with a knob: soft clipping of 256 samples, driven by a parameter.
    let signature = Signature {
        inputs: vec![TensorInfo::f32("input", &[1, 1, 256]), TensorInfo::f32("drive", &[1])],
        outputs: vec![TensorInfo::f32("output", &[1, 1, 256])],
    };
    let clipper = FnBackend::new("clipper", signature, || {
        |inputs: &Inputs<'_>, outputs: &mut Outputs<'_>| {
            let drive = inputs.f32(1)?.first().copied().unwrap_or(1.0);
            let output = outputs.f32(0)?;
            output.iter_mut().zip(inputs.f32(0)?).for_each(|(y, x)| *y = (drive * x).tanh());
            Ok(())
        }
    });

    let config = InferenceConfig::builder()
        .input(InputTensor::stream("input", 256))
        .input(InputTensor::parameter("drive", [1.0]))
        .output(OutputTensor::stream("output", 256))
        .max_inference(Duration::from_millis(1))
        .build()?;
    let mut handler = InferenceHandler::builder(config).backend(clipper).build()?;
    let control = handler.control();
    let Prepared { mut audio, report, .. } = handler.prepare(&HostConfig::fixed(48_000.0, 128))?;

    let audio_thread = std::thread::spawn(move || {
        let (mut peak, mut phase) = (0.0f32, 0.0f32);
        for _ in 0..200 {
            let mut block = [0.0f32; 128];
            for sample in &mut block {
                *sample = 0.5 * phase.sin();
                phase += 0.05;
            }
            // A real host's callback would be all of this: one call.
            let _status = audio.process(&mut [&mut block[..]]);
            peak = block.iter().fold(peak, |peak, sample| peak.max(sample.abs()));
            std::thread::sleep(Duration::from_secs_f64(128.0 / 48_000.0));
        }
        peak
    });
    control.set_parameter("drive", &[4.0])?;
    let peak = audio_thread.join().map_err(|_| "the audio thread panicked")?;

    let mut out = std::io::stdout();
    writeln!(out, "latency: {} samples", report.latency[0].samples)?;
    writeln!(out, "peak: {peak:.3}, tanh(4 * 0.5) is {:.3}", 2.0f32.tanh())?;
    let telemetry = control.telemetry();
    writeln!(out, "inferences: {}, late samples: {}", telemetry.done, telemetry.late_samples)?;
    Ok(())
}
