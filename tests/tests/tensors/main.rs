//! What a tensor can be to a stream: parameters, readings, states, constants, streams of all kinds, layouts.

mod fixtures;
mod parameters;
mod readings;
mod shapes;
mod states;
mod streams;
mod trial;

use anira::prelude::*;

/// A host that renders: what comes out depends on nothing but what went in.
fn rendering(block: usize) -> HostConfig {
    HostConfig::fixed(48_000.0, block).mode(Mode::Offline)
}

/// A host that renders in blocks of up to this many samples.
fn rendering_varying(block: usize) -> HostConfig {
    HostConfig::varying(48_000.0, block).mode(Mode::Offline)
}
