//! The fuzz targets under libFuzzer, which needs a nightly compiler.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::call::Call;
use crate::toolchain;
use crate::workspace::Workspace;

const TOOLCHAIN: &str = "nightly";

/// The crate of the targets, from the root.
const CRATE: &str = "fuzz";

/// Targets that link or load a native engine: run only if they are named.
const NATIVE: &[&str] = &["onnxruntime", "torch", "tflite", "litert"];

/// Targets that take long to build: like those above, each is behind the feature of its name.
const APART: &[&str] = &["rten", "trace", "wav"];

/// The engines' targets take the saved inputs of the readers of their files.
const SHARED: &[(&str, &str)] = &[
    ("rten", "onnx_file"),
    ("onnxruntime", "onnx_file"),
    ("torch", "torch_file"),
    ("tflite", "tflite_file"),
    ("litert", "tflite_file"),
];

/// Seconds that one input may take, by the wall's clock.
const TIMEOUT: u32 = 10;

/// Megabytes that one input may take, and that one allocation may ask for.
const MEMORY: u32 = 2048;

/// Where Linux keeps files that are never written to a disk.
const MEMORY_FILES: &str = "/dev/shm";

/// What makes the compiler count the edges that a run takes and the comparisons that it makes, and look at every access to memory.
const FLAGS: &[&str] = &[
    "--cfg",
    "fuzzing",
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "-Zsanitizer=address",
    "-Cdebug-assertions",
    "-Coverflow-checks",
    "-Ccodegen-units=1",
];

/// Builds the targets, optimised, and gives each so many seconds. What one finds keeps no other from its turn.
pub(crate) fn run(workspace: &Workspace, seconds: u64, only: &[String]) -> Result<()> {
    let here = workspace.root.join(CRATE);
    let targets = chosen(&targets(&here)?, only)?;
    let Some(host) = toolchain::host(TOOLCHAIN) else {
        bail!("there is no {TOOLCHAIN} toolchain; get it with `rustup toolchain install {TOOLCHAIN}`");
    };
    let programs = build(workspace, &host, &targets)?;
    let mut found = Vec::new();
    for target in &targets {
        let built = programs.join(target);
        let findings = here.join("artifacts").join(target);
        let corpus = here.join("corpus").join(target);
        for directory in [&findings, &corpus] {
            fs::create_dir_all(directory)
                .with_context(|| format!("{} cannot be made", directory.display()))?;
        }
        println!("$ {} (for {seconds} s)", workspace.relative(&built));
        let mut command = Command::new(&built);
        // Recordings and traces are written and read again for every input.
        if std::env::var_os("TMPDIR").is_none() && Path::new(MEMORY_FILES).is_dir() {
            command.env("TMPDIR", MEMORY_FILES);
        }
        // Leaks of what is not ours are told by who allocated, and foreign libraries say that to the slow unwinder alone.
        let leaks = here.join("leaks").join(format!("{target}.txt"));
        if leaks.is_file() {
            command.env("ASAN_OPTIONS", "fast_unwind_on_malloc=0:malloc_context_size=5");
            command.env("LSAN_OPTIONS", format!("suppressions={}:print_suppressions=0", leaks.display()));
        }
        command.current_dir(&workspace.root).args(arguments(&here, target, seconds)).args([&corpus]);
        command.arg(here.join("seeds").join(seeds(target)));
        // An engine starts from what the target of its files' reader has learnt, if that ran.
        let learnt = here.join("corpus").join(seeds(target));
        if learnt.is_dir() && learnt != corpus {
            command.arg(learnt);
        }
        let status = command.status().with_context(|| format!("{} could not be started", built.display()))?;
        if !status.success() {
            found.push(format!(
                "the target `{target}` found something ({status}); the input is in {}. Replay it with \
                 `cargo run --manifest-path fuzz/Cargo.toml --bin {target} -- <file>`, mend the fault, and save the input \
                 below fuzz/seeds/{}",
                workspace.relative(&findings),
                seeds(target)
            ));
        }
    }
    if !found.is_empty() {
        bail!("{}", found.join("\n"));
    }
    println!("{} found nothing in {seconds} s each", targets.join(", "));
    Ok(())
}

