//! What stays in a process after a plugin was loaded, played and unloaded, engine by engine: the table of docs/living-in-a-host.md.
//!
//! `cargo run -p anira-test-plugin --example unload --features rten,onnxruntime,torch,tflite,litert` (with the engines of `cargo xtask
//! native`, or those that a build finds). This program itself is linked with no engine.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a program that measures")]

#[cfg(target_os = "linux")]
#[path = "../../tests/unload/module.rs"]
#[allow(dead_code, reason = "tests call more of the plugin's functions")]
mod module;

#[cfg(not(target_os = "linux"))]
fn main() {}

#[cfg(target_os = "linux")]
fn main() {
    let here = std::env::current_exe().unwrap();
    match std::env::args().nth(1) {
        Some(engine) => measure(&engine),
        None => {
            println!(
                "| engine | the module | threads that stay | libraries that stay | KiB a round |\n|---|---|---|---|---:|"
            );
            for engine in ["bypass", "rten", "onnxruntime", "torch", "tflite", "litert"] {
                // A process each: what one leaves must not be counted for the next.
                let status = std::process::Command::new(&here).arg(engine).status().unwrap();
                if !status.success() {
                    println!("| {engine} | {status} | | | |");
                }
            }
        }
    }
}

#[cfg(target_os = "linux")]
fn measure(engine: &str) {
    let config = concat!(env!("CARGO_MANIFEST_DIR"), "/../../models/amp-lstm-2k.toml");
    let (libraries, threads) = (mapped(), count_threads());
    let round = || {
        let module = module::Module::open();
        let Some(mut session) = module.calls().make(engine, config) else { return false };
        let start = std::time::Instant::now();
        while session.returned() < 4 {
            assert!(session.process(&mut [0.1; 256]) >= 0);
            assert!(start.elapsed().as_secs() < 60, "no hop came back");
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        assert!(session.end(10_000));
        module.close();
        true
    };
    if !round() {
        println!("| {engine} | not built | | | |");
        return;
    }
    // What is on its way out is not what stays; and what was left in unmapped code would be noticed now.
    std::thread::sleep(std::time::Duration::from_millis(500));
    let stays: Vec<String> = mapped().into_iter().filter(|name| !libraries.contains(name)).collect();
    let (module, others): (Vec<_>, Vec<_>) = stays.into_iter().partition(|name| name.contains("test_plugin"));
    let loaded = if module::is_loaded() { "stays" } else { "gone" };
    let mapping = if module.is_empty() { "" } else { ", mapped" };
    let threads = count_threads().saturating_sub(threads);
    let before = resident();
    const ROUNDS: u64 = 20;
    assert!((0..ROUNDS).all(|_| round()));
    let growth = resident().saturating_sub(before) / ROUNDS;
    println!("| {engine} | {loaded}{mapping} | {threads} | {} | {growth} |", others.join(" "));
}

/// The names of the files with code that are mapped.
#[cfg(target_os = "linux")]
fn mapped() -> Vec<String> {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let name = |line: &str| Some(line.get(line.find('/')?..)?.rsplit('/').next()?.to_owned());
    let mut names: Vec<String> =
        maps.lines().filter(|line| line.contains(" r-xp ")).filter_map(name).collect();
    names.dedup();
    names
}

#[cfg(target_os = "linux")]
fn count_threads() -> usize {
    std::fs::read_dir("/proc/self/task").unwrap().count()
}

/// Resident memory in KiB.
#[cfg(target_os = "linux")]
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}
