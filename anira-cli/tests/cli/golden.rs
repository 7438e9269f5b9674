//! Recordings against what PyTorch makes of them, at every block size, bit for bit the same.

use super::program::{Folder, anira, repository};
use super::sound::{difference, float_wav, npy, read};

const TOLERANCE: f32 = 1e-5;

/// Block sizes below, at and above every hop, and none that divides the length.
const SIZES: &[&[&str]] = &[
    &["--block", "512"],
    &["--block", "1"],
    &["--block", "32"],
    &["--block", "64"],
    &["--block", "100"],
    &["--block", "441"],
    &["--block", "4096"],
    &["--random-blocks", "11,700"],
    &["--random-blocks", "12,5000"],
    &["--blocks", "64,1,441,32"],
];

#[track_caller]
fn check(model: &str) {
    let folder = Folder::new();
    let input = npy(&repository("tests/golden/input.npy"));
    let wanted = npy(&repository(&format!("tests/golden/{model}.output.npy")));
    let recording = folder.write("in.wav", float_wav(48_000, &input));
    let (model, out) = (repository(&format!("models/{model}.onnx")), folder.join("out.wav"));
    let mut first: Option<Vec<f32>> = None;
    for size in SIZES {
        anira(&[&["process", &model, &recording, &out], *size].concat()).ok();
        let (rate, planar) = read(&out);
        assert_eq!((rate, planar.len()), (48_000, 1));
        let apart = difference(&planar[0], &wanted);
        assert!(apart <= TOLERANCE, "{model} {size:?}: {apart}");
        match &first {
            None => first = Some(planar[0].clone()),
            Some(first) => assert!(*first == planar[0], "{model} {size:?} differs from {:?}", SIZES[0]),
        }
    }
}

#[test]
fn gain() {
    check("gain");
}

#[test]
fn amp_lstm() {
    check("amp-lstm-2k");
}

#[test]
fn amp_tcn() {
    check("amp-tcn-29k");
}

/// Channels go through one after the other, none into another.
#[test]
fn every_channel_is_its_own() {
    let folder = Folder::new();
    let (bytes, planar) = super::sound::wav(super::sound::Format::F32, 48_000, 3, 3_000);
    let (recording, out) = (folder.write("in.wav", bytes), folder.join("out.wav"));
    anira(&["process", &repository("models/amp-lstm-2k.onnx"), &recording, &out, "--block", "100"]).ok();
    let together = read(&out).1;
    for (channel, samples) in planar.iter().enumerate() {
        let alone = folder.write("one.wav", float_wav(48_000, samples));
        anira(&["process", &repository("models/amp-lstm-2k.onnx"), &alone, &out]).ok();
        assert!(read(&out).1[0] == together[channel], "channel {channel}");
    }
}
