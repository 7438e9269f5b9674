//! The latency, against simulations that know nothing of the formulas.

#![allow(clippy::unwrap_used, reason = "a test's helpers fail the test")]

mod adversary;
mod fixed;
mod refusals;
mod rows;
mod simulation;
mod varying;

use anira::latency::{LatencyQuery, Rational};
use simulation::Fraction;

/// Samples per second in these tests, where times are given in samples.
const RATE: u32 = 1000;

fn rational(fraction: Fraction) -> Rational {
    Rational::new(fraction.0.into(), fraction.1.into()).unwrap()
}

fn decimal(text: &str) -> Rational {
    text.parse().unwrap()
}

/// A question whose inference time is given in samples.
fn question(block: Fraction, hop_in: i64, hop_out: i64, inference: Fraction) -> LatencyQuery {
    let seconds = rational((inference.0, inference.1 * i64::from(RATE)));
    LatencyQuery::new(rational(block), RATE, hop_in.try_into().unwrap(), hop_out.try_into().unwrap(), seconds)
}
