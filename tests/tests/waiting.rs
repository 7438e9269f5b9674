//! A blocking ratio above 0: results that come within the wait are heard, and no wait is longer than its bound. Bounds are made
//! so long, or so short, that no machine is too slow to tell the cases apart.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anira::prelude::*;
use anira_tests::{Gate, backend, cut, delayed, eventually, mono, ramp, settle, signature, valid};

/// Samples in a block and in a hop.
const BLOCK: usize = 1000;

/// A block that lasts this long.
fn host(block: Duration) -> HostConfig {
    HostConfig::fixed(BLOCK as f64 / block.as_secs_f64(), BLOCK)
}

/// A session that may wait this share of its block, and declares to need less.
fn session<B: Backend, S: Scheduler<anira::EngineOf<B>>>(
    backend: B,
    scheduler: S,
    ratio: f64,
) -> InferenceHandler<B, HopProcessor, S> {
    let config = cut()
        .input(InputTensor::stream("input", BLOCK))
        .output(OutputTensor::stream("output", BLOCK))
        .max_inference(Duration::from_millis(10))
        .blocking_ratio(ratio);
    valid(InferenceHandler::builder(valid(config.build())).backend(backend).scheduler(scheduler).build())
}

fn pool(threads: usize) -> Pool {
    valid(Pool::builder().threads(threads).build())
}

fn copy(x: &[f32], y: &mut [f32]) -> Result<(), Error> {
    y.copy_from_slice(x);
    Ok(())
}

fn gated(gate: &Arc<Gate>) -> impl Backend + use<> {
    let gate = gate.clone();
    mono(BLOCK, move |x, y| {
        gate.pass();
        copy(x, y)
    })
}

/// One block through the session: what came out, late samples, and how long it took.
fn call<B: Backend, S: Scheduler<anira::EngineOf<B>>>(
    audio: &mut Audio<B, HopProcessor, S>,
    input: &[f32],
) -> (Vec<f32>, u64, Duration) {
    let mut block = input.to_vec();
    let start = Instant::now();
    let status = audio.process(&mut [&mut block[..]]);
    assert_eq!(status.fault, None);
    (block, status.late_samples, start.elapsed())
}

const LONG: Duration = Duration::from_secs(40);
/// Far less than [`LONG`]: who took no longer did not wait for the bound.
const SOON: Duration = Duration::from_secs(20);
/// 200 ms of [`LONG`].
const SHARE: f64 = 0.005;

/// Whether so many waits of a [`SHARE`] took no less, and no more than a busy machine may make of them.
fn is_bound(took: Duration, waits: u32) -> bool {
    let bound = waits * LONG.mul_f64(SHARE);
    (bound..20 * bound).contains(&took)
}

#[test]
fn what_comes_within_the_wait_is_heard_as_soon_as_it_is_there() {
    let gate = Gate::new();
    let mut handler = session(gated(&gate), pool(1), 1.0);
    let Prepared { mut audio, report, .. } = valid(handler.prepare(&host(LONG)));
    assert_eq!(report.latency[0].samples, 0, "the wait is counted on");
    let input = ramp(10 * BLOCK);
    for block in input.chunks(BLOCK) {
        gate.shut();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                gate.await_waiting(1);
                // Long enough for the audio thread to have gone to sleep.
                std::thread::sleep(Duration::from_millis(5));
                gate.open();
            });
            let (heard, late, took) = call(&mut audio, block);
            assert_eq!((heard, late), (block.to_vec(), 0));
            assert!(took < SOON, "it was there, and {took:?} were waited");
        });
    }
}

#[test]
fn if_nobody_comes_the_wait_is_its_bound_and_not_longer() {
    let mut handler = session(mono(BLOCK, copy), valid(Driven::new(1)), SHARE);
    let Prepared { mut audio, report, .. } = valid(handler.prepare(&host(LONG)));
    assert_eq!(report.latency[0].samples, 0);
    for _ in 0..3 {
        let (heard, late, took) = call(&mut audio, &ramp(BLOCK));
        assert_eq!((heard, late), (vec![0.0; BLOCK], BLOCK as u64));
        assert!(is_bound(took, 1), "{took:?}");
    }
    // A call that brings three blocks may wait for each; one that brings a tenth, a tenth as long.
    let (_, _, took) = call(&mut audio, &ramp(3 * BLOCK));
    assert!(is_bound(took, 3), "{took:?}");
    let mut handler = session(mono(BLOCK, copy), valid(Driven::new(1)), 0.5);
    let varying = HostConfig::varying(BLOCK as f64 / 40.0, BLOCK);
    let Prepared { mut audio, report, .. } = valid(handler.prepare(&varying));
    let (_, _, took) = call(&mut audio, &ramp(BLOCK - 1));
    assert!(took < SOON, "no hop is complete: {took:?}");
    let due = report.latency[0].samples as usize + 1;
    // The first block that needs the hop brings one sample, of 40 ms: half of it may be waited.
    let mut late = 0;
    for _ in BLOCK - 1..due {
        let (_, missed, took) = call(&mut audio, &[1.0]);
        late += missed;
        assert!(took < Duration::from_secs(5), "{took:?}");
    }
    assert_eq!(late, 1);
}

