//! The module that this code lies in: a program, or a plugin that a host may unload.

/// Keeps the module in memory until the process ends, whoever unloads it: a thread that did not come back will return to its code.
/// Whether that is so; a program is never unloaded.
#[cfg(unix)]
#[allow(unsafe_code, reason = "the loader speaks C")]
pub(crate) fn keep() -> bool {
    let here: fn() -> bool = keep;
    let mut info = libc::Dl_info {
        dli_fname: std::ptr::null(),
        dli_fbase: std::ptr::null_mut(),
        dli_sname: std::ptr::null(),
        dli_saddr: std::ptr::null_mut(),
    };
    // SAFETY: `info` is a live local of the type that the call fills; the address is only looked up.
    let found = unsafe { libc::dladdr(here as *const libc::c_void, &mut info) };
    if found == 0 || info.dli_fname.is_null() {
        return false;
    }
    let flags = libc::RTLD_NOW | libc::RTLD_NOLOAD | libc::RTLD_NODELETE;
    // SAFETY: the name is the loader's own string of a module that is loaded, for this code runs in it. NOLOAD: nothing is loaded or
    // initialised, only the flag is set. The handle is never closed.
    let handle = unsafe { libc::dlopen(info.dli_fname, flags) };
    !handle.is_null()
}

/// Nothing is known of modules here.
#[cfg(not(unix))]
pub(crate) fn keep() -> bool {
    false
}
