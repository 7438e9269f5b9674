//! The latency, against simulations that know nothing of the formulas.

#![allow(clippy::unwrap_used, reason = "a test's helpers fail the test")]

mod adversary;
mod ask;
mod fixed;
mod formula;
mod published;
mod refusals;
mod rows;
mod simulation;
mod survey;
mod varying;

use anira::latency::Rational;
use ask::{question, rational};

fn decimal(text: &str) -> Rational {
    text.parse().unwrap()
}
