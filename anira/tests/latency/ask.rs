//! From the simulations' numbers, in samples, to questions for the library.

use anira::latency::{LatencyQuery, Rational};

use crate::simulation::Fraction;

/// Samples per second in these tests, where times are given in samples.
const RATE: u32 = 1000;

pub(crate) fn rational(fraction: Fraction) -> Rational {
    Rational::new(fraction.0.into(), fraction.1.into()).unwrap()
}

/// A question whose inference time is given in samples.
pub(crate) fn question(block: Fraction, hop_in: i64, hop_out: i64, inference: Fraction) -> LatencyQuery {
    let seconds = rational((inference.0, inference.1 * i64::from(RATE)));
    LatencyQuery::new(rational(block), RATE, hop_in.try_into().unwrap(), hop_out.try_into().unwrap(), seconds)
}
