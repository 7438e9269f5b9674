//! Saved inputs made from the project's models and fixtures: what a fuzzer would not find by itself in a night.

use std::fs;
use std::io;
use std::path::Path;

use crate::{replay, torch_file};

/// Files that are inputs as they are, by target. Paths from the repository's root.
const FILES: &[(&str, &[&str])] = &[
    (
        "onnx_file",
        &[
            "models/gain.onnx",
            "models/amp-lstm-2k.onnx",
            "models/amp-tcn-1k.onnx",
            "tests/fixtures/counter-i64.onnx",
            "tests/fixtures/dynamic.onnx",
            "tests/fixtures/knob.onnx",
            "tests/fixtures/sidechain.onnx",
            "tests/fixtures/smoother.onnx",
            "tests/fixtures/upsample.onnx",
        ],
    ),
    (
        "tflite_file",
        &[
            "models/gain.tflite",
            "models/amp-tcn-1k.tflite",
            "anira-backend-tflite/tests/fixtures/conv-int8.tflite",
            "anira-backend-tflite/tests/fixtures/counters.tflite",
            "anira-backend-tflite/tests/fixtures/dynamic.tflite",
            "anira-backend-tflite/tests/fixtures/knob.tflite",
            "anira-backend-tflite/tests/fixtures/loop.tflite",
            "anira-backend-tflite/tests/fixtures/lstm.tflite",
            "anira-backend-tflite/tests/fixtures/memory.tflite",
        ],
    ),
    (
        "native",
        &[
            "models/gain.onnx",
            "models/amp-lstm-2k.onnx",
            "models/amp-tcn-1k.onnx",
            "anira-backend-custom/tests/files/lstm.nam",
            "anira-backend-custom/tests/files/wavenet-gated.nam",
            "anira-backend-custom/tests/files/rtneural-conv.json",
            "anira-backend-custom/tests/files/rtneural-gru.json",
            "anira-backend-custom/tests/files/rtneural-lstm.json",
        ],
    ),
    ("config_file", &["models/gain.toml", "models/amp-knob-4k.toml", "models/amp-lstm-2k.toml"]),
    ("torch_file", &["models/gain.pt"]),
];

/// TorchScript files that are inputs entry by entry: a change in one leaves its checksum right.
const ARCHIVES: &[&str] = &[
    "models/gain.pt",
    "models/amp-lstm-2k.pt",
    "anira-backend-torch/tests/fixtures/counter.pt",
    "anira-backend-torch/tests/fixtures/deep.pt",
    "anira-backend-torch/tests/fixtures/delay.pt",
    "anira-backend-torch/tests/fixtures/described.pt",
    "anira-backend-torch/tests/fixtures/dict.pt",
    "anira-backend-torch/tests/fixtures/inplace.pt",
    "anira-backend-torch/tests/fixtures/inside.pt",
    "anira-backend-torch/tests/fixtures/maybe.pt",
    "anira-backend-torch/tests/fixtures/methods.pt",
    "anira-backend-torch/tests/fixtures/mix.pt",
    "anira-backend-torch/tests/fixtures/moods.pt",
    "anira-backend-torch/tests/fixtures/numbers.pt",
    "anira-backend-torch/tests/fixtures/pair.pt",
    "anira-backend-torch/tests/fixtures/states.pt",
    "anira-backend-torch/tests/fixtures/strided.pt",
    "anira-backend-torch/tests/fixtures/types.pt",
];

/// Targets that make all of their inputs from numbers, and how many bytes each of these has.
const NUMBERS: &[(&str, usize)] =
    &[("stream", 700), ("flips", 300), ("latency", 120), ("trace", 400), ("wav", 300)];

/// Files that are cut short, as their headers show, and after how many bytes.
const CUT: &[(&str, &str, &str, usize)] = &[
    ("onnx_file", "models/gain.onnx", "cut.onnx", 80),
    ("tflite_file", "models/gain.tflite", "cut.tflite", 500),
    ("wav", "samples/guitar.wav", "cut.wav", 1000),
];

/// Writes the inputs of all targets below `seeds`; other files there are left alone. Gives how many.
///
/// # Errors
/// Of the files that are read or written.
pub fn make(root: &Path, seeds: &Path) -> io::Result<usize> {
    let mut count = 0;
    let mut write = |target: &str, from: &str, contents: &[u8]| {
        count += 1;
        let name = Path::new(from).file_name().unwrap_or_default();
        fs::create_dir_all(seeds.join(target))?;
        fs::write(seeds.join(target).join(name), contents)
    };
    for (target, files) in FILES {
        for file in *files {
            write(target, file, &fs::read(root.join(file))?)?;
        }
    }
    for file in ARCHIVES {
        write("torch_file", &format!("{file}.bin"), &torch_file::unpacked(&fs::read(root.join(file))?))?;
    }
    for (target, length) in NUMBERS {
        for seed in 0..8u64 {
            let numbers: Vec<u8> = replay::numbers(seed).take(*length).map(|n| n as u8).collect();
            write(target, &format!("numbers-{seed}.bin"), &numbers)?;
        }
    }
    for (target, whole, name, length) in CUT {
        let whole = fs::read(root.join(whole))?;
        write(target, name, &whole[..whole.len().min(*length)])?;
    }
    Ok(count)
}
