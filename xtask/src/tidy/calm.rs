//! What the audio thread runs is compiled with the lints on that find a panic.

use super::finding::Finding;
use super::tree::Tree;

/// The line that has to stand in each of them. (`unwrap` and `expect` are denied everywhere.)
const LINE: &str = "#![deny(clippy::indexing_slicing, clippy::panic, clippy::unreachable)]";

/// Files whose code an audio thread runs. What the lints cannot see, arithmetic above all, `cargo xtask panics` looks for.
const FILES: &[&str] = &[
    "anira/src/block.rs",
    "anira/src/block/sample.rs",
    "anira/src/block/strided.rs",
    "anira/src/handler/audio.rs",
    "anira/src/handler/bypass.rs",
    "anira/src/handler/late/fallback.rs",
    "anira/src/handler/late/mod.rs",
    "anira/src/handler/late/stand_in.rs",
    "anira/src/handler/output.rs",
    "anira/src/handler/pace.rs",
    "anira/src/handler/parameter.rs",
    "anira/src/handler/stream.rs",
    "anira/src/trace/recorder.rs",
    "anira-realtime/src/denormals.rs",
    "anira-realtime/src/sanitizer.rs",
    "anira-scheduler/src/band.rs",
    "anira-scheduler/src/clock.rs",
    "anira-scheduler/src/doorbell.rs",
    "anira-scheduler/src/latest.rs",
    "anira-scheduler/src/mailbox.rs",
    "anira-scheduler/src/rhythm.rs",
    "anira-scheduler/src/ring/producer.rs",
    "anira-scheduler/src/ring/shared.rs",
    "anira-scheduler/src/ring/state.rs",
    "anira-scheduler/src/telemetry.rs",
    "anira-scheduler/src/watch.rs",
    "anira-traits/src/processor/hop.rs",
];

/// All findings.
pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    check_with(tree, FILES)
}

fn check_with(tree: &Tree, files: &[&str]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for path in files {
        match tree.file(path) {
            None => {
                let mend = "name the file that took its place in FILES in xtask/src/tidy/calm.rs";
                findings.push(Finding::error(path, 1, "a file of the audio path is gone", mend));
            }
            Some(file) if !file.text.lines().any(|line| line == LINE) => {
                let what = "the audio thread runs this, and the lints that find a panic are not denied";
                findings.push(Finding::error(path, 1, what, format!("put `{LINE}` below the module's text")));
            }
            Some(_) => {}
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_the_line_is_found_and_one_that_is_gone() {
        let good = format!("//! Text.\n\n{LINE}\n\nfn f() {{}}\n");
        let spoken = format!("//! {LINE}\n");
        let tree = Tree::of(&[("a.rs", &good), ("b.rs", "//! Text.\n"), ("c.rs", &spoken)]);
        let found: Vec<_> = check_with(&tree, &["a.rs", "b.rs", "c.rs", "d.rs"]);
        assert_eq!(
            found.iter().map(|finding| finding.path.as_str()).collect::<Vec<_>>(),
            ["b.rs", "c.rs", "d.rs"]
        );
    }
}
