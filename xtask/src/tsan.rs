//! The stress test of pools under ThreadSanitizer, which needs a nightly compiler.

use std::path::Path;
use std::process::Command;

use anyhow::{Result, bail};

use crate::call::Call;
use crate::soak;
use crate::tally::Tally;
use crate::workspace::Workspace;

const TOOLCHAIN: &str = "nightly";

/// Where a toolchain keeps the sources of the standard library, below its root.
const SOURCES: &str = "lib/rustlib/src/rust/library";

/// Which reports are left out, each with its reason.
const SUPPRESSIONS: &str = "xtask/tsan.suppressions";

/// Builds and runs it; a report that is not suppressed is an error.
pub(crate) fn run(workspace: &Workspace, seconds: u64) -> Result<()> {
    let Some(host) = ask(&["-vV"]).as_deref().and_then(host) else {
        bail!(
            "there is no {TOOLCHAIN} toolchain; get it with `rustup toolchain install {TOOLCHAIN} -c rust-src`"
        );
    };
    if !host.contains("linux") && !host.contains("darwin") {
        bail!("ThreadSanitizer does not exist for {host}; run this on Linux or macOS");
    }
    let root = ask(&["--print", "sysroot"]).unwrap_or_default();
    if !Path::new(root.trim()).join(SOURCES).exists() {
        bail!(
            "the sources of the standard library are missing, which has to be instrumented too; \
             get them with `rustup component add rust-src --toolchain {TOOLCHAIN}`"
        );
    }
    let suppressions = workspace.root.join(SUPPRESSIONS);
    let options = format!("halt_on_error=0 exitcode=66 suppressions={}", suppressions.display());
    let result = Call::on(workspace, TOOLCHAIN, "test")
        .env("RUSTFLAGS", "-Zsanitizer=thread")
        .env("TSAN_OPTIONS", &options)
        .env(soak::SECONDS, &seconds.to_string())
        .args(["-Zbuild-std", "-p", "anira-scheduler", "--test", "stress"])
        .args(["--target", &host, "--target-dir"])
        .args([workspace.target.join("tsan")])
        .tallied(&mut Tally::default());
    if let Err(error) = result {
        bail!("{error:#}; where `WARNING: ThreadSanitizer` stands above, two threads raced");
    }
    println!("no race was seen beyond those that {SUPPRESSIONS} explains");
    Ok(())
}

/// What the toolchain's compiler says.
fn ask(arguments: &[&str]) -> Option<String> {
    let mut command = Command::new("rustup");
    let output = command.args(["run", TOOLCHAIN, "rustc"]).args(arguments).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The host that a compiler says it is for.
fn host(version: &str) -> Option<String> {
    version.lines().find_map(|line| line.strip_prefix("host: ")).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_is_read_from_the_compilers_version() {
        let text = "rustc 1.99.0-nightly\nbinary: rustc\nhost: x86_64-unknown-linux-gnu\n";
        assert_eq!(host(text).as_deref(), Some("x86_64-unknown-linux-gnu"));
        assert_eq!(host(""), None);
    }
}
