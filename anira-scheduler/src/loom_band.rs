//! Loom models of a band: waking, searching, moving between bands, closing, ending. Run by `cargo xtask loom`.
//!
//! Bounds: two or three threads, one or two sessions of one or two slots; preemptions as `LOOM_MAX_PREEMPTIONS` says. A seat's
//! futex is a mutex and a condition variable here, which orders more than a futex does; a sleep by time is a yield and
//! a wake-up. A wake-up that is lost leaves somebody asleep for ever, which loom reports as a deadlock.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test's failure")]

use std::time::Duration;

use anira_traits::{Engine, Head, Ran, Result, TensorView, TensorViewMut, Terms, Work};
use loom::thread;

use crate::band::{Band, announce, run_one};
use crate::registry::{Door, Entry, View};
use crate::schedule::Order;
use crate::sync::{Arc, AtomicBool, AtomicU64, DynArc, Ordering, Seat, fence};
use crate::watch::{Sleep, Watch};

struct Nothing;

impl Engine for Nothing {
    fn input(&mut self, _index: usize) -> Option<TensorViewMut<'_>> {
        None
    }
    fn output(&self, _index: usize) -> Option<TensorView<'_>> {
        None
    }
    fn run(&mut self) -> Result<()> {
        Ok(())
    }
}

/// A work of `pending` slots; each does what `body` says. Published and claimed as a ring's, with one executor.
struct Slots<F> {
    pending: AtomicU64,
    busy: AtomicBool,
    body: F,
}

impl<F: Fn() + Send + Sync + 'static> Slots<F> {
    fn new(body: F) -> DynArc<Self> {
        DynArc::new(Self { pending: AtomicU64::new(0), busy: AtomicBool::new(false), body })
    }

    fn publish(&self) {
        self.pending.fetch_add(1, Ordering::Release);
    }
}

impl<F: Fn() + Send + Sync + 'static> Work for Slots<F> {
    type Engine = Nothing;

    fn head(&self) -> Option<Head> {
        let there = self.pending.load(Ordering::Acquire) > 0 && !self.busy.load(Ordering::Relaxed);
        there.then(Head::default)
    }

    fn run_one(&self, claimed: &mut dyn FnMut()) -> Ran {
        loop {
            if self.pending.load(Ordering::Relaxed) == 0
                || self.busy.compare_exchange(false, true, Ordering::Acquire, Ordering::Relaxed).is_err()
            {
                return Ran::Nothing;
            }
            let claim = |n: u64| n.checked_sub(1);
            let owned = self.pending.fetch_update(Ordering::AcqRel, Ordering::Acquire, claim).is_ok();
            if owned {
                claimed();
                (self.body)();
            }
            self.busy.store(false, Ordering::Release);
            fence(Ordering::SeqCst);
            if owned {
                return Ran::Slot;
            }
        }
    }
}

fn attach<F: Fn() + Send + Sync + 'static>(band: &Band, work: &DynArc<Slots<F>>) -> (Arc<Entry>, Arc<Door>) {
    let entry = Entry::new(work.clone(), Terms::new("model", Duration::ZERO));
    band.add(0, &entry);
    let door = entry.door.clone();
    (entry, door)
}

/// A worker's loop, as in `pool/worker.rs`, without its clock: whatever it finds it runs, else it sleeps until it is woken.
fn work(bands: &[Band], index: usize, seat: usize, over: impl Fn() -> bool) {
    let band = &bands[index];
    let mut view = View::default();
    let deep = Sleep { at_most: None, wakeable: true };
    band.watch.begin_search();
    while !over() {
        match band.find(&mut view) {
            Some(entry) => {
                run_one(bands, index, &view, &entry, || false);
            }
            None => {
                if !view.is_current(&band.registry) {
                    // The list is in somebody's hands: let them go on. Loom runs a thread that yields after all others, so
                    // that it must not yield where an order is to be explored.
                    thread::yield_now();
                }
                band.sleep(seat, &mut view, deep, &over);
            }
        }
    }
    band.leave(seat);
}

/// Promise 6: a submission that meets a worker on its way to sleep.
#[test]
fn no_submission_is_slept_over() {
    loom::model(|| {
        let bands = Arc::new([Band::new(1, Order::default())]);
        let ran = Arc::new(AtomicBool::new(false));
        let theirs = ran.clone();
        let slots = Slots::new(move || theirs.store(true, Ordering::Relaxed));
        let (_entry, door) = attach(&bands[0], &slots);
        let worker = thread::spawn({
            let bands = bands.clone();
            move || work(&*bands, 0, 0, || ran.load(Ordering::Relaxed))
        });
        slots.publish();
        announce(&*bands, &door);
        worker.join().unwrap();
    });
}

