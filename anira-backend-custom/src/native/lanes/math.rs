//! Hyperbolic tangent and logistic function, to 3e-7 over the whole line.

use super::Lanes;

/// Beyond this the tangent is 1 to within 2.3e-7.
const END: f32 = 8.0;

/// tanh(x) = x · P(x²) / Q(x²) up to [`END`]: a fit of the least greatest error (5e-9 in exact arithmetic), by repeated
/// weighted least squares in double precision. What is left is the rounding of single precision, which up to this end stays
/// below 1, with and without fused multiply-adds: nothing needs to be cut off behind it.
#[allow(clippy::excessive_precision, reason = "as they were fitted")]
const P: [f32; 5] =
    [0.999_999_969_978_9, 0.134_381_876_606_6, 3.564_152_011_2e-3, 2.177_317_859_949e-5, 1.506_171_704_55e-8];
#[allow(clippy::excessive_precision, reason = "as they were fitted")]
const Q: [f32; 5] =
    [1.0, 0.467_715_084_347_5, 2.613_599_999_236e-2, 3.399_172_685_816e-4, 8.453_623_815_981e-7];

/// The hyperbolic tangent, within [-1, 1]. NaN stays NaN.
#[inline(always)]
pub(crate) fn tanh<L: Lanes>(l: L, x: L::V) -> L::V {
    let [y] = tanhs(l, [x]);
    y
}

/// The same of several vectors side by side: one waits while another is computed, and constants are loaded once.
#[inline(always)]
pub(crate) fn tanhs<L: Lanes, const N: usize>(l: L, mut x: [L::V; N]) -> [L::V; N] {
    let (end, minus_end) = (l.splat(END), l.splat(-END));
    let (mut u, mut p, mut q) = ([l.splat(0.0); N], [l.splat(P[4]); N], [l.splat(Q[4]); N]);
    for (x, u) in x.iter_mut().zip(&mut u) {
        *x = l.max(minus_end, l.min(end, *x));
        *u = l.mul(*x, *x);
    }
    for k in [3, 2, 1, 0] {
        let (of_p, of_q) = (l.splat(P[k]), l.splat(Q[k]));
        for ((p, q), u) in p.iter_mut().zip(&mut q).zip(&u) {
            *p = l.fma(*p, *u, of_p);
            *q = l.fma(*q, *u, of_q);
        }
    }
    for ((x, p), q) in x.iter_mut().zip(&p).zip(&q) {
        *x = l.div(l.mul(*x, *p), *q);
    }
    x
}

/// The same by trees instead of chains: some ten cycles sooner, for two products more. Where all waits for it.
#[inline(always)]
pub(crate) fn tanhs_soon<L: Lanes, const N: usize>(l: L, mut x: [L::V; N]) -> [L::V; N] {
    let (end, minus_end) = (l.splat(END), l.splat(-END));
    let [p0, p1, p2, p3, p4] = [l.splat(P[0]), l.splat(P[1]), l.splat(P[2]), l.splat(P[3]), l.splat(P[4])];
    let [q0, q1, q2, q3, q4] = [l.splat(Q[0]), l.splat(Q[1]), l.splat(Q[2]), l.splat(Q[3]), l.splat(Q[4])];
    for x in &mut x {
        *x = l.max(minus_end, l.min(end, *x));
        let u = l.mul(*x, *x);
        let square = l.mul(u, u);
        let (low_p, high_p) = (l.fma(p1, u, p0), l.fma(p4, square, l.fma(p3, u, p2)));
        let (low_q, high_q) = (l.fma(q1, u, q0), l.fma(q4, square, l.fma(q3, u, q2)));
        let p = l.fma(high_p, l.mul(square, *x), l.mul(low_p, *x));
        *x = l.div(p, l.fma(high_q, square, low_q));
    }
    x
}

/// The logistic function, within [0, 1]. NaN stays NaN.
#[inline(always)]
pub(crate) fn sigmoid<L: Lanes>(l: L, x: L::V) -> L::V {
    let half = l.splat(0.5);
    l.fma(tanh(l, l.mul(x, half)), half, half)
}

