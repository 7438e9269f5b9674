//! The test plugin as a host has it: loaded, looked up by name, unloaded.

#![allow(unsafe_code, reason = "the loader and the plugin speak C")]

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::path::PathBuf;
use std::ptr::NonNull;

/// The module's name in the list of mappings.
const NAME: &str = "libanira_test_plugin.so";

/// Where cargo builds it: beside a test program, or beside the examples.
fn path() -> PathBuf {
    let program = std::env::current_exe().unwrap();
    let folders =
        program.ancestors().skip(1).take(2).flat_map(|folder| [folder.to_path_buf(), folder.join("deps")]);
    let mut paths = folders.map(|folder| folder.join(NAME));
    paths
        .find(|path| path.is_file())
        .unwrap_or_else(|| panic!("{NAME} was not built beside {}", program.display()))
}

fn name() -> CString {
    CString::new(path().to_str().unwrap()).unwrap()
}

/// The plugin, loaded.
pub(crate) struct Module {
    handle: NonNull<c_void>,
}

/// A session of the plugin's. A host's audio thread may have it.
pub(crate) struct Session(NonNull<c_void>, Calls);

// SAFETY: the plugin says which thread may call what, and a session is used by one at a time.
unsafe impl Send for Session {}

/// The plugin's functions. They can be called as long as the module is mapped, whoever loaded it.
#[derive(Clone, Copy)]
pub(crate) struct Calls {
    make: unsafe extern "C" fn(*const c_char, *const c_char) -> *mut c_void,
    process: unsafe extern "C" fn(*mut c_void, *mut f32, usize) -> i64,
    latency: unsafe extern "C" fn(*mut c_void) -> u64,
    returned: unsafe extern "C" fn(*mut c_void) -> u64,
    exchange: unsafe extern "C" fn(*mut c_void) -> c_int,
    end: unsafe extern "C" fn(*mut c_void, u64) -> c_int,
    hold: unsafe extern "C" fn(bool),
    leak_thread: unsafe extern "C" fn() -> c_int,
    std_thread: unsafe extern "C" fn() -> c_int,
}

impl Module {
    /// Loads the plugin.
    #[track_caller]
    pub(crate) fn open() -> Self {
        // SAFETY: a string that ends in a NUL; the module's initialisers are the standard library's.
        let handle = unsafe { libc::dlopen(name().as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL) };
        Self { handle: NonNull::new(handle).unwrap_or_else(|| panic!("{}", error())) }
    }

    /// Its functions.
    pub(crate) fn calls(&self) -> Calls {
        let find = |name: &CStr| {
            // SAFETY: the handle is of a loaded module, the name ends in a NUL.
            let found = unsafe { libc::dlsym(self.handle.as_ptr(), name.as_ptr()) };
            assert!(!found.is_null(), "{name:?}: {}", error());
            found
        };
        // SAFETY: the plugin declares the functions of these names with these parameters; a `Box` and a reference are pointers, an
        // `Option<Box>` is one that may be null.
        unsafe {
            Calls {
                make: std::mem::transmute::<
                    *mut c_void,
                    unsafe extern "C" fn(*const c_char, *const c_char) -> *mut c_void,
                >(find(c"plugin_make")),
                process: std::mem::transmute::<
                    *mut c_void,
                    unsafe extern "C" fn(*mut c_void, *mut f32, usize) -> i64,
                >(find(c"plugin_process")),
                latency: std::mem::transmute::<*mut c_void, unsafe extern "C" fn(*mut c_void) -> u64>(find(
                    c"plugin_latency",
                )),
                returned: std::mem::transmute::<*mut c_void, unsafe extern "C" fn(*mut c_void) -> u64>(find(
                    c"plugin_returned",
                )),
                exchange: std::mem::transmute::<*mut c_void, unsafe extern "C" fn(*mut c_void) -> c_int>(
                    find(c"plugin_exchange"),
                ),
                end: std::mem::transmute::<*mut c_void, unsafe extern "C" fn(*mut c_void, u64) -> c_int>(
                    find(c"plugin_drop"),
                ),
                hold: std::mem::transmute::<*mut c_void, unsafe extern "C" fn(bool)>(find(c"plugin_hold")),
                leak_thread: std::mem::transmute::<*mut c_void, unsafe extern "C" fn() -> c_int>(find(
                    c"plugin_control_leak_thread",
                )),
                std_thread: std::mem::transmute::<*mut c_void, unsafe extern "C" fn() -> c_int>(find(
                    c"plugin_control_std_thread",
                )),
            }
        }
    }

