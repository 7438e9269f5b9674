//! Functions of the C library's names, which count and forward. The linker puts them into the program and, as the C library
//! has them too, into the program's list of symbols, where every library looks first.
//!
//! Memory comes from glibc's own entry points below these names (`__libc_malloc`); locks from the next library that has the
//! name, looked up when first needed.
#![allow(unsafe_code, unreachable_pub, reason = "stands in for functions of the C library, for the linker")]

use std::ffi::{CStr, c_int, c_void};
use std::ptr::null_mut;
use std::sync::atomic::{AtomicPtr, Ordering};

use libc::{clockid_t, pthread_cond_t, pthread_mutex_t, pthread_rwlock_t, size_t, timespec};

use crate::{Kind, Unavailable, tally};

/// Whether libraries find the functions of this file.
pub(crate) fn is_in_place() -> Result<(), Unavailable> {
    let ours: [(&CStr, *const c_void); 3] = [
        (c"malloc", malloc as *const c_void),
        (c"posix_memalign", posix_memalign as *const c_void),
        (c"pthread_mutex_lock", pthread_mutex_lock as *const c_void),
    ];
    for (name, own) in ours {
        // SAFETY: the name ends with a zero; nothing is called.
        let found = unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) };
        if !std::ptr::eq(found, own) {
            let name = name.to_string_lossy();
            return Err(Unavailable(format!(
                "`{name}` is somebody else's in this program: it must not be preloaded, replaced or linked statically"
            )));
        }
    }
    Ok(())
}

unsafe extern "C" {
    fn __libc_malloc(size: size_t) -> *mut c_void;
    fn __libc_calloc(count: size_t, size: size_t) -> *mut c_void;
    fn __libc_realloc(old: *mut c_void, size: size_t) -> *mut c_void;
    fn __libc_free(old: *mut c_void);
    fn __libc_memalign(alignment: size_t, size: size_t) -> *mut c_void;
}

/// # Safety
/// As C's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn malloc(size: size_t) -> *mut c_void {
    tally::add(Kind::Malloc);
    // SAFETY: the arguments and the promise are the caller's.
    unsafe { __libc_malloc(size) }
}

/// # Safety
/// As C's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn calloc(count: size_t, size: size_t) -> *mut c_void {
    tally::add(Kind::Calloc);
    // SAFETY: the arguments and the promise are the caller's.
    unsafe { __libc_calloc(count, size) }
}

/// # Safety
/// As C's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn realloc(old: *mut c_void, size: size_t) -> *mut c_void {
    tally::add(Kind::Realloc);
    // SAFETY: the arguments and the promise are the caller's; all memory is of the same allocator.
    unsafe { __libc_realloc(old, size) }
}

/// # Safety
/// As C's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn free(old: *mut c_void) {
    if !old.is_null() {
        tally::add(Kind::Free);
    }
    // SAFETY: the arguments and the promise are the caller's; all memory is of the same allocator.
    unsafe { __libc_free(old) }
}

/// # Safety
/// As C's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn posix_memalign(to: *mut *mut c_void, alignment: size_t, size: size_t) -> c_int {
    tally::add(Kind::PosixMemalign);
    if !alignment.is_power_of_two() || !alignment.is_multiple_of(size_of::<*mut c_void>()) {
        return libc::EINVAL;
    }
    // SAFETY: the alignment is a power of two.
    let memory = unsafe { __libc_memalign(alignment, size) };
    if memory.is_null() {
        return libc::ENOMEM;
    }
    // SAFETY: the caller gives a place for a pointer.
    unsafe { to.write(memory) };
    0
}

/// # Safety
/// As C's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn aligned_alloc(alignment: size_t, size: size_t) -> *mut c_void {
    tally::add(Kind::PosixMemalign);
    // SAFETY: glibc's own `aligned_alloc` is this function, and takes any alignment.
    unsafe { __libc_memalign(alignment, size) }
}

/// # Safety
/// As C's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn memalign(alignment: size_t, size: size_t) -> *mut c_void {
    tally::add(Kind::PosixMemalign);
    // SAFETY: the arguments and the promise are the caller's.
    unsafe { __libc_memalign(alignment, size) }
}

/// A function of the next library that has its name.
struct Next {
    name: &'static CStr,
    /// Null until it is first needed.
    address: AtomicPtr<c_void>,
}

