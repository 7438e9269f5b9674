//! RealtimeSanitizer's view of a thread: [`RealtimeContext`] and [`permitted`]. Without `--cfg rtsan` all of it is nothing.

#![deny(clippy::indexing_slicing, clippy::panic, clippy::unreachable)]
#![cfg_attr(rtsan, allow(unsafe_code, reason = "the sanitizer's interface is a library in C"))]

/// While it lives, this thread is in real time to RealtimeSanitizer: a call that may block ends the program with a report.
///
/// Contexts nest. Any thread; in builds without `--cfg rtsan` it is nothing and costs nothing.
///
/// ```
/// use anira_realtime::RealtimeContext;
///
/// fn callback(block: &mut [f32]) {
///     let _realtime = RealtimeContext::enter();
///     block.fill(0.0);
/// }
/// callback(&mut [1.0; 64]);
/// ```
#[derive(Debug)]
#[must_use = "the context ends when this is dropped"]
pub struct RealtimeContext {
    /// The context belongs to the thread, so the guard stays on it.
    _not_send: std::marker::PhantomData<*const ()>,
}

impl RealtimeContext {
    /// Enters the context. Any thread; wait-free.
    #[inline(always)]
    pub fn enter() -> Self {
        runtime::enter();
        Self { _not_send: std::marker::PhantomData }
    }
}

#[cfg(rtsan)]
impl Drop for RealtimeContext {
    #[inline(always)]
    fn drop(&mut self) {
        runtime::exit();
    }
}

/// Makes a call that RealtimeSanitizer would report, and need not: for the one system call that a promise names, and nothing
/// around it. Any thread; nothing but the call in builds without `--cfg rtsan`.
#[inline(always)]
pub fn permitted<T>(call: impl FnOnce() -> T) -> T {
    /// Ends the permission, also if the call panics.
    struct Ends;

    impl Drop for Ends {
        #[inline(always)]
        fn drop(&mut self) {
            runtime::enable();
        }
    }

    runtime::disable();
    let _ends = Ends;
    call()
}

#[cfg(rtsan)]
mod runtime {
    // SAFETY: the signatures are those of the sanitizer's header `sanitizer/rtsan_interface.h` and of what the compiler itself
    // calls; each changes a counter of the calling thread, and can be called at any time.
    unsafe extern "C" {
        safe fn __rtsan_realtime_enter();
        safe fn __rtsan_realtime_exit();
        safe fn __rtsan_disable();
        safe fn __rtsan_enable();
    }

    pub(super) fn enter() {
        __rtsan_realtime_enter();
    }

    pub(super) fn exit() {
        __rtsan_realtime_exit();
    }

    pub(super) fn disable() {
        __rtsan_disable();
    }

    pub(super) fn enable() {
        __rtsan_enable();
    }
}

#[cfg(not(rtsan))]
mod runtime {
    #[inline(always)]
    pub(super) fn enter() {}

    #[inline(always)]
    pub(super) fn disable() {}

    #[inline(always)]
    pub(super) fn enable() {}
}
