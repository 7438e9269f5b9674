//! Every target on its saved inputs and on pseudo-random ones, the same at every run.

use std::path::Path;

use anira_fuzz::{config, replay};

/// Runs `check` on the files in `seeds/<target>`.
fn seeds(target: &str, check: fn(&[u8])) {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds").join(target);
    let files = replay::files(&directory).unwrap();
    assert!(!files.is_empty(), "no seeds in {}", directory.display());
    for file in files {
        println!("{}", file.display());
        check(&std::fs::read(file).unwrap());
    }
}

/// Runs `check` on `count` inputs of 0 to 255 bytes (SplitMix64).
fn random(count: usize, check: fn(&[u8])) {
    let mut state = 0u64;
    let mut next = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    };
    for _ in 0..count {
        let length = next() as usize % 256;
        let data: Vec<u8> = (0..length).map(|_| next() as u8).collect();
        check(&data);
    }
}

#[test]
fn config_passes_its_saved_inputs() {
    seeds("config", config::check);
}

#[test]
fn config_passes_random_inputs() {
    random(50_000, config::check);
}
