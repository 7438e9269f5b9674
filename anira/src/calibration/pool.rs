//! How long the shared pool takes to begin with a slot.

use std::time::{Duration, Instant};

use anira_backend_custom::Bypass;
use anira_scheduler::Pool;
use anira_traits::{HostConfig, InferenceConfig, InputTensor, OutputTensor, Result};

use super::settings::Settings;
use super::times::Times;
use crate::handler::{InferenceHandler, Prepared};

/// Samples of a block and of a hop.
const BLOCK: usize = 256;

/// From submissions to starts, of a session without a network that is called back as a sound card would; `None` if no time is for it.
pub(super) fn wake_up(settings: &Settings) -> Result<Option<Times>> {
    if settings.pool.is_zero() {
        return Ok(None);
    }
    let config = InferenceConfig::builder()
        .input(InputTensor::stream("input", BLOCK))
        .output(OutputTensor::stream("output", BLOCK))
        .max_inference(Duration::from_micros(100))
        .build()?;
    let builder =
        InferenceHandler::builder(config).backend(Bypass).scheduler(Pool::shared()).name("calibration");
    let mut handler = builder.build()?;
    let control = handler.control();
    let Prepared { mut audio, .. } = handler.prepare(&HostConfig::fixed(settings.sample_rate, BLOCK))?;
    let (mut block, mut starts) = ([0.0f32; BLOCK], Vec::new());
    let (period, mut before) =
        (Duration::from_secs_f64(BLOCK as f64 / settings.sample_rate), control.telemetry());
    let began = Instant::now();
    let callbacks = (settings.pool.as_secs_f64() / period.as_secs_f64()).clamp(1.0, 1e6) as u32;
    for callback in 0..callbacks {
        std::thread::sleep((period * callback).saturating_sub(began.elapsed()));
        let now = control.telemetry();
        // Histograms know a time to an eighth, and never call it shorter than it was.
        let new = now.wake_up.since(&before.wake_up);
        starts.extend((0..new.count()).map(|_| new.max));
        before = now;
        let _ = audio.process(&mut [&mut block[..]]);
    }
    // The first ones find threads that have just begun to be.
    let warm_up = (starts.len() / 4).min(32);
    Ok(Some(Times::of(starts.get(warm_up..).unwrap_or_default())))
}
