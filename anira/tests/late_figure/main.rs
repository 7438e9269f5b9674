//! The figure of what is heard around a stall, in `docs/latency.md`, is what the library does.

#![allow(clippy::unwrap_used, reason = "a test's failure")]

mod figure;

#[test]
fn the_figure_is_drawn_by_this_version() {
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/figures/late.svg");
    let kept = std::fs::read_to_string(&file).unwrap();
    assert!(
        kept == figure::draw().unwrap(),
        "docs/figures/late.svg is old: cargo run -p anira --example late_policies -- docs/figures/late.svg"
    );
}
