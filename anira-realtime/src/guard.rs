//! [`guard`]: a callback in a test, under the conditions of an audio thread.

use std::fmt;

use crate::{Allocations, CountingAllocator, FlushToZero, RealtimeContext};

/// What kept a callback from being fit for real time, or from being watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Breach {
    /// It allocated or freed memory.
    Allocated(Allocations),
    /// [`CountingAllocator`] is not the program's allocator: nobody knows what the callback allocated.
    NotWatched,
}

/// Runs a callback as an audio thread should, and says what it did that it may not: it may neither allocate nor free memory. For
/// tests, in debug and in release builds; on any thread.
///
/// Flush-to-zero is on meanwhile, as hosts have it, and afterwards as it was, also if the callback panics. The callback is a
/// [`RealtimeContext`]: in a build with RealtimeSanitizer, whatever may block is reported by it. Guards nest.
///
/// What the callback returns is given back, and only then dropped: to hand memory out is not to free it.
///
/// # Errors
/// [`Breach::Allocated`] with the counts; the callback has run. [`Breach::NotWatched`] without the allocator; it has not.
pub fn guard<T>(callback: impl FnOnce() -> T) -> Result<T, Breach> {
    if !CountingAllocator::is_installed() {
        return Err(Breach::NotWatched);
    }
    let (result, taken) = CountingAllocator::during(|| {
        let _denormals = FlushToZero::new();
        let _realtime = RealtimeContext::enter();
        apart(callback)
    });
    if taken == Allocations::default() { Ok(result) } else { Err(Breach::Allocated(taken)) }
}

/// Runs the callback as a function of its own. Inlined, its arithmetic could be moved past the instructions that set and restore
/// flush-to-zero: to the compiler nothing ties the two together.
#[inline(never)]
fn apart<T>(callback: impl FnOnce() -> T) -> T {
    callback()
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Allocated(Allocations { calls, bytes, frees }) => {
                write!(f, "the callback allocated {calls} times ({bytes} bytes) and freed {frees} times")
            }
            Self::NotWatched => f.write_str(
                "the program's `#[global_allocator]` is not a `CountingAllocator`: nothing was watched",
            ),
        }
    }
}

impl std::error::Error for Breach {}
