//! Modules are untrusted: cut files, changed bytes, false sizes and absurd code are errors, never a crash.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod support;

use std::path::Path;

use anira_backend_torch::Torch;
use anira_traits::*;
use support::{Noise, all, bytes, engine, engine_of, load};

fn open(bytes: Vec<u8>) -> Result<anira_backend_torch::TorchModel> {
    Torch.load(&ModelSource::memory(bytes), &LoadRequest::new())
}

#[track_caller]
fn refused(bytes: Vec<u8>, words: &str) {
    let error = open(bytes).map(drop).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Model, "{error}");
    assert!(error.to_string().contains(words), "`{error}` lacks `{words}`");
}

/// The entries of a file whose code is not compressed, ready to be changed and put together again.
struct Parts(Vec<(String, Vec<u8>)>);

impl Parts {
    fn of(name: &str) -> Self {
        let bytes = bytes(name);
        let word =
            |at: usize, len: usize| bytes[at..at + len].iter().rev().fold(0, |n, b| n << 8 | usize::from(*b));
        let end = bytes.len() - 22;
        let (mut at, mut parts) = (word(end + 16, 4), Vec::new());
        for _ in 0..word(end + 10, 2) {
            let name = String::from_utf8(bytes[at + 46..at + 46 + word(at + 28, 2)].to_vec()).unwrap();
            let place = word(at + 42, 4);
            let start = place + 30 + word(place + 26, 2) + word(place + 28, 2);
            if word(at + 10, 2) == 0 {
                parts.push((name, bytes[start..start + word(at + 20, 4)].to_vec()));
            } else {
                let unpacked =
                    miniz_oxide::inflate::decompress_to_vec(&bytes[start..start + word(at + 20, 4)]);
                parts.push((name, unpacked.unwrap()));
            }
            at += 46 + word(at + 28, 2) + word(at + 30, 2) + word(at + 32, 2);
        }
        Self(parts)
    }

    fn edit(mut self, name: &str, edit: impl Fn(&mut Vec<u8>)) -> Self {
        let mut edited = 0;
        for (_, data) in self.0.iter_mut().filter(|(own, _)| own.ends_with(name)) {
            edit(data);
            edited += 1;
        }
        assert!(edited > 0, "no entry {name}");
        self
    }

    /// A well-formed archive of the parts, checksums and all.
    fn zip(&self) -> Vec<u8> {
        let (mut out, mut list) = (Vec::new(), Vec::new());
        for (name, data) in &self.0 {
            let mut head = Vec::new();
            [20u16, 0, 0, 0, 0].iter().for_each(|n| head.extend(n.to_le_bytes()));
            [crc32(data), data.len() as u32, data.len() as u32]
                .iter()
                .for_each(|n| head.extend(n.to_le_bytes()));
            [name.len() as u16, 0].iter().for_each(|n| head.extend(n.to_le_bytes()));
            let place = out.len() as u32;
            out.extend([b"PK\x03\x04", &head[..], name.as_bytes(), data].concat());
            list.extend(
                [b"PK\x01\x02\x14\0", &head[..], &[0; 10], &place.to_le_bytes(), name.as_bytes()].concat(),
            );
        }
        let (start, count) = (out.len() as u32, self.0.len() as u16);
        out.extend([&list[..], b"PK\x05\x06\0\0\0\0"].concat());
        [count, count].iter().for_each(|n| out.extend(n.to_le_bytes()));
        [list.len() as u32, start].iter().for_each(|n| out.extend(n.to_le_bytes()));
        out.extend([0, 0]);
        out
    }
}

fn crc32(data: &[u8]) -> u32 {
    let bit = |crc: u32, _| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 };
    !data.iter().fold(!0, |crc, b| (0..8).fold(crc ^ u32::from(*b), bit))
}

fn replace(data: &mut Vec<u8>, from: &[u8], to: &[u8]) {
    let at = data.windows(from.len()).position(|w| w == from).unwrap();
    data.splice(at..at + from.len(), to.iter().copied());
}

#[test]
fn parts_put_together_again_load() {
    for name in ["gain", "states", "methods", "moods"] {
        open(Parts::of(name).zip()).unwrap();
    }
}

#[test]
fn cut_files_are_errors() {
    for path in all() {
        let bytes = std::fs::read(&path).unwrap();
        for i in 0..200 {
            let n = bytes.len() * i / 200;
            let error = open(bytes[..n].to_vec()).map(drop).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Model, "{} cut to {n}: {error}", path.display());
        }
    }
}

#[test]
fn changed_bytes_are_noticed_or_do_no_harm() {
    let mut noise = Noise(0x5eed);
    for path in all() {
        let bytes = std::fs::read(&path).unwrap();
        for round in 0..100 {
            let mut hurt = bytes.clone();
            let at = noise.below(hurt.len());
            hurt[at] ^= 1 << noise.below(8);
            if let Err(error) = open(hurt) {
                use ErrorKind::*;
                assert!(
                    matches!(error.kind(), Model | Unsupported),
                    "{} round {round}: {error}",
                    path.display()
                );
            }
        }
    }
}

/// With right checksums, so that LibTorch's own readers see the damage: what they make of it, they live.
#[test]
fn changed_bytes_with_right_checksums_never_crash() {
    let mut noise = Noise(77);
    for name in ["gain", "states", "moods", "methods", "frozen"] {
        for round in 0..300 {
            let mut parts = Parts::of(name);
            let entries = parts.0.len();
            let (_, data) = &mut parts.0[noise.below(entries)];
            if data.is_empty() {
                continue;
            }
            for _ in 0..1 + noise.below(3) {
                let at = noise.below(data.len());
                data[at] = if round % 2 == 0 { noise.next() as u8 } else { data[at] ^ 1 << noise.below(8) };
            }
            if let Ok(model) = open(parts.zip()) {
                let shapes = vec![&[1, 1, 4][..]; model.signature().inputs.len()];
                if let Ok(mut engine) = engine_of(&model, &shapes) {
                    let _ = engine.run();
                }
            }
        }
    }
}

