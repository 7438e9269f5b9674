//! Handler, audio half, engines: dropped in any order, memory is freed in the end and never on the audio thread.

#![allow(clippy::unwrap_used, reason = "a test's failure")]

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::ThreadId;
use std::time::Duration;

use anira::backends::{FnBackend, Inputs, Outputs};
use anira::prelude::*;
use anira_tests::{
    Gate, assert_same, delayed, eventually, plain, ramp, refused, send, send_settled, signature, valid,
};

use crate::{HOP, config, copy, offline, on_own_pool, realtime, rendering};

/// How many engines there are, and on which threads others were dropped.
#[derive(Debug, Default)]
struct Ledger {
    made: AtomicU64,
    dropped: Mutex<Vec<ThreadId>>,
    runs: AtomicU64,
}

impl Ledger {
    fn alive(&self) -> u64 {
        self.made.load(Ordering::SeqCst) - self.dropped.lock().unwrap().len() as u64
    }

    fn dropped_on(&self, thread: ThreadId) -> usize {
        self.dropped.lock().unwrap().iter().filter(|t| **t == thread).count()
    }
}

/// Part of every engine.
struct Entry(Arc<Ledger>);

impl Drop for Entry {
    fn drop(&mut self) {
        self.0.dropped.lock().unwrap().push(std::thread::current().id());
    }
}

/// A backend whose engines are in a ledger and pass a gate.
fn listed(ledger: &Arc<Ledger>, gate: &Arc<Gate>) -> impl Backend + use<> {
    let (ledger, gate, shape) = (ledger.clone(), gate.clone(), [1, 1, HOP]);
    let tensors = signature(&[("input", &shape)], &[("output", &shape)]);
    FnBackend::new("listed", tensors, move || {
        ledger.made.fetch_add(1, Ordering::SeqCst);
        let (entry, gate) = (Entry(ledger.clone()), gate.clone());
        move |x: &Inputs<'_>, y: &mut Outputs<'_>| {
            entry.0.runs.fetch_add(1, Ordering::SeqCst);
            gate.pass();
            copy(x.f32(0)?, y.f32(0)?)
        }
    })
}

/// Frees what is ownerless, as every prepare in the process does.
fn sweep() {
    let mut handler = offline(Bypass);
    let _ = valid(handler.prepare(&rendering()));
}

#[test]
fn an_audio_half_dropped_while_an_engine_runs() {
    let (ledger, gate) = (Arc::new(Ledger::default()), Gate::new());
    let mut handler = on_own_pool(listed(&ledger, &gate), 1);
    let Prepared { mut audio, .. } = valid(handler.prepare(&realtime()));
    gate.shut();
    let held = gate.clone();
    let audio_thread = std::thread::spawn(move || {
        let _ = send(&mut audio, &ramp(3 * HOP), &[HOP; 3]);
        held.await_waiting(1);
        // Does not wait for the engine: it is still held when this thread has ended.
        drop(audio);
        std::thread::current().id()
    });
    let audio_thread = audio_thread.join().unwrap();
    assert_eq!(ledger.alive(), 1);
    gate.open();
    drop(handler);
    assert_eq!((ledger.alive(), ledger.dropped_on(audio_thread)), (0, 0));
    assert_eq!(ledger.dropped_on(std::thread::current().id()), 1, "freed by the owner");
}

