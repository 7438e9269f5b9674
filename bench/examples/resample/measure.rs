//! What is measured of one resampler.

use std::f64::consts::TAU;
use std::time::Instant;

use anira::realtime::CountingAllocator;

use crate::BLOCK;
use crate::ways::Way;

/// Samples that come in for one sine.
const LENGTH: usize = 20_480;

pub(crate) struct Measured {
    /// Samples that come in: by how much a low sine is late, at the sample that stands for its place.
    pub(crate) filter: f64,
    /// With what is missing at the worst callback, for somebody who takes samples out at an even pace.
    pub(crate) stream: f64,
    /// Decibels.
    pub(crate) ripple: f64,
    /// A share of the lower rate's limit.
    pub(crate) band: f64,
    pub(crate) left: f64,
    pub(crate) left_to_limit: f64,
    pub(crate) above: Option<f64>,
    pub(crate) nanoseconds: f64,
    pub(crate) allocations: u64,
}

pub(crate) fn measure(from: u32, to: u32, make: &dyn Fn() -> Box<dyn Way>) -> Measured {
    let (from, to) = (f64::from(from), f64::from(to));
    let limit = from.min(to) / 2.0;
    let sine = |share: f64| heard(make().as_mut(), share * limit / from, share * limit / to, to / from);
    // Shares that are no simple fractions of anything.
    let shares: Vec<f64> = (0..99).map(|k| 0.0123 + 0.01 * f64::from(k)).collect();
    let sines: Vec<(f64, Heard)> = shares.iter().map(|share| (*share, sine(*share))).collect();
    let within = |to: f64| sines.iter().filter(move |(share, _)| *share <= to);
    let ripple = within(0.8).map(|(_, h)| h.gain.abs()).fold(0.0, f64::max);
    let band = sines.iter().find(|(_, h)| h.gain < -0.1).map_or(1.0, |(share, _)| *share);
    let left = |to: f64| within(to).map(|(_, h)| h.left).fold(f64::MIN, f64::max);
    let above = (from > to).then(|| {
        let shares = (0..50).map(|k| 1.001 + (from / to - 1.01) * f64::from(k) / 50.0);
        shares.map(|share| sine(share).all).fold(f64::MIN, f64::max)
    });
    let low = sine(0.002);
    let (nanoseconds, allocations) = costs(make().as_mut());
    Measured {
        filter: low.late,
        stream: low.late + low.missing * from / to,
        ripple,
        band,
        left: left(0.8),
        left_to_limit: left(1.0),
        above,
        nanoseconds,
        allocations,
    }
}

/// What came out for a sine.
struct Heard {
    /// The sine's gain, and what is beside it, and all of it, in decibels of what went in.
    gain: f64,
    left: f64,
    all: f64,
    /// Samples that came in.
    late: f64,
    /// The most samples that were fewer than those that stand for what had come in.
    missing: f64,
}

/// A sine of `from` periods in a sample that comes in, `to` in one that goes out, of which there are `ratio` as many.
fn heard(way: &mut dyn Way, from: f64, to: f64, ratio: f64) -> Heard {
    let (mut out, mut made, mut missing) = (vec![0.0f32; 4 * LENGTH], 0, 0.0f64);
    for k in 0..LENGTH / BLOCK {
        let at = |i: usize| (TAU * ((k * BLOCK + i) as f64 * from).fract()).cos() as f32;
        let block: [f32; BLOCK] = std::array::from_fn(at);
        made += way.process(&block, &mut out[made..]);
        missing = missing.max(((k + 1) * BLOCK) as f64 * ratio - made as f64);
    }
    // Without what begins and ends.
    let kept = &out[made / 4..made - made / 16];
    let (mut rr, mut ri, mut ii, mut yr, mut yi, mut yy) = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0);
    for (n, y) in kept.iter().enumerate() {
        let angle = TAU * ((made / 4 + n) as f64 * to).fract();
        let (r, i, y) = (angle.cos(), angle.sin(), f64::from(*y));
        (rr, ri, ii) = (rr + r * r, ri + r * i, ii + i * i);
        (yr, yi, yy) = (yr + y * r, yi + y * i, yy + y * y);
    }
    // Least squares: y = a cos + b sin.
    let determinant = rr * ii - ri * ri;
    let (a, b) = ((yr * ii - yi * ri) / determinant, (yi * rr - yr * ri) / determinant);
    let rest = kept.iter().enumerate().map(|(n, y)| {
        let angle = TAU * ((made / 4 + n) as f64 * to).fract();
        (f64::from(*y) - a * angle.cos() - b * angle.sin()).powi(2)
    });
    let power = 0.5 * kept.len() as f64;
    let decibels = |x: f64| 10.0 * x.max(1e-30).log10();
    Heard {
        gain: decibels(a * a + b * b),
        left: decibels(rest.sum::<f64>() / power),
        all: decibels(yy / power),
        late: b.atan2(a).rem_euclid(TAU) / TAU / from,
        missing,
    }
}

/// Nanoseconds for a sample that comes in, and allocations in all of it.
fn costs(way: &mut dyn Way) -> (f64, u64) {
    let (block, mut out) = ([0.25f32; BLOCK], vec![0.0f32; 1 << 14]);
    const BLOCKS: usize = 500;
    let mut turn = || {
        let start = Instant::now();
        for _ in 0..BLOCKS {
            std::hint::black_box(way.process(std::hint::black_box(&block), &mut out));
        }
        start.elapsed().as_nanos() as f64 / (BLOCKS * BLOCK) as f64
    };
    turn();
    let mut turns = [0.0; 21];
    let ((), taken) = CountingAllocator::during(|| turns.iter_mut().for_each(|time| *time = turn()));
    turns.sort_by(f64::total_cmp);
    (turns[10], taken.calls)
}
