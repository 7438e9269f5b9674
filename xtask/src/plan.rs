//! Which steps a verb takes, and what each step runs.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::call::Call;
use crate::tally::Tally;
use crate::workspace::Workspace;
use crate::{engines, features, licence, loom, native, panics, rtsan, shuttle, tidy, toolchain};

/// One step of a verb.
pub(crate) struct Step {
    /// One word.
    pub(crate) name: &'static str,
    /// What holds when it passes.
    pub(crate) proves: &'static str,
    /// Does it, and adds the tests that it ran.
    pub(crate) run: fn(&Workspace, &mut Tally) -> Result<()>,
}

const FMT: Step = Step { name: "fmt", proves: "the code is formatted by rustfmt.toml", run: fmt };
const CLIPPY: Step = Step {
    name: "clippy",
    proves: "no warning in any target, with default features and in the libraries without",
    run: clippy,
};
const TIDY: Step = Step {
    name: "tidy",
    proves: "the text checks of `cargo xtask tidy`",
    run: |workspace, _| tidy::run(workspace),
};

/// The quick part.
pub(crate) fn check() -> Vec<Step> {
    let unit = Step { name: "unit", proves: "the unit tests of every crate pass", run: unit_tests };
    vec![FMT, TIDY, CLIPPY, unit]
}

/// Everything.
pub(crate) fn test() -> Vec<Step> {
    vec![
        FMT,
        TIDY,
        Step {
            name: "licences",
            proves: "every crate that we depend on has a licence that deny.toml allows, and comes from crates.io",
            run: |workspace, _| licence::run(workspace, &MANIFESTS),
        },
        CLIPPY,
        // Early: tests run the models that it fetches, and engines link the libraries.
        Step {
            name: "native",
            proves: "the engines' libraries and the models of others can be had, and are what their hashes say",
            run: |workspace, _| native::fetch_all(workspace),
        },
        Step {
            name: "doc",
            proves: "the documentation builds without a warning",
            run: |workspace, _| doc(workspace, false),
        },
        Step {
            name: "debug",
            proves: "all tests and documentation examples pass, unoptimised",
            run: debug_tests,
        },
        Step {
            name: "release",
            proves: "what audio threads and workers run passes its tests as users build it, optimised",
            run: release_tests,
        },
        Step {
            name: "engines",
            proves: "every native engine that can be had passes its tests, alone and beside the others",
            run: engines::run,
        },
        Step {
            name: "features",
            proves: "each feature compiles alone, and without features no native code is built",
            run: |workspace, _| features::step(workspace),
        },
        Step { name: "loom", proves: "the scheduler's models hold within the bound", run: loom::run },
        Step {
            name: "shuttle",
            proves: "longer runs of a ring hold in some thousands of random schedules",
            run: |workspace, tally| shuttle::run(workspace, shuttle::MODEST, tally),
        },
        Step {
            name: "panics",
            proves: "no call of the audio path's machine code leads to a panic or to the allocator",
            run: |workspace, _| panics::run(workspace),
        },
        Step {
            name: "rtsan",
            proves: "no call on the audio thread does what RealtimeSanitizer reports, and it reports what is planted",
            run: rtsan::run,
        },
        Step { name: "fuzz", proves: "the fuzz targets build and their saved inputs pass", run: fuzz_replay },
        Step {
            name: "outside",
            proves: "a backend written outside of the workspace passes the conformance kit",
            run: third_party,
        },
    ]
}

fn fmt(workspace: &Workspace, _: &mut Tally) -> Result<()> {
    toolchain::ensure(workspace, "fmt", "rustfmt")?;
    Call::new(workspace, "fmt").args(["--all", "--check"]).run()?;
    for apart in APART {
        Call::new(workspace, "fmt").args(["--manifest-path", apart.manifest, "--check"]).run()?;
    }
    Ok(())
}

fn clippy(workspace: &Workspace, _: &mut Tally) -> Result<()> {
    toolchain::ensure(workspace, "clippy", "clippy")?;
    let deny = ["--", "-D", "warnings"];
    Call::new(workspace, "clippy").args(["--workspace", "--all-targets"]).args(deny).run()?;
    let libraries = workspace.libraries().flat_map(|package| ["-p", package.name.as_str()]);
    Call::new(workspace, "clippy")
        .args(libraries)
        .args(["--no-default-features", "--lib"])
        .args(deny)
        .run()?;
    for apart in APART {
        let target = apart.target(workspace);
        Call::new(workspace, "clippy").args(apart.place(&target)).args(["--all-targets"]).args(deny).run()?;
    }
    Ok(())
}

