//! Loom models of the ring: one per named interleaving. Run by `cargo xtask loom`.
//!
//! Bounds: two or three threads, two slots, windows of two samples; preemptions as `LOOM_MAX_PREEMPTIONS` says. What is
//! explored is exhaustive only within these.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test's failure")]

use anira_traits::{Head, Windows};
use loom::thread;

use super::{Claim, Collected, Parts, Producer, Ring, StreamShape};
use crate::sync::Arc;

/// What a worker remembers from slot to slot, like an engine's state.
#[derive(Debug, Default)]
struct Memory {
    generation: u64,
    hops: Vec<u64>,
}

type Slots = Ring<u64, Memory>;

fn producer(slots: usize, executors: usize) -> Producer<u64, Memory> {
    let stream = StreamShape { channels: 1, hop: 1, context: 1, capacity: slots + executors + 3 };
    let memories = (0..executors).map(|_| Memory::default());
    Producer::new(&[stream], vec![0; slots], memories)
}

/// Pushes the sample `value` and submits its hop with the payload `value`.
fn push(producer: &mut Producer<u64, Memory>, value: u64) -> bool {
    assert!(producer.room(0) > 0);
    producer.write(0, 0, 1, |target, _| target.fill(value as f32));
    producer.advance(0, 1);
    producer.submit(Head::default(), |payload| *payload = value)
}

/// Runs a slot as a stateful session does: the answer is 100 times the window's two samples and the payload, summed.
fn run(mut claim: Claim<'_, u64, Memory>) -> u64 {
    let Some(Parts { header, payload, executor, input }) = claim.parts() else { panic!("claimed twice") };
    if executor.generation != header.generation {
        *executor = Memory { generation: header.generation, hops: Vec::new() };
    }
    executor.hops.push(header.hop);
    let in_order = executor.hops.windows(2).all(|pair| pair[0] < pair[1]);
    assert!(in_order, "a stateful session runs in order: {:?}", executor.hops);
    let window: u64 = input.span(0, 0).iter().map(|sample| sample as u64).sum();
    let value = *payload;
    input.release();
    *payload = 100 * window + value;
    claim.finish(true, false);
    value
}

fn run_all(ring: &Slots) -> usize {
    std::iter::from_fn(|| ring.claim().map(run)).count()
}

/// Collects until nothing is outstanding; the payloads in order.
fn collect_all(producer: &mut Producer<u64, Memory>) -> Vec<u64> {
    let mut got = Vec::new();
    loop {
        match producer.collect() {
            Collected::Empty => return got,
            Collected::Pending => thread::yield_now(),
            Collected::Lost(hop) => panic!("hop {hop} was lost"),
            Collected::Ready(mut ready) => got.extend(ready.payload().map(|p| *p)),
        }
    }
}

/// Promise 1: what was written before a hand-over is seen after it, in both directions, windows included.
#[test]
fn contents_cross_with_the_slot() {
    loom::model(|| {
        let mut producer = producer(2, 1);
        let ring = producer.ring().clone();
        let worker = thread::spawn(move || {
            let mut ran = 0;
            while ran < 2 {
                ran += run_all(&ring);
                thread::yield_now();
            }
        });
        assert!(push(&mut producer, 1));
        assert!(push(&mut producer, 2));
        assert_eq!(collect_all(&mut producer), [101, 302]);
        worker.join().unwrap();
    });
}

/// Promise 2: of two workers exactly one runs a slot.
#[test]
fn two_workers_one_slot() {
    loom::model(|| {
        let mut producer = producer(2, 2);
        assert!(push(&mut producer, 1));
        let rings: [Arc<Slots>; 2] = [producer.ring().clone(), producer.ring().clone()];
        let [first, second] = rings.map(|ring| thread::spawn(move || ring.claim().map(run)));
        let ran = [first.join().unwrap(), second.join().unwrap()];
        assert_eq!(ran.iter().flatten().count(), 1, "{ran:?}");
        assert_eq!(collect_all(&mut producer), [101]);
    });
}

