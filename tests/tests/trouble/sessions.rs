//! Many sessions, sessions that come and go, threads that come and go.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use anira::prelude::*;
use anira_tests::{assert_same, delayed, mono, plain, ramp, send, send_settled, valid};

use crate::{HOP, config, realtime};

/// A backend that multiplies.
fn times(factor: f32) -> impl Backend {
    mono(HOP, move |x, y| {
        y.iter_mut().zip(x).for_each(|(y, x)| *y = factor * x);
        Ok(())
    })
}

#[test]
fn two_hundred_sessions_on_one_pool_hear_each_their_own() {
    let pool = valid(Pool::builder().threads(2).build());
    let mut sessions: Vec<_> = (0..200)
        .map(|n| {
            let builder =
                InferenceHandler::builder(config()).backend(times(n as f32)).scheduler(pool.clone());
            let mut handler = valid(builder.build());
            let Prepared { audio, report, .. } = valid(handler.prepare(&realtime()));
            (handler, audio, report.latency[0].samples, Vec::new())
        })
        .collect();
    let input = ramp(10 * HOP);
    for block in input.chunks(HOP) {
        // All submit, then all are waited for.
        for (_, audio, _, output) in &mut sessions {
            let (samples, late) = send(audio, block, &[HOP]);
            assert_eq!(late, 0);
            output.extend(samples);
        }
        sessions.iter().for_each(|(handler, ..)| anira_tests::settle(&handler.control()));
    }
    for (n, (_, _, latency, output)) in sessions.iter().enumerate() {
        let right: Vec<f32> = input.iter().map(|x| n as f32 * x).collect();
        assert_same(output, &delayed(&right, *latency), format_args!("session {n}"));
    }
    assert_eq!(pool.running(), 2);
    drop(sessions);
    assert_eq!(pool.running(), 0, "no session, no thread");
}

#[test]
fn sessions_built_and_dropped_beside_one_that_plays_disturb_it_not() {
    let pool = valid(Pool::builder().threads(2).build());
    let made = |factor| {
        let config = plain(HOP, Duration::from_micros(600));
        valid(InferenceHandler::builder(config).backend(times(factor)).scheduler(pool.clone()).build())
    };
    let mut handler = made(1.0);
    let control = handler.control();
    let Prepared { mut audio, report, .. } = valid(handler.prepare(&realtime()));
    let (stop, rounds) = (AtomicBool::new(false), AtomicU64::new(0));
    let (mut input, mut output) = (Vec::new(), Vec::new());
    std::thread::scope(|scope| {
        for order in 0..2 {
            let (made, stop, rounds) = (&made, &stop, &rounds);
            scope.spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    let mut other = made(2.0);
                    let Prepared { mut audio, .. } = valid(other.prepare(&realtime()));
                    // Dropped with hops still on their way.
                    let _ = send(&mut audio, &[1.0; 3 * HOP], &[HOP; 3]);
                    match order {
                        0 => drop((audio, other)),
                        _ => drop((other, audio)),
                    }
                    rounds.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        while rounds.load(Ordering::Relaxed) < 100 && input.len() < 1_000_000 * HOP {
            let block: Vec<f32> = (0..HOP).map(|i| ((input.len() + i) % 1000) as f32).collect();
            let (samples, late) = send_settled(&mut audio, &control, &block, &[HOP]);
            assert_eq!(late, 0);
            input.extend(block);
            output.extend(samples);
        }
        stop.store(true, Ordering::Relaxed);
    });
    assert!(rounds.load(Ordering::Relaxed) >= 100);
    assert_same(&output, &delayed(&input, report.latency[0].samples), "the one that plays");
    assert_eq!(control.last_error(), None);
}

#[test]
fn threads_that_drive_may_come_and_go() {
    let scheduler = valid(Driven::new(2));
    let builder = InferenceHandler::builder(config()).backend(times(3.0)).scheduler(scheduler.clone());
    let mut handler = valid(builder.build());
    let control = handler.control();
    let Prepared { mut audio, report, .. } = valid(handler.prepare(&realtime()));
    let stop = AtomicBool::new(false);
    let input = ramp(100 * HOP);
    let mut output = Vec::new();
    std::thread::scope(|scope| {
        for _ in 0..2 {
            let (scheduler, stop) = (&scheduler, &stop);
            // Each of these lives for one hop.
            scope.spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    let short = scheduler.clone();
                    let lived = std::thread::spawn(move || {
                        let mut driver = short.driver();
                        (0..1000).find(|_| driver.run_one())
                    });
                    let _ = lived.join().unwrap();
                }
            });
        }
        let (samples, late) = send_settled(&mut audio, &control, &input, &[HOP; 100]);
        stop.store(true, Ordering::Relaxed);
        assert_eq!(late, 0);
        output.extend(samples);
    });
    let right: Vec<f32> = input.iter().map(|x| 3.0 * x).collect();
    assert_same(&output, &delayed(&right, report.latency[0].samples), "driven");
}

#[test]
fn threads_of_a_pool_live_as_long_as_a_session() {
    let pool = valid(Pool::builder().threads(3).build());
    let made =
        || valid(InferenceHandler::builder(config()).backend(times(1.0)).scheduler(pool.clone()).build());
    let (mut a, mut b) = (made(), made());
    assert_eq!(pool.running(), 0, "built is not prepared");
    let in_a = valid(a.prepare(&realtime()));
    assert_eq!(pool.running(), 3);
    let _in_b = valid(b.prepare(&realtime()));
    drop((in_a, a));
    assert_eq!(pool.running(), 3);
    drop(b);
    assert_eq!(pool.running(), 0);
    // And again.
    let mut c = made();
    let control = c.control();
    let Prepared { mut audio, .. } = valid(c.prepare(&realtime()));
    assert_eq!(send_settled(&mut audio, &control, &ramp(4 * HOP), &[HOP; 4]).1, 0);
    assert_eq!(pool.running(), 3);
}