#[test]
fn an_audio_half_that_outlives_its_handler_is_silent_and_frees_nothing() {
    let (ledger, gate) = (Arc::new(Ledger::default()), Gate::new());
    let mut handler = on_own_pool(listed(&ledger, &gate), 1);
    let control = handler.control();
    let Prepared { mut audio, .. } = valid(handler.prepare(&realtime()));
    let (_, late) = send_settled(&mut audio, &control, &ramp(4 * HOP), &[HOP; 4]);
    assert_eq!(late, 0);
    drop(handler);
    let runs = ledger.runs.load(Ordering::SeqCst);
    let audio_thread = std::thread::spawn(move || {
        // The last result was there already.
        let _ = send(&mut audio, &ramp(HOP), &[HOP]);
        let (output, late) = send(&mut audio, &ramp(100 * HOP), &[HOP; 100]);
        assert_same(&output, &[0.0; 100 * HOP], "silence");
        assert_eq!(late, 100 * HOP as u64);
        audio.reset();
        drop(audio);
        std::thread::current().id()
    });
    let audio_thread = audio_thread.join().unwrap();
    assert_eq!((ledger.runs.load(Ordering::SeqCst), ledger.dropped_on(audio_thread)), (runs, 0));
    eventually("somebody frees what nobody owns", || {
        sweep();
        ledger.alive() == 0
    });
    assert_eq!(ledger.dropped_on(audio_thread), 0);
    assert_eq!(control.telemetry().done, 4, "a control outlives them all");
}

/// After the end no engine runs: also where the audio half's own thread would run it.
fn nothing_runs_after_close<B, S>(ledger: &Ledger, builder: anira::Builder<B, HopProcessor, S>)
where
    B: Backend,
    S: Scheduler<anira::EngineOf<B>>,
{
    let mut handler = valid(builder.build());
    let Prepared { mut audio, .. } = valid(handler.prepare(&rendering()));
    let (output, late) = send(&mut audio, &ramp(4 * HOP), &[HOP; 4]);
    assert!(late == 0 && output.iter().any(|s| *s != 0.0), "it played");
    valid(handler.close(Duration::from_secs(60)));
    let runs = ledger.runs.load(Ordering::SeqCst);
    let (output, _) = send(&mut audio, &[1.0; 20 * HOP], &[HOP; 20]);
    assert_eq!(ledger.runs.load(Ordering::SeqCst), runs, "an engine ran after close");
    assert_same(&output[4 * HOP..], &[0.0; 16 * HOP], "silence");
}

#[test]
fn after_close_nothing_runs_and_nobody_waits() {
    let (ledger, gate) = (Arc::new(Ledger::default()), Gate::new());
    let builder = || InferenceHandler::builder(config()).backend(listed(&ledger, &gate));
    nothing_runs_after_close(&ledger, builder().scheduler(Offline));
    nothing_runs_after_close(&ledger, builder().scheduler(valid(Driven::new(1))));
    nothing_runs_after_close(&ledger, builder().scheduler(valid(Pool::builder().threads(1).build())));
}

#[test]
fn an_old_audio_half_plays_on_beside_the_new_one() {
    let (ledger, gate) = (Arc::new(Ledger::default()), Gate::new());
    let pool = valid(Pool::builder().threads(1).build());
    let mut handler = valid(
        InferenceHandler::builder(plain(HOP, Duration::from_micros(600)))
            .backend(listed(&ledger, &gate))
            .scheduler(pool)
            .build(),
    );
    let control = handler.control();
    let input = ramp(60 * HOP);
    let Prepared { audio: mut old, report: old_report, .. } = valid(handler.prepare(&realtime()));
    let mut heard = send_settled(&mut old, &control, &input[..20 * HOP], &[HOP; 20]).0;
    let other = HostConfig::varying(44_100.0, 2 * HOP);
    let Prepared { audio: mut new, report: new_report, .. } = valid(handler.prepare(&other));
    let mut fresh = Vec::new();
    for n in 20..60 {
        heard.extend(send_settled(&mut old, &control, &input[n * HOP..(n + 1) * HOP], &[HOP]).0);
        fresh.extend(send_settled(&mut new, &control, &input[(n - 20) * HOP..(n - 19) * HOP], &[HOP]).0);
    }
    assert_same(&heard, &delayed(&input, old_report.latency[0].samples), "the old one");
    assert_same(&fresh, &delayed(&input[..40 * HOP], new_report.latency[0].samples), "the new one");
    assert_eq!(control.telemetry().late_samples, 0);
    drop(old);
    assert_eq!(ledger.alive(), 2, "the old one's memory waits for its owner");
    let Prepared { audio: newest, .. } = valid(handler.prepare(&realtime()));
    assert_eq!(ledger.alive(), 2, "freed by the next prepare, which has made one more");
    drop((new, newest, handler));
    assert_eq!(ledger.alive(), 0);
}