/// Promise 3, and the peer's fault of stateful work reordered across consumers: `run` asserts the order.
#[test]
fn racing_workers_keep_a_stateful_session_in_order() {
    loom::model(|| {
        let mut producer = producer(2, 1);
        let ring = producer.ring().clone();
        let worker = thread::spawn(move || run_all(&ring));
        assert!(push(&mut producer, 1));
        assert!(push(&mut producer, 2));
        let here = run_all(&producer.ring().clone());
        let there = worker.join().unwrap();
        // Whatever the two left, nobody holds the executor any more: a third look finds the rest.
        let rest = run_all(&producer.ring().clone());
        assert_eq!(here + there + rest, 2);
        assert_eq!(collect_all(&mut producer), [101, 302]);
    });
}

/// Promise 3, the other half: two executors run two slots at once, and they are still collected in order.
#[test]
fn a_stateless_session_is_collected_in_order() {
    loom::model(|| {
        let mut producer = producer(2, 2);
        assert!(push(&mut producer, 1));
        assert!(push(&mut producer, 2));
        let ring = producer.ring().clone();
        let worker = thread::spawn(move || run_all(&ring));
        let here = run_all(&producer.ring().clone());
        assert_eq!(here + worker.join().unwrap(), 2);
        assert_eq!(collect_all(&mut producer), [101, 302]);
    });
}

/// Promise 4: a reset while a worker runs. What was submitted before is never heard, the engine's memory is of the new
/// generation, the new window has silence where the old sample was.
#[test]
fn reset_while_a_worker_runs() {
    loom::model(|| {
        let mut producer = producer(3, 1);
        assert!(push(&mut producer, 1));
        let ring = producer.ring().clone();
        let worker = thread::spawn(move || run_all(&ring));
        producer.reset();
        assert!(push(&mut producer, 7));
        let here = run_all(&producer.ring().clone());
        let there = worker.join().unwrap();
        let rest = run_all(&producer.ring().clone());
        assert!((1..=2).contains(&(here + there + rest)));
        assert_eq!(collect_all(&mut producer), [707]);
    });
}

/// A slot taken back because its time has passed, while a worker claims it: either it ran or it is lost, never both.
#[test]
fn dropping_a_slot_while_it_is_claimed() {
    loom::model(|| {
        let mut producer = producer(2, 1);
        assert!(push(&mut producer, 1));
        let ring = producer.ring().clone();
        let worker = thread::spawn(move || run_all(&ring));
        let dropped = producer.drop_oldest(u64::MAX).is_some();
        let ran = worker.join().unwrap();
        assert_eq!(ran, usize::from(!dropped));
        match producer.collect() {
            Collected::Lost(0) => assert!(dropped),
            Collected::Ready(_) => assert!(!dropped),
            other => panic!("{other:?}"),
        }
    });
}

/// Promise 5: the audio thread and the owner go while a worker is inside; the last one out frees, and loom sees no use after.
#[test]
fn the_audio_side_goes_first() {
    loom::model(|| {
        let mut producer = producer(2, 1);
        assert!(push(&mut producer, 1));
        let ring = producer.ring().clone();
        let worker = thread::spawn(move || run_all(&ring));
        drop(producer);
        worker.join().unwrap();
    });
}

/// The history is overwritten only where no worker may still read: a ring of three positions, windows of two.
#[test]
fn the_history_waits_for_its_readers() {
    loom::model(|| {
        let stream = StreamShape { channels: 1, hop: 1, context: 1, capacity: 3 };
        let mut producer: Producer<u64, Memory> = Producer::new(&[stream], vec![0; 2], [Memory::default()]);
        assert!(push(&mut producer, 1));
        let ring = producer.ring().clone();
        let worker = thread::spawn(move || run_all(&ring));
        for value in [2, 3, 4] {
            if producer.room(0) > 0 {
                producer.write(0, 0, 1, |target, _| target.fill(value as f32));
                producer.advance(0, 1);
                // Not submitted: so that only the slot above still needs the past.
                producer.forgo();
            }
        }
        worker.join().unwrap();
        match producer.collect() {
            Collected::Ready(mut ready) => assert_eq!(ready.payload().copied(), Some(101)),
            other => panic!("{other:?}"),
        };
    });
}
