//! The scheduler's models under loom, which runs them in every order of their steps within a bound.

use std::path::Path;

use anyhow::{Result, bail};

use crate::call::Call;
use crate::tally::Tally;
use crate::workspace::Workspace;

/// The variable that bounds the search: the most thread switches per run that no step of the model asks for.
pub(crate) const BOUND: &str = "LOOM_MAX_PREEMPTIONS";

/// Runs all models.
pub(crate) fn run(workspace: &Workspace, tally: &mut Tally) -> Result<()> {
    let mut ours = Tally::default();
    let result = call(workspace, &workspace.target.join("loom")).tallied(&mut ours);
    tally.add(ours);
    result?;
    if ours.passed == 0 {
        bail!("no model ran; the models are tests of anira-scheduler that are compiled with `--cfg loom`");
    }
    println!("{} models hold with at most {} involuntary thread switches", ours.passed, bound());
    Ok(())
}

/// The call that builds and runs the models in `target`.
pub(crate) fn call(workspace: &Workspace, target: &Path) -> Call {
    let flags = std::env::var("RUSTFLAGS").unwrap_or_default();
    let flags = format!("{flags} --cfg loom");
    Call::new(workspace, "test")
        .env(BOUND, &bound())
        .env("RUSTFLAGS", flags.trim_start())
        .args(["-p", "anira-scheduler", "--profile", "loom", "--lib", "--tests", "--target-dir"])
        .args([target])
}

/// The value of [`BOUND`], 2 unless it is set.
pub(crate) fn bound() -> String {
    std::env::var(BOUND).unwrap_or_else(|_| "2".into())
}
