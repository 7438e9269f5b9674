//! What the audio thread asks of the kernel in ten thousand callbacks: nothing, or the one futex call that the idle policy names;
//! and no page fault, from the first callback on.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]
#![cfg(target_os = "linux")]

mod trace;

use std::hint::black_box;
use std::time::{Duration, Instant};

use anira::prelude::*;
use anira::scheduler::IdlePolicy;
use anira_tests::matrix::idle_policies;
use anira_tests::{mono, plain, settle, valid};
use trace::{Call, Trace, minor_faults};

const CALLBACKS: usize = 10_000;
const HOP: usize = 64;
/// As the threads of the pool are called whose worker is watched: tests run side by side.
const WATCHED: &str = "watched";

/// Runs a test on a thread of its own, which is traced from its begin to its end. Where the kernel refuses: an error in CI, else
/// a line.
#[allow(clippy::print_stderr, reason = "a test that could not be made says so")]
#[allow(clippy::panic, reason = "a test's failure")]
fn traced(test: impl FnOnce(&Trace) + Send) {
    std::thread::scope(|scope| {
        let outcome = scope.spawn(|| match Trace::of_this_thread() {
            Ok(trace) => test(&trace),
            Err(error) if std::env::var("CI").is_ok_and(|ci| ci == "true" || ci == "1") => {
                panic!("the kernel does not let a thread be traced (seccomp with a listener): {error}")
            }
            Err(error) => eprintln!("skipped: seccomp with a listener is refused here: {error}"),
        });
        if let Err(panic) = outcome.join() {
            std::panic::resume_unwind(panic);
        }
    });
}

/// A model that copies, so that its worker is done at once.
fn copying() -> impl Backend {
    mono(HOP, |x, y| {
        y.copy_from_slice(x);
        Ok(())
    })
}

fn handler(policy: IdlePolicy) -> InferenceHandler<impl Backend, HopProcessor, Pool> {
    named(policy, "other")
}

fn named(policy: IdlePolicy, name: &'static str) -> InferenceHandler<impl Backend, HopProcessor, Pool> {
    let pool = valid(Pool::builder().threads(1).name(name).idle(policy).build());
    let builder = InferenceHandler::builder(plain(HOP, Duration::from_micros(500)));
    valid(builder.backend(copying()).scheduler(pool).build())
}

fn host() -> HostConfig {
    HostConfig::fixed(48_000.0, HOP)
}

/// What came of ten thousand callbacks: the calls, and how many hops were submitted. `between` is not traced.
fn play<B: Backend>(
    mut handler: InferenceHandler<B, HopProcessor, Pool>,
    between: impl Fn(&Control) + Sync,
) -> (Vec<Call>, u64) {
    let control = handler.control();
    let Prepared { audio, .. } = valid(handler.prepare(&host()));
    let mut audio = audio;
    let mut calls = Vec::new();
    let mut traced_at_all = false;
    traced(|trace| {
        traced_at_all = true;
        let mut block = [0.25f32; HOP];
        // Workers wake up to see a new session.
        between(&control);
        for round in 0..CALLBACKS {
            let status = trace.during(|| {
                if round % 1000 == 999 {
                    audio.reset();
                }
                audio.process(&mut [&mut block[..]])
            });
            assert_eq!(status.fault, None);
            between(&control);
        }
        trace.during(|| drop(audio));
        calls = trace.take();
    });
    let submitted = control.telemetry().submitted;
    assert!(!traced_at_all || submitted == CALLBACKS as u64, "{submitted}");
    (calls, submitted)
}

/// All calls but the wake-up.
fn others(calls: &[Call]) -> Vec<Call> {
    calls.iter().copied().filter(|call| !call.is_wake_up()).collect()
}

#[test]
fn where_nobody_is_to_be_woken_there_is_no_call_at_all() {
    let mut policies = idle_policies();
    policies.retain(|(name, _)| *name == "never woken");
    for (name, policy) in policies {
        let (calls, _) = play(handler(policy), settle);
        assert_eq!(calls, [], "{name}, every hop answered");
        // Queues are full at times, results are late at times.
        let (calls, _) = play(handler(policy), |_| ());
        assert_eq!(calls, [], "{name}, as fast as it can");
    }
}

#[test]
fn workers_that_sleep_at_once_cost_one_futex_call_per_submission() {
    let (calls, submitted) = play(named(IdlePolicy::park(), WATCHED), |control| {
        settle(control);
        until_asleep();
    });
    assert_eq!(others(&calls), []);
    if !calls.is_empty() {
        assert_eq!(calls.len() as u64, submitted);
    }
}

