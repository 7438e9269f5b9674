//! Vectors as arrays: any processor runs them, and compilers turn them into what it has.

use super::{Lanes, WIDTH};

/// Arrays of eight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Portable;

macro_rules! each {
    ($a:ident, $b:ident, $op:expr) => {{
        let ([a, b, c, d, e, f, g, h], [i, j, k, l, m, n, o, p]) = ($a, $b);
        [$op(a, i), $op(b, j), $op(c, k), $op(d, l), $op(e, m), $op(f, n), $op(g, o), $op(h, p)]
    }};
}

impl Lanes for Portable {
    type V = [f32; WIDTH];

    #[inline(always)]
    fn splat(self, x: f32) -> Self::V {
        [x; WIDTH]
    }

    #[inline(always)]
    fn only(self, x: f32) -> Self::V {
        [x, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]
    }

    #[inline(always)]
    fn load(self, from: &[f32; WIDTH]) -> Self::V {
        *from
    }

    #[inline(always)]
    fn store(self, v: Self::V, to: &mut [f32; WIDTH]) {
        *to = v;
    }

    #[inline(always)]
    fn add(self, a: Self::V, b: Self::V) -> Self::V {
        each!(a, b, |a: f32, b: f32| a + b)
    }

    #[inline(always)]
    fn sub(self, a: Self::V, b: Self::V) -> Self::V {
        each!(a, b, |a: f32, b: f32| a - b)
    }

    #[inline(always)]
    fn mul(self, a: Self::V, b: Self::V) -> Self::V {
        each!(a, b, |a: f32, b: f32| a * b)
    }

    #[inline(always)]
    fn div(self, a: Self::V, b: Self::V) -> Self::V {
        each!(a, b, |a: f32, b: f32| a / b)
    }

    #[inline(always)]
    fn min(self, a: Self::V, b: Self::V) -> Self::V {
        each!(a, b, |a: f32, b: f32| if a < b { a } else { b })
    }

    #[inline(always)]
    fn max(self, a: Self::V, b: Self::V) -> Self::V {
        each!(a, b, |a: f32, b: f32| if a > b { a } else { b })
    }

    #[inline(always)]
    fn fma(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        self.add(self.mul(a, b), c)
    }

    #[inline(always)]
    fn pin(self, v: Self::V) -> Self::V {
        v
    }

    #[inline(always)]
    fn sum(self, v: Self::V) -> f32 {
        let [a, b, c, d, e, f, g, h] = v;
        ((a + e) + (c + g)) + ((b + f) + (d + h))
    }
}
