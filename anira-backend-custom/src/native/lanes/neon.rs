//! NEON, which every 64-bit ARM processor has: two vectors of four make one of eight.
#![allow(unsafe_code, reason = "calls the processor's own instructions")]

use std::arch::aarch64::*;
use std::arch::asm;

use super::{Lanes, WIDTH};

/// Exists on 64-bit ARM only, where NEON is part of the base.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Neon(());

impl Neon {
    pub(super) fn new() -> Self {
        Self(())
    }
}

macro_rules! both {
    ($f:ident, $a:expr, $b:expr) => {{
        let (a, b) = ($a, $b);
        // SAFETY: NEON is part of every aarch64 target that this module is compiled for.
        unsafe { (($f)(a.0, b.0), ($f)(a.1, b.1)) }
    }};
}

impl Lanes for Neon {
    type V = (float32x4_t, float32x4_t);

    #[inline(always)]
    fn splat(self, x: f32) -> Self::V {
        // SAFETY: NEON is part of every aarch64 target that this module is compiled for.
        unsafe { (vdupq_n_f32(x), vdupq_n_f32(x)) }
    }

    #[inline(always)]
    fn only(self, x: f32) -> Self::V {
        // SAFETY: NEON is part of every aarch64 target that this module is compiled for.
        unsafe { (vsetq_lane_f32::<0>(x, vdupq_n_f32(0.0)), vdupq_n_f32(0.0)) }
    }

    #[inline(always)]
    fn load(self, from: &[f32; WIDTH]) -> Self::V {
        // SAFETY: NEON is there; the reference is valid for eight floats, the second load begins at the fifth.
        unsafe { (vld1q_f32(from.as_ptr()), vld1q_f32(from.as_ptr().add(4))) }
    }

    #[inline(always)]
    fn store(self, v: Self::V, to: &mut [f32; WIDTH]) {
        // SAFETY: NEON is there; the reference is valid for eight floats, the second store begins at the fifth.
        unsafe {
            vst1q_f32(to.as_mut_ptr(), v.0);
            vst1q_f32(to.as_mut_ptr().add(4), v.1);
        }
    }

    #[inline(always)]
    fn add(self, a: Self::V, b: Self::V) -> Self::V {
        both!(vaddq_f32, a, b)
    }

    #[inline(always)]
    fn sub(self, a: Self::V, b: Self::V) -> Self::V {
        both!(vsubq_f32, a, b)
    }

    #[inline(always)]
    fn mul(self, a: Self::V, b: Self::V) -> Self::V {
        both!(vmulq_f32, a, b)
    }

    #[inline(always)]
    fn div(self, a: Self::V, b: Self::V) -> Self::V {
        both!(vdivq_f32, a, b)
    }

    #[inline(always)]
    fn min(self, a: Self::V, b: Self::V) -> Self::V {
        // SAFETY: NEON is part of every aarch64 target that this module is compiled for. The processor's own minimum
        // answers NaN for either; a comparison and a choice answer `b`.
        unsafe { (vbslq_f32(vcltq_f32(a.0, b.0), a.0, b.0), vbslq_f32(vcltq_f32(a.1, b.1), a.1, b.1)) }
    }

    #[inline(always)]
    fn max(self, a: Self::V, b: Self::V) -> Self::V {
        // SAFETY: as for `min`.
        unsafe { (vbslq_f32(vcgtq_f32(a.0, b.0), a.0, b.0), vbslq_f32(vcgtq_f32(a.1, b.1), a.1, b.1)) }
    }

    #[inline(always)]
    fn fma(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        // SAFETY: NEON is part of every aarch64 target that this module is compiled for.
        unsafe { (vfmaq_f32(c.0, a.0, b.0), vfmaq_f32(c.1, a.1, b.1)) }
    }

    #[inline(always)]
    fn pin(self, (mut a, mut b): Self::V) -> Self::V {
        // SAFETY: no instruction at all; the registers are given back as they were.
        unsafe {
            asm!("/* {0:v} {1:v} */", inout(vreg) a, inout(vreg) b, options(nomem, nostack, preserves_flags))
        };
        (a, b)
    }

    #[inline(always)]
    fn sum(self, v: Self::V) -> f32 {
        // SAFETY: NEON is part of every aarch64 target that this module is compiled for.
        unsafe {
            let half = vaddq_f32(v.0, v.1);
            let pair = vadd_f32(vget_low_f32(half), vget_high_f32(half));
            vget_lane_f32::<0>(pair) + vget_lane_f32::<1>(pair)
        }
    }
}
