//! Recordings for `anira process`: read, played through a session that passes them on, written.

use std::fs;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use arbitrary::{Result, Unstructured};

/// A model that is none: the recording comes out as it went in, later by the latency.
const CONFIGURATION: &str = "\
version = 1
[[input]]
name = \"input\"
role = \"stream\"
hop = 64
[[output]]
name = \"output\"
role = \"stream\"
hop = 64
";

/// Processes `data` as a file if it begins as WAV or FLAC files do, else a file made from it, and checks what comes out.
///
/// # Panics
/// If the program is at fault, or the samples are not those of the recording.
pub fn check(data: &[u8]) {
    let mut input = Unstructured::new(data);
    let (file, right) = match data {
        [b'R', b'I' | b'F', ..] | [b'f', b'L', ..] => (data.to_vec(), None),
        // Bytes that run out half-way say nothing about anira.
        _ => match made(&mut input) {
            Ok(made) => made,
            Err(_) => return,
        },
    };
    let folder = tempfile::tempdir().expect("a folder for recordings");
    let place = |name: &str| folder.path().join(name);
    fs::write(place("in.wav"), &file).expect("a recording can be laid there");
    fs::write(place("bypass.toml"), CONFIGURATION).expect("a configuration can be laid there");
    let mut arguments = vec!["anira".into(), "process".into()];
    arguments.extend(["bypass.toml", "in.wav", "out.wav"].map(|name| place(name).into_os_string()));
    arguments.extend(["--engine", "bypass", "--json"].map(Into::into));
    // The last bytes say how, so that a file's own stay where they are.
    let how = data.last().copied().unwrap_or(0);
    if how & 1 != 0 {
        arguments.push("--no-compensate".into());
    }
    let blocks = if how & 2 != 0 { format!("{},1,{}", 1 + (how >> 2), 1 + how % 7) } else { "512".into() };
    arguments.extend(["--blocks".into(), blocks.into()]);
    // The program silences panics of decoders, as one that is alone in its process may.
    static ALONE: Mutex<()> = Mutex::new(());
    let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let (mut out, mut log) = (Vec::new(), Vec::new());
    let code = anira_cli::run_with(arguments, &mut out, &mut log);
    drop(alone);
    let log = String::from_utf8_lossy(&log);
    if code != 0 {
        assert_eq!(code, 2, "a recording is never anira's fault: {log}");
        assert!(log.contains("in.wav"), "the file is named: {log}");
        assert!(right.is_none(), "this recording is right: {log}");
        assert!(!place("out.wav").exists(), "there is no file where there was an error");
        return;
    }
    let heard = read(&place("out.wav"));
    let report = String::from_utf8(out).expect("JSON is text");
    let told = |field: &str| number(&report, field);
    assert_eq!((told("channels"), told("frames")), (heard.channels as u64, heard.frames() as u64));
    assert_eq!(told("sample_rate"), u64::from(heard.rate));
    assert_eq!(told("late_samples"), 0);
    let Some(right) = right else { return };
    assert_eq!((heard.rate, heard.channels), (right.rate, right.channels));
    let latency = if how & 1 != 0 { told("latency_samples") as usize * right.channels } else { 0 };
    let silence = std::iter::repeat_n(&0.0, latency);
    let expected = silence.chain(&right.samples).take(right.samples.len());
    assert_eq!(heard.samples.len(), right.samples.len());
    for (i, (heard, right)) in heard.samples.iter().zip(expected).enumerate() {
        assert!((heard - right).abs() <= right.abs() * 1e-6, "sample {i} is {heard}, not {right}");
    }
}

/// Samples, frame by frame.
struct Recording {
    rate: u32,
    channels: usize,
    samples: Vec<f32>,
}

impl Recording {
    fn frames(&self) -> usize {
        self.samples.len() / self.channels
    }
}

/// The whole number that a JSON document holds in this field.
fn number(json: &str, field: &str) -> u64 {
    let rest = json.split_once(&format!("\"{field}\": ")).expect("the report has the field").1;
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().expect("the field is a number")
}

