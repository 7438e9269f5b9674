//! Loom models of the ring: one per named interleaving. Run by `cargo xtask loom`.
//!
//! Bounds: two or three threads, two or three slots, at most three hops, windows of two samples; preemptions as
//! `LOOM_MAX_PREEMPTIONS` says. What is explored is exhaustive only within these. The models named after faults that others
//! had are in `loom_faults.rs`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test's failure")]

use anira_traits::{Head, Windows};
use loom::thread;

use super::{Claim, Collected, Parts, Producer, Ring, StreamShape};
use crate::sync::{Arc, AtomicBool, Ordering, fence};

/// What a worker remembers from slot to slot, like an engine's state.
#[derive(Debug, Default)]
pub(super) struct Memory {
    generation: u64,
    pub(super) hops: Vec<u64>,
}

pub(super) type Slots = Ring<u64, Memory>;

pub(super) fn producer(slots: usize, executors: usize) -> Producer<u64, Memory> {
    let stream = StreamShape { channels: 1, hop: 1, context: 1, capacity: slots + executors + 3 };
    let memories = (0..executors).map(|_| Memory::default());
    Producer::new(&[stream], vec![0; slots], memories)
}

/// Pushes the sample `value` and submits its hop with the payload `value`.
pub(super) fn push(producer: &mut Producer<u64, Memory>, value: u64) -> bool {
    assert!(producer.room(0) > 0);
    producer.write(0, 0, 1, |target, _| target.fill(value as f32));
    producer.advance(0, 1);
    producer.submit(Head::default(), |payload| *payload = value)
}

