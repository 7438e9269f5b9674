//! An allocator that counts, for test programs that want to know what a call allocates.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

/// The system's allocator, counting. A test program installs it:
///
/// ```
/// #[global_allocator]
/// static COUNTING: anira_realtime::CountingAllocator = anira_realtime::CountingAllocator;
///
/// assert!(anira_realtime::CountingAllocator::is_installed());
/// ```
///
/// It sees what Rust allocates, in debug and in release builds; what a library written in C takes by `malloc` it does not see.
#[derive(Clone, Copy, Debug, Default)]
pub struct CountingAllocator;

/// Bytes in use in the whole process.
static IN_USE: AtomicI64 = AtomicI64::new(0);

/// Whether it was ever asked for memory: it is then the program's allocator.
static ASKED: AtomicBool = AtomicBool::new(false);

thread_local! {
    /// Calls and bytes of this thread so far. Without a destructor, so it can be used as long as the thread lives.
    static TAKEN: Cell<Allocations> = const { Cell::new(Allocations { calls: 0, bytes: 0, frees: 0 }) };
}

/// What a thread has allocated and freed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Allocations {
    /// How often memory was taken or resized.
    pub calls: u64,
    /// How many bytes were asked for.
    pub bytes: u64,
    /// How often memory was given back.
    pub frees: u64,
}

fn count(change: impl FnOnce(Allocations) -> Allocations) {
    // A thread that is ending may have lost its counter; then nobody asks for it.
    let _ = TAKEN.try_with(|taken| taken.set(change(taken.get())));
}

fn took(bytes: usize) {
    ASKED.store(true, Ordering::Relaxed);
    IN_USE.fetch_add(bytes as i64, Ordering::Relaxed);
    count(|a| Allocations { calls: a.calls + 1, bytes: a.bytes + bytes as u64, ..a });
}

fn gave_back(bytes: usize) {
    IN_USE.fetch_sub(bytes as i64, Ordering::Relaxed);
    count(|a| Allocations { frees: a.frees + 1, ..a });
}

#[allow(unsafe_code, reason = "an allocator is an unsafe trait; it forwards every call")]
// SAFETY: every call goes to `System` with the arguments that came, and what `System` answers goes back; counting
// touches an atomic and a thread's own cell, which neither allocate nor unwind.
unsafe impl GlobalAlloc for CountingAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        took(layout.size());
        // SAFETY: the caller's promise about `layout` is the one that `System` asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        took(layout.size());
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        gave_back(layout.size());
        // SAFETY: `ptr` came from `System` with this layout, for all methods here forward to it.
        unsafe { System.dealloc(ptr, layout) }
    }

    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // One call, which may move the memory: it counts as one that takes.
        IN_USE.fetch_sub(layout.size() as i64, Ordering::Relaxed);
        took(new_size);
        // SAFETY: as in `dealloc`; the caller promises that `new_size` is allowed.
        unsafe { System.realloc(ptr, layout, new_size) }
    }
}

impl CountingAllocator {
    /// Whether this program's allocations are counted. If none has been so far, takes a little memory and looks.
    #[must_use]
    pub fn is_installed() -> bool {
        if !ASKED.load(Ordering::Relaxed) {
            drop(std::hint::black_box(Box::new(0u8)));
        }
        ASKED.load(Ordering::Relaxed)
    }

    /// What `work` allocates and frees on this thread. Zero if the allocator is not installed.
    pub fn during<T>(work: impl FnOnce() -> T) -> (T, Allocations) {
        let before = Self::of_this_thread();
        let result = work();
        let after = Self::of_this_thread();
        (
            result,
            Allocations {
                calls: after.calls - before.calls,
                bytes: after.bytes - before.bytes,
                frees: after.frees - before.frees,
            },
        )
    }

    /// Bytes that the whole process has in use now. Zero if the allocator is not installed.
    #[must_use]
    pub fn in_use() -> i64 {
        IN_USE.load(Ordering::Relaxed)
    }

    fn of_this_thread() -> Allocations {
        TAKEN.try_with(Cell::get).unwrap_or_default()
    }
}