#[test]
fn several_outputs_wait_no_longer_together_than_one() {
    // The second has 50 samples for one of the first: it is no longer waited for than the first.
    for hops in [vec![BLOCK; 50], vec![BLOCK, 50 * BLOCK]] {
        let names: Vec<String> = (0..hops.len()).map(|n| format!("output {n}")).collect();
        let shapes: Vec<[usize; 3]> = hops.iter().map(|hop| [1, 1, *hop]).collect();
        let tensors: Vec<(&str, &[usize])> =
            names.iter().zip(&shapes).map(|(name, shape)| (&name[..], &shape[..])).collect();
        let model = backend(signature(&[("input", &[1, 1, BLOCK])], &tensors), |_, _| Ok(()));
        let mut config = cut().input(InputTensor::stream("input", BLOCK));
        for (name, hop) in names.iter().zip(&hops) {
            config = config.output(OutputTensor::stream(name, *hop));
        }
        let config = config.max_inference(Duration::from_millis(10)).blocking_ratio(SHARE);
        let builder = InferenceHandler::builder(valid(config.build())).backend(model);
        let mut handler = valid(builder.scheduler(valid(Driven::new(1))).build());
        let Prepared { mut audio, .. } = valid(handler.prepare(&host(LONG)));
        for _ in 0..2 {
            let start = Instant::now();
            assert!(audio.push(0, &[&ramp(BLOCK)[..]]).is_ok());
            for (stream, hop) in hops.iter().enumerate().rev() {
                let mut out = vec![0.0f32; *hop];
                assert_eq!(audio.pop(stream, &mut [&mut out[..]]).late_samples, *hop as u64);
            }
            assert!(is_bound(start.elapsed(), 1), "{} outputs: {:?}", hops.len(), start.elapsed());
        }
    }
}

#[test]
fn what_a_callback_did_not_wait_is_not_saved_up() {
    // Of a hundred callbacks 99 complete no hop and lack nothing; the last may wait for its own ten samples, 400 ms.
    let mut handler = session(mono(BLOCK, copy), valid(Driven::new(1)), 1.0);
    let Prepared { mut audio, report, .. } =
        valid(handler.prepare(&HostConfig::varying(BLOCK as f64 / LONG.as_secs_f64(), 10)));
    let due = report.latency[0].samples as usize;
    let input = ramp(due + 10);
    for block in input[..due].chunks(10) {
        assert_eq!(call(&mut audio, block).1, 0);
    }
    let (_, late, took) = call(&mut audio, &input[due..]);
    assert_eq!(late, 10);
    assert!((LONG / 100..SOON).contains(&took), "{took:?}");
}

#[test]
fn an_engine_that_is_held_is_waited_for_no_longer_than_the_bound() {
    let gate = Gate::new();
    let mut handler = session(gated(&gate), pool(1), SHARE);
    let control = handler.control();
    let Prepared { mut audio, .. } = valid(handler.prepare(&host(LONG)));
    gate.shut();
    let (_, late, took) = call(&mut audio, &ramp(BLOCK));
    assert_eq!(late, BLOCK as u64);
    assert!(is_bound(took, 1), "{took:?}");
    // A reset right after it: what was held is not heard.
    audio.reset();
    gate.open();
    settle(&control);
    let mut handler_free = session(gated(&gate), pool(1), 1.0);
    let Prepared { audio: mut free, .. } = valid(handler_free.prepare(&host(LONG)));
    let input = ramp(3 * BLOCK);
    let (heard, late, _) = call(&mut free, &input);
    assert_eq!((heard, late), (input.clone(), 0), "three blocks in one call are three waits");
    free.reset();
    let (heard, late, _) = call(&mut free, &input);
    assert_eq!((heard, late), (input, 0), "and so after a reset");
}

#[test]
fn without_a_ratio_nobody_waits() {
    let gate = Gate::new();
    let mut handler = session(gated(&gate), pool(1), 0.0);
    let Prepared { mut audio, report, .. } = valid(handler.prepare(&host(LONG)));
    assert_eq!(report.latency[0].samples, BLOCK as u64);
    gate.shut();
    let start = Instant::now();
    let late: u64 = (0..4).map(|_| call(&mut audio, &ramp(BLOCK)).1).sum();
    assert_eq!(late, 3 * BLOCK as u64);
    assert!(start.elapsed() < SOON);
    gate.open();
}

