//! How many multiply-adds the core can do: the roof over every network.
#![allow(unsafe_code, reason = "calls a function for processors with FMA, after asking whether this is one")]

use std::hint::black_box;
use std::time::Instant;

/// Sums alive at once: as many as hide an addition's delay.
const SUMS: usize = 12;
const WIDTH: usize = 8;
const TIMES: usize = 2_000;

/// GFLOP/s of one short loop, two for each multiply-add, in vectors of eight; the greatest of many is the peak.
pub(super) fn gflops() -> f64 {
    let mut sums = black_box([[1.0f32; WIDTH]; SUMS]);
    let begin = Instant::now();
    multiply_adds(&mut sums, black_box(0.999), black_box(1e-3));
    let nanos = begin.elapsed().as_nanos() as f64;
    black_box(sums);
    2.0 * (TIMES * SUMS * WIDTH) as f64 / nanos
}

#[cfg(target_arch = "x86_64")]
fn multiply_adds(sums: &mut [[f32; WIDTH]; SUMS], x: f32, y: f32) {
    #[target_feature(enable = "avx2,fma")]
    fn with_fma(sums: &mut [[f32; WIDTH]; SUMS], x: f32, y: f32) {
        use std::arch::x86_64::*;
        let (x, y) = (_mm256_set1_ps(x), _mm256_set1_ps(y));
        let mut held = [_mm256_setzero_ps(); SUMS];
        for (held, sum) in held.iter_mut().zip(sums.iter()) {
            let [a, b, c, d, e, f, g, h] = *sum;
            *held = _mm256_setr_ps(a, b, c, d, e, f, g, h);
        }
        for _ in 0..TIMES {
            for held in &mut held {
                *held = _mm256_fmadd_ps(*held, x, y);
            }
        }
        for (held, sum) in held.iter().zip(sums) {
            sum.fill(_mm256_cvtss_f32(*held));
        }
    }
    if std::is_x86_feature_detected!("avx2") && std::is_x86_feature_detected!("fma") {
        // SAFETY: the processor has both features.
        unsafe { with_fma(sums, x, y) }
    } else {
        plain(sums, |sum| sum * x + y);
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn multiply_adds(sums: &mut [[f32; WIDTH]; SUMS], x: f32, y: f32) {
    plain(sums, |sum| sum.mul_add(x, y));
}

/// Without intrinsics.
fn plain(sums: &mut [[f32; WIDTH]; SUMS], step: impl Fn(f32) -> f32) {
    for _ in 0..TIMES {
        for sum in sums.iter_mut().flatten() {
            *sum = step(*sum);
        }
    }
}