#[cfg(test)]
mod tests {
    use super::super::{Cpu, Task, WIDTH};
    use super::*;

    #[derive(Clone, Copy, Debug, PartialEq)]
    enum Which {
        Tanh,
        Soon,
        Sigmoid,
    }

    struct Curve<'a>(&'a [f32; WIDTH], Which);

    impl Task for Curve<'_> {
        type Output = [f32; WIDTH];

        #[inline(always)]
        fn run<L: Lanes>(self, l: L) -> [f32; WIDTH] {
            let (x, mut out) = (l.load(self.0), [0.0; WIDTH]);
            let y = match self.1 {
                Which::Tanh => tanh(l, x),
                Which::Soon => {
                    let [y] = tanhs_soon(l, [x]);
                    y
                }
                Which::Sigmoid => sigmoid(l, x),
            };
            l.store(y, &mut out);
            out
        }
    }

    /// Every 97th float of either sign, and the ends.
    fn line() -> impl Iterator<Item = f32> {
        let all = (0..=f32::INFINITY.to_bits()).step_by(971).chain([f32::INFINITY.to_bits()]);
        all.flat_map(|bits| [f32::from_bits(bits), -f32::from_bits(bits)])
    }

    #[test]
    fn all_curves_are_within_3e_7_over_the_whole_line_on_every_path() {
        for cpu in [Cpu::Portable, Cpu::detect()] {
            for which in [Which::Tanh, Which::Soon, Which::Sigmoid] {
                let (mut worst, least) = (0.0f64, if which == Which::Sigmoid { 0.0 } else { -1.0 });
                for x in line() {
                    let y = cpu.run(Curve(&[x; WIDTH], which))[0];
                    let exact = match which {
                        Which::Sigmoid => 1.0 / (1.0 + (-f64::from(x)).exp()),
                        _ => f64::from(x).tanh(),
                    };
                    assert!((least..=1.0).contains(&y), "{which:?} {x}: {y}");
                    worst = worst.max((f64::from(y) - exact).abs());
                }
                assert!(worst <= 3e-7, "{} {which:?}: {worst:e}", cpu.name());
            }
        }
    }

    /// Below 7 the tangent is more than 1e-6 away from 1.
    #[test]
    fn no_tangent_is_above_1() {
        for cpu in [Cpu::Portable, Cpu::detect()] {
            for which in [Which::Tanh, Which::Soon] {
                for first in (7.0f32.to_bits()..=END.to_bits()).step_by(WIDTH) {
                    let x: [f32; WIDTH] = std::array::from_fn(|i| f32::from_bits(first + i as u32));
                    let y = cpu.run(Curve(&x, which));
                    assert!(y.iter().all(|y| *y <= 1.0), "{} {which:?} {x:?}: {y:?}", cpu.name());
                }
            }
        }
    }

    #[test]
    fn nan_stays_nan() {
        for cpu in [Cpu::Portable, Cpu::detect()] {
            for which in [Which::Tanh, Which::Soon, Which::Sigmoid] {
                let mut x = [0.5; WIDTH];
                x[3] = f32::NAN;
                let y = cpu.run(Curve(&x, which));
                assert!(y[3].is_nan() && y[2].is_finite(), "{}", cpu.name());
            }
        }
    }

    #[test]
    fn sums_are_the_same_on_every_path() {
        struct Sum<'a>(&'a [f32; WIDTH]);
        impl Task for Sum<'_> {
            type Output = f32;
            #[inline(always)]
            fn run<L: Lanes>(self, l: L) -> f32 {
                l.sum(l.load(self.0))
            }
        }
        let x = [1e8, 1.0, -1e8, 3.0, 0.1, 0.01, 7.0, -2e7];
        assert_eq!(Cpu::Portable.run(Sum(&x)).to_bits(), Cpu::detect().run(Sum(&x)).to_bits());
    }
}
