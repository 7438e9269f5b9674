//! Thousands of damaged files, each tried in a child process: whatever the bytes, the process lives.
#![cfg(any(feature = "tflite", feature = "litert"))]
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "tests stop where they cannot go on; a child reports"
)]

mod support;

use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};
use std::time::Duration;

use anira_traits::*;
use support::{GOOD, Noise, bytes, request};

/// Tells a child what to do: engine, from which case, to which.
const ORDER: &str = "ANIRA_DAMAGED";

/// Damaged files per model by flipped bytes. `ANIRA_FLIPS` asks for another number.
fn flips() -> usize {
    std::env::var("ANIRA_FLIPS").ok().and_then(|n| n.parse().ok()).unwrap_or(250)
}

/// Cuts of each model.
const CUTS: usize = 200;

fn cases() -> usize {
    GOOD.len() * (CUTS + flips()) + 300
}

/// The file of this number, and what was done to it.
fn case(number: usize) -> (Vec<u8>, String) {
    let each = CUTS + flips();
    let mut noise = Noise(0x5eed + 977 * number as u64);
    (0..10).for_each(|_| _ = noise.next());
    let Some(name) = GOOD.get(number / each) else {
        // Random bytes behind a right beginning.
        let mut random: Vec<u8> = (0..8 + noise.below(600)).map(|_| noise.next() as u8).collect();
        random[..8].copy_from_slice(&[noise.below(64) as u8, 0, 0, 0, b'T', b'F', b'L', b'3']);
        return (random, "random".into());
    };
    let (mut file, number) = (bytes(name), number % each);
    if number < CUTS {
        file.truncate(file.len() * number / CUTS);
        return (file, format!("{name} cut {number}"));
    }
    // A loop whose count is hit may run for years, and nobody can tell it from one that is meant to.
    let hits = if *name == "loop" { 0 } else { 1 + noise.below(3) };
    for _ in 0..hits {
        let at = noise.below(file.len());
        file[at] = match noise.below(4) {
            0 => 0,
            1 => 0xff,
            2 => file[at] ^ (1 << noise.below(8)),
            _ => noise.next() as u8,
        };
    }
    (file, format!("{name} flip {number}"))
}

/// Loads, and if that works makes an engine and runs it twice. What comes is an error that makes sense, or success.
fn try_it(backend: &impl Backend, bytes: Vec<u8>, what: &str) -> Result<()> {
    let allowed = |error: Error, kinds: &[ErrorKind]| {
        assert!(kinds.contains(&error.kind()), "{what}: {:?}: {error}", error.kind());
        error
    };
    use ErrorKind::{Engine as Run, Model as File, Shape, Unsupported};
    let model = backend.load(&ModelSource::memory(bytes), &LoadRequest::new());
    let model = model.map_err(|e| allowed(e, &[File, Unsupported]))?;
    let engine = model.engine(&request(model.signature(), 64));
    let mut engine = engine.map_err(|e| allowed(e, &[File, Unsupported, Shape, Run]))?;
    (0..2).try_for_each(|_| engine.run()).map_err(|e| allowed(e, &[Unsupported, Shape, Run]))
}

/// The child: says the number of each case before it tries it.
#[test]
fn child() {
    let Ok(order) = std::env::var(ORDER) else { return };
    let mut words = order.split(' ');
    let engine = words.next().unwrap();
    let numbers: Vec<usize> = words.map(|n| n.parse().unwrap()).collect();
    for number in numbers[0]..numbers[1] {
        println!("case {number}");
        let (bytes, what) = case(number);
        let result = match engine {
            #[cfg(feature = "tflite")]
            "tflite" => try_it(&anira_backend_tflite::TfLite, bytes, &what),
            #[cfg(feature = "litert")]
            "litert" => try_it(&anira_backend_tflite::LiteRt, bytes, &what),
            other => panic!("no engine {other}"),
        };
        println!("{}", if result.is_ok() { "runs" } else { "refused" });
    }
    println!("done");
}

/// What became of the cases from one number to another: how many ran, and those that ended the process.
fn child_process(engine: &str, from: usize, to: usize) -> (usize, Vec<String>) {
    let (mut from, mut ran, mut crashes) = (from, 0, Vec::new());
    while from < to {
        // Memory is bounded, so that a file that asks for more than that ends the child and not the machine.
        let limited = "ulimit -v 12000000; exec \"$0\" \"$@\"";
        let mut child = Command::new("sh")
            .args(["-c", limited])
            .arg(std::env::current_exe().unwrap())
            .args(["--exact", "child", "--nocapture", "--test-threads=1"])
            .env(ORDER, format!("{engine} {from} {to}"))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (number, pid) = (child.id(), child.stdout.take().unwrap());
        let mut errors = child.stderr.take().unwrap();
        let errors = std::thread::spawn(move || {
            let mut text = Vec::new();
            errors.read_to_end(&mut text).unwrap();
            String::from_utf8_lossy(&text).into_owned()
        });
        let (send, lines) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            BufReader::new(pid).lines().map_while(|l| l.ok()).try_for_each(|l| send.send(l))
        });
        let (mut at, mut done) = (from, false);
        loop {
            match lines.recv_timeout(Duration::from_secs(60)) {
                Ok(line) => {
                    if let Some((_, case)) = line.split_once("case ") {
                        at = case.parse().unwrap();
                    }
                    ran += usize::from(line == "runs");
                    done |= line == "done";
                }
                Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => break,
                Err(std::sync::mpsc::RecvTimeoutError::Timeout) => {
                    crashes.push(format!(
                        "{engine} {at} ({}): no end within a minute (process {number})",
                        case(at).1
                    ));
                    child.kill().unwrap();
                    break;
                }
            }
        }
        let status = child.wait().unwrap();
        if done {
            assert!(status.success(), "{status}");
            return (ran, crashes);
        }
        let errors = errors.join().unwrap();
        let errors: Vec<_> =
            errors.lines().filter(|l| !l.starts_with("INFO") && !l.starts_with("WARN")).collect();
        let errors = errors[errors.len().saturating_sub(4)..].join(" | ");
        crashes.push(format!("{engine} {at} ({}): {status}: {errors}", case(at).1));
        from = at + 1;
    }
    (ran, crashes)
}

fn damaged(engine: &str) {
    let (ran, crashes) = child_process(engine, 0, cases());
    assert!(
        crashes.is_empty(),
        "{} of {} ended the process:\n{}",
        crashes.len(),
        cases(),
        crashes.join("\n")
    );
    // Most flips hit weights and names, and such a file still runs: otherwise nothing was tried but the reader.
    assert!(ran > cases() / 10, "only {ran} of {} ran", cases());
}

#[test]
#[cfg(feature = "tflite")]
fn no_damaged_file_ends_a_process_with_tensorflow_lite() {
    damaged("tflite");
}

#[test]
#[cfg(feature = "litert")]
fn no_damaged_file_ends_a_process_with_litert() {
    damaged("litert");
}
