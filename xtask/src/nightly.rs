//! The nightly toolchain, which has the sanitizers.

use std::process::Command;

use anyhow::{Result, bail};

use crate::call::Call;
use crate::workspace::{Workspace, in_ci};

pub(crate) const TOOLCHAIN: &str = "nightly";

/// The system that the nightly compiler is for; `None` if there is no such compiler.
pub(crate) fn host() -> Option<String> {
    ask(&["-vV"]).as_deref().and_then(host_in)
}

/// What the nightly compiler says to these arguments.
pub(crate) fn ask(arguments: &[&str]) -> Option<String> {
    let mut command = Command::new("rustup");
    let output = command.args(["run", TOOLCHAIN, "rustc"]).args(arguments).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The system for which a sanitizer is to be built, as a step of `test` asks: without a nightly toolchain an error in CI, else a
/// line and `None`.
pub(crate) fn host_for(what: &str) -> Result<Option<String>> {
    let Some(host) = host() else {
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

/// The host that a compiler says it is for.
fn host_in(version: &str) -> Option<String> {
    version.lines().find_map(|line| line.strip_prefix("host: ")).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_is_read_from_the_compilers_version() {
        let text = "rustc 1.99.0-nightly\nbinary: rustc\nhost: x86_64-unknown-linux-gnu\n";
        assert_eq!(host_in(text).as_deref(), Some("x86_64-unknown-linux-gnu"));
        assert_eq!(host_in(""), None);
    }
}
