//! The stress test of pools, run for longer than `test` does.

use anyhow::Result;

use crate::call::Call;
use crate::tally::Tally;
use crate::workspace::Workspace;

/// The variables that the test reads: how long it goes on, and which scenario is its first.
pub(crate) const SECONDS: &str = "ANIRA_SOAK_SECONDS";
const SEED: &str = "ANIRA_SOAK_SEED";

/// Runs it, as users build.
pub(crate) fn run(workspace: &Workspace, seconds: u64, seed: u64) -> Result<()> {
    Call::new(workspace, "test")
        .env(SECONDS, &seconds.to_string())
        .env(SEED, &seed.to_string())
        .args(["-p", "anira-scheduler", "--release", "--test", "stress"])
        .tallied(&mut Tally::default())
}
