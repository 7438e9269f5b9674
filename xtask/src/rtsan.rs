//! The audio side under RealtimeSanitizer: the matrix of sessions, and violations that have to be reported.

use anyhow::{Result, bail};

use crate::call::Call;
use crate::nightly;
use crate::tally::Tally;
use crate::workspace::Workspace;

/// What crates are told: that the sanitizer is there, and that rustix is to make its system calls through the C library, where
/// the sanitizer sees them.
const FLAGS: &str = "--cfg rtsan --cfg rustix_use_libc";

/// Builds and runs it; a violation is an error. Without a nightly toolchain: an error in CI, else a line.
pub(crate) fn run(workspace: &Workspace, tally: &mut Tally) -> Result<()> {
    let Some(host) = nightly::host_for("RealtimeSanitizer")? else { return Ok(()) };
    let mut ours = Tally::default();
    // Without rten, which takes minutes to build and runs on no audio thread: the matrix has it in the debug and release tests.
    let call: Call = nightly::test(workspace, "realtime", FLAGS, &host);
    let result = call
        .args([
            "-p",
            "anira-tests",
            "--no-default-features",
            "--features",
            "native",
            "--test",
            "sanitized",
            "--",
            "--nocapture",
            "--test-threads",
            "1",
        ])
        .tallied(&mut ours);
    tally.add(ours);
    if let Err(error) = result {
        bail!(
            "{error:#}; where `RealtimeSanitizer: ` stands above, a call on the audio thread did what may block, \
             in the case that is named before it"
        );
    }
    if ours.passed == 0 {
        bail!("no test ran; they are in tests/tests/sanitized.rs");
    }
    println!("RealtimeSanitizer saw no violation but those that were planted");
    Ok(())
}
