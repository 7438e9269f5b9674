#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test's failure")]

use std::sync::atomic::AtomicU64;
use std::sync::mpsc;
use std::sync::{Arc, atomic::Ordering};

use anira_traits::{ErrorKind, Head, Ran, TensorView, TensorViewMut};

use super::*;
use crate::gate::wait_until;
use crate::schedule::Order;

mod crew;
mod trouble;

/// An engine for the sake of a type; the works below run no engines.
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

/// A work whose slots do what a closure says; `pending` counts those that wait.
struct Slots {
    pending: AtomicU64,
    deadline: u64,
    submitted: u64,
    /// Says that its engine panicked, as a session does that has caught it.
    caught: bool,
    body: Box<dyn Fn() + Send + Sync>,
}

impl Slots {
    fn new(deadline: u64, body: impl Fn() + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self {
            pending: AtomicU64::new(0),
            deadline,
            submitted: 0,
            caught: false,
            body: Box::new(body),
        })
    }
}

impl Work for Slots {
    type Engine = Nothing;

    fn head(&self) -> Option<Head> {
        let head = Head { deadline: self.deadline, submitted: self.submitted };
        (self.pending.load(Ordering::Acquire) > 0).then_some(head)
    }

    fn run_one(&self, ready: &mut dyn FnMut()) -> Ran {
        let claimed = self.pending.fetch_update(Ordering::AcqRel, Ordering::Acquire, |n| n.checked_sub(1));
        if claimed.is_err() {
            return Ran::Nothing;
        }
        ready();
        (self.body)();
        if self.caught { Ran::Panicked } else { Ran::Slot }
    }
}

fn terms(priority: i32) -> Terms {
    let mut terms = Terms::new("test", Duration::from_millis(1));
    terms.priority = priority;
    terms
}

fn pool(threads: usize) -> Pool {
    Pool::builder().threads(threads).build().unwrap()
}

const LONG: Duration = Duration::from_secs(20);

#[test]
fn threads_exist_exactly_while_a_session_is_attached() {
    let pool = pool(2);
    assert_eq!(pool.running(), 0);
    let (_first, mut one) = pool.attach(Slots::new(0, || ()), terms(0)).unwrap();
    let (_second, mut two) = pool.attach(Slots::new(0, || ()), terms(0)).unwrap();
    assert_eq!((pool.running(), pool.granted().len()), (2, 2));
    one.detach(LONG).unwrap();
    assert_eq!(pool.running(), 2);
    two.detach(LONG).unwrap();
    assert_eq!(pool.running(), 0);
    let (_third, _again) = pool.attach(Slots::new(0, || ()), terms(0)).unwrap();
    assert_eq!(pool.running(), 2, "a pool starts again");
}

#[test]
fn a_submission_reaches_a_worker_whether_it_spins_or_sleeps() {
    for policy in [IdlePolicy::default(), IdlePolicy::backoff(), IdlePolicy::park()] {
        let pool = Pool::builder().threads(1).idle(policy).build().unwrap();
        let (sender, receiver) = mpsc::channel();
        let work = Slots::new(0, move || sender.send(()).unwrap());
        let (mut submit, _attachment) = pool.attach(work.clone(), terms(0)).unwrap();
        for _ in 0..200 {
            work.pending.fetch_add(1, Ordering::Release);
            submit.submitted(Forecast::default());
            receiver.recv_timeout(LONG).unwrap();
        }
        // Long enough for the default policy to sleep until it is woken.
        let asleep = || pool.inner.bands[0].watch.searchers() == 0;
        wait_until(LONG, asleep).unwrap();
        work.pending.fetch_add(1, Ordering::Release);
        submit.submitted(Forecast::default());
        receiver.recv_timeout(LONG).unwrap();
    }
}

