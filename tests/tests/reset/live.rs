//! Live: an inference that runs at the reset, and `quiesce`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anira::prelude::*;
use anira_tests::{
    Gate, assert_same, delayed, mono, plain, ramp, refused, send, send_settled, settle, valid,
};

use super::{HOP, WORST, copy, realtime};

/// An engine that passes a gate and then says that it is done.
fn gated(gate: &Arc<Gate>, done: &Arc<AtomicU64>) -> impl Backend + use<> {
    let (gate, done) = (gate.clone(), done.clone());
    mono(HOP, move |x, y| {
        gate.pass();
        copy(x, y)?;
        done.fetch_add(1, Ordering::SeqCst);
        Ok(())
    })
}

fn on_a_pool<B: Backend>(backend: B) -> InferenceHandler<B, HopProcessor, Pool> {
    let pool = valid(Pool::builder().threads(1).build());
    let builder = InferenceHandler::builder(plain(HOP, WORST)).backend(backend);
    valid(builder.scheduler(pool).build())
}

#[test]
fn samples_late_behind_a_reset_are_counted_apart_until_the_stream_is_on_time() {
    let (gate, done) = Default::default();
    let mut handler = on_a_pool(gated(&gate, &done));
    let control = handler.control();
    let Prepared { mut audio, report, .. } = valid(handler.prepare(&realtime()));
    assert_eq!(report.latency[0].samples, HOP as u64);
    let input = ramp(60 * HOP);
    let right = delayed(&input, HOP as u64);
    for resets in [1, 2] {
        assert_eq!(send_settled(&mut audio, &control, &input[..5 * HOP], &[HOP; 5]).1, 0);
        let before = control.telemetry();
        gate.shut();
        let _ = send(&mut audio, &input[..HOP], &[HOP]);
        gate.await_waiting(1);
        (0..resets).for_each(|_| audio.reset());
        let (_, late) = send(&mut audio, &input[..4 * HOP], &[HOP; 4]);
        assert_eq!(late, 3 * HOP as u64, "the first block is the latency");
        let behind = control.telemetry();
        assert_eq!(behind.late_after_reset - before.late_after_reset, late);
        assert_eq!(behind.late_samples, before.late_samples, "not the model's doing");
        gate.open();
        settle(&control);
        let rest = 4 * HOP..20 * HOP;
        let (output, _) = send_settled(&mut audio, &control, &input[rest.clone()], &[HOP; 16]);
        assert_same(&output[8 * HOP..], &right[12 * HOP..20 * HOP], "back in its place");
        // On time again: what is late now is late as ever.
        let before = control.telemetry();
        gate.shut();
        let (_, late) = send(&mut audio, &input[20 * HOP..24 * HOP], &[HOP; 4]);
        assert!(late > 0);
        let after = control.telemetry();
        assert_eq!(after.late_samples - before.late_samples, late);
        assert_eq!(after.late_after_reset, before.late_after_reset);
        gate.open();
        settle(&control);
        audio.reset();
    }
}

#[test]
fn a_reset_while_nothing_runs_excuses_nothing() {
    let scheduler = valid(Driven::new(1));
    let builder = InferenceHandler::builder(plain(HOP, WORST)).backend(Bypass).scheduler(scheduler);
    let mut handler = valid(builder.build());
    let control = handler.control();
    let Prepared { mut audio, .. } = valid(handler.prepare(&realtime()));
    let _ = send(&mut audio, &ramp(4 * HOP), &[HOP; 4]);
    audio.reset();
    let before = control.telemetry();
    let (_, late) = send(&mut audio, &ramp(4 * HOP), &[HOP; 4]);
    let after = control.telemetry();
    assert_eq!((late, after.late_samples - before.late_samples), (3 * HOP as u64, late));
    assert_eq!(after.late_after_reset, 0);
}

#[test]
fn quiesce_returns_when_the_running_inference_has_ended_and_not_before() {
    let (gate, done): (Arc<Gate>, Arc<AtomicU64>) = Default::default();
    let mut handler = on_a_pool(gated(&gate, &done));
    let Prepared { mut audio, .. } = valid(handler.prepare(&realtime()));
    valid(handler.quiesce(Duration::ZERO));
    for resets in 0..3 {
        gate.shut();
        let _ = send(&mut audio, &ramp(HOP), &[HOP]);
        gate.await_waiting(1);
        (0..resets).for_each(|_| audio.reset());
        let start = Instant::now();
        refused(handler.quiesce(Duration::from_millis(30)), ErrorKind::Timeout, &["quiesce"]);
        assert!(start.elapsed() >= Duration::from_millis(30));
        let opened = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                std::thread::sleep(Duration::from_millis(30));
                opened.store(true, Ordering::SeqCst);
                gate.open();
            });
            valid(handler.quiesce(Duration::from_secs(60)));
            assert!(opened.load(Ordering::SeqCst), "it returned while an engine was running");
            assert_eq!(done.load(Ordering::SeqCst), gate.arrivals(), "and nobody is inside");
        });
        let runs = gate.arrivals();
        std::thread::sleep(Duration::from_millis(20));
        assert_eq!((gate.arrivals(), done.load(Ordering::SeqCst)), (runs, runs), "nothing runs after it");
    }
    // The session goes on.
    audio.reset();
    let control = handler.control();
    let input = ramp(10 * HOP);
    let (output, late) = send_settled(&mut audio, &control, &input, &[HOP; 10]);
    assert_same(&output, &delayed(&input, HOP as u64), "after quiesce");
    assert_eq!(late, 0);
}

#[test]
fn quiesce_where_nobody_drives() {
    let scheduler = valid(Driven::new(1));
    let mut driver = scheduler.driver();
    let builder = InferenceHandler::builder(plain(HOP, WORST)).backend(Bypass).scheduler(scheduler);
    let mut handler = valid(builder.build());
    let Prepared { mut audio, .. } = valid(handler.prepare(&realtime()));
    let _ = send(&mut audio, &ramp(HOP), &[HOP]);
    refused(handler.quiesce(Duration::from_millis(5)), ErrorKind::Timeout, &["nobody to run"]);
    assert!(driver.run_one());
    valid(handler.quiesce(Duration::from_millis(5)));
    let _ = send(&mut audio, &ramp(HOP), &[HOP]);
    // What a reset takes back will never run.
    audio.reset();
    valid(handler.quiesce(Duration::from_millis(5)));
    assert!(!driver.run_one());
}
