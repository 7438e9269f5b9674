#![doc = include_str!("../README.md")]
#![allow(unsafe_code, reason = "a C interface")]

mod instance;
#[cfg(unix)]
pub mod wrong;

use std::ffi::{CStr, c_char};
use std::time::Duration;

use instance::{HELD, Instance};

/// Makes a session. Control thread.
///
/// `engine`: one of the build, or `held` (see [`plugin_hold`]), `exchanged` (see [`plugin_exchange`]), or `panics` (at the first hop). `config`: the model's
/// configuration file, not read by those and `bypass`. 0 and a line on standard error if it cannot be made.
///
/// # Safety
/// Both are strings that end in a NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn plugin_make(
    engine: *const c_char,
    config: *const c_char,
) -> Option<Box<Box<dyn Instance>>> {
    // SAFETY: the caller gives strings that end in a NUL.
    let (engine, config) = unsafe { (CStr::from_ptr(engine), CStr::from_ptr(config)) };
    instance::make(&engine.to_string_lossy(), &config.to_string_lossy())
        .inspect_err(instance::complain)
        .ok()
        .map(Box::new)
}

/// One callback in place. Audio thread. The number of late samples, or -1 if something was wrong with the call.
///
/// # Safety
/// `samples` are `frames` floats that nobody else uses meanwhile.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn plugin_process(
    plugin: &mut Box<dyn Instance>,
    samples: *mut f32,
    frames: usize,
) -> i64 {
    // SAFETY: the caller gives that many floats.
    let block = unsafe { std::slice::from_raw_parts_mut(samples, frames) };
    plugin.process(block)
}

/// Samples of latency.
#[unsafe(no_mangle)]
#[allow(
    clippy::borrowed_box,
    reason = "the caller has the address of the outer box, which is one pointer long"
)]
pub extern "C" fn plugin_latency(plugin: &Box<dyn Instance>) -> u64 {
    plugin.latency()
}

/// Hops that came back so far.
#[unsafe(no_mangle)]
#[allow(
    clippy::borrowed_box,
    reason = "the caller has the address of the outer box, which is one pointer long"
)]
pub extern "C" fn plugin_returned(plugin: &Box<dyn Instance>) -> u64 {
    plugin.returned()
}

/// Exchanges the session's model while it plays, of an engine of the kind `exchanged`. Control thread. 0 if that has begun.
#[unsafe(no_mangle)]
pub extern "C" fn plugin_exchange(plugin: &mut Box<dyn Instance>) -> i32 {
    plugin.exchange().inspect_err(instance::complain).is_err().into()
}

/// Ends the session, waiting for at most so many milliseconds. 0: nothing of it is left. 1: an engine did not come back.
#[unsafe(no_mangle)]
pub extern "C" fn plugin_drop(plugin: Box<Box<dyn Instance>>, patience: u64) -> i32 {
    plugin.close(Duration::from_millis(patience)).inspect_err(instance::complain).is_err().into()
}

/// Whether engines of the kind `held` stand still inside a run.
#[unsafe(no_mangle)]
pub extern "C" fn plugin_hold(on: bool) {
    HELD.store(on, std::sync::atomic::Ordering::SeqCst);
}
