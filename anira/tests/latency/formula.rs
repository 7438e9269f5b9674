//! Latency formulas that others have published, as their texts have them. None shares code with the library.
//!
//! All are for one output with the hop of the input; times are in samples.

use crate::simulation::{Fraction, gcd};

/// What a formula is asked: a host of `block` samples at most, one input and one output of `hop` samples.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Case {
    pub(crate) block: i64,
    pub(crate) hop: i64,
    /// The inference time in samples; at most `engines` hops.
    pub(crate) inference: Fraction,
    pub(crate) engines: i64,
    pub(crate) ratio: Fraction,
}

/// The largest remainder of any number of blocks divided by hops: Letz 2001, and PortAudio's buffer adaptation.
pub(crate) fn largest_remainder(case: &Case) -> Option<i64> {
    let blocks = case.hop / gcd(case.block, case.hop);
    (1..=blocks).map(|k| k * case.block % case.hop).max()
}

/// P − gcd(b, P): Rath and Geier 2026, fixed blocks.
pub(crate) fn hop_less_divisor(case: &Case) -> Option<i64> {
    Some(case.hop - gcd(case.block, case.hop))
}

/// P − 1: Rath and Geier 2026, varying blocks.
pub(crate) fn hop_less_one(case: &Case) -> Option<i64> {
    Some(case.hop - 1)
}

/// `H_adapt + ⌈(I_max − W·H)/H⌉·H + M_int`: Ackva and Schulz 2024, here of a model without latency of its own. The middle
/// term is taken for 0 where it would be negative.
pub(crate) fn paper(case: &Case) -> Option<i64> {
    let (time, wait) = (case.inference, case.ratio);
    // ⌈(I − W·H)/H⌉ = ⌈(I − W·H)·b·v / (H·b·v)⌉ with I = a/b and W = u/v.
    let numerator = time.0 * wait.1 - wait.0 * time.1 * case.block;
    let blocks = ceil_div(numerator, case.block * time.1 * wait.1).max(0);
    Some(largest_remainder(case)? + blocks * case.block)
}

/// The closed form for fixed blocks of the C++ library's third version, in exact arithmetic: has no figure for engines that are always
/// busy, and looks at every m below `ρ/(n − κ)`.
pub(crate) fn closed_form(case: &Case) -> Option<i64> {
    Some(hop_less_divisor(case)? + worst_queue(case, case.block)?)
}

/// The closed form as that library computes it: times in doubles, every ceiling with a tolerance of 1e-6, ρ = p/q as the first
/// convergent of its continued fraction within 1e-6 of it, relatively. Engines that are always busy get the figure of one
/// block on engines that were idle.
pub(crate) fn closed_form_in_doubles(case: &Case) -> Option<i64> {
    const TOLERANCE: f64 = 1e-6;
    let (p, q) = convergent(case.block as f64 / case.hop as f64, TOLERANCE);
    let kappa = case.inference.0 as f64 / case.inference.1 as f64 / case.hop as f64;
    let ratio = case.ratio.0 as f64 / case.ratio.1 as f64;
    let tau = kappa * q as f64 / p as f64;
    let term = |m: i64| {
        let late = ((m + 1) as f64 * tau - ratio - TOLERANCE).ceil().max(0.0);
        p * late as i64 - m * case.engines * q
    };
    let idle = case.engines as f64 - kappa;
    let depth = if idle > 0.0 {
        (p as f64 / q as f64 / idle) as i64 + 1
    } else {
        ceil_div(ceil_div(p, q), case.engines).max(1)
    };
    let queue = (0..depth).map(term).max()?;
    Some(case.hop * (q - 1 + queue) / q)
}

/// The closed form for a range of blocks of the same design: flexible adaptation and the worst constant block, in exact
/// arithmetic.
pub(crate) fn worst_constant_block(case: &Case) -> Option<i64> {
    let queues = (1..=case.block).map(|block| worst_queue(case, block));
    queues.collect::<Option<Vec<_>>>()?.into_iter().max().map(|queue| hop_less_one(case).unwrap_or(0) + queue)
}

/// `max over m of (ρ·d_m − m·n)` in samples, for a constant block; `None` if the engines never rest.
fn worst_queue(case: &Case, block: i64) -> Option<i64> {
    let ((a, b), (u, v)) = (case.inference, case.ratio);
    let rest = case.engines * case.hop * b - a;
    if rest <= 0 {
        return None;
    }
    let term = |m: i64| {
        let late = ceil_div((m + 1) * a * v - u * b * block, b * v * block).max(0);
        block * late - m * case.engines * case.hop
    };
    // m < ρ/(n − κ) = H / (n·M − A).
    (0..=block * b / rest).map(term).max()
}

/// The first convergent of `x`'s continued fraction that is within `tolerance` of it, relatively.
fn convergent(x: f64, tolerance: f64) -> (i64, i64) {
    let (mut p, mut q, mut p_before, mut q_before) = (x.floor() as i64, 1, 1, 0);
    let mut rest = x.fract();
    while (p as f64 / q as f64 - x).abs() > tolerance * x && rest > 1e-12 {
        let digit = rest.recip().floor() as i64;
        rest = rest.recip().fract();
        (p, p_before) = (digit * p + p_before, p);
        (q, q_before) = (digit * q + q_before, q);
    }
    (p, q)
}

fn ceil_div(numerator: i64, denominator: i64) -> i64 {
    -(-numerator).div_euclid(denominator)
}
