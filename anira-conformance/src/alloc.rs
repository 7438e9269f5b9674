//! An allocator that counts, for test programs that want to know what a run allocates.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicI64, Ordering};

/// The system's allocator, counting. An author of a backend installs it in the test program:
///
/// ```
/// #[global_allocator]
/// static COUNTING: anira_conformance::CountingAllocator = anira_conformance::CountingAllocator;
/// ```
///
/// Without it the checks `allocations` and `no_leak` say that they could not be made. It sees what Rust allocates; what
/// a library written in C takes by `malloc` it does not see.
#[derive(Clone, Copy, Debug, Default)]
pub struct CountingAllocator;

/// Bytes in use in the whole process.
static IN_USE: AtomicI64 = AtomicI64::new(0);

thread_local! {
    /// Calls and bytes of this thread so far. Without a destructor, so it can be used as long as the thread lives.
    static TAKEN: Cell<Allocations> = const { Cell::new(Allocations { calls: 0, bytes: 0 }) };
}

/// What a thread has allocated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Allocations {
    /// How often memory was taken or resized.
    pub calls: u64,
    /// How many bytes were asked for.
    pub bytes: u64,
}

fn took(bytes: usize) {
    IN_USE.fetch_add(bytes as i64, Ordering::Relaxed);
    // A thread that is ending may have lost its counter; then nobody asks for it.
    let _ = TAKEN.try_with(|taken| {
        let Allocations { calls, bytes: before } = taken.get();
        taken.set(Allocations { calls: calls + 1, bytes: before + bytes as u64 });
    });
}

fn gave_back(bytes: usize) {
    IN_USE.fetch_sub(bytes as i64, Ordering::Relaxed);
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
        gave_back(layout.size());
        took(new_size);
        // SAFETY: as in `dealloc`; the caller promises that `new_size` is allowed.
        unsafe { System.realloc(ptr, layout, new_size) }
    }
}

impl CountingAllocator {
    /// Whether this program's allocations are counted: takes a little memory and looks.
    #[must_use]
    pub fn is_installed() -> bool {
        let (_memory, taken) = Self::during(|| std::hint::black_box(Box::new(0u8)));
        taken.calls > 0
    }

    /// What `work` allocates on this thread. Zero if the allocator is not installed.
    pub fn during<T>(work: impl FnOnce() -> T) -> (T, Allocations) {
        let before = Self::of_this_thread();
        let result = work();
        let after = Self::of_this_thread();
        (result, Allocations { calls: after.calls - before.calls, bytes: after.bytes - before.bytes })
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
