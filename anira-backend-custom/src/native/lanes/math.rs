//! Hyperbolic tangent and logistic function, to 3e-7 over the whole line.

use super::Lanes;

/// Beyond this the tangent is 1 to within half the error that is allowed.
const END: f32 = 8.3;

/// tanh(x) = x · P(x²) / Q(x²) up to [`END`]: a fit of the least greatest error (8e-9 in exact arithmetic), by repeated
/// weighted least squares in double precision. What is left is the rounding of single precision.
#[allow(clippy::excessive_precision, reason = "as they were fitted")]
const P: [f32; 5] =
    [0.999_999_956_766, 0.134_191_267_6, 3.541_268_775e-3, 2.138_216_526_8e-5, 1.447_864_730_4e-8];
#[allow(clippy::excessive_precision, reason = "as they were fitted")]
const Q: [f32; 5] = [1.0, 0.467_524_424_27, 2.604_962_101_3e-2, 3.361_197_602_1e-4, 8.224_625_811e-7];

/// The hyperbolic tangent, within [-1, 1]. NaN stays NaN.
#[inline(always)]
pub(crate) fn tanh<L: Lanes>(l: L, x: L::V) -> L::V {
    let [y] = tanhs(l, [x]);
    y
}

/// The same of several vectors side by side: one waits while another is computed, and constants are loaded once.
#[inline(always)]
pub(crate) fn tanhs<L: Lanes, const N: usize>(l: L, mut x: [L::V; N]) -> [L::V; N] {
    let (end, one) = (l.splat(END), l.splat(1.0));
    let (minus_end, minus_one) = (l.splat(-END), l.splat(-1.0));
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
        let y = l.div(l.mul(*x, *p), *q);
        *x = l.max(minus_one, l.min(one, y));
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

    struct Curve<'a>(&'a [f32; WIDTH], bool);

    impl Task for Curve<'_> {
        type Output = [f32; WIDTH];

        #[inline(always)]
        fn run<L: Lanes>(self, l: L) -> [f32; WIDTH] {
            let (x, mut out) = (l.load(self.0), [0.0; WIDTH]);
            l.store(if self.1 { sigmoid(l, x) } else { tanh(l, x) }, &mut out);
            out
        }
    }

    /// Every 97th float of either sign, and the ends.
    fn line() -> impl Iterator<Item = f32> {
        let all = (0..=f32::INFINITY.to_bits()).step_by(971).chain([f32::INFINITY.to_bits()]);
        all.flat_map(|bits| [f32::from_bits(bits), -f32::from_bits(bits)])
    }

    #[test]
    fn both_curves_are_within_3e_7_over_the_whole_line_on_every_path() {
        for cpu in [Cpu::Portable, Cpu::detect()] {
            let (mut worst, mut worst_sigmoid) = (0.0f64, 0.0f64);
            for x in line() {
                let y = cpu.run(Curve(&[x; WIDTH], false))[0];
                let s = cpu.run(Curve(&[x; WIDTH], true))[0];
                assert!(y.abs() <= 1.0 && (0.0..=1.0).contains(&s), "{x}: {y} {s}");
                worst = worst.max((f64::from(y) - f64::from(x).tanh()).abs());
                let exact = 1.0 / (1.0 + (-f64::from(x)).exp());
                worst_sigmoid = worst_sigmoid.max((f64::from(s) - exact).abs());
            }
            assert!(worst <= 3e-7, "{}: tanh {worst:e}", cpu.name());
            assert!(worst_sigmoid <= 3e-7, "{}: sigmoid {worst_sigmoid:e}", cpu.name());
        }
    }

    #[test]
    fn nan_stays_nan() {
        for cpu in [Cpu::Portable, Cpu::detect()] {
            for sigmoid in [false, true] {
                let mut x = [0.5; WIDTH];
                x[3] = f32::NAN;
                let y = cpu.run(Curve(&x, sigmoid));
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
