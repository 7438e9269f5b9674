//! Recordings of every kind, and files that are none.

use super::program::{Done, Folder, anira, repository};
use super::sound::{Format, difference, extensible_wav, flac, float_wav, read, wav};

/// Processes with a gain of one half.
fn halve(folder: &Folder, input: &str) -> Done {
    anira(&["process", &repository("models/gain.onnx"), input, &folder.join("out.wav")])
}

/// The program read these samples and wrote half of each.
#[track_caller]
fn halved(folder: &Folder, bytes: &[u8], planar: &[Vec<f32>], rate: u32) {
    let input = folder.write("in", bytes);
    halve(folder, &input).ok();
    let (found, halves) = read(&folder.join("out.wav"));
    assert_eq!((found, halves.len()), (rate, planar.len()));
    for (half, whole) in halves.iter().zip(planar) {
        let wanted: Vec<f32> = whole.iter().map(|x| 0.5 * x).collect();
        assert_eq!(difference(half, &wanted), 0.0);
    }
}

#[test]
fn every_format_rate_and_channel_count_is_read_exactly() {
    let folder = Folder::new();
    for format in Format::ALL {
        for (rate, channels, frames) in
            [(48_000, 1, 1_001), (44_100, 2, 700), (8_000, 8, 300), (192_000, 1, 1)]
        {
            let (bytes, planar) = wav(format, rate, channels, frames);
            halved(&folder, &bytes, &planar, rate);
        }
        let (bytes, planar) = extensible_wav(format, 6, 100);
        halved(&folder, &bytes, &planar, 48_000);
    }
    for (rate, channels, frames) in [(48_000, 1, 1_001), (44_100, 2, 700)] {
        let (bytes, planar) = flac(rate, channels, frames);
        halved(&folder, &bytes, &planar, rate);
    }
}

#[test]
fn a_recording_of_no_samples_gives_one_of_no_samples() {
    let folder = Folder::new();
    for (format, channels) in [(Format::I16, 1), (Format::F32, 8)] {
        let (bytes, planar) = wav(format, 44_100, channels, 0);
        halved(&folder, &bytes, &planar, 44_100);
    }
    let done = anira(&[
        "process",
        &repository("models/gain.onnx"),
        &folder.join("in"),
        &folder.join("out.wav"),
        "--json",
    ]);
    assert_eq!(done.ok().json()["frames"], 0);
}

#[test]
fn samples_beyond_full_scale_are_not_clipped() {
    let folder = Folder::new();
    let loud = [1.5f32, -7.0, 1e20, 0.0];
    halved(&folder, &float_wav(48_000, &loud), &[loud.to_vec()], 48_000);
}

#[test]
fn what_is_no_number_is_told_with_frame_and_channel() {
    let folder = Folder::new();
    for (bad, word) in [(f32::NAN, "NaN"), (f32::INFINITY, "inf"), (f32::NEG_INFINITY, "-inf")] {
        let mut samples = vec![0.25f32; 5_000];
        samples[4_800] = bad;
        let input = folder.write("bad.wav", float_wav(48_000, &samples));
        halve(&folder, &input).refused(2, &["bad.wav", "frame 4800", "0.100 s", "channel 1", word, "finite"]);
    }
    let (mut bytes, _) = wav(Format::F64, 48_000, 3, 50);
    let at = bytes.len() - 8 * 3 * 20 + 8;
    bytes[at..at + 8].copy_from_slice(&f64::NAN.to_le_bytes());
    let input = folder.write("three.wav", bytes);
    halve(&folder, &input).refused(2, &["three.wav", "frame 30", "channel 2", "NaN"]);
    assert!(!folder.names().contains(&"out.wav".to_owned()));
}

#[test]
fn a_wav_cut_anywhere_is_an_error() {
    let folder = Folder::new();
    let (bytes, _) = wav(Format::I16, 48_000, 2, 40);
    for end in 0..bytes.len() {
        let input = folder.write("cut.wav", &bytes[..end]);
        halve(&folder, &input).refused(2, &["cut.wav"]);
    }
    assert_eq!(folder.names(), ["cut.wav"]);
    let (bytes, _) = wav(Format::F32, 48_000, 1, 5_000);
    let input = folder.write("cut.wav", &bytes[..44 + 4 * 3_000]);
    halve(&folder, &input).refused(2, &["cut short", "5000 frames"]);
}

