//! What a session and its pool tell of themselves while they run.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use anira::prelude::*;
use anira_tests::{Gate, mono, plain, ramp, send, send_settled, settle, valid};

const HOP: usize = 64;
/// A hop at 48 kHz.
const PERIOD: Duration = Duration::from_micros(1333);

fn copy(x: &[f32], y: &mut [f32]) -> Result<(), Error> {
    y.copy_from_slice(x);
    Ok(())
}

#[test]
fn every_hop_has_its_times() {
    let pool = valid(Pool::builder().threads(1).build());
    let backend = mono(HOP, |x, y| {
        std::thread::sleep(Duration::from_micros(200));
        copy(x, y)
    });
    let mut handler =
        valid(InferenceHandler::builder(plain(HOP, PERIOD)).backend(backend).scheduler(pool.clone()).build());
    let control = handler.control();
    let Prepared { mut audio, .. } = valid(handler.prepare(&HostConfig::fixed(48_000.0, HOP)));
    let _ = send_settled(&mut audio, &control, &ramp(50 * HOP), &[HOP; 50]);
    let t = control.telemetry();
    assert_eq!((t.submitted, t.done, t.failed, t.dropped, t.returned), (50, 50, 0, 0, 50));
    assert_eq!((t.inference.count(), t.wake_up.count(), t.slack.count() + t.overdue), (50, 50, 50));
    // The engine sleeps that long at least.
    assert!(t.inference.percentile(0.0) >= 150_000, "{}", t.inference.percentile(0.0));
    // What is over in time has less left than the time it had.
    assert!(u128::from(t.slack.max) < PERIOD.as_nanos(), "{}", t.slack.max);
    let snapshot = pool.snapshot();
    let slots: u64 = snapshot.workers.iter().map(|w| w.slots).sum();
    let busy: Duration = snapshot.workers.iter().map(|w| w.busy).sum();
    assert_eq!((snapshot.sessions, slots), (1, 50));
    assert!(busy >= Duration::from_millis(10), "50 times 0.2 ms: {busy:?}");
    assert!(snapshot.workers.iter().all(|w| w.busy_share() > 0.0 && w.busy_share() <= 1.0));
}

#[test]
fn a_slot_that_ends_after_its_time_is_counted_overdue() {
    let gate = Gate::new();
    let held = gate.clone();
    let backend = mono(HOP, move |x, y| {
        held.pass();
        copy(x, y)
    });
    let pool = valid(Pool::builder().threads(1).build());
    let mut handler =
        valid(InferenceHandler::builder(plain(HOP, PERIOD)).backend(backend).scheduler(pool).build());
    let control = handler.control();
    let Prepared { mut audio, .. } = valid(handler.prepare(&HostConfig::fixed(48_000.0, HOP)));
    gate.shut();
    let _ = send(&mut audio, &ramp(HOP), &[HOP]);
    gate.await_waiting(1);
    std::thread::sleep(10 * PERIOD);
    gate.open();
    settle(&control);
    let t = control.telemetry();
    assert_eq!((t.overdue, t.slack.count(), t.inference.count()), (1, 0, 1));
}

/// What ends is never counted before it began, whoever looks and whenever.
#[test]
fn sums_hold_at_every_moment() {
    let pool = valid(Pool::builder().threads(2).build());
    let mut handler =
        valid(InferenceHandler::builder(plain(HOP, PERIOD)).backend(mono(HOP, copy)).scheduler(pool).build());
    let control = handler.control();
    let Prepared { mut audio, .. } = valid(handler.prepare(&HostConfig::fixed(48_000.0, HOP)));
    let (over, looks) = (AtomicBool::new(false), AtomicU64::new(0));
    std::thread::scope(|scope| {
        let look = |_| {
            let (control, over, looks) = (control.clone(), &over, &looks);
            scope.spawn(move || {
                while !over.load(Ordering::Relaxed) {
                    let t = control.telemetry();
                    assert!(t.submitted >= t.done + t.failed + t.dropped, "{t:?}");
                    looks.fetch_add(1, Ordering::Relaxed);
                }
            })
        };
        let readers = [0, 1].map(look);
        // As long as it takes that somebody has looked often.
        let mut round = 0;
        while round < 2_000
            || looks.load(Ordering::Relaxed) < 500 && !readers.iter().any(|reader| reader.is_finished())
        {
            let _ = send(&mut audio, &ramp(HOP), &[HOP]);
            if round % 97 == 0 {
                audio.reset();
            }
            round += 1;
        }
        over.store(true, Ordering::Relaxed);
    });
}