/// Runs a slot as a stateful session does: the answer is 100 times the window's two samples and the payload, summed.
pub(super) fn run(mut claim: Claim<'_, u64, Memory>) -> u64 {
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

pub(super) fn run_all(ring: &Slots) -> usize {
    std::iter::from_fn(|| ring.claim().map(run)).count()
}

/// Collects until nothing is outstanding; the payloads in order.
pub(super) fn collect_all(producer: &mut Producer<u64, Memory>) -> Vec<u64> {
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

/// Promise 3, for sessions without a memory: two executors run two slots at once, and they are still collected in order.
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

/// A worker has won an index and is about to claim its slot, when the audio thread takes the slot back and publishes it under a
/// later index: the worker must not take the one for the other. Two threads, one slot, two hops.
#[test]
fn a_late_worker_meets_the_next_use_of_its_slot() {
    loom::model(|| {
        let mut producer = producer(1, 1);
        assert!(push(&mut producer, 1));
        let ring = producer.ring().clone();
        let worker = thread::spawn(move || run_all(&ring));
        if producer.drop_oldest(u64::MAX).is_some() {
            assert!(matches!(producer.collect(), Collected::Lost(0)));
            assert!(push(&mut producer, 2));
        }
        let there = worker.join().unwrap();
        let rest = run_all(&producer.ring().clone());
        assert_eq!(there + rest, 1);
        let got = collect_all(&mut producer);
        assert!(got == [101] || got == [302], "{got:?}");
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

/// What the scan is told of a session's head is of the slot that is there, not of the slot's earlier use: a stale deadline would
/// send a worker to the wrong session. Two threads, one slot, two hops.
#[test]
fn the_head_tells_the_times_of_its_slot() {
    loom::model(|| {
        let mut producer = producer(1, 1);
        let ring = producer.ring().clone();
        let worker = thread::spawn(move || {
            let head = ring.head();
            // The first hop is due at 10, the second at 20, and each was submitted a moment before.
            if let Some(Head { deadline, submitted }) = head {
                assert!([10, 20].contains(&deadline) && [9, 19].contains(&submitted), "{head:?}");
            }
        });
        for deadline in [10, 20] {
            producer.write(0, 0, 1, |target, _| target.fill(1.0));
            producer.advance(0, 1);
            assert!(producer.submit(Head { deadline, submitted: deadline - 1 }, |_| ()));
            run_all(&producer.ring().clone());
            assert!(matches!(producer.collect(), Collected::Ready(_)));
        }
        worker.join().unwrap();
    });
}

/// An executor that is given back just as a slot is published: one worker holds it and sees nothing to claim, the other sees the
/// slot, no executor, and goes to sleep; nobody is told. The first worker does not sleep afterwards, it goes on to another
/// session: so its last look has to find the slot, or else the audio thread the sleeper. Three threads, one executor, two hops.
#[test]
fn an_executor_given_back_just_as_a_slot_is_published() {
    loom::model(|| {
        let mut producer = producer(2, 1);
        assert!(push(&mut producer, 1));
        let ring = producer.ring().clone();
        let passer_by = thread::spawn(move || run_all(&ring));
        let (ring, asleep) = (producer.ring().clone(), Arc::new(AtomicBool::new(false)));
        let announced = asleep.clone();
        let sleeper = thread::spawn(move || {
            let ran = run_all(&ring);
            announced.store(true, Ordering::Relaxed);
            fence(Ordering::SeqCst);
            (ran, ring.head().is_some())
        });
        assert!(push(&mut producer, 2));
        fence(Ordering::SeqCst);
        let woken = asleep.load(Ordering::Relaxed);
        let (here, (there, seen)) = (passer_by.join().unwrap(), sleeper.join().unwrap());
        assert!(woken || seen || here + there == 2, "the second hop is forgotten");
    });
}

/// A claim that is dropped unfinished, as by a panic, is lost and costs an executor; the last executor goes on, whichever of two
/// workers lets its claim fall last. Three threads, two executors, three hops.
#[test]
fn a_panic_in_each_of_two_workers() {
    loom::model(|| {
        let mut producer = producer(3, 2);
        assert!(push(&mut producer, 1));
        assert!(push(&mut producer, 2));
        let workers = [producer.ring().clone(), producer.ring().clone()].map(|ring| {
            thread::spawn(move || {
                let Some(mut claim) = ring.claim() else { return false };
                // What the engine was in the middle of, and never ended.
                if let Some(Parts { payload, executor, .. }) = claim.parts() {
                    *payload = 0;
                    executor.hops.push(u64::MAX);
                }
                drop(claim);
                true
            })
        });
        let fell = workers.into_iter().filter_map(|worker| worker.join().unwrap().then_some(())).count();
        assert!(push(&mut producer, 3));
        let ring = producer.ring().clone();
        let rest = std::iter::from_fn(|| ring.claim().map(|claim| claim.finish(true, false))).count();
        assert_eq!(fell + rest, 3, "an executor is left");
        for hop in 0..3 {
            match producer.collect() {
                Collected::Lost(lost) => assert!(lost == hop && hop < fell as u64),
                Collected::Ready(ready) => assert!(ready.hop() == hop && hop >= fell as u64),
                other => panic!("{other:?}"),
            }
        }
    });
}

/// A straggler of before a reset stands where the next index would go: the index is void, nothing is published or collected under
/// it, and the hops around it come back in order. Two threads, two slots, one executor, one reset, four hops.
#[test]
fn an_index_is_void_after_a_reset_with_a_straggler() {
    loom::model(|| {
        let mut producer = producer(2, 1);
        assert!(push(&mut producer, 1));
        let ring = producer.ring().clone();
        let worker = thread::spawn(move || run_all(&ring));
        producer.reset();
        assert!(push(&mut producer, 7));
        // The first slot again: taken if the straggler is out, passed over if not.
        producer.write(0, 0, 1, |target, _| target.fill(8.0));
        producer.advance(0, 1);
        let mut published = 1 + u64::from(producer.submit(Head::default(), |payload| *payload = 8));
        let here = run_all(&producer.ring().clone());
        let there = worker.join().unwrap();
        let rest = run_all(&producer.ring().clone());
        let mut right = vec![707, 1508];
        right.truncate(published as usize);
        assert_eq!(collect_all(&mut producer), right);
        if published == 1 {
            published += u64::from(producer.submit(Head::default(), |payload| *payload = 8));
            assert_eq!((published, run_all(&producer.ring().clone())), (2, 1), "the ring goes on");
            assert_eq!(collect_all(&mut producer), [1508]);
        }
        assert!((1..=3).contains(&(here + there + rest)));
    });
}

/// A slot that a reset abandoned is filled anew as soon as its straggler is out, and not before; what the straggler left in it
/// is seen before it is overwritten. A session without input: nothing but `submit` itself looks at the slot. Two threads, two
/// slots, one executor, one reset, three hops.
#[test]
fn a_slot_is_submitted_over_an_abandoned_one() {
    loom::model(|| {
        let mut producer: Producer<u64, Memory> = Producer::new(&[], vec![0; 2], [Memory::default()]);
        let answer = |ring: &Slots, by: u64| {
            ring.claim().map(|mut claim| {
                if let Some(Parts { payload, input, .. }) = claim.parts() {
                    input.release();
                    *payload += by;
                }
                claim.finish(true, false);
            })
        };
        assert!(producer.submit(Head::default(), |payload| *payload = 1));
        let ring = producer.ring().clone();
        let worker = thread::spawn(move || answer(&ring, 100));
        producer.reset();
        assert!(producer.submit(Head::default(), |payload| *payload = 7));
        let reused = producer.submit(Head::default(), |payload| {
            assert!([1, 101].contains(payload), "all that the straggler wrote or nothing, not {payload}");
            *payload = 8;
        });
        worker.join().unwrap();
        while answer(producer.ring(), 200).is_some() {}
        let got: Vec<u64> = collect_all(&mut producer).iter().map(|value| value % 100).collect();
        assert_eq!(got, if reused { vec![7, 8] } else { vec![7] });
    });
}

/// A control thread waits until what was submitted has ended, also what a reset gave up: then no worker is inside, and all that
/// those did is seen. Two threads, one slot.
#[test]
fn after_a_quiesce_nothing_runs() {
    for reset in [false, true] {
        loom::model(move || {
            let mut producer = producer(2, 1);
            assert!(push(&mut producer, 1));
            let (ring, inside) = (producer.ring().clone(), Arc::new(AtomicBool::new(false)));
            let worker = thread::spawn({
                let (ring, inside) = (ring.clone(), inside.clone());
                move || {
                    if let Some(claim) = ring.claim() {
                        // Relaxed: only the slot's own words may order this.
                        inside.store(true, Ordering::Relaxed);
                        inside.store(false, Ordering::Relaxed);
                        run(claim);
                    }
                }
            });
            if reset {
                producer.reset();
            }
            let published = ring.published();
            assert_eq!(published, 1);
            while ring.is_busy_before(published) {
                thread::yield_now();
            }
            assert!(!inside.load(Ordering::Relaxed), "a worker is inside, or seems to be");
            worker.join().unwrap();
        });
    }
}