/// Promise 6: a submission that finds a searcher, which leaves for another slot, while the other worker goes to sleep. The first
/// slot ends only after the second has run, so somebody must have woken the second worker: the submission, or the first
/// worker's look back.
#[test]
fn the_last_searcher_looks_back() {
    loom::model(|| {
        let watch = Arc::new(Watch::new(2));
        let (submitted, ran) = (Arc::new(AtomicBool::new(false)), Arc::new(Seat::default()));
        // Both look for work; the first has just claimed a slot.
        (0..2).for_each(|_| watch.begin_search());
        let first = thread::spawn({
            let (watch, submitted, ran) = (watch.clone(), submitted.clone(), ran.clone());
            move || {
                watch.end_search(false, || submitted.load(Ordering::Relaxed));
                ran.wait(None);
            }
        });
        let second = thread::spawn({
            let (watch, submitted) = (watch.clone(), submitted.clone());
            move || {
                let there = || submitted.load(Ordering::Relaxed);
                while !there() {
                    watch.sleep(1, Sleep { at_most: None, wakeable: true }, there);
                }
                ran.wake();
            }
        });
        submitted.store(true, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        watch.notify();
        first.join().unwrap();
        second.join().unwrap();
    });
}

/// The race that the ring leaves to the pool: a worker gives a session's only executor back while a slot of that session
/// waits, and turns to another session first. Nobody saw both slot and executor but this worker: it has another one woken. The
/// other session's slot ends only after the waiting one has. One preemption less than others, or it takes minutes.
#[test]
fn an_executor_is_given_back_by_a_worker_that_turns_elsewhere() {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = model.preemption_bound.map(|bound| bound.saturating_sub(1));
    model.check(|| {
        let bands = Arc::new([Band::new(2, Order::default())]);
        let over = Arc::new(AtomicBool::new(false));
        // The first slot has begun; it may end; the second has run, for the urgent one and for this thread.
        let events = Arc::new([(); 4].map(|()| Seat::default()));
        let (runs, of_first) = (AtomicU64::new(0), events.clone());
        let first = Slots::new(move || {
            if runs.fetch_add(1, Ordering::Relaxed) == 0 {
                of_first[0].wake();
                of_first[1].wait(None);
            } else {
                of_first[2..].iter().for_each(Seat::wake);
            }
        });
        let of_urgent = events.clone();
        let urgent = Slots::new(move || of_urgent[2].wait(None));
        let (_one, door) = attach(&bands[0], &first);
        let mut terms = Terms::new("urgent", Duration::ZERO);
        terms.priority = 1;
        let entry = Entry::new(urgent.clone(), terms);
        bands[0].add(0, &entry);
        first.publish();
        let worker = |seat: usize| {
            let (bands, over) = (bands.clone(), over.clone());
            thread::spawn(move || work(&*bands, 0, seat, || over.load(Ordering::Relaxed)))
        };
        let one = worker(0);
        events[0].wait(None);
        let other = worker(1);
        first.publish();
        announce(&*bands, &door);
        urgent.publish();
        announce(&*bands, &entry.door);
        events[1].wake();
        events[3].wait(None);
        over.store(true, Ordering::Relaxed);
        bands[0].watch.wake_all();
        one.join().unwrap();
        other.join().unwrap();
    });
}

/// A session moves to another band just as it submits: the submission is announced to a band without workers, and run by the
/// other all the same.
#[test]
fn a_session_moves_while_it_submits() {
    loom::model(|| {
        let bands = Arc::new([Band::new(1, Order::default()), Band::new(1, Order::default())]);
        let ran = Arc::new(AtomicBool::new(false));
        let theirs = ran.clone();
        let slots = Slots::new(move || theirs.store(true, Ordering::Relaxed));
        let (entry, door) = attach(&bands[0], &slots);
        let worker = thread::spawn({
            let bands = bands.clone();
            move || work(&*bands, 1, 0, || ran.load(Ordering::Relaxed))
        });
        let audio = thread::spawn({
            let bands = bands.clone();
            move || {
                slots.publish();
                announce(&*bands, &door);
            }
        });
        bands[1].add(1, &entry);
        bands[0].registry.remove(&entry);
        audio.join().unwrap();
        worker.join().unwrap();
    });
}

/// A session moves to another band while its slot runs, with the next slot waiting: the new band's worker has seen the slot, but no
/// executor, and sleeps; the old band's worker gives the executor back and does not have the session any more.
#[test]
fn a_session_moves_while_its_slot_runs() {
    loom::model(|| {
        let bands = Arc::new([Band::new(1, Order::default()), Band::new(1, Order::default())]);
        let over = Arc::new(AtomicBool::new(false));
        // The first slot has begun; it may end; the second has run.
        let events = Arc::new([(); 3].map(|()| Seat::default()));
        let (runs, of_slots) = (AtomicU64::new(0), events.clone());
        let slots = Slots::new(move || {
            if runs.fetch_add(1, Ordering::Relaxed) == 0 {
                of_slots[0].wake();
                of_slots[1].wait(None);
            } else {
                of_slots[2].wake();
            }
        });
        let (entry, door) = attach(&bands[0], &slots);
        slots.publish();
        let worker = |index: usize| {
            let (bands, over) = (bands.clone(), over.clone());
            thread::spawn(move || work(&*bands, index, 0, || over.load(Ordering::Relaxed)))
        };
        let old = worker(0);
        events[0].wait(None);
        let new = worker(1);
        slots.publish();
        announce(&*bands, &door);
        bands[1].add(1, &entry);
        bands[0].registry.remove(&entry);
        events[1].wake();
        events[2].wait(None);
        over.store(true, Ordering::Relaxed);
        bands.iter().for_each(|band| band.watch.wake_all());
        old.join().unwrap();
        new.join().unwrap();
    });
}

/// Promise 5, and the peer's fault of a pooled engine used after it was freed: once a session's door is closed, nobody is in
/// its work, and nobody comes in.
#[test]
fn closing_against_entering() {
    loom::model(|| {
        let door = Arc::new(Door::default());
        // What an engine wrote, as plain memory would have it: no order of its own.
        let runs = Arc::new(AtomicU64::new(0));
        let worker = thread::spawn({
            let (door, runs) = (door.clone(), runs.clone());
            move || {
                door.gate.run(|| {
                    runs.store(runs.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
                    Ran::Slot
                })
            }
        });
        door.gate.close(Duration::ZERO).unwrap();
        // Here its owner would free it.
        let seen = runs.load(Ordering::Relaxed);
        let ran = worker.join().unwrap();
        let now = runs.load(Ordering::Relaxed);
        assert_eq!(now, seen, "somebody was inside after the door was closed");
        assert_eq!(ran, if seen == 1 { Ran::Slot } else { Ran::Nothing });
    });
}

/// A pool shrinks while a session submits: the worker that is called in was woken for the slot, or was looking and so kept
/// another from being woken. The one that stays runs the slot. One preemption less than others, or it takes minutes.
#[test]
fn a_worker_is_called_in_as_it_is_woken() {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = model.preemption_bound.map(|bound| bound.saturating_sub(1));
    model.check(|| {
        let bands = Arc::new([Band::new(2, Order::default())]);
        let (called_in, ran) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let theirs = ran.clone();
        let slots = Slots::new(move || theirs.store(true, Ordering::Relaxed));
        let (_entry, door) = attach(&bands[0], &slots);
        let goes = thread::spawn({
            let (bands, over) = (bands.clone(), called_in.clone());
            // Seat 0: the first to be woken.
            move || work(&*bands, 0, 0, || over.load(Ordering::Acquire))
        });
        let stays = thread::spawn({
            let bands = bands.clone();
            move || work(&*bands, 0, 1, || ran.load(Ordering::Relaxed))
        });
        called_in.store(true, Ordering::Release);
        bands[0].watch.wake_all();
        slots.publish();
        announce(&*bands, &door);
        goes.join().unwrap();
        stays.join().unwrap();
    });
}

/// Promise 7, and the peer's fault of a worker destroyed while it runs: the workers are called in while slots are in flight.
#[test]
fn the_pool_stops_while_slots_are_in_flight() {
    loom::model(|| {
        let bands = Arc::new([Band::new(1, Order::default())]);
        let over = Arc::new(AtomicBool::new(false));
        let slots = Slots::new(|| ());
        let (_entry, door) = attach(&bands[0], &slots);
        let worker = thread::spawn({
            let (bands, over) = (bands.clone(), over.clone());
            move || work(&*bands, 0, 0, || over.load(Ordering::Acquire))
        });
        let audio = thread::spawn({
            let bands = bands.clone();
            move || {
                slots.publish();
                announce(&*bands, &door);
            }
        });
        over.store(true, Ordering::Release);
        if !crate::sync::mutated("stop-without-waking") {
            bands[0].watch.wake_all();
        }
        worker.join().unwrap();
        audio.join().unwrap();
    });
}