/// Documents every library. The program `anira` is left out: its pages would overwrite those of the library `anira`.
pub(crate) fn doc(workspace: &Workspace, open: bool) -> Result<()> {
    let call =
        Call::new(workspace, "doc").env("RUSTDOCFLAGS", "-D warnings").args(["--workspace", "--no-deps"]);
    let call = call.args(["--exclude", "anira-cli"]);
    if open { call.args(["--open"]).run() } else { call.run() }
}

fn unit_tests(workspace: &Workspace, tally: &mut Tally) -> Result<()> {
    Call::new(workspace, "test").args(["--workspace", "--lib", "--bins", "--no-fail-fast"]).tallied(tally)
}

fn debug_tests(workspace: &Workspace, tally: &mut Tally) -> Result<()> {
    Call::new(workspace, "test").args(["--workspace", "--no-fail-fast"]).tallied(tally)
}

/// What the optimiser could break, and what is promised of release builds. The embedded engine is optimised in debug builds, too, and
/// readers and programs behave alike in both.
fn release_tests(workspace: &Workspace, tally: &mut Tally) -> Result<()> {
    let packages = ["traits", "realtime", "scheduler", "backend-custom"];
    let packages: Vec<String> = packages.iter().map(|package| format!("-panira-{package}")).collect();
    let all = ["--release", "--lib", "--tests", "--no-fail-fast"];
    let custom = ["--features", "anira-backend-custom/native"];
    Call::new(workspace, "test").args(packages).args(custom).args(all).tallied(tally)?;
    let sessions = ["-p", "anira", "-p", "anira-tests", "--no-default-features"];
    let features = ["--features", "anira/file,anira/schema,anira/serde,anira-tests/native"];
    Call::new(workspace, "test").args(sessions).args(features).args(all).tallied(tally)
}

fn fuzz_replay(workspace: &Workspace, tally: &mut Tally) -> Result<()> {
    FUZZ.test(workspace, tally)
}

fn third_party(workspace: &Workspace, tally: &mut Tally) -> Result<()> {
    THIRD_PARTY.test(workspace, tally)
}

/// A crate with a workspace of its own.
struct Apart {
    /// Its manifest, from the root.
    manifest: &'static str,
    /// The directory below cargo's own where it is built.
    target: &'static str,
}

const FUZZ: Apart = Apart { manifest: "fuzz/Cargo.toml", target: "fuzz" };
const THIRD_PARTY: Apart =
    Apart { manifest: "examples/third-party-backend/Cargo.toml", target: "third-party-backend" };
const APART: [&Apart; 2] = [&FUZZ, &THIRD_PARTY];

/// The manifests of all workspaces, from the root.
pub(crate) const MANIFESTS: [&str; 3] = ["Cargo.toml", FUZZ.manifest, THIRD_PARTY.manifest];

impl Apart {
    fn target(&self, workspace: &Workspace) -> PathBuf {
        workspace.target.join(self.target)
    }

    /// Where it is, and where it is built.
    fn place<'a>(&self, target: &'a Path) -> [&'a OsStr; 4] {
        ["--manifest-path".as_ref(), self.manifest.as_ref(), "--target-dir".as_ref(), target.as_os_str()]
    }

    fn test(&self, workspace: &Workspace, tally: &mut Tally) -> Result<()> {
        let target = self.target(workspace);
        Call::new(workspace, "test").args(self.place(&target)).args(["--no-fail-fast"]).tallied(tally)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn check_runs_nothing_but_a_part_of_test() {
        let everything: Vec<_> = test().iter().map(|step| step.name).collect();
        for step in check().iter().filter(|step| step.name != "unit") {
            assert!(everything.contains(&step.name), "{} is not part of `test`", step.name);
        }
    }

    #[test]
    fn crates_apart_are_where_the_plan_says() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        for apart in APART {
            assert!(root.join(apart.manifest).is_file(), "{}", apart.manifest);
        }
    }
}