#[test]
fn workers_that_foresee_cost_at_most_that() {
    for policy in [IdlePolicy::predictive(), IdlePolicy::backoff()] {
        let (calls, submitted) = play(handler(policy), settle);
        assert_eq!(others(&calls), []);
        assert!(calls.len() as u64 <= submitted, "{} for {submitted}", calls.len());
    }
}

#[test]
fn others_threads_that_drive_cost_nothing() {
    let driven = valid(Driven::new(1));
    let mut driver = driven.driver();
    let builder = InferenceHandler::builder(plain(HOP, Duration::from_micros(500)));
    let mut handler = valid(builder.backend(copying()).scheduler(driven).build());
    let Prepared { mut audio, .. } = valid(handler.prepare(&host()));
    traced(|trace| {
        let mut block = [0.25f32; HOP];
        for round in 0..CALLBACKS {
            let _ = trace.during(|| audio.process(&mut [&mut block[..]]));
            while round % 10 < 6 && driver.run_one() {}
        }
        assert_eq!(trace.take(), []);
    });
}

#[test]
fn an_engine_in_the_callback_costs_nothing() {
    let builder = InferenceHandler::builder(plain(HOP, Duration::from_micros(500)));
    let mut handler = valid(builder.backend(Bypass).scheduler(Inline).build());
    let Prepared { mut audio, .. } = valid(handler.prepare(&host()));
    traced(|trace| {
        let mut block = [0.25f32; HOP];
        for _ in 0..CALLBACKS {
            let status = trace.during(|| audio.process(&mut [&mut block[..]]));
            assert!(status.is_ok(), "{status:?}");
        }
        assert_eq!(trace.take(), []);
    });
}

#[test]
fn calls_that_were_planted_are_seen() {
    traced(|trace| {
        std::thread::yield_now();
        trace.during(|| black_box(std::process::id()));
        // A print that goes to nobody.
        let mut nowhere = std::fs::File::create("/dev/null").unwrap();
        trace.during(|| std::io::Write::write_all(&mut nowhere, b"x").unwrap());
        trace.during(std::thread::yield_now);
        let numbers: Vec<_> = trace.take().iter().map(|call| call.number).collect();
        assert_eq!(numbers, [libc::SYS_getpid, libc::SYS_write, libc::SYS_sched_yield]);
        let time = trace.during(Instant::now);
        assert_eq!((trace.take(), time <= Instant::now()), (vec![], true), "the clock is no system call");
    });
}

/// Waits until the pool's only worker sleeps, and nobody has woken it. Not on the audio thread's time.
fn until_asleep() {
    let start = Instant::now();
    while !sleeping() {
        assert!(start.elapsed() < Duration::from_secs(60), "the worker does not sleep");
        std::thread::yield_now();
    }
}

fn sleeping() -> bool {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    let state = |task: std::io::Result<std::fs::DirEntry>| {
        let text = std::fs::read_to_string(task.ok()?.path().join("stat")).ok()?;
        let (name, rest) = text.rsplit_once(") ")?;
        name.contains(WATCHED).then(|| rest.starts_with('S'))
    };
    let mut states = tasks.filter_map(state).peekable();
    assert!(states.peek().is_some(), "there is a worker of this name");
    states.all(|sleeps| sleeps)
}

#[test]
fn the_first_ten_thousand_callbacks_touch_no_new_page() {
    let faults = |policy: IdlePolicy, plant: bool| {
        let mut block = [0.25f32; HOP];
        // Another session first: what faults then is the program's code and this thread's stack.
        let mut warm = handler(policy);
        let Prepared { mut audio, .. } = valid(warm.prepare(&host()));
        for _ in 0..1000 {
            let _ = audio.process(&mut [&mut block[..]]);
        }
        let mut handler = handler(policy);
        let Prepared { mut audio, .. } = valid(handler.prepare(&host()));
        let control = handler.control();
        settle(&control);
        let before = minor_faults();
        for _ in 0..CALLBACKS {
            let _ = audio.process(&mut [&mut block[..]]);
            std::thread::yield_now();
        }
        if plant {
            black_box(vec![1u8; 64 << 20]);
        }
        minor_faults() - before
    };
    for (name, policy) in idle_policies() {
        // The kernel may take a page away under load, or move it; what is ours comes every time.
        let least = (0..5).map(|_| faults(policy, false)).find(|faults| *faults == 0);
        assert_eq!(least, Some(0), "{name}: each of five sessions had page faults in its callbacks");
    }
    assert!(faults(IdlePolicy::park(), true) > 0, "pages that are touched for the first time are counted");
}