#[test]
fn other_files_are_no_modules() {
    refused(Vec::new(), "it is empty");
    let mut noise = Noise(99);
    for len in 0..300 {
        let random: Vec<u8> = (0..len).map(|_| noise.next() as u8).collect();
        refused(random.clone(), "not a TorchScript file");
        refused([b"PK\x03\x04", &random[..]].concat(), "not a TorchScript file");
        refused([b"PK\x05\x06", &random[..]].concat(), "not a TorchScript file");
    }
    let onnx = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/gain.onnx");
    refused(std::fs::read(onnx).unwrap(), "no archive ends here");
    let mut weights = Parts::of("gain");
    weights.0.retain(|(name, _)| name.ends_with("data.pkl") || name.contains("/data/"));
    refused(weights.zip(), "torch.save wrote it");
    let mut other = Parts::of("gain");
    other.0.retain(|(name, _)| name.ends_with(".py"));
    refused(other.zip(), "no `data.pkl`");
}

#[test]
fn a_version_that_libtorch_does_not_read_is_refused() {
    let version = |text: &'static str| Parts::of("gain").edit("/version", |d| *d = text.into()).zip();
    open(version("10\n")).unwrap();
    for text in ["", "0", "11", "-1", "99999999999999999999", "tried"] {
        refused(version(text), &format!("its `version` is `{text}`; from 1 to 10"));
    }
    let mut other = Parts::of("gain");
    other.0.retain(|(name, _)| !name.ends_with("version"));
    refused(other.zip(), "no `version`");
}

#[test]
fn a_tensor_beyond_its_storage_is_refused() {
    let pickle = |from: &'static [u8], to: &[u8]| {
        let to = to.to_vec();
        Parts::of("gain").edit("data.pkl", move |d| replace(d, from, &to)).zip()
    };
    // How many elements the storage has: after the device's name, before the end of its tuple.
    let storage = |n: &[u8]| pickle(b"cpuq\x06K\x01t", &[b"cpuq\x06", n, b"t"].concat());
    refused(storage(b"J\xff\xff\xff\x7f"), "storage `0` has 4 bytes");
    refused(storage(b"J\xff\xff\xff\xff"), "storage `0` has 4 bytes");
    refused(storage(b"\x8a\x08\0\0\0\0\0\0\0\x40"), "storage `0` has 4 bytes");
    // Where the tensor starts, its extents, its steps.
    let tensor = |offset: &[u8], extent: &[u8], step: &[u8]| {
        pickle(b"K\0(K\x01t(K\x01t", &[offset, b"(", extent, b"t(", step, b"t"].concat())
    };
    open(tensor(b"K\0", b"K\x01", b"K\x01")).unwrap();
    refused(tensor(b"K\0", b"K\x02", b"K\x01"), "does not lie within its storage");
    refused(tensor(b"K\x01", b"K\x01", b"K\x01"), "does not lie within its storage");
    refused(tensor(b"J\xff\xff\xff\xff", b"K\x01", b"K\x01"), "does not lie within its storage");
    refused(tensor(b"K\0", b"\x8a\x08\0\0\0\0\0\0\0\x40", b"K\0"), "does not lie within its storage");
    let lost = {
        let mut parts = Parts::of("gain");
        parts.0.retain(|(name, _)| !name.ends_with("/data/0"));
        parts
    };
    refused(lost.zip(), "storage `0` has 0 bytes");
}

#[test]
fn code_built_to_harm_is_refused() {
    let code =
        |from: &'static [u8], to: Vec<u8>| Parts::of("gain").edit(".py", move |d| replace(d, from, &to));
    let call = &b"torch.mul(x, gain)"[..];
    let nested = |n: usize| [&b"torch.neg(".repeat(n)[..], b"x", &b")".repeat(n)].concat();
    open(code(call, nested(150)).zip()).unwrap();
    refused(code(call, nested(100_000)).zip(), "nests deeper");
    refused(code(call, [&b"-".repeat(100_000)[..], b"x"].concat()).zip(), "nests deeper");
    refused(code(call, b"torch.zeros([100000, 100000, 100000])".to_vec()).zip(), "asks for the shape");
    refused(bytes("huge"), "asks for the shape [10, 1024, 1024, 256]");
    refused(code(b"forward", vec![0xff; 7]).zip(), "is not text");
    let broken = open(code(call, b"torch.mul(x, ".to_vec()).zip()).map(drop).unwrap_err();
    assert_eq!(broken.kind(), ErrorKind::Model, "{broken}");
}

#[test]
fn memory_that_cannot_be_had_is_an_error_of_the_run() {
    let error = engine("computed", &[&[1, 1, 8]]).map(drop).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::System), "{:?}: {error}", error.kind());
    let config =
        InferenceConfig::builder().input(InputTensor::stream("x", 8)).output(OutputTensor::stream("y", 8));
    let request = LoadRequest::new().config(config.build().unwrap());
    let source = ModelSource::memory(bytes("computed"));
    assert_eq!(Torch.load(&source, &request).map(drop).unwrap_err().kind(), ErrorKind::System);
    assert!(load("gain").is_ok(), "and the process goes on");
}