#[test]
fn a_flac_cut_anywhere_is_an_error() {
    let folder = Folder::new();
    let (bytes, _) = flac(48_000, 1, 600);
    for end in (0..bytes.len()).step_by(7) {
        let input = folder.write("cut.flac", &bytes[..end]);
        halve(&folder, &input).refused(2, &["cut.flac"]);
    }
    assert_eq!(folder.names(), ["cut.flac"]);
}

/// Each frame of a FLAC file carries checksums: damage is never heard.
#[test]
fn a_flac_with_any_byte_changed_is_an_error_or_the_same() {
    let folder = Folder::new();
    let (bytes, planar) = flac(48_000, 1, 600);
    for at in (0..bytes.len()).step_by(13) {
        let mut bytes = bytes.clone();
        bytes[at] ^= 0x10;
        let input = folder.write("odd.flac", bytes);
        let done = halve(&folder, &input);
        let same = || {
            let halves: Vec<f32> = planar[0].iter().map(|x| 0.5 * x).collect();
            read(&folder.join("out.wav")).1 == [halves]
        };
        // The first 42 bytes are the header, which has none: another rate may be read from it.
        assert!(
            done.code == 2 || done.code == 0 && (at < 42 || same()),
            "byte {at}: {} {}",
            done.code,
            done.err
        );
    }
}

#[test]
fn a_wav_with_any_byte_of_its_header_changed_never_crashes() {
    let folder = Folder::new();
    let (bytes, _) = wav(Format::I16, 48_000, 2, 20);
    for at in 0..44 {
        for value in [0, 1, 0x7f, 0xff] {
            let mut bytes = bytes.clone();
            bytes[at] = value;
            let input = folder.write("odd.wav", bytes);
            let done = halve(&folder, &input);
            assert!(matches!(done.code, 0 | 2), "byte {at} = {value}: {} {}", done.code, done.err);
        }
    }
}

#[test]
fn what_is_no_sound_file_is_told() {
    let folder = Folder::new();
    let refused = |name: &str, contents: &[u8], words: &[&str]| {
        let input = folder.write(name, contents);
        halve(&folder, &input).refused(2, &[&[name], words].concat());
    };
    refused("empty.wav", b"", &["is empty"]);
    refused("text.wav", b"not a sound file at all, just text", &["neither WAV nor FLAC"]);
    refused("model.wav", &std::fs::read(repository("models/gain.onnx")).unwrap(), &["neither WAV nor FLAC"]);
    refused("big.wav", b"RF64\xff\xff\xff\xffWAVEds64", &["WAV variant"]);
    refused("avi.wav", b"RIFF\x10\x00\x00\x00AVI LIST", &["neither WAV nor FLAC"]);
    for rate in [0u32, 10_000_001, u32::MAX] {
        let (mut bytes, _) = wav(Format::I16, 48_000, 1, 10);
        bytes[24..28].copy_from_slice(&rate.to_le_bytes());
        refused("rate.wav", &bytes, &[&rate.to_string(), "Hz"]);
    }
    let (mut bytes, _) = wav(Format::I16, 48_000, 1, 10);
    bytes[22..24].copy_from_slice(&0u16.to_le_bytes());
    refused("silent.wav", &bytes, &[]);
    halve(&folder, &folder.join("nowhere.wav")).refused(2, &["nowhere.wav", "No such file"]);
    halve(&folder, &repository("models")).refused(2, &["models", "is a folder"]);
}

#[test]
fn a_length_that_is_not_known_is_told() {
    let folder = Folder::new();
    let (mut bytes, _) = wav(Format::I16, 48_000, 1, 100);
    bytes[40..44].copy_from_slice(&u32::MAX.to_le_bytes());
    bytes[4..8].copy_from_slice(&u32::MAX.to_le_bytes());
    let input = folder.write("piped.wav", bytes);
    halve(&folder, &input).refused(2, &["piped.wav"]);
}
