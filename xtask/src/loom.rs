//! The scheduler's models under loom, which runs them in every order of their steps within a bound.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use crate::call::Call;
use crate::tally::Tally;
use crate::tidy::token::{Token, code};
use crate::tidy::tree::{File, Tree};
use crate::workspace::Workspace;

/// The variable that bounds the search: the most thread switches per run that no step of the model asks for.
pub(crate) const BOUND: &str = "LOOM_MAX_PREEMPTIONS";

/// Runs all models.
pub(crate) fn run(workspace: &Workspace, tally: &mut Tally) -> Result<()> {
    let models = models(&Tree::read(&workspace.root)?);
    if models == 0 {
        bail!("there is no model; models are the tests in anira-scheduler's files `loom_*.rs`");
    }
    let mut ours = Tally::default();
    let result = call(workspace, &target(workspace)).tallied(&mut ours);
    tally.add(ours);
    result?;
    if ours.passed < models {
        bail!(
            "{} tests ran and the files `loom_*.rs` hold {models} models; see that `--cfg loom` compiles all of them",
            ours.passed
        );
    }
    println!("{models} models hold with at most {} involuntary thread switches", bound());
    Ok(())
}

/// Where models are built: flags of their own would throw everybody else's builds away.
pub(crate) fn target(workspace: &Workspace) -> PathBuf {
    workspace.target.join("loom")
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

/// How many models the scheduler has: the tests in its files `loom_*.rs`.
fn models(tree: &Tree) -> u64 {
    let of_models = |file: &&File| {
        let name = file.path.rsplit('/').next().unwrap_or_default();
        file.path.starts_with("anira-scheduler/") && file.is_rust() && name.starts_with("loom_")
    };
    let tests = |file: &File| {
        let code = code(&file.text);
        let is_test = |w: &&[Token<'_>]| w[0].is_mark("[") && w[1].is_word("test") && w[2].is_mark("]");
        code.windows(3).filter(is_test).count() as u64
    };
    tree.files.iter().filter(of_models).map(tests).sum()
}

/// The value of [`BOUND`], 2 unless it is set.
pub(crate) fn bound() -> String {
    std::env::var(BOUND).unwrap_or_else(|_| "2".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn models_are_the_tests_in_files_of_models() {
        let two = "#[test]\nfn a() {}\n// #[test]\n#[test]\nfn b() {}\n";
        let tree = Tree::of(&[
            ("anira-scheduler/src/ring/loom_ring.rs", two),
            ("anira-scheduler/tests/loom_session.rs", two),
            ("anira-scheduler/src/ring/tests.rs", two),
            ("xtask/src/loom_x.rs", two),
        ]);
        assert_eq!(models(&tree), 4);
    }
}
