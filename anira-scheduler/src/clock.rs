//! Nanoseconds of a clock that never jumps: deadlines and durations.

#![deny(clippy::indexing_slicing, clippy::panic, clippy::unreachable)]
#![cfg_attr(
    any(target_os = "linux", target_os = "android"),
    allow(unsafe_code, reason = "the C library's clock")
)]

/// Nanoseconds of the system's monotonic clock, since some moment before this process began. Wait-free, without a system call on
/// common machines, and without a panic: [`std::time::Instant`] has one in it.
#[cfg(any(target_os = "linux", target_os = "android"))]
#[must_use]
pub fn now() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: writes the time to a live local. It fails for clocks that do not exist, and this one always does.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut time) };
    (time.tv_sec as u64).wrapping_mul(1_000_000_000).wrapping_add(time.tv_nsec as u64)
}

/// Makes the clock ready, so that no audio thread has to. Control thread.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub fn start() {
    let _ = now();
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub use elsewhere::{now, start};

#[cfg(not(any(target_os = "linux", target_os = "android")))]
mod elsewhere {
    use std::time::Instant;

    use crate::sync::OnceLock;

    /// Nanoseconds since this process first asked. Monotonic; wait-free after the first call, which [`start`] makes.
    #[must_use]
    pub fn now() -> u64 {
        u64::try_from(epoch().elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    /// Sets the clock's zero, so that no audio thread has to. Control thread.
    pub fn start() {
        epoch();
    }

    fn epoch() -> &'static Instant {
        static EPOCH: OnceLock<Instant> = OnceLock::new();
        EPOCH.get_or_init(Instant::now)
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::now;

    #[test]
    fn it_runs_as_the_standard_librarys_does() {
        let (theirs, ours) = (Instant::now(), now());
        std::thread::sleep(Duration::from_millis(5));
        let inner = now() - ours;
        assert!(inner >= 5_000_000 && u128::from(inner) <= theirs.elapsed().as_nanos(), "{inner}");
        assert!((0..1000).map(|_| now()).is_sorted());
    }
}
