//! This library's resampler beside `rubato`'s, one way, one channel: delay, pass band, what is left beside the sine, time, allocations.
//! The table of docs/benchmarks.md.
//!
//! Run: `cargo run --release -p anira-bench --example resample`
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a program that measures")]
#![allow(dead_code, unused_imports, reason = "the library uses more of what is shared")]

// By this name what is shared asks for errors.
extern crate anira as anira_traits;

mod measure;
#[path = "../../../anira/src/resample/ratio.rs"]
mod ratio;
#[path = "../../../anira/src/resample/stage.rs"]
mod stage;
mod ways;

use anira::realtime::CountingAllocator;
use ways::all;

#[global_allocator]
static COUNTING: CountingAllocator = CountingAllocator;

/// Samples of a host's block.
const BLOCK: usize = 64;

fn main() {
    println!(
        "Blocks of {BLOCK}. Delay in samples that come in: of the filter, and of the stream with what it waits for. Gain: the most it is off\n\
         up to 0.8 of the lower rate's limit, and where it is down by 0.1 dB. Left: the most that is left beside a sine (images, noise) up to\n\
         0.8 of the limit, and up to all of it; and of a sine above the limit. ns for a sample that comes in: median of 21 turns.\n"
    );
    println!(
        "| from to Hz | resampler | filter | stream | ms | gain, dB | to -0.1 dB | left, dB | to the limit | above it | ns | allocations |\n\
         |---|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|"
    );
    for (from, to) in [(44_100, 48_000), (48_000, 44_100), (96_000, 48_000), (48_000, 16_000)] {
        for (name, make) in all(from, to) {
            let m = measure::measure(from, to, &make);
            let above = m.above.map_or("-".to_owned(), |db| format!("{db:.0}"));
            println!(
                "| {from} {to} | {name} | {:.2} | {:.1} | {:.2} | {:.4} | {:.3} | {:.0} | {:.0} | {above} | {:.0} | {} |",
                m.filter,
                m.stream,
                1000.0 * m.stream / f64::from(from),
                m.ripple,
                m.band,
                m.left,
                m.left_to_limit,
                m.nanoseconds,
                m.allocations,
            );
        }
    }
}