#[test]
fn a_prepare_that_fails_changes_nothing() {
    let (ledger, gate) = (Arc::new(Ledger::default()), Gate::new());
    let mut handler = on_own_pool(listed(&ledger, &gate), 1);
    let control = handler.control();
    let Prepared { mut audio, report, .. } = valid(handler.prepare(&realtime()));
    let input = ramp(20 * HOP);
    let mut output = Vec::new();
    for (n, block) in input.chunks(HOP).enumerate() {
        let bad = [
            HostConfig::fixed(f64::NAN, HOP),
            HostConfig::fixed(48_000.0, 0),
            HostConfig::fixed(96_000.0, HOP),
            realtime().channels(0),
            realtime().channels(2),
        ];
        assert!(handler.prepare(&bad[n % bad.len()]).is_err());
        output.extend(send_settled(&mut audio, &control, block, &[HOP]).0);
    }
    assert_same(&output, &delayed(&input, report.latency[0].samples), "undisturbed");
    assert_eq!((control.telemetry().late_samples, ledger.alive()), (0, 1));
}

#[test]
fn close_names_the_engine_that_does_not_come_back() {
    let (ledger, gate) = (Arc::new(Ledger::default()), Gate::new());
    let pool = valid(Pool::builder().threads(1).name("stuck").build());
    let builder = |ledger: &_, gate: &_| {
        InferenceHandler::builder(config()).backend(listed(ledger, gate)).scheduler(pool.clone()).build()
    };
    let mut handler = valid(builder(&ledger, &gate));
    let Prepared { mut audio, .. } = valid(handler.prepare(&realtime()));
    gate.shut();
    let _ = send(&mut audio, &ramp(2 * HOP), &[HOP; 2]);
    gate.await_waiting(1);
    refused(handler.close(Duration::from_millis(20)), ErrorKind::Timeout, &["20ms"]);
    let (output, _) = send(&mut audio, &ramp(2 * HOP), &[HOP; 2]);
    assert_same(&output, &[0.0; 2 * HOP], "silence");
    drop(audio);
    assert_eq!(ledger.alive(), 1, "the engine that runs is not freed under itself");

    // The pool serves others meanwhile, and does not keep the worker that comes back late.
    let other = Gate::new();
    let mut handler = valid(builder(&ledger, &other));
    let control = handler.control();
    let Prepared { mut audio, report, .. } = valid(handler.prepare(&realtime()));
    let input = ramp(20 * HOP);
    let (mut output, _) = send_settled(&mut audio, &control, &input[..10 * HOP], &[HOP; 10]);
    gate.open();
    output.extend(send_settled(&mut audio, &control, &input[10 * HOP..], &[HOP; 10]).0);
    assert_same(&output, &delayed(&input, report.latency[0].samples), "another session");
    if cfg!(target_os = "linux") {
        eventually("the late worker ends", || threads_named("stuck-0.") == 1);
    }
    valid(handler.close(Duration::from_secs(60)));
    assert_eq!(pool.running(), 0);
}

/// Threads of this process whose name begins so (Linux).
fn threads_named(name: &str) -> usize {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    let named = |task: std::io::Result<std::fs::DirEntry>| {
        std::fs::read_to_string(task.ok()?.path().join("comm")).ok().filter(|comm| comm.starts_with(name))
    };
    tasks.filter_map(named).count()
}

#[test]
fn a_session_that_was_never_used_ends_in_either_order() {
    let (ledger, gate) = (Arc::new(Ledger::default()), Gate::new());
    let mut handler = on_own_pool(listed(&ledger, &gate), 1);
    let unused = valid(handler.prepare(&realtime()));
    drop(unused);
    drop(handler);
    assert_eq!(ledger.alive(), 0);
    let mut handler = on_own_pool(listed(&ledger, &gate), 1);
    let unused = valid(handler.prepare(&realtime()));
    drop(handler);
    drop(unused);
    eventually("somebody frees what nobody owns", || {
        sweep();
        ledger.alive() == 0
    });
}
