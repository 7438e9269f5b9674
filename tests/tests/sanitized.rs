//! The matrix of sessions under RealtimeSanitizer, and violations that were planted: `cargo xtask rtsan` builds and runs it.
//!
//! The sanitizer ends the program at the first violation, with a report and an exit code of its own.
#![cfg(rtsan)]
#![allow(clippy::print_stderr, reason = "says where it is, should the sanitizer end the program there")]

use std::hint::black_box;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, mpsc};
use std::time::Duration;

use anira::LateBlock;
use anira::prelude::*;
use anira::realtime::{RealtimeContext, permitted};
use anira_tests::matrix::matrix;
use anira_tests::{Quick, mono, plain, valid};

const HOP: usize = 64;
/// What the sanitizer ends a program with.
const REPORTED: i32 = 43;
/// Names the violation that a child of this test commits.
const PLANT: &str = "ANIRA_PLANTED_VIOLATION";

#[test]
fn no_call_of_the_matrix_does_what_may_block() {
    let (mut calls, mut cases) = (0, 0);
    for case in matrix() {
        eprintln!("case: {}", case.name);
        // Each call is a context of its own accord; none is added.
        case.run(&mut |_, call| {
            calls += 1;
            call();
        });
        cases += 1;
    }
    eprintln!("{calls} calls in {cases} sessions, and the sanitizer reported none");
    assert!(calls > 50_000, "{calls}");
}

/// What a planted violation is called, and what the report has to name.
const PLANTED: [(&str, &str); 6] = [
    ("allocation", "malloc"),
    ("contended lock", "syscall"),
    ("print", "write"),
    ("system call", "sched_yield"),
    ("wake-up of one's own", "syscall"),
    ("beside what is permitted", "malloc"),
];

/// Runs the planted violation in a program of its own.
fn child(plant: &str, how: &str) -> Output {
    let program = std::env::current_exe().unwrap();
    let arguments = ["--exact", "planted", "--ignored", "--nocapture", "--test-threads", "1"];
    Command::new(program).args(arguments).env(PLANT, format!("{plant}/{how}")).output().unwrap()
}

#[test]
fn every_violation_that_was_planted_is_reported() {
    for how in ["engine", "function", "own"] {
        for (plant, names) in PLANTED {
            let output = child(plant, how);
            let told = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(REPORTED), "{plant} in {how}: {told}");
            assert!(told.contains("RealtimeSanitizer"), "{plant} in {how}: {told}");
            assert!(told.contains(&format!("function `{names}`")), "{plant} in {how}: {told}");
        }
        // And the same program without a violation ends well.
        let output = child("nothing", how);
        assert!(output.status.success(), "{how}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn rendering_may_wait_and_allocate() {
    let allocates = mono(HOP, |x, y| {
        y.copy_from_slice(&x.to_vec());
        Ok(())
    });
    let builder = InferenceHandler::builder(plain(HOP, Duration::ZERO)).backend(allocates);
    let mut handler = valid(builder.build());
    let host = HostConfig::fixed(48_000.0, HOP).mode(Mode::Offline);
    let Prepared { mut audio, .. } = valid(handler.prepare(&host));
    for _ in 0..100 {
        assert!(audio.process(&mut [&mut [0.5f32; HOP][..]]).is_ok());
    }
}

/// Commits the violation that the variable names: in an engine that promises to be real-time safe, in a function for late samples,
/// or in a callback that its user marked.
#[test]
#[ignore = "a violation, committed in a child of another test"]
fn planted() {
    let asked = std::env::var(PLANT).unwrap();
    let (plant, how) = asked.split_once('/').unwrap();
    let commit = violation(plant);
    match how {
        "own" => {
            LIVE.store(true, Ordering::Relaxed);
            let _realtime = RealtimeContext::enter();
            commit();
        }
        "engine" => {
            let model = Quick(mono(HOP, move |_, _| {
                commit();
                Ok(())
            }));
            let builder = InferenceHandler::builder(plain(HOP, Duration::from_millis(1))).backend(model);
            play(valid(builder.scheduler(Inline).build()));
        }
        _ => {
            let commit = Arc::new(commit);
            let builder = InferenceHandler::builder(plain(HOP, Duration::from_millis(1))).backend(Bypass);
            let function = move || {
                let commit = commit.clone();
                move |_: &LateBlock<'_>, _: &mut [f32]| commit()
            };
            // Nobody drives: all is late.
            play(valid(builder.scheduler(valid(Driven::new(1))).late_function(function).build()));
        }
    }
}

fn play<B: Backend, S: Scheduler<anira::EngineOf<B>>>(mut handler: InferenceHandler<B, HopProcessor, S>) {
    let Prepared { mut audio, .. } = valid(handler.prepare(&HostConfig::fixed(48_000.0, HOP)));
    LIVE.store(true, Ordering::Relaxed);
    let mut block = [0.5f32; HOP];
    for _ in 0..50 {
        let _ = audio.process(&mut [&mut block[..]]);
    }
}

/// Whether callbacks have begun: before, a control thread runs the engine, and may do what it likes.
static LIVE: AtomicBool = AtomicBool::new(false);

/// A violation, with what it needs made ready outside of real time.
#[allow(clippy::print_stdout, reason = "one of the violations")]
fn violation(plant: &str) -> impl Fn() + Clone + Send + Sync + 'static {
    let (plant, lock) = (plant.to_owned(), Arc::new(Mutex::new(0)));
    if plant == "contended lock" {
        let (held, (taken, wait)) = (lock.clone(), mpsc::channel());
        std::thread::spawn(move || {
            let _guard = held.lock();
            let _ = taken.send(());
            // So long that who meets the lock waits; the sanitizer ends the program before.
            std::thread::sleep(Duration::from_secs(20));
        });
        wait.recv().unwrap();
    }
    // Standard output makes its buffer at the first line.
    println!("ready");
    let bell = Arc::new(Condvar::new());
    move || {
        if !LIVE.load(Ordering::Relaxed) {
            return;
        }
        match plant.as_str() {
            "allocation" => drop(black_box(Box::new(1))),
            "contended lock" => *lock.lock().unwrap() += 1,
            "print" => println!("in a callback"),
            "system call" => std::thread::yield_now(),
            "wake-up of one's own" => bell.notify_one(),
            "beside what is permitted" => {
                permitted(|| drop(black_box(Box::new(1))));
                drop(black_box(Box::new(2)));
            }
            _ => permitted(|| drop(black_box(Box::new(1)))),
        }
    }
}
