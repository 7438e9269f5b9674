//! When things go wrong: engines that fail, panic, answer NaN, or do not come back; drops in any order; misuse.

mod build;
mod engines;
mod handles;
mod late;
mod misuse;
mod prepare;
mod sessions;

use std::time::Duration;

use anira::prelude::*;
use anira_tests::{plain, valid};

const HOP: usize = 64;

/// A worst time of a whole hop at 48 kHz: with blocks of a hop the latency is one block, and a hop that is done before the next
/// callback is never late.
const WORST: Duration = Duration::from_micros(1333);

/// A mono session of hops of [`HOP`] whose workers have a block's time.
fn config() -> InferenceConfig {
    plain(HOP, WORST)
}

/// A real-time host with blocks of one hop.
fn realtime() -> HostConfig {
    HostConfig::fixed(48_000.0, HOP)
}

/// A host that renders in blocks of one hop.
fn rendering() -> HostConfig {
    realtime().mode(Mode::Offline)
}

/// A handler of this backend on a pool of its own with this many threads.
fn on_own_pool<B: Backend>(backend: B, threads: usize) -> InferenceHandler<B, HopProcessor, Pool> {
    on_own_pool_with(config(), backend, threads)
}

fn on_own_pool_with<B: Backend>(
    config: InferenceConfig,
    backend: B,
    threads: usize,
) -> InferenceHandler<B, HopProcessor, Pool> {
    let pool = valid(Pool::builder().threads(threads).build());
    valid(InferenceHandler::builder(config).backend(backend).scheduler(pool).build())
}

/// A handler of this backend whose hops run in the call.
fn offline<B: Backend>(backend: B) -> InferenceHandler<B, HopProcessor, Offline> {
    valid(InferenceHandler::builder(config()).backend(backend).scheduler(Offline).build())
}

/// Hands the samples through.
fn copy(x: &[f32], y: &mut [f32]) -> Result<(), Error> {
    y.copy_from_slice(x);
    Ok(())
}