/// There are two of some functions on x86-64, and looking for the name alone may find the older one.
#[cfg(target_arch = "x86_64")]
const CONDVAR_VERSION: &CStr = c"GLIBC_2.3.2";

impl Next {
    const fn new(name: &'static CStr) -> Self {
        Self { name, address: AtomicPtr::new(null_mut()) }
    }

    fn find(&self) -> *mut c_void {
        let known = self.address.load(Ordering::Relaxed);
        if known.is_null() { self.look_up() } else { known }
    }

    #[cold]
    fn look_up(&self) -> *mut c_void {
        #[cfg(target_arch = "x86_64")]
        let found = if self.name.to_bytes().starts_with(b"pthread_cond_") {
            // SAFETY: both texts end with a zero.
            unsafe { libc::dlvsym(libc::RTLD_NEXT, self.name.as_ptr(), CONDVAR_VERSION.as_ptr()) }
        } else {
            null_mut()
        };
        #[cfg(not(target_arch = "x86_64"))]
        let found: *mut c_void = null_mut();
        let found = if found.is_null() {
            // SAFETY: the text ends with a zero.
            unsafe { libc::dlsym(libc::RTLD_NEXT, self.name.as_ptr()) }
        } else {
            found
        };
        if found.is_null() {
            // Nobody can be told, and nothing could go on without a lock.
            std::process::abort();
        }
        self.address.store(found, Ordering::Relaxed);
        found
    }
}

macro_rules! forward {
    ($($kind:ident $name:ident($($argument:ident: $ty:ty),*);)*) => {
        $(
            /// # Safety
            /// As POSIX's.
            #[unsafe(no_mangle)]
            pub unsafe extern "C" fn $name($($argument: $ty),*) -> c_int {
                type Function = unsafe extern "C" fn($($ty),*) -> c_int;
                static NEXT: Next = Next::new(
                    // The name of a function of C's.
                    match CStr::from_bytes_with_nul(concat!(stringify!($name), "\0").as_bytes()) {
                        Ok(name) => name,
                        Err(_) => c"",
                    },
                );
                tally::add(Kind::$kind);
                // SAFETY: the address is that of the C library's function of this name, which has this type.
                let next = unsafe { std::mem::transmute::<*mut c_void, Function>(NEXT.find()) };
                // SAFETY: the arguments and the promise are the caller's.
                unsafe { next($($argument),*) }
            }
        )*
    };
}

forward! {
    Mutex pthread_mutex_lock(lock: *mut pthread_mutex_t);
    Mutex pthread_mutex_trylock(lock: *mut pthread_mutex_t);
    Mutex pthread_mutex_timedlock(lock: *mut pthread_mutex_t, until: *const timespec);
    Mutex pthread_mutex_clocklock(lock: *mut pthread_mutex_t, clock: clockid_t, until: *const timespec);
    Rwlock pthread_rwlock_rdlock(lock: *mut pthread_rwlock_t);
    Rwlock pthread_rwlock_tryrdlock(lock: *mut pthread_rwlock_t);
    Rwlock pthread_rwlock_timedrdlock(lock: *mut pthread_rwlock_t, until: *const timespec);
    Rwlock pthread_rwlock_clockrdlock(lock: *mut pthread_rwlock_t, clock: clockid_t, until: *const timespec);
    Rwlock pthread_rwlock_wrlock(lock: *mut pthread_rwlock_t);
    Rwlock pthread_rwlock_trywrlock(lock: *mut pthread_rwlock_t);
    Rwlock pthread_rwlock_timedwrlock(lock: *mut pthread_rwlock_t, until: *const timespec);
    Rwlock pthread_rwlock_clockwrlock(lock: *mut pthread_rwlock_t, clock: clockid_t, until: *const timespec);
    Condvar pthread_cond_wait(condition: *mut pthread_cond_t, lock: *mut pthread_mutex_t);
    Condvar pthread_cond_timedwait(condition: *mut pthread_cond_t, lock: *mut pthread_mutex_t, until: *const timespec);
    Condvar pthread_cond_clockwait(condition: *mut pthread_cond_t, lock: *mut pthread_mutex_t, clock: clockid_t, until: *const timespec);
    Condvar pthread_cond_signal(condition: *mut pthread_cond_t);
    Condvar pthread_cond_broadcast(condition: *mut pthread_cond_t);
}
