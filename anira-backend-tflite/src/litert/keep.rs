//! LiteRT's library must not be unloaded. It registers destructors of static objects with the C library and has nothing that runs
//! them when it goes (no `.fini_array`), so they are called at the end of the process, where it was. A plugin takes it along when it is
//! unloaded, also one that never used it; so it is kept as soon as a module that is linked with it is loaded.
#![allow(unsafe_code, reason = "the loader speaks C")]

use std::ffi::c_void;

/// Run by the loader when the module is loaded, after LiteRT's own initialisers.
#[used]
#[unsafe(link_section = ".init_array")]
static KEEP: extern "C" fn() = keep;

extern "C" fn keep() {
    let mut info = libc::Dl_info {
        dli_fname: std::ptr::null(),
        dli_fbase: std::ptr::null_mut(),
        dli_sname: std::ptr::null(),
        dli_saddr: std::ptr::null_mut(),
    };
    let inside = litert_sys::LiteRtCreateEnvironment as *const c_void;
    // SAFETY: `info` is a live local of the type that the call fills; the address is only looked up.
    let found = unsafe { libc::dladdr(inside, &mut info) };
    if found != 0 && !info.dli_fname.is_null() {
        let flags = libc::RTLD_NOW | libc::RTLD_NOLOAD | libc::RTLD_NODELETE;
        // SAFETY: the name is the loader's own string of a module that is loaded: nothing is loaded or initialised, only the flag
        // is set. A constructor may call the loader, whose lock is its own thread's to take again.
        unsafe { libc::dlopen(info.dli_fname, flags) };
    }
}
