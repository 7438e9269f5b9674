//! Keeps ONNX Runtime from telling its makers about the machine and the models that it runs.
#![allow(unsafe_code, reason = "sets a variable of the environment")]

/// What ONNX Runtime asks before it starts to.
const VARIABLE: &str = "ORT_DISABLE_TELEMETRY";

/// Turns telemetry off, unless the user has said what to do. The program's first act.
///
/// The switch that the library offers comes too late: by then it has sent a first message. (A library crate cannot set a
/// variable soundly, as other threads may be reading; so this is the program's to do.)
pub(crate) fn turn_off() {
    if std::env::var_os(VARIABLE).is_none() {
        // SAFETY: called first in `main`, when this is the process's only thread, so nobody else reads the environment.
        unsafe { std::env::set_var(VARIABLE, "1") };
    }
}