#[test]
fn prepare_says_whether_all_sessions_fit_and_which_suffers() {
    let pool = valid(Pool::builder().threads(1).bands(1).build());
    let prepare = |name: &str, hop: usize, worst: Duration| {
        let builder = InferenceHandler::builder(plain(hop, worst)).backend(Bypass).name(name);
        let mut handler = valid(builder.scheduler(pool.clone()).build());
        let prepared = valid(handler.prepare(&HostConfig::fixed(48_000.0, hop)));
        (handler, prepared)
    };
    let (_short, first) = prepare("short", 64, Duration::from_micros(300));
    let alone = first.report.admission.as_ref().unwrap();
    assert!(alone.fits() && alone.worst().is_none() && alone.workers == 1, "{alone:?}");
    assert!((alone.utilisation - 0.225).abs() < 0.01, "{alone:?}");
    // One band: nobody interrupts the long inference, which is longer than the short session's deadline.
    let (_long, second) = prepare("long", 2048, Duration::from_millis(20));
    let both = second.report.admission.as_ref().unwrap();
    let worst = both.worst().unwrap();
    assert_eq!((both.sessions.len(), worst.name.as_str()), (2, "short"), "{both:?}");
    assert!(worst.blocking >= Duration::from_millis(19), "{worst:?}");
    assert!(worst.slack().is_none_or(|slack| slack < 0), "{worst:?}");
}

#[test]
fn snapshots_are_serialised_by_their_fields_names() {
    let pool = valid(Pool::builder().threads(1).build());
    let mut handler =
        valid(InferenceHandler::builder(plain(HOP, PERIOD)).backend(Bypass).scheduler(pool.clone()).build());
    let control = handler.control();
    let Prepared { mut audio, .. } = valid(handler.prepare(&HostConfig::fixed(48_000.0, HOP)));
    let _ = send_settled(&mut audio, &control, &ramp(3 * HOP), &[HOP; 3]);
    let session = serde_json::to_value(control.telemetry()).unwrap();
    assert_eq!((&session["submitted"], &session["done"]), (&3.into(), &3.into()));
    assert_eq!(
        session["inference"]["counts"].as_array().unwrap().iter().filter_map(|n| n.as_u64()).sum::<u64>(),
        3
    );
    let pool = serde_json::to_value(pool.snapshot()).unwrap();
    assert_eq!((&pool["sessions"], &pool["workers"][0]["slots"]), (&1.into(), &3.into()));
    assert!(pool["workers"][0]["granted"]["priority"].is_string(), "{pool}");
}

/// A host that stops for a while and returns: no burst, nothing late, nothing given up, the stream goes on where it was.
#[test]
fn after_a_gap_the_stream_goes_on_as_if_nothing_had_been() {
    let pool = valid(Pool::builder().threads(2).build());
    let mut handler = valid(
        InferenceHandler::builder(plain(HOP, PERIOD))
            .backend(mono(HOP, copy))
            .scheduler(pool.clone())
            .build(),
    );
    let control = handler.control();
    let Prepared { mut audio, report, .. } = valid(handler.prepare(&HostConfig::fixed(48_000.0, HOP)));
    let input = ramp(60 * HOP);
    let mut output = Vec::new();
    for part in input.chunks(20 * HOP) {
        let (samples, late) = send_settled(&mut audio, &control, part, &[HOP; 20]);
        assert_eq!(late, 0);
        output.extend(samples);
        // Longer than any sleep by time, and than forecasts reach.
        std::thread::sleep(Duration::from_millis(250));
        let before = control.telemetry();
        assert_eq!((before.submitted, before.dropped), (before.done, 0));
        std::thread::sleep(Duration::from_millis(50));
        assert_eq!(control.telemetry(), before, "nothing runs while nobody calls");
    }
    anira_tests::assert_same(&output, &anira_tests::delayed(&input, report.latency[0].samples), "the stream");
}