    /// Unloads it, as far as this handle goes.
    pub(crate) fn close(self) {
        // SAFETY: the handle is used no more. That no code of the module runs then is what the tests are about.
        assert_eq!(unsafe { libc::dlclose(self.handle.as_ptr()) }, 0, "{}", error());
    }
}

impl Calls {
    /// A session, or `None` if it cannot be made.
    pub(crate) fn make(self, engine: &str, config: &str) -> Option<Session> {
        let [engine, config] = [engine, config].map(|text| CString::new(text).unwrap());
        // SAFETY: two strings that end in a NUL; the module is mapped.
        NonNull::new(unsafe { (self.make)(engine.as_ptr(), config.as_ptr()) }).map(|it| Session(it, self))
    }

    /// Whether engines that can be held are.
    pub(crate) fn hold(self, on: bool) {
        // SAFETY: the module is mapped.
        unsafe { (self.hold)(on) }
    }

    /// Leaves a thread behind that runs the module's code.
    pub(crate) fn leak_thread(self) -> bool {
        // SAFETY: the module is mapped.
        unsafe { (self.leak_thread)() == 0 }
    }

    /// Starts a thread of the standard library on this one, and joins it.
    pub(crate) fn std_thread(self) -> bool {
        // SAFETY: the module is mapped.
        unsafe { (self.std_thread)() == 0 }
    }
}

impl Session {
    /// One callback; late samples, or -1.
    pub(crate) fn process(&mut self, block: &mut [f32]) -> i64 {
        // SAFETY: the session was not ended, and the block is borrowed for the call.
        unsafe { (self.1.process)(self.0.as_ptr(), block.as_mut_ptr(), block.len()) }
    }

    pub(crate) fn latency(&self) -> u64 {
        // SAFETY: the session was not ended.
        unsafe { (self.1.latency)(self.0.as_ptr()) }
    }

    pub(crate) fn returned(&self) -> u64 {
        // SAFETY: the session was not ended.
        unsafe { (self.1.returned)(self.0.as_ptr()) }
    }

    /// Begins to exchange its model; whether it could.
    pub(crate) fn exchange(&mut self) -> bool {
        // SAFETY: the session was not ended.
        unsafe { (self.1.exchange)(self.0.as_ptr()) == 0 }
    }

    /// Ends it; whether nothing of it is left.
    pub(crate) fn end(self, patience: u64) -> bool {
        // SAFETY: the session was not ended, and is used no more.
        unsafe { (self.1.end)(self.0.as_ptr(), patience) == 0 }
    }
}

/// Whether the loader still has the module.
pub(crate) fn is_loaded() -> bool {
    // SAFETY: a string that ends in a NUL; nothing is loaded by this.
    let handle = unsafe { libc::dlopen(name().as_ptr(), libc::RTLD_NOW | libc::RTLD_NOLOAD) };
    if !handle.is_null() {
        // SAFETY: the handle is used no more, and the module was loaded before.
        unsafe { libc::dlclose(handle) };
    }
    !handle.is_null()
}

/// Whether anything of the module's file is mapped.
pub(crate) fn is_mapped() -> bool {
    std::fs::read_to_string("/proc/self/maps").unwrap().contains(NAME)
}

fn error() -> String {
    // SAFETY: the loader's own string, or null; copied before the next call of the loader.
    let text = unsafe { libc::dlerror() };
    if text.is_null() {
        return "no error".to_owned();
    }
    // SAFETY: not null, and the loader ends it with a NUL.
    unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
}