#[test]
fn where_nothing_is_outstanding_nothing_is_waited_for() {
    let mut handler = session(mono(BLOCK, copy), valid(Driven::new(1)), 1.0);
    let Prepared { mut audio, .. } = valid(handler.prepare(&host(LONG)));
    let start = Instant::now();
    let mut block = vec![1.0f32; BLOCK];
    // A pop without a push.
    assert_eq!(audio.pop(0, &mut [&mut block[..]]).late_samples, BLOCK as u64);
    assert_eq!(audio.pop(0, &mut [&mut block[..0]]).late_samples, 0);
    audio.reset();
    // A reset takes back what was outstanding.
    assert!(audio.push(0, &[&block[..]]).is_ok());
    audio.reset();
    assert_eq!(audio.pop(0, &mut [&mut block[..]]).late_samples, BLOCK as u64);
    assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
}

#[test]
fn an_error_and_a_panic_end_the_wait() {
    for panics in [false, true] {
        let gate = Gate::new();
        let held = gate.clone();
        let model = mono(BLOCK, move |x, y| {
            held.pass();
            assert!(x[0] != -1.0, "on purpose");
            match x[0] == -2.0 {
                true => Err(Error::new(ErrorKind::Engine, "on purpose")),
                false => copy(x, y),
            }
        });
        let mut handler = session(model, pool(1), 1.0);
        let control = handler.control();
        let Prepared { mut audio, .. } = valid(handler.prepare(&host(LONG)));
        gate.shut();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                gate.await_waiting(1);
                std::thread::sleep(Duration::from_millis(5));
                gate.open();
            });
            let bad = vec![if panics { -1.0 } else { -2.0 }; BLOCK];
            let (heard, late, took) = call(&mut audio, &bad);
            assert_eq!((heard, late), (vec![0.0; BLOCK], BLOCK as u64));
            assert!(took < SOON, "a failure is an answer, too: {took:?}");
        });
        settle(&control);
        let kind = if panics { ErrorKind::Panicked } else { ErrorKind::Engine };
        assert_eq!(control.last_error().map(|e| e.kind()), Some(kind));
        let (heard, late, took) = call(&mut audio, &ramp(BLOCK));
        // An engine that panicked is never run again.
        let right = if panics { (vec![0.0; BLOCK], BLOCK as u64) } else { (ramp(BLOCK), 0) };
        assert_eq!((heard, late), right);
        assert!(took < SOON, "{took:?}");
    }
}

#[test]
fn a_session_that_ends_meanwhile_is_not_waited_for() {
    for closes in [true, false] {
        let mut handler = session(mono(BLOCK, copy), valid(Driven::new(1)), 1.0);
        let control = handler.control();
        let Prepared { mut audio, .. } = valid(handler.prepare(&host(LONG)));
        std::thread::scope(|scope| {
            scope.spawn(move || {
                eventually("a hop is submitted", || control.telemetry().submitted == 1);
                // Long enough for the audio thread to have gone to sleep.
                std::thread::sleep(Duration::from_millis(50));
                match closes {
                    true => valid(handler.close(Duration::from_secs(10))),
                    false => drop(handler),
                }
            });
            let (heard, late, took) = call(&mut audio, &ramp(BLOCK));
            assert_eq!((heard, late), (vec![0.0; BLOCK], BLOCK as u64));
            assert!(took < SOON, "the session was over, and {took:?} were waited");
        });
        let (heard, _, took) = call(&mut audio, &ramp(BLOCK));
        assert_eq!(heard, vec![0.0; BLOCK], "silence from then on");
        assert!(took < SOON, "{took:?}");
    }
}

#[test]
fn two_sessions_wait_at_once() {
    let (gates, pool) = ([Gate::new(), Gate::new()], pool(2));
    let mut sessions: Vec<_> = gates
        .iter()
        .map(|gate| {
            let mut handler = session(gated(gate), pool.clone(), 1.0);
            let Prepared { audio, .. } = valid(handler.prepare(&host(LONG)));
            gate.shut();
            (handler, audio)
        })
        .collect();
    std::thread::scope(|scope| {
        for (_, audio) in &mut sessions {
            scope.spawn(move || {
                let (heard, late, took) = call(audio, &ramp(BLOCK));
                assert_eq!((heard, late), (ramp(BLOCK), 0));
                assert!(took < SOON, "{took:?}");
            });
        }
        // Both are waiting, the second is answered first.
        gates.iter().for_each(|gate| gate.await_waiting(1));
        std::thread::sleep(Duration::from_millis(5));
        gates.iter().rev().for_each(|gate| gate.open());
    });
}

#[test]
fn two_thousand_short_waits_lose_no_ring() {
    // Waits of at most 40 s, with engines that answer at once: a ring that is lost would be seen as a call that takes that long.
    let mut handler = session(mono(BLOCK, copy), pool(1), 1.0);
    let Prepared { mut audio, report, .. } = valid(handler.prepare(&host(LONG)));
    let input = ramp(BLOCK);
    let right = delayed(&input, report.latency[0].samples);
    for n in 0..2000 {
        let (heard, late, took) = call(&mut audio, &input);
        assert!((&heard, late) == (&right, 0), "call {n}");
        assert!(took < SOON, "call {n}: {took:?}");
    }
}
