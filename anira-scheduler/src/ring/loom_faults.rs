//! Loom models named after faults that another library of this kind had and published: each fails if the ring has that
//! fault. Run by `cargo xtask loom`.
//!
//! Bounds: as in `loom_ring.rs`; threads, slots and hops are said at each model.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test's failure")]

use anira_traits::Head;
use loom::thread;

use super::loom_ring::{collect_all, producer, push, run, run_all};
use super::{Collected, Parts};
use crate::sync::{Arc, AtomicBool, Ordering};

/// A consumer that looked past an item of a producer left it in the queue for good. Here: two hops are there and two workers
/// were told, each of one; each looks once, and each has to find one, also the worker that loses the race for the first.
/// Three threads, two executors, two hops.
#[test]
fn an_item_is_lost_when_a_consumer_misses_it() {
    loom::model(|| {
        let mut producer = producer(2, 2);
        assert!(push(&mut producer, 1));
        assert!(push(&mut producer, 2));
        let told = [producer.ring().clone(), producer.ring().clone()]
            .map(|ring| thread::spawn(move || ring.claim().map(run)));
        let ran = told.map(|worker| worker.join().unwrap());
        assert!(ran.iter().all(Option::is_some), "{ran:?}");
        assert_eq!(collect_all(&mut producer), [101, 302]);
    });
}

/// Several consumers of one queue ran the hops of a model that remembers out of order. Here one executor does all of a
/// session's hops, whichever worker holds it: `run` asserts the order that the executor saw. Two workers, of which one is the
/// thread that also submits; one executor, two hops.
#[test]
fn stateful_work_is_reordered_across_consumers() {
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

/// A reset waited for a worker that was inside, and the audio thread stood still; and the flag that was to keep workers out was
/// stored and the count of those inside loaded without an order between the two. Here the worker does not leave its slot
/// before the reset and the next submission are over, so that any wait would be for ever; and there is no flag and no count,
/// but one word per slot on which both compare and swap: either the hop is taken back, or its slot is passed over. Two
/// threads, two slots, one executor, one reset, two hops.
#[test]
fn reset_freezes() {
    loom::model(|| {
        let mut producer = producer(2, 1);
        assert!(push(&mut producer, 1));
        let (ring, over) = (producer.ring().clone(), Arc::new(AtomicBool::new(false)));
        let told = over.clone();
        let worker = thread::spawn(move || {
            let claim = ring.claim();
            while !told.load(Ordering::Acquire) {
                thread::yield_now();
            }
            claim.map(run)
        });
        let taken_back = producer.reset();
        assert!(push(&mut producer, 7), "a slot is left");
        assert!(matches!(producer.collect(), Collected::Pending));
        over.store(true, Ordering::Release);
        match worker.join().unwrap() {
            Some(1) => assert_eq!(taken_back, 0, "taken back and run"),
            Some(7) | None => assert_eq!(taken_back, 1, "neither taken back nor run"),
            other => panic!("{other:?}"),
        }
        run_all(&producer.ring().clone());
        assert_eq!(collect_all(&mut producer), [707]);
    });
}

/// Rendering offline, a buffer was freed while a worker still wrote it. Here the thread that submits also runs slots, as
/// rendering does, and takes results while a worker may be in the middle of one: what is not finished is pending. Two threads,
/// two slots, two executors, two hops.
#[test]
fn a_slot_is_freed_while_a_worker_writes_it() {
    loom::model(|| {
        let mut producer = producer(2, 2);
        assert!(push(&mut producer, 1));
        let ring = producer.ring().clone();
        let worker = thread::spawn(move || {
            let Some(mut claim) = ring.claim() else { return };
            let Some(Parts { payload, input, .. }) = claim.parts() else { panic!("claimed twice") };
            input.release();
            *payload = 100;
            claim.finish(true, false);
        });
        let (mut got, mut submitted) = (Vec::new(), 1);
        for value in [2, 3] {
            run_all(&producer.ring().clone());
            if let Collected::Ready(mut ready) = producer.collect() {
                got.extend(ready.payload().map(|p| std::mem::replace(p, 0)));
            }
            // Over the first slot, if that is free by now.
            submitted += usize::from(push(&mut producer, value));
        }
        worker.join().unwrap();
        run_all(&producer.ring().clone());
        got.extend(collect_all(&mut producer));
        assert_eq!(got.len(), submitted);
        assert!(got.iter().all(|value| *value >= 100), "what was not finished was taken: {got:?}");
    });
}

/// Slots were given back by popping results alone, so that a session that only pushes ran dry. Here pushing collects, as the
/// sessions do, and then there is a slot again: all finished and none popped is no end. Two threads, two slots, three hops.
#[test]
fn a_push_only_pipeline_stalls() {
    loom::model(|| {
        let mut producer = producer(2, 1);
        let ring = producer.ring().clone();
        let worker = thread::spawn(move || {
            let mut ran = 0;
            while ran < 3 {
                ran += run_all(&ring);
                thread::yield_now();
            }
        });
        let mut next = 0;
        for value in 1..=3 {
            producer.write(0, 0, 1, |target, _| target.fill(value as f32));
            producer.advance(0, 1);
            while !producer.submit(Head::default(), |payload| *payload = value) {
                match producer.collect() {
                    Collected::Ready(ready) => {
                        assert_eq!(ready.hop(), next);
                        next += 1;
                    }
                    Collected::Pending => thread::yield_now(),
                    other => panic!("no slot is free, and none is taken: {other:?}"),
                }
            }
        }
        worker.join().unwrap();
        while let Collected::Ready(ready) = producer.collect() {
            assert_eq!(ready.hop(), next);
            next += 1;
        }
        assert_eq!(next, 3, "every hop came back");
    });
}
