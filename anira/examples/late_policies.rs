//! Draws what is heard around a stall, for each late policy: the figure of `docs/latency.md`.
//!
//! Run: `cargo run -p anira --example late_policies -- late.svg`

#[path = "../tests/late_figure/figure.rs"]
mod figure;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let file = std::env::args_os().nth(1).ok_or("name the file to write: late.svg")?;
    std::fs::write(file, figure::draw()?)?;
    Ok(())
}
