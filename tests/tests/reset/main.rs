//! A reset is a fresh stream, bit for bit; what is late behind it; quiesce; prepares that fail; flush and tail.

mod flush;
mod fresh;
mod live;
mod prepare;

use std::time::Duration;

use anira::prelude::*;

const HOP: usize = 64;

/// At 48 kHz with blocks of a hop the latency is one block, and a hop that is done before the next callback is on time.
const WORST: Duration = Duration::from_micros(1333);

fn realtime() -> HostConfig {
    HostConfig::fixed(48_000.0, HOP)
}

fn copy(x: &[f32], y: &mut [f32]) -> Result<(), Error> {
    y.copy_from_slice(x);
    Ok(())
}