#[test]
fn the_highest_priority_goes_first_then_the_earliest_deadline() {
    let pool = pool(1);
    let (sender, receiver) = mpsc::channel();
    let (open, gate) = mpsc::channel::<()>();
    let gate = Mutex::new(gate);
    let blocker = Slots::new(0, move || lock(&gate).recv().unwrap());
    let named = |name: &'static str, deadline| {
        let sender = sender.clone();
        Slots::new(deadline, move || sender.send(name).unwrap())
    };
    let works = [("late", 9, 0), ("soon", 5, 0), ("urgent", 99, 1)].map(|(n, d, p)| (named(n, d), p));
    let (mut submit, _hold) = pool.attach(blocker.clone(), terms(2)).unwrap();
    let _held: Vec<_> = works.iter().map(|(w, p)| pool.attach(w.clone(), terms(*p)).unwrap()).collect();
    blocker.pending.fetch_add(1, Ordering::Release);
    submit.submitted(Forecast::default());
    wait_until(LONG, || blocker.pending.load(Ordering::Acquire) == 0).unwrap();
    works.iter().for_each(|(work, _)| {
        work.pending.fetch_add(1, Ordering::Release);
    });
    open.send(()).unwrap();
    let order: Vec<_> = (0..3).map(|_| receiver.recv_timeout(LONG).unwrap()).collect();
    assert_eq!(order, ["urgent", "soon", "late"]);
}

#[test]
fn detach_waits_for_the_slot_that_runs_and_then_nothing_runs() {
    let pool = pool(1);
    let (open, gate) = mpsc::channel::<()>();
    let gate = Mutex::new(gate);
    let ran = Arc::new(AtomicU64::new(0));
    let counter = ran.clone();
    let work = Slots::new(0, move || {
        lock(&gate).recv().unwrap();
        counter.fetch_add(1, Ordering::Release);
    });
    let (mut submit, mut attachment) = pool.attach(work.clone(), terms(0)).unwrap();
    let (_other, mut other) = pool.attach(Slots::new(0, || ()), terms(0)).unwrap();
    work.pending.fetch_add(2, Ordering::Release);
    submit.submitted(Forecast::default());
    wait_until(LONG, || work.pending.load(Ordering::Acquire) == 1).unwrap();
    let error = attachment.detach(Duration::from_millis(20)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout, "an engine that does not come back is told");
    open.send(()).unwrap();
    wait_until(LONG, || ran.load(Ordering::Acquire) == 1).unwrap();
    other.detach(LONG).unwrap();
    assert_eq!((pool.running(), work.pending.load(Ordering::Acquire)), (0, 1), "the second slot never ran");
}

#[test]
fn a_work_that_panics_past_its_own_wall_is_shut_out_and_others_go_on() {
    let pool = pool(1);
    let (sender, receiver) = mpsc::channel();
    let bad = Slots::new(0, || panic!("on purpose"));
    let good = Slots::new(1, move || sender.send(()).unwrap());
    let (mut first, _bad) = pool.attach(bad.clone(), terms(0)).unwrap();
    let (mut second, _good) = pool.attach(good.clone(), terms(0)).unwrap();
    for _ in 0..3 {
        bad.pending.fetch_add(1, Ordering::Release);
        good.pending.fetch_add(1, Ordering::Release);
        first.submitted(Forecast::default());
        second.submitted(Forecast::default());
        receiver.recv_timeout(LONG).unwrap();
    }
    assert_eq!(pool.running(), 1);
}