/// A WAV file of 32-bit floats, as the program writes them.
fn read(path: &Path) -> Recording {
    let bytes = fs::read(path).expect("the program has written it");
    let number = |at: usize, len: usize| {
        bytes[at..at + len].iter().rev().fold(0usize, |n, b| n << 8 | usize::from(*b))
    };
    assert_eq!((&bytes[..4], &bytes[8..12]), (&b"RIFF"[..], &b"WAVE"[..]));
    assert_eq!(number(4, 4) + 8, bytes.len());
    let (mut at, mut rate, mut channels) = (12, 0, 0);
    loop {
        let (name, length) = (&bytes[at..at + 4], number(at + 4, 4));
        at += 8;
        match name {
            b"fmt " => {
                assert_eq!(number(at + 14, 2), 32);
                (channels, rate) = (number(at + 2, 2), number(at + 4, 4) as u32);
            }
            b"data" => {
                assert_eq!((at + length, length % (4 * channels)), (bytes.len(), 0));
                let samples =
                    bytes[at..].chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
                return Recording { rate, channels, samples: samples.collect() };
            }
            _ => {}
        }
        at += length + length % 2;
    }
}

/// A file, and what is in it if everything about it is right.
fn made(input: &mut Unstructured<'_>) -> Result<(Vec<u8>, Option<Recording>)> {
    let rate = *input.choose(&[48_000u32, 44_100, 8_000, 1, 192_000, 10_000_000])?;
    let channels = input.int_in_range(1..=6usize)?;
    let frames = input.int_in_range(0..=600usize)?;
    // The format's number, and bytes per sample.
    let (format, width) = *input.choose(&[(1u16, 1usize), (1, 2), (1, 3), (1, 4), (3, 4), (3, 8)])?;
    let faults = input.ratio(1, 2)?;
    let count = channels * frames;
    let (mut data, mut samples) = (Vec::with_capacity(count * width), Vec::with_capacity(count));
    for _ in 0..count {
        let (bytes, sample) = sample(input.arbitrary()?, format, width);
        data.extend(bytes);
        samples.push(sample);
    }
    let mut head = Vec::new();
    let align = (channels * width) as u16;
    head.extend(format.to_le_bytes());
    head.extend((channels as u16).to_le_bytes());
    head.extend(rate.to_le_bytes());
    head.extend((rate.saturating_mul(align.into())).to_le_bytes());
    head.extend(align.to_le_bytes());
    head.extend((8 * width as u16).to_le_bytes());
    let mut body = b"WAVE".to_vec();
    for (place, name, contents) in [(0, b"fmt ", &head), (1, b"data", &data)] {
        // What else programs write into recordings.
        if input.ratio(1, 4)? {
            let length = input.int_in_range(0..=9)?;
            let extra = input.bytes(length.min(input.len()))?.to_vec();
            chunk(&mut body, input.choose(&[b"LIST", b"JUNK", b"bext", b"cue "])?, &extra);
        }
        // A length of 0 stands for a file that was written to a pipe.
        if place == 0 || !contents.is_empty() || frames == 0 {
            chunk(&mut body, name, contents);
        }
    }
    let mut file = Vec::new();
    chunk(&mut file, b"RIFF", &body);
    if faults {
        for _ in 0..input.int_in_range(1..=4)? {
            let at = input.int_in_range(0..=file.len().min(80) - 1)?;
            file[at] = input.arbitrary()?;
        }
        if input.ratio(1, 4)? {
            file.truncate(input.int_in_range(0..=file.len())?);
        }
        return Ok((file, None));
    }
    Ok((file, Some(Recording { rate, channels, samples })))
}

fn chunk(out: &mut Vec<u8>, name: &[u8; 4], contents: &[u8]) {
    out.extend(name);
    out.extend((contents.len() as u32).to_le_bytes());
    out.extend(contents);
    if contents.len() % 2 == 1 {
        out.push(0);
    }
}

/// A sample as a file holds it, and as the program has to hear it.
fn sample(value: i32, format: u16, width: usize) -> (Vec<u8>, f32) {
    let wide = f64::from(value) / 2f64.powi(31);
    match (format, width) {
        (3, 4) => ((wide as f32).to_le_bytes().to_vec(), wide as f32),
        (3, _) => (wide.to_le_bytes().to_vec(), wide as f32),
        // Eight bits have no sign: silence is 128.
        (_, 1) => {
            let byte = (value >> 24) as i8;
            (vec![byte.cast_unsigned() ^ 0x80], f32::from(byte) / 128.0)
        }
        (_, width) => {
            let bits = 8 * width as i32;
            let number = value >> (32 - bits);
            (number.to_le_bytes()[..width].to_vec(), (f64::from(number) / 2f64.powi(bits - 1)) as f32)
        }
    }
}
