//! The scheduler's longer runs under shuttle, which takes schedules at random.

use std::path::PathBuf;

use anyhow::{Result, bail};

use crate::call::Call;
use crate::tally::Tally;
use crate::workspace::Workspace;

/// The variable that says how often each of shuttle's schedulers runs each test.
const ITERATIONS: &str = "ANIRA_SHUTTLE_ITERATIONS";

/// What the names of shuttle's tests have in common.
pub(crate) const TESTS: &str = "shuttle_";

/// Runs per test and scheduler unless somebody asks for another number: a few seconds.
pub(crate) const MODEST: u64 = 10_000;

/// Runs all of them.
pub(crate) fn run(workspace: &Workspace, iterations: u64, tally: &mut Tally) -> Result<()> {
    let mut ours = Tally::default();
    let call = call(workspace).env(ITERATIONS, &iterations.to_string());
    let result = call.args([TESTS]).tallied(&mut ours);
    tally.add(ours);
    result?;
    if ours.passed == 0 {
        bail!("no test ran; the runs under shuttle are the tests in anira-scheduler's files `shuttle_*.rs`");
    }
    println!(
        "{} tests hold, each in {iterations} random schedules and {iterations} by priorities",
        ours.passed
    );
    Ok(())
}

/// The call that builds them, where nothing else is built.
pub(crate) fn call(workspace: &Workspace) -> Call {
    let flags = std::env::var("RUSTFLAGS").unwrap_or_default();
    let flags = format!("{flags} --cfg shuttle");
    Call::new(workspace, "test")
        .env("RUSTFLAGS", flags.trim_start())
        .args(["-p", "anira-scheduler", "--profile", "loom", "--lib", "--target-dir"])
        .args([target(workspace)])
}

fn target(workspace: &Workspace) -> PathBuf {
    workspace.target.join("shuttle")
}
