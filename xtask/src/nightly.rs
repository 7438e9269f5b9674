//! The nightly toolchain, which has the sanitizers.

use anyhow::{Result, bail};

use crate::call::Call;
use crate::toolchain;
use crate::workspace::{Workspace, in_ci};

const TOOLCHAIN: &str = "nightly";

/// The system for which a sanitizer is to be built, as a step of `test` asks: without a nightly toolchain an error in CI, else a
/// line and `None`.
pub(crate) fn host_for(what: &str) -> Result<Option<String>> {
    let Some(host) = toolchain::host(TOOLCHAIN) else {
        let get = format!("`rustup toolchain install {TOOLCHAIN}` gets it");
        if in_ci() {
            bail!("there is no {TOOLCHAIN} toolchain, which {what} needs; {get}");
        }
        println!("skipped: {what} needs a {TOOLCHAIN} toolchain; {get}");
        return Ok(None);
    };
    if !host.contains("linux") && !host.contains("darwin") {
        bail!("{what} does not exist for {host}; run this on Linux or macOS");
    }
    Ok(Some(host))
}

/// A call of `cargo test` by the nightly toolchain, instrumented by a sanitizer. What is built lies apart from all else, and
/// without the size of full debug information: reports name lines, and need no more.
pub(crate) fn test(workspace: &Workspace, sanitizer: &str, flags: &str, host: &str) -> Call {
    let own = std::env::var("RUSTFLAGS").unwrap_or_default();
    let flags = format!("{own} -Zsanitizer={sanitizer} {flags}");
    Call::on(workspace, TOOLCHAIN, "test")
        .env("RUSTFLAGS", flags.trim())
        .env("CARGO_PROFILE_DEV_DEBUG", "line-tables-only")
        .args(["--target", host, "--target-dir"])
        .args([workspace.target.join(sanitizer)])
}
