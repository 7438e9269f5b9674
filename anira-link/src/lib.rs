#![doc = include_str!("../README.md")]
#![allow(clippy::print_stdout, reason = "what a build script prints is what Cargo reads")]

#[allow(dead_code, reason = "shared: each of the two uses a part")]
mod linked;

/// Tells Cargo that the programs of this package look for the libraries of all engines whose features are on where this build has found
/// them, for otherwise the system looks only where it keeps its own. Tests and examples are programs; those who use a package
/// that is a library say so themselves. For build scripts.
pub fn rpath() {
    // Windows has no such thing: libraries lie beside the program there, or on the PATH.
    let windows = std::env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("windows");
    for engine in linked::on() {
        println!("cargo:rerun-if-env-changed={}", engine.variable);
        if let Some(folder) = engine.folder().filter(|_| !windows) {
            println!("cargo:rustc-link-arg=-Wl,-rpath,{}", folder.display());
        }
    }
}
