//! How often published latency formulas are right, counted against simulations: the table of `docs/latency.md`.
//!
//! Run: `cargo run --release -p anira --example published_latency`

#![allow(clippy::unwrap_used, reason = "shared with tests, whose helpers fail them")]
#![allow(dead_code, reason = "the tests use more of what they share")]

use std::io::Write;

#[path = "../tests/latency/adversary.rs"]
mod adversary;
#[path = "../tests/latency/ask.rs"]
mod ask;
#[path = "../tests/latency/formula.rs"]
mod formula;
#[path = "../tests/latency/simulation.rs"]
mod simulation;
#[path = "../tests/latency/survey.rs"]
mod survey;

fn main() -> std::io::Result<()> {
    write!(std::io::stdout(), "{}", survey::table(&survey::survey()))
}
