//! What a plugin must not do, so that a test that finds nothing is known to be able to.

use std::ffi::c_void;

/// Starts a thread of this module's code that never ends and that nobody joins. 0 if it was started.
#[unsafe(no_mangle)]
pub extern "C" fn plugin_control_leak_thread() -> i32 {
    extern "C" fn spin(_: *mut c_void) -> *mut c_void {
        loop {
            std::hint::spin_loop();
        }
    }
    let mut thread = std::mem::MaybeUninit::uninit();
    // SAFETY: the id is written to a live local, no attributes are given, and the thread's function uses no argument. (Unloading the
    // module under it is not sound; that is what it is for.)
    unsafe { libc::pthread_create(thread.as_mut_ptr(), std::ptr::null(), spin, std::ptr::null_mut()) }
}

/// Starts a thread of the standard library on the caller's and joins it: nothing runs any more, and yet something stays.
#[unsafe(no_mangle)]
pub extern "C" fn plugin_control_std_thread() -> i32 {
    std::thread::spawn(|| ()).join().is_err().into()
}
