//! The scheduler, the facade and whole sessions under AddressSanitizer, which brings LeakSanitizer on Linux.

use anyhow::{Result, bail};

use crate::nightly;
use crate::tally::Tally;
use crate::workspace::Workspace;

/// The tests in which memory changes hands: each of its calls to cargo, as arguments. Sessions are played on engines of the tests' own and on
/// `native`. Left out are tests that put an allocator, a trap for system calls or a module of their own in the sanitizer's way, and those that want
/// another engine.
const TESTS: &[&[&str]] = &[
    &["-p", "anira-realtime", "-p", "anira-scheduler", "--lib", "--test", "unwatched", "--test", "stress"],
    &["-p", "anira", "--no-default-features", "--features", "file,schema,serde", "--lib", "--tests"],
    &["-p", "anira-backend-custom", "--features", "native", "--lib", "--test", "native"],
    &[
        "-p",
        "anira-tests",
        "--no-default-features",
        "--features",
        "native",
        "--test",
        "exact",
        "--test",
        "identity",
        "--test",
        "late",
        "--test",
        "processor",
        "--test",
        "properties",
        "--test",
        "reset",
        "--test",
        "switch",
        "--test",
        "telemetry",
        "--test",
        "waiting",
    ],
];

/// What a test program's options are: leaks are errors, and what an engine that does not come back leaves behind on purpose is none.
const OPTIONS: &str = "detect_leaks=1:detect_stack_use_after_return=1";

/// Builds and runs them. Without a nightly toolchain: an error in CI, else a line.
pub(crate) fn run(workspace: &Workspace, tally: &mut Tally) -> Result<()> {
    let Some(host) = nightly::host_for("AddressSanitizer")? else { return Ok(()) };
    let suppressions = workspace.root.join(SUPPRESSIONS);
    let leaks = format!("suppressions={}:print_suppressions=0", suppressions.display());
    for tests in TESTS {
        let mut ours = Tally::default();
        let call = nightly::test(workspace, "address", "", &host).env("ASAN_OPTIONS", OPTIONS);
        let result = call.env("LSAN_OPTIONS", &leaks).args(*tests).tallied(&mut ours);
        tally.add(ours);
        if let Err(error) = result {
            bail!(
                "{error:#}; where `AddressSanitizer` or `LeakSanitizer` stands above, memory was misused or lost"
            );
        }
    }
    println!("no memory was misused, and none was lost but what {SUPPRESSIONS} explains");
    Ok(())
}

/// What is left behind on purpose, each with its reason.
const SUPPRESSIONS: &str = "xtask/lsan.suppressions";
