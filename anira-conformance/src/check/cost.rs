//! Memory and time: counted, measured, and bounded only where the author says so.

use std::time::{Duration, Instant};

use anira_traits::{Backend, Engine};

use crate::CountingAllocator;
use crate::subject::{EngineOf, Subject, in_scope, run, write};
use crate::verdict::{Passed, Verdict, fail, pass, skip};

/// Runs after which memory that is made once has been made.
const WARM: usize = 5;
/// Runs whose allocations are counted.
const COUNTED: usize = 50;
/// Loads, and after how many of them each what is in use is looked at.
const LOADS: usize = 50;
const STRIDE: usize = 10;
/// Series of loads that have to grow, all of them.
const SERIES: usize = 4;
/// Growth from the 10th load to the 50th that may be chance: a table that grows, a thread that starts.
const CHANCE: i64 = 4_096;
/// The most runs that are timed, and the most time for them.
const TIMED: usize = 500;
const PATIENCE: Duration = Duration::from_secs(2);

const NOT_INSTALLED: &str = "the test program has not installed `CountingAllocator`";

pub(super) fn allocations<B: Backend>(subject: &Subject<'_, B>) -> Verdict {
    if !CountingAllocator::is_installed() {
        return skip(NOT_INSTALLED);
    }
    let model = subject.load()?;
    let mut engine = subject.engine(&model)?;
    let feeds = subject.feeds(&model, 4)?;
    // Where a worker runs it, on its own thread.
    let counted = std::thread::scope(|threads| {
        super::joined(threads.spawn(move || {
            in_scope(EngineOf::<B>::SCOPE, || {
                for i in 0..WARM {
                    run(&mut engine, &feeds[i % feeds.len()])?;
                }
                let mut counted = Vec::with_capacity(COUNTED);
                for i in 0..COUNTED {
                    write(&mut engine, &feeds[i % feeds.len()])?;
                    let (result, taken) = CountingAllocator::during(|| engine.run());
                    result?;
                    counted.push((taken.calls, taken.bytes));
                }
                Ok(counted)
            })
        }))
    })?;
    let most = counted.iter().copied().max().unwrap_or_default();
    if let Some(bound) = subject.specimen.max_allocations
        && most.0 > bound
    {
        return fail(format!("a run allocates {} times ({} bytes), at most {bound}", most.0, most.1));
    }
    let mut passed = pass(format!("at most {} times, {} bytes, in a run on its own thread", most.0, most.1))?;
    passed.figures.insert("most_calls", most.0 as f64);
    passed.figures.insert("most_bytes", most.1 as f64);
    Ok(passed)
}

pub(super) fn no_leak<B: Backend>(subject: &Subject<'_, B>) -> Verdict {
    if !CountingAllocator::is_installed() {
        return skip(NOT_INSTALLED);
    }
    // What another thread takes meanwhile, such as a test that is starting, is no leak: that grows every time.
    let mut growth = 0;
    for _ in 0..SERIES {
        growth = grown(subject)?;
        if growth <= CHANCE {
            let text = format!("{growth} bytes more after {LOADS} loads than after {STRIDE} (Rust's heap)");
            let mut passed = pass(text)?;
            passed.figures.insert("growth_bytes", growth as f64);
            return Ok(passed);
        }
    }
    fail(format!("{growth} bytes more in use after {LOADS} loads than after {STRIDE}, {SERIES} times"))
}

/// How many bytes more are in use after all loads than after the first few; zero where one of the later parts gave some back.
fn grown<B: Backend>(subject: &Subject<'_, B>) -> Verdict<i64> {
    let mut in_use = Vec::with_capacity(LOADS / STRIDE);
    for i in 1..=LOADS {
        let model = subject.load()?;
        let feed = subject.feed(&model, 0)?;
        run(&mut subject.engine(&model)?, &feed)?;
        drop((model, feed));
        if i % STRIDE == 0 {
            in_use.push(CountingAllocator::in_use());
        }
    }
    let growth = in_use.last().unwrap_or(&0) - in_use.first().unwrap_or(&0);
    // A leak grows in every part; one may be hidden by what another thread gave back.
    let still = in_use.windows(2).filter(|pair| pair[1] <= pair[0]).count();
    Ok(if still <= 1 { growth } else { growth.min(0) })
}

pub(super) fn timing<B: Backend>(subject: &Subject<'_, B>) -> Verdict {
    let model = subject.load()?;
    let mut engine = subject.engine(&model)?;
    let feeds = subject.feeds(&model, 4)?;
    let times = std::thread::scope(|threads| {
        super::joined(threads.spawn(move || {
            in_scope(EngineOf::<B>::SCOPE, || {
                let (mut times, start) = (Vec::with_capacity(TIMED), Instant::now());
                while times.len() < TIMED && (times.len() < 3 || start.elapsed() < PATIENCE) {
                    write(&mut engine, &feeds[times.len() % feeds.len()])?;
                    let before = Instant::now();
                    engine.run()?;
                    times.push(before.elapsed().as_secs_f64() * 1e6);
                }
                Ok(times)
            })
        }))
    })?;
    Ok(summary(times))
}

/// The table of times, in microseconds.
fn summary(times: Vec<f64>) -> Passed {
    let (first, second) = (times.first().copied(), times.get(1).copied());
    let mut sorted = times;
    sorted.sort_by(f64::total_cmp);
    let at = |part: usize| sorted.get(sorted.len().saturating_sub(1) * part / 100).copied();
    let entries = [
        ("first_us", first),
        ("second_us", second),
        ("median_us", at(50)),
        ("p99_us", at(99)),
        ("max_us", at(100)),
    ];
    let figures: Vec<_> = entries.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
    let text: Vec<_> =
        figures.iter().map(|(name, us)| format!("{} {us:.1}", name.trim_end_matches("_us"))).collect();
    let note = format!("{} µs, {} runs", text.join(", "), sorted.len());
    Passed { note, figures: figures.into_iter().collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_in_order_and_by_rank() {
        let figures = summary(vec![9.0, 3.0, 1.0, 2.0, 2.0]).figures;
        let of = |name| figures[name];
        assert_eq!((of("first_us"), of("second_us"), of("median_us"), of("max_us")), (9.0, 3.0, 2.0, 9.0));
        assert!(summary(vec![]).figures.is_empty());
    }
}
