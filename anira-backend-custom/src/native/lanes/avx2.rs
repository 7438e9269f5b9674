//! AVX2 with FMA.
#![allow(unsafe_code, reason = "calls the processor's own instructions, after asking whether it has them")]

use std::arch::asm;
use std::arch::x86_64::*;

use super::{Lanes, Task, WIDTH};

/// Exists only where the processor has AVX2 and FMA.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Avx2(());

impl Avx2 {
    /// The proof, if this processor has both.
    pub(super) fn detect() -> Option<Self> {
        (is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma")).then_some(Self(()))
    }

    /// Does a task in a function that is compiled for AVX2 and FMA; all of the task is inlined into it.
    #[inline]
    pub(super) fn run<T: Task>(self, task: T) -> T::Output {
        #[inline(never)]
        #[target_feature(enable = "avx2,fma")]
        fn with_features<T: Task>(lanes: Avx2, task: T) -> T::Output {
            task.run(lanes)
        }
        // SAFETY: `self` was made by `detect`, which has asked this processor for both features.
        unsafe { with_features(self, task) }
    }
}

impl Lanes for Avx2 {
    type V = __m256;

    #[inline(always)]
    fn splat(self, x: f32) -> __m256 {
        // SAFETY: `self` proves that the processor has AVX2.
        unsafe { _mm256_set1_ps(x) }
    }

    #[inline(always)]
    fn only(self, x: f32) -> __m256 {
        // SAFETY: `self` proves that the processor has AVX2.
        unsafe { _mm256_zextps128_ps256(_mm_set_ss(x)) }
    }

    #[inline(always)]
    fn load(self, from: &[f32; WIDTH]) -> __m256 {
        // SAFETY: `self` proves AVX2; the reference is valid for eight floats, and the load asks for no alignment.
        unsafe { _mm256_loadu_ps(from.as_ptr()) }
    }

    #[inline(always)]
    fn store(self, v: __m256, to: &mut [f32; WIDTH]) {
        // SAFETY: `self` proves AVX2; the reference is valid for eight floats, and the store asks for no alignment.
        unsafe { _mm256_storeu_ps(to.as_mut_ptr(), v) }
    }

    #[inline(always)]
    fn add(self, a: __m256, b: __m256) -> __m256 {
        // SAFETY: `self` proves that the processor has AVX2.
        unsafe { _mm256_add_ps(a, b) }
    }

    #[inline(always)]
    fn sub(self, a: __m256, b: __m256) -> __m256 {
        // SAFETY: `self` proves that the processor has AVX2.
        unsafe { _mm256_sub_ps(a, b) }
    }

    #[inline(always)]
    fn mul(self, a: __m256, b: __m256) -> __m256 {
        // SAFETY: `self` proves that the processor has AVX2.
        unsafe { _mm256_mul_ps(a, b) }
    }

    #[inline(always)]
    fn div(self, a: __m256, b: __m256) -> __m256 {
        // SAFETY: `self` proves that the processor has AVX2.
        unsafe { _mm256_div_ps(a, b) }
    }

    #[inline(always)]
    fn min(self, a: __m256, b: __m256) -> __m256 {
        // SAFETY: `self` proves that the processor has AVX2.
        unsafe { _mm256_min_ps(a, b) }
    }

    #[inline(always)]
    fn max(self, a: __m256, b: __m256) -> __m256 {
        // SAFETY: `self` proves that the processor has AVX2.
        unsafe { _mm256_max_ps(a, b) }
    }

    #[inline(always)]
    fn fma(self, a: __m256, b: __m256, c: __m256) -> __m256 {
        // SAFETY: `self` proves that the processor has FMA.
        unsafe { _mm256_fmadd_ps(a, b, c) }
    }

    #[inline(always)]
    fn pin(self, v: __m256) -> __m256 {
        #[inline]
        #[target_feature(enable = "avx")]
        fn pin(mut v: __m256) -> __m256 {
            // SAFETY: no instruction at all; the register is given back as it was.
            unsafe { asm!("/* {0} */", inout(ymm_reg) v, options(nomem, nostack, preserves_flags)) };
            v
        }
        // SAFETY: `self` proves that the processor has AVX2.
        unsafe { pin(v) }
    }

    #[inline(always)]
    fn sum(self, v: __m256) -> f32 {
        // SAFETY: `self` proves that the processor has AVX2.
        unsafe {
            let half = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps::<1>(v));
            let pair = _mm_add_ps(half, _mm_movehl_ps(half, half));
            _mm_cvtss_f32(_mm_add_ss(pair, _mm_shuffle_ps::<1>(pair, pair)))
        }
    }
}
