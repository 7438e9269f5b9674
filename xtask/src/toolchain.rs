//! Parts of the Rust toolchain that a minimal installation lacks, and toolchains beside the one that runs us.

use std::process::{Command, Stdio};

use anyhow::{Result, bail};

use crate::workspace::{Workspace, cargo};

/// Sees that `cargo <subcommand>` works, and installs its component through rustup if it does not.
pub(crate) fn ensure(workspace: &Workspace, subcommand: &str, component: &str) -> Result<()> {
    let works = |command: &mut Command| {
        command.current_dir(&workspace.root).stderr(Stdio::inherit());
        command.status().is_ok_and(|status| status.success())
    };
    let mut probe = Command::new(cargo());
    probe.args([subcommand, "--version"]).current_dir(&workspace.root);
    if probe.output().is_ok_and(|output| output.status.success()) {
        return Ok(());
    }
    println!("$ rustup component add {component}");
    if works(Command::new("rustup").args(["component", "add", component])) {
        return Ok(());
    }
    bail!(
        "`cargo {subcommand}` is not installed and rustup could not install it; \
         add the component `{component}` to your Rust toolchain"
    )
}

/// The host that a toolchain compiles for, unless it is not there.
pub(crate) fn host(toolchain: &str) -> Option<String> {
    ask(toolchain, &["-vV"]).as_deref().and_then(host_of)
}

/// What a toolchain's compiler says.
pub(crate) fn ask(toolchain: &str, arguments: &[&str]) -> Option<String> {
    let mut command = Command::new("rustup");
    let output = command.args(["run", toolchain, "rustc"]).args(arguments).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The host that a compiler says it is for.
fn host_of(version: &str) -> Option<String> {
    version.lines().find_map(|line| line.strip_prefix("host: ")).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_is_read_from_the_compilers_version() {
        let text = "rustc 1.99.0-nightly\nbinary: rustc\nhost: x86_64-unknown-linux-gnu\n";
        assert_eq!(host_of(text).as_deref(), Some("x86_64-unknown-linux-gnu"));
        assert_eq!(host_of(""), None);
    }

    #[test]
    fn a_toolchain_that_is_not_there_has_no_host() {
        assert_eq!(host("no-such-toolchain"), None);
    }
}