#[test]
fn a_scope_is_entered_once_per_worker_and_left_at_the_end() {
    static ENTERED: AtomicU64 = AtomicU64::new(0);
    static LEFT: AtomicU64 = AtomicU64::new(0);
    static OUTSIDE: AtomicU64 = AtomicU64::new(0);
    thread_local!(static INSIDE: std::cell::Cell<bool> = const { std::cell::Cell::new(false) });

    struct Scoped;
    impl Engine for Scoped {
        const SCOPE: Option<anira_traits::WorkerScope> = Some(|body| {
            ENTERED.fetch_add(1, Ordering::Relaxed);
            // As an engine's own thread pool would: the body runs on another thread, while this one waits.
            std::thread::scope(|scope| {
                scope.spawn(|| {
                    INSIDE.set(true);
                    body();
                });
            });
            LEFT.fetch_add(1, Ordering::Relaxed);
        });
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
    struct ScopedSlots(Arc<Slots>);
    impl Work for ScopedSlots {
        type Engine = Scoped;
        fn head(&self) -> Option<Head> {
            self.0.head()
        }
        fn run_one(&self, claimed: &mut dyn FnMut()) -> Ran {
            OUTSIDE.fetch_add(u64::from(!INSIDE.get()), Ordering::Relaxed);
            self.0.run_one(claimed)
        }
    }

    let pool = pool(1);
    let (sender, receiver) = mpsc::channel();
    let inner = Slots::new(0, move || sender.send(()).unwrap());
    let (mut submit, mut attachment) = pool.attach(Arc::new(ScopedSlots(inner.clone())), terms(0)).unwrap();
    for _ in 0..50 {
        inner.pending.fetch_add(1, Ordering::Release);
        submit.submitted(Forecast::default());
        receiver.recv_timeout(LONG).unwrap();
    }
    attachment.detach(LONG).unwrap();
    let counts = [&ENTERED, &LEFT, &OUTSIDE].map(|c| c.load(Ordering::Relaxed));
    assert_eq!(counts, [1, 1, 0], "entered, left, runs outside");
}

#[test]
fn nonsense_is_refused_by_field_and_value() {
    let refused = |builder: PoolBuilder, words: [&str; 2]| {
        let error = builder.build().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(words.iter().all(|word| error.to_string().contains(word)), "{error}");
    };
    refused(Pool::builder().threads(0), ["threads", "is 0"]);
    refused(Pool::builder().threads(10_000), ["threads", "10000"]);
    refused(Pool::builder().threads_up_to(0), ["threads", "is 0"]);
    refused(Pool::builder().bands(0), ["bands", "is 0"]);
    refused(Pool::builder().bands(9), ["bands", "is 9"]);
    refused(Pool::builder().affinity(Affinity::Set(vec![])), ["affinity", "empty"]);
    refused(Pool::builder().priority(Priority::Realtime(0)), ["priority", "is 0"]);
    refused(Pool::builder().priority(Priority::Realtime(100)), ["priority", "100"]);
    refused(Pool::builder().name("a\0b"), ["name", "NUL"]);
    refused(Pool::builder().stack_size(1), ["stack_size", "is 1"]);
}

#[test]
fn a_core_that_does_not_exist_is_reported_and_the_worker_works() {
    let pool = Pool::builder().threads(1).affinity(Affinity::PerWorker(vec![4096])).build().unwrap();
    let (_submit, _attachment) = pool.attach(Slots::new(0, || ()), terms(0)).unwrap();
    let granted = pool.granted();
    assert_eq!(granted[0].core, None);
    assert!(granted[0].refusal.as_deref().is_some_and(|r| r.contains("4096")), "{granted:?}");
}

#[test]
fn many_sessions_come_and_go_beside_a_playing_one() {
    let pool = pool(2);
    let (sender, receiver) = mpsc::channel();
    let playing = Slots::new(0, move || sender.send(()).unwrap());
    let (mut submit, _attachment) = pool.attach(playing.clone(), terms(0)).unwrap();
    for _ in 0..300 {
        let work = Slots::new(0, || ());
        let (mut other, mut attachment) = pool.attach(work.clone(), terms(0)).unwrap();
        work.pending.fetch_add(3, Ordering::Release);
        other.submitted(Forecast::default());
        playing.pending.fetch_add(1, Ordering::Release);
        submit.submitted(Forecast::default());
        receiver.recv_timeout(LONG).unwrap();
        attachment.detach(LONG).unwrap();
    }
}