/// In one call, so that what they share is built once. Gives the directory of the programs.
fn build(workspace: &Workspace, host: &str, targets: &[String]) -> Result<PathBuf> {
    let directory = workspace.target.join("fuzzing");
    let flags = format!("{} {}", std::env::var("RUSTFLAGS").unwrap_or_default(), FLAGS.join(" "));
    let manifest = format!("{CRATE}/Cargo.toml");
    let is_apart = |target: &&String| NATIVE.contains(&target.as_str()) || APART.contains(&target.as_str());
    let features: Vec<&str> = targets.iter().filter(is_apart).map(String::as_str).collect();
    Call::on(workspace, TOOLCHAIN, "build")
        .env("RUSTFLAGS", flags.trim_start())
        .args(["--release", "--manifest-path", &manifest, "--target", host, "--target-dir"])
        .args([&directory])
        .args(["--no-default-features", "--features", &features.join(",")])
        .args(targets.iter().flat_map(|target| ["--bin", target]))
        .run()?;
    Ok(directory.join(host).join("release"))
}

/// The folder of a target's saved inputs.
fn seeds(target: &str) -> &str {
    SHARED.iter().find(|(own, _)| *own == target).map_or(target, |(_, folder)| folder)
}

/// libFuzzer's arguments, but for the directories.
fn arguments(here: &Path, target: &str, seconds: u64) -> Vec<String> {
    let mut arguments = vec![
        format!("-max_total_time={seconds}"),
        format!("-timeout={TIMEOUT}"),
        format!("-rss_limit_mb={MEMORY}"),
        format!("-artifact_prefix={}/", here.join("artifacts").join(target).display()),
        // Long inputs from the start: a list of operations is nothing in ten bytes.
        "-len_control=0".to_owned(),
        "-print_final_stats=1".to_owned(),
    ];
    let words = here.join("dictionaries").join(format!("{target}.dict"));
    if words.is_file() {
        arguments.push(format!("-dict={}", words.display()));
    }
    arguments
}

/// The targets' names, in alphabetical order.
fn targets(here: &Path) -> Result<Vec<String>> {
    let directory = here.join("fuzz_targets");
    let files =
        fs::read_dir(&directory).with_context(|| format!("{} cannot be read", directory.display()))?;
    let mut names = Vec::new();
    for file in files {
        let path = file?.path();
        if let (Some(name), Some("rs")) = (path.file_stem(), path.extension().and_then(|e| e.to_str())) {
            names.push(name.to_string_lossy().into_owned());
        }
    }
    names.sort();
    Ok(names)
}

/// Those that were named; if none was, all that need no native engine.
fn chosen(all: &[String], only: &[String]) -> Result<Vec<String>> {
    if let Some(unknown) = only.iter().find(|name| !all.contains(name)) {
        bail!("--target {unknown}: there is no such target; there are {}", all.join(", "));
    }
    if !only.is_empty() {
        return Ok(only.to_vec());
    }
    Ok(all.iter().filter(|name| !NATIVE.contains(&name.as_str())).cloned().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn here() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(CRATE)
    }

    #[test]
    fn every_target_has_saved_inputs_and_is_replayed() {
        let replay = fs::read_to_string(here().join("tests/replay.rs")).unwrap();
        for target in targets(&here()).unwrap() {
            let seeds = seeds(&target);
            assert!(here().join("seeds").join(seeds).is_dir(), "{target} has no saved inputs");
            assert!(
                replay.contains(&format!(" {target}, {seeds}, ")),
                "{target} is not in fuzz/tests/replay.rs"
            );
        }
    }

    #[test]
    fn native_engines_are_fuzzed_if_they_are_named() {
        let all = ["latency", "onnxruntime"].map(str::to_owned);
        assert_eq!(chosen(&all, &[]).unwrap(), ["latency"]);
        assert_eq!(chosen(&all, &all[1..]).unwrap(), ["onnxruntime"]);
        let error = chosen(&all, &["other".to_owned()]).unwrap_err().to_string();
        assert!(error.contains("there are latency, onnxruntime"), "{error}");
    }
}
