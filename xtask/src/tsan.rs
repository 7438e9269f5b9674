//! The stress test of pools under ThreadSanitizer, which needs a nightly compiler.

use std::path::Path;

use anyhow::{Result, bail};

use crate::call::Call;
use crate::soak;
use crate::tally::Tally;
use crate::toolchain;
use crate::workspace::Workspace;

const TOOLCHAIN: &str = "nightly";

/// Where a toolchain keeps the sources of the standard library, below its root.
const SOURCES: &str = "lib/rustlib/src/rust/library";

/// Which reports are left out, each with its reason.
const SUPPRESSIONS: &str = "xtask/tsan.suppressions";

/// Builds and runs it; a report that is not suppressed is an error.
pub(crate) fn run(workspace: &Workspace, seconds: u64) -> Result<()> {
    let Some(host) = toolchain::host(TOOLCHAIN) else {
        bail!(
            "there is no {TOOLCHAIN} toolchain; get it with `rustup toolchain install {TOOLCHAIN} -c rust-src`"
        );
    };
    if !host.contains("linux") && !host.contains("darwin") {
        bail!("ThreadSanitizer does not exist for {host}; run this on Linux or macOS");
    }
    let root = toolchain::ask(TOOLCHAIN, &["--print", "sysroot"]).unwrap_or_default();
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
