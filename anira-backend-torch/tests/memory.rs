//! What memory a run and a load take. Alone in this binary, because it counts.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]
#![allow(clippy::print_stderr, reason = "says what it measured")]

mod support;

use anira_backend_torch::Torch;
use anira_realtime::CountingAllocator;
use anira_traits::*;
use support::{all, engine_of, load};

#[global_allocator]
static COUNTING: CountingAllocator = CountingAllocator;

/// Allocations of Rust's on this thread, and their bytes.
fn counted(action: impl FnOnce()) -> (u64, u64) {
    let ((), taken) = CountingAllocator::during(action);
    (taken.calls, taken.bytes)
}

/// Bytes of the process in memory.
fn resident() -> usize {
    let text = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = text.lines().find(|line| line.starts_with("VmRSS")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 1024
}

/// One test, so that nothing else allocates meanwhile.
#[test]
fn memory() {
    a_run_allocates_a_few_names_and_lists_and_no_tensor();
    loads_leave_nothing_behind();
}

/// `tch` makes C strings, argument lists and shapes for each call. None of it grows with a tensor.
fn a_run_allocates_a_few_names_and_lists_and_no_tensor() {
    let cost = |name: &str, inputs: &[&[usize]]| {
        let mut engine = engine_of(&load(name).unwrap(), inputs).unwrap();
        engine.run().unwrap();
        let one = counted(|| engine.run().unwrap());
        let many = counted(|| (0..10).for_each(|_| engine.run().unwrap()));
        assert_eq!(many, (10 * one.0, 10 * one.1), "{name}: every run the same");
        let access = counted(|| {
            engine.input(0).unwrap().f32_mut().unwrap().fill(0.5);
            assert!(engine.output(0).unwrap().is_finite());
        });
        assert_eq!(access, (0, 0));
        one
    };
    for (name, most) in [("gain", 6), ("tcn", 6), ("counter", 6), ("inplace", 8)] {
        let (small, large) = (cost(name, &[&[1, 1, 64]]), cost(name, &[&[1, 1, 65536]]));
        assert_eq!(small, large, "{name}: nothing that grows with the tensors");
        assert!(small.0 <= most && small.1 < 512, "{name}: {small:?}");
    }
    let states = cost("states", &[&[1, 64, 1], &[1, 1, 4], &[1, 1, 4]]);
    assert!(states.0 <= 12 && states.1 < 1024, "{states:?}");
}

/// `ANIRA_LOADS` says how often each file is loaded: 50 times if it does not.
fn loads_leave_nothing_behind() {
    let loads = std::env::var("ANIRA_LOADS").ok().and_then(|n| n.parse().ok()).unwrap_or(50);
    let good: [(&str, &[&[usize]]); 4] = [
        ("tcn", &[&[1, 1, 512]]),
        ("counter", &[&[1, 1, 8]]),
        ("states", &[&[1, 64, 1], &[1, 1, 4], &[1, 1, 4]]),
        ("raises", &[&[1, 1, 8]]),
    ];
    let round = |n: usize| {
        for (name, shapes) in good {
            let mut engine = engine_of(&load(name).unwrap(), shapes).unwrap();
            let loud = if n.is_multiple_of(2) { 2.0 } else { 0.5 };
            engine.input(0).unwrap().f32_mut().unwrap().fill(loud);
            let _ = engine.run();
            engine.reset().unwrap();
        }
        let broken = std::fs::read(&all()[n % all().len()]).unwrap();
        let half = ModelSource::memory(&broken[..broken.len() / 2]);
        assert!(Torch.load(&half, &LoadRequest::new()).is_err());
        assert!(load("lacking").is_err());
    };
    (0..20).for_each(round);
    let before = resident();
    (0..loads).for_each(round);
    let grown = resident().saturating_sub(before);
    // Six loads and four engines a round; a tensor of the smallest network alone is larger than this bound per load.
    let bound = (4 << 20) + loads * 4096;
    assert!(grown < bound, "{loads} rounds: {grown} bytes more, at most {bound}");
    eprintln!("{loads} rounds of 6 loads: {grown} bytes more");
}
