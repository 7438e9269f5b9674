//! Nanoseconds of a clock that never jumps: deadlines and durations.

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
