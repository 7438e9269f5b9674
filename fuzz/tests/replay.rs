//! Every target on its saved inputs, on these with faults, and on pseudo-random ones, the same at every run.

use std::path::{Path, PathBuf};

use anira_fuzz::replay;

/// The files in `seeds/<target>`.
fn saved(target: &str) -> Vec<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds").join(target);
    let files = replay::files(&directory).unwrap();
    assert!(!files.is_empty(), "no seeds in {}", directory.display());
    files
}

/// Runs `check` on the files in `seeds/<target>`.
fn seeds(target: &str, check: fn(&[u8])) {
    for file in saved(target) {
        println!("{}", file.display());
        check(&std::fs::read(file).unwrap());
    }
}

/// Runs `check` on `count` inputs that are one of those files, in turn, with a few bytes changed.
fn faulty(target: &str, count: usize, check: fn(&[u8])) {
    let files = saved(target);
    let mut numbers = replay::numbers(1);
    let mut next = || numbers.next().unwrap_or_default() as usize;
    for (i, file) in files.iter().cycle().take(count).enumerate() {
        println!("{i}: {}", file.display());
        let mut data = std::fs::read(file).unwrap();
        for _ in 0..1 + next() % 4 {
            replay::change(&mut data, &mut next);
        }
        check(&data);
    }
}

/// Runs `check` on `count` inputs of 0 to 255 bytes.
fn random(count: usize, check: fn(&[u8])) {
    let mut numbers = replay::numbers(0);
    let mut next = || numbers.next().unwrap_or_default();
    for i in 0..count {
        println!("{i}");
        let length = next() as usize % 256;
        let data: Vec<u8> = (0..length).map(|_| next() as u8).collect();
        check(&data);
    }
}

/// The tests of a target: the saved inputs in a folder, and so many that are made up.
macro_rules! replayed {
    ($($target:ident, $seeds:ident, $count:expr;)*) => { $(
        mod $target {
            #[test]
            fn passes_its_saved_inputs() {
                crate::seeds(stringify!($seeds), anira_fuzz::$target::check);
            }

            #[test]
            fn passes_saved_inputs_with_faults() {
                crate::faulty(stringify!($seeds), $count / 2, anira_fuzz::$target::check);
            }

            #[test]
            fn passes_random_inputs() {
                crate::random($count, anira_fuzz::$target::check);
            }
        }
    )* };
}

/// What engines make of the saved models: those that are right run, so that nothing is hidden behind an error.
#[allow(dead_code, reason = "no engine may be built in")]
mod runs_all_saved_models_but_these {
    fn check(target: &str, runs: fn(&[u8]) -> bool, but: &[&str]) {
        let files = crate::saved(target).into_iter().filter(|file| !runs(&std::fs::read(file).unwrap()));
        let names: Vec<_> =
            files.map(|file| file.file_name().unwrap().to_string_lossy().into_owned()).collect();
        assert_eq!(names, but);
    }

    const ONNX: &[&str] =
        &["cut.onnx", "far-in-reverse.bin", "size-by-way-of-a-branch.bin", "size-in-a-branch.bin"];

    #[cfg(feature = "rten")]
    #[test]
    fn rten() {
        check("onnx_file", anira_fuzz::rten::runs, ONNX);
    }

    #[cfg(feature = "onnxruntime")]
    #[test]
    fn onnxruntime() {
        check("onnx_file", anira_fuzz::onnxruntime::runs, ONNX);
    }

    #[cfg(feature = "torch")]
    #[test]
    fn torch() {
        // Without weights of more than 8 KiB, with outputs that are no tensors, with inputs of which the caller has to say more.
        let but = [
            "amp-lstm-2k.pt.bin",
            "cut-pickle.bin",
            "dict.pt.bin",
            "inside.pt.bin",
            "no-forward.bin",
            "numbers.pt.bin",
            "pair.pt.bin",
            "states.pt.bin",
            "types.pt.bin",
            "version-is-no-number.bin",
        ];
        check("torch_file", anira_fuzz::torch::runs, &but);
    }

    #[cfg(feature = "tflite")]
    #[test]
    fn tflite() {
        check("tflite_file", anira_fuzz::tflite::runs, &["cut.tflite"]);
    }

    #[cfg(feature = "litert")]
    #[test]
    fn litert() {
        check("tflite_file", anira_fuzz::litert::runs, &["cut.tflite", "memory.tflite", "twins.tflite"]);
    }
}

// What takes long to build, and native engines, as far as they are built in.
#[cfg(feature = "litert")]
replayed! { litert, tflite_file, 100; }
#[cfg(feature = "onnxruntime")]
replayed! { onnxruntime, onnx_file, 100; }
#[cfg(feature = "rten")]
replayed! { rten, onnx_file, 100; }
#[cfg(feature = "tflite")]
replayed! { tflite, tflite_file, 100; }
#[cfg(feature = "torch")]
replayed! { torch, torch_file, 100; }
#[cfg(feature = "trace")]
replayed! { trace, trace, 300; }
#[cfg(feature = "wav")]
replayed! { wav, wav, 200; }

replayed! {
    config, config, 50_000;
    config_file, config_file, 2_000;
    flips, flips, 500;
    latency, latency, 2_000;
    native, native, 1_000;
    onnx_file, onnx_file, 300;
    stream, stream, 500;
    tflite_file, tflite_file, 1_000;
    torch_file, torch_file, 1_000;
}
