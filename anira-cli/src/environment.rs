//! The variables that ONNX Runtime and those who load it read: what the user has not said is said here.
#![allow(unsafe_code, reason = "sets variables of the environment")]

use std::path::Path;

/// What ONNX Runtime asks before it tells its makers about the machine and the models that it runs.
const TELEMETRY: &str = "ORT_DISABLE_TELEMETRY";

/// Where its library is.
const LIBRARY: &str = "ORT_DYLIB_PATH";

/// Turns telemetry off, and names the library that this program was built beside, so that it is found also where cargo does not
/// start the program. What the user has set stays. The program's first act.
///
/// The switch for telemetry that the library offers comes too late: by then it has sent a first message. (A library crate
/// cannot set a variable soundly, as other threads may be reading; so this is the program's to do.)
pub(crate) fn complete() {
    let built_beside = option_env!("ORT_DYLIB_PATH").filter(|path| Path::new(path).is_file());
    for (variable, value) in [(TELEMETRY, Some("1")), (LIBRARY, built_beside)] {
        if let (None, Some(value)) = (std::env::var_os(variable), value) {
            // SAFETY: called first in `main`, when this is the process's only thread, so nobody else reads the environment.
            unsafe { std::env::set_var(variable, value) };
        }
    }
}
