//! Files that are no model: errors of the right kind, never a panic.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::{env, fs, process};

use anira_traits::{Backend, Engine, Error, ErrorKind, Model, ModelSource};

use super::caught;
use crate::subject::{Noise, Subject};
use crate::verdict::{Stop, Verdict, fail, pass, skip};

/// What loading such a file may answer.
const LOADING: &[ErrorKind] = &[ErrorKind::Model, ErrorKind::Unsupported];

/// What making an engine of one that could be loaded may answer, besides.
const MAKING: &[ErrorKind] = &[
    ErrorKind::Model,
    ErrorKind::Unsupported,
    ErrorKind::Shape,
    ErrorKind::DType,
    ErrorKind::Engine,
    ErrorKind::Panicked,
];

/// How many files are cut, and how many are flipped.
const CUTS: usize = 64;
const FLIPS: usize = 128;
/// Of files longer than this, one in so many is also run, for time's sake; all are loaded.
const LONG: usize = 4_096;
const ONE_IN: usize = 8;
/// The most random bytes behind a header.
const RANDOM: usize = 65_536;

/// Beginnings of files of other formats.
const FOREIGN: &[(&str, &[u8])] = &[
    ("a text", b"The quick brown fox jumps over the lazy dog.\n"),
    ("an object of JSON", b"{\"a\": [1, 2, 3]}\n"),
    ("a picture (PNG)", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\0\0\0\0\x3a\x7e\x9bU"),
    ("an empty ZIP archive", b"PK\x05\x06\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"),
    (
        "a flatbuffer of TensorFlow Lite without contents",
        b"\x1c\0\0\0TFL3\0\0\x12\0\x1c\0\x04\0\0\0\0\0\0\0\0\0\0\0",
    ),
    ("an ONNX file with nothing but a version", b"\x08\x08\x12\x04test"),
    (
        "sound (WAVE)",
        b"RIFF\x24\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0\x80\xbb\0\0\0\x77\x01\0\x02\0\x10\0data\0\0\0\0",
    ),
    ("an array of NumPy", b"\x93NUMPY\x01\0\x06\0{}   \n"),
];

/// Loads the bytes; if that works and `run` is wanted, makes an engine and runs it once. Whether all of it worked.
fn try_bytes<B: Backend>(subject: &Subject<'_, B>, bytes: Vec<u8>, run: bool) -> Verdict<bool> {
    let model = match subject.backend.load(&ModelSource::memory(bytes), &subject.specimen.request) {
        Ok(model) => model,
        Err(error) => return of_kind("loading", error, LOADING),
    };
    if !run {
        return Ok(true);
    }
    // Changed bytes may have changed the shapes.
    let Ok(shapes) = subject.shapes(&model) else { return Ok(false) };
    match model.engine(&shapes) {
        Ok(mut engine) => Ok(engine.run().is_ok()),
        Err(error) => of_kind("making an engine", error, MAKING),
    }
}

fn of_kind(what: &str, error: Error, kinds: &[ErrorKind]) -> Verdict<bool> {
    if kinds.contains(&error.kind()) {
        Ok(false)
    } else {
        Err(Stop::from(error).at(&format!("{what} answers")))
    }
}

/// The same, and a failure says of which file.
fn try_named<B: Backend>(subject: &Subject<'_, B>, bytes: Vec<u8>, run: bool, what: &str) -> Verdict<bool> {
    caught(|| try_bytes(subject, bytes, run)).map_err(|stop| stop.at(what))
}

/// Whether the file of this number is run, not only loaded.
fn is_run(number: usize, len: usize) -> bool {
    len <= LONG || number.is_multiple_of(ONE_IN)
}

/// Bytes that have to be refused.
fn refused<B: Backend>(subject: &Subject<'_, B>, bytes: Vec<u8>, what: &str) -> Verdict<()> {
    if try_named(subject, bytes, true, what)? {
        return fail(format!("{what} was taken for a model"));
    }
    Ok(())
}

/// The specimen's bytes, if it can be loaded: otherwise a refusal says nothing.
fn sound<'a, B: Backend>(subject: &'a Subject<'_, B>) -> Verdict<std::borrow::Cow<'a, [u8]>> {
    let bytes = subject.bytes()?;
    subject.load()?;
    Ok(bytes)
}

pub(super) fn empty<B: Backend>(subject: &Subject<'_, B>) -> Verdict {
    sound(subject)?;
    refused(subject, Vec::new(), "an empty file")?;
    pass("")
}

pub(super) fn cut<B: Backend>(subject: &Subject<'_, B>) -> Verdict {
    let bytes = sound(subject)?;
    let mut lengths: Vec<usize> = (0..CUTS).map(|i| bytes.len() * i / CUTS).collect();
    lengths.push(bytes.len().saturating_sub(1));
    lengths.dedup();
    let mut worked = 0;
    for (i, len) in lengths.iter().enumerate() {
        let cut = bytes.get(..*len).unwrap_or_default().to_vec();
        let what = format!("the file cut to {len} of {} bytes", bytes.len());
        worked += usize::from(try_named(subject, cut, is_run(i, *len), &what)?);
    }
    if worked > lengths.len() / 2 {
        return fail(format!("{worked} of {} cut files were taken for models", lengths.len()));
    }
    pass(format!("{worked} of {} cut files work", lengths.len()))
}

pub(super) fn flipped<B: Backend>(subject: &Subject<'_, B>) -> Verdict {
    let bytes = sound(subject)?;
    let mut noise = Noise::new(0xf11b);
    let mut worked = 0;
    for round in 0..FLIPS {
        let mut hurt = bytes.to_vec();
        for _ in 0..1 + noise.below(3) {
            let at = noise.below(hurt.len());
            let value = noise.next() as u8;
            if let Some(byte) = hurt.get_mut(at) {
                *byte = value;
            }
        }
        let (run, what) = (is_run(round, hurt.len()), format!("flipped bytes, round {round}"));
        worked += usize::from(try_named(subject, hurt, run, &what)?);
    }
    pass(format!("{worked} of {FLIPS} files with flipped bytes work"))
}

pub(super) fn random<B: Backend>(subject: &Subject<'_, B>) -> Verdict {
    let bytes = sound(subject)?;
    let mut noise = Noise::new(0x7a2d);
    for header in [0, 4, 8, 16, 64] {
        if header > bytes.len() / 2 {
            continue;
        }
        let mut file = bytes.get(..header).unwrap_or_default().to_vec();
        file.extend((header..bytes.len().min(RANDOM)).map(|_| noise.next() as u8));
        refused(subject, file, &format!("{header} bytes of the header, then random ones,"))?;
    }
    pass("")
}

pub(super) fn foreign<B: Backend>(subject: &Subject<'_, B>) -> Verdict {
    sound(subject)?;
    for (what, bytes) in FOREIGN {
        refused(subject, bytes.to_vec(), what)?;
    }
    pass(format!("{} formats", FOREIGN.len()))
}

pub(super) fn own<B: Backend>(subject: &Subject<'_, B>) -> Verdict {
    if subject.specimen.malformed.is_empty() {
        return skip("no `Specimen::malformed`");
    }
    sound(subject)?;
    for (what, bytes) in &subject.specimen.malformed {
        refused(subject, bytes.clone(), what)?;
    }
    pass(format!("{} files", subject.specimen.malformed.len()))
}

pub(super) fn named<B: Backend>(subject: &Subject<'_, B>) -> Verdict {
    sound(subject)?;
    let ending = subject.specimen.source.path().and_then(|path| path.extension()?.to_str()).unwrap_or("bin");
    let file = Scratch::new(b"no model at all\n", ending)?;
    let result = subject.backend.load(&ModelSource::file(file.path()), &subject.specimen.request);
    let text = super::expect_error("a file of text", result, LOADING)?;
    if !text.contains(&file.path().display().to_string()) {
        return fail(format!("the error does not name the file: {text}"));
    }
    pass("")
}

/// A file among the temporary ones, removed when dropped.
pub(super) struct Scratch(PathBuf);

impl Scratch {
    pub(super) fn new(bytes: &[u8], ending: &str) -> Verdict<Self> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        // Any number will do that no other thread gets.
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = env::temp_dir().join(format!("anira-conformance-{}-{number}.{ending}", process::id()));
        match fs::write(&path, bytes) {
            Ok(()) => Ok(Self(path)),
            Err(error) => skip(format!("{} cannot be written: {error}", path.display())),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What cannot be removed is left among the temporary files.
        let _ = fs::remove_file(&self.0);
    }
}
