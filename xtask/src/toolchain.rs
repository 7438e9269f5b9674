//! Parts of the Rust toolchain that a minimal installation lacks.

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
