//! Flush-to-zero around engines: numbers too small to be heard must not cost a hundred cycles each.

#![deny(clippy::indexing_slicing, clippy::panic, clippy::unreachable)]
#![allow(unsafe_code, reason = "the floating-point control register has no safe interface")]

/// While it lives, this thread rounds denormal results to zero and reads denormal operands as zero; dropped, it restores
/// what was set before. On processors that are neither x86-64 nor AArch64 it does nothing.
///
/// The compiler doesn't know that arithmetic depends on this, and may move single operations past the guard's ends when all of it is
/// inlined into one function. What must be inside to the last operation stands in an `#[inline(never)]` function.
#[derive(Debug)]
pub struct FlushToZero {
    before: u64,
    /// The register belongs to the thread, so the guard stays on it.
    _not_send: std::marker::PhantomData<*const ()>,
}

impl FlushToZero {
    /// Sets flush-to-zero on this thread. Any thread; wait-free.
    #[must_use]
    pub fn new() -> Self {
        let before = register::read();
        register::write(before | register::FLUSH);
        Self { before, _not_send: std::marker::PhantomData }
    }
}

impl Default for FlushToZero {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for FlushToZero {
    fn drop(&mut self) {
        register::write(self.before);
    }
}

#[cfg(target_arch = "x86_64")]
mod register {
    /// MXCSR: flush-to-zero (bit 15) and denormals-are-zero (bit 6).
    pub(super) const FLUSH: u64 = 1 << 15 | 1 << 6;

    pub(super) fn read() -> u64 {
        let mut value = 0u32;
        // SAFETY: `stmxcsr` stores 32 bits to the address it is given, which is a live local.
        unsafe { std::arch::asm!("stmxcsr [{}]", in(reg) &mut value, options(nostack, preserves_flags)) };
        u64::from(value)
    }

    pub(super) fn write(value: u64) {
        let value = value as u32;
        // SAFETY: `ldmxcsr` loads 32 bits from a live local; the bits came from `stmxcsr` plus the two of FLUSH, so none is
        // reserved. Rust code must not rely on either bit, and does not: results differ only below 1.2e-38.
        unsafe { std::arch::asm!("ldmxcsr [{}]", in(reg) &value, options(nostack, preserves_flags)) };
    }
}

#[cfg(target_arch = "aarch64")]
mod register {
    /// FPCR: flush-to-zero (bit 24).
    pub(super) const FLUSH: u64 = 1 << 24;

    pub(super) fn read() -> u64 {
        let value: u64;
        // SAFETY: reading FPCR has no effect.
        unsafe { std::arch::asm!("mrs {}, fpcr", out(reg) value, options(nomem, nostack, preserves_flags)) };
        value
    }

    pub(super) fn write(value: u64) {
        // SAFETY: the bits came from FPCR plus FLUSH, which every AArch64 core has.
        unsafe { std::arch::asm!("msr fpcr, {}", in(reg) value, options(nomem, nostack, preserves_flags)) };
    }
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
mod register {
    pub(super) const FLUSH: u64 = 0;

    pub(super) fn read() -> u64 {
        0
    }

    pub(super) fn write(_value: u64) {}
}

#[cfg(all(test, any(target_arch = "x86_64", target_arch = "aarch64")))]
mod tests {
    use super::*;
    use std::hint::black_box;

    /// A function of its own: the compiler must not move its arithmetic past the guard.
    #[inline(never)]
    fn half_of_the_smallest_normal() -> f32 {
        black_box(f32::MIN_POSITIVE) * black_box(0.5)
    }

    #[test]
    fn denormals_vanish_inside_and_come_back_outside() {
        assert_ne!(half_of_the_smallest_normal(), 0.0);
        {
            let _guard = FlushToZero::new();
            assert_eq!(half_of_the_smallest_normal(), 0.0);
            {
                let _nested = FlushToZero::new();
            }
            assert_eq!(half_of_the_smallest_normal(), 0.0, "a nested guard restores what it found");
        }
        assert_ne!(half_of_the_smallest_normal(), 0.0);
    }
}
