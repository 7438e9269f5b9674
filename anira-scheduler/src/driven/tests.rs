//! Random lists of operations on sessions of a driven scheduler, against a plain list that one thread would keep.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test's failure")]

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use anira_traits::{Head, TensorView, TensorViewMut};
use proptest::prelude::*;

use super::*;

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

/// A session whose slots are what the test says; the name and the slot of each run go on a common tape.
struct Session {
    name: usize,
    slots: Mutex<VecDeque<Head>>,
    panics: bool,
    tape: Arc<Mutex<Vec<(usize, Head)>>>,
}

impl Work for Session {
    type Engine = Nothing;

    fn head(&self) -> Option<Head> {
        self.slots.lock().unwrap().front().copied()
    }

    fn run_one(&self, claimed: &mut dyn FnMut()) -> Ran {
        let Some(slot) = self.slots.lock().unwrap().pop_front() else { return Ran::Nothing };
        claimed();
        self.tape.lock().unwrap().push((self.name, slot));
        assert!(!self.panics, "on purpose, past the session's own wall");
        Ran::Slot
    }
}

/// What the pool is to be: sessions in the order of attachment.
#[derive(Debug)]
struct Plain {
    name: usize,
    priority: i32,
    panics: bool,
    /// A panic past its wall closed it.
    closed: bool,
    slots: VecDeque<Head>,
}

#[derive(Clone, Debug)]
enum Step {
    Attach {
        priority: i32,
        panics: bool,
    },
    /// The nth session, counted round.
    Detach(usize),
    Submit(usize, u64),
    /// The nth of three threads' drivers.
    Run(usize),
    /// A thread comes instead of the nth.
    Renew(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => (-1..2, prop::bool::weighted(0.1)).prop_map(|(priority, panics)| Step::Attach { priority, panics }),
        1 => (0usize..8).prop_map(Step::Detach),
        6 => (0usize..8, 0u64..50).prop_map(|(session, deadline)| Step::Submit(session, deadline)),
        6 => (0usize..3).prop_map(Step::Run),
        1 => (0usize..3).prop_map(Step::Renew),
    ]
}

type Held = (Arc<Session>, DrivenSubmit<Session>, DrivenAttachment);

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn any_list_of_operations_runs_what_the_plain_list_would(
        fifo in any::<bool>(),
        steps in prop::collection::vec(step(), 1..120),
    ) {
        let order = if fifo { Order::Fifo } else { Order::EarliestDeadline };
        let scheduler = Driven::new(3).unwrap().order(order);
        let mut drivers: Vec<Driver> = (0..3).map(|_| scheduler.driver()).collect();
        let tape = Arc::new(Mutex::new(Vec::new()));
        let (mut held, mut plain): (Vec<Held>, Vec<Plain>) = (Vec::new(), Vec::new());
        let mut right = Vec::new();
        for (now, step) in steps.into_iter().enumerate() {
            match step {
                Step::Attach { priority, panics } => {
                    let session = Session { name: now, slots: Mutex::default(), panics, tape: tape.clone() };
                    let session = Arc::new(session);
                    let mut terms = Terms::new("test", Duration::from_millis(1));
                    terms.priority = priority;
                    let (submit, attachment) = scheduler.attach(session.clone(), terms).unwrap();
                    held.push((session, submit, attachment));
                    let slots = VecDeque::new();
                    plain.push(Plain { name: now, priority, panics, closed: false, slots });
                }
                Step::Detach(n) if !held.is_empty() => {
                    let n = n % held.len();
                    let (_, _, mut attachment) = held.remove(n);
                    attachment.detach(Duration::from_secs(10)).unwrap();
                    plain.remove(n);
                }
                Step::Submit(n, deadline) if !held.is_empty() => {
                    let n = n % held.len();
                    let slot = Head { deadline, submitted: now as u64 };
                    held[n].0.slots.lock().unwrap().push_back(slot);
                    held[n].1.submitted(Forecast::default());
                    plain[n].slots.push_back(slot);
                }
                Step::Run(n) => {
                    // Among equals the one that was attached first.
                    let best = plain.iter_mut().filter(|s| !s.closed && !s.slots.is_empty()).min_by_key(|s| {
                        let head = s.slots[0];
                        (-s.priority, if fifo { head.submitted } else { head.deadline })
                    });
                    let expected = best.map(|session| {
                        session.closed = session.panics;
                        right.push((session.name, session.slots.pop_front().unwrap()));
                    });
                    prop_assert_eq!(drivers[n].run_one(), expected.is_some());
                }
                Step::Renew(n) => drivers[n] = scheduler.driver(),
                Step::Detach(_) | Step::Submit(..) => {}
            }
            prop_assert_eq!(&*tape.lock().unwrap(), &right);
        }
    }
}

#[test]
fn threads_come_and_go_and_every_slot_is_run_once() {
    let scheduler = Driven::new(4).unwrap();
    let tape = Arc::new(Mutex::new(Vec::new()));
    let session =
        |name| Arc::new(Session { name, slots: Mutex::default(), panics: false, tape: tape.clone() });
    let works: Vec<_> = (0..3).map(session).collect();
    let mut held: Vec<_> = works
        .iter()
        .map(|work| scheduler.attach(work.clone(), Terms::new("test", Duration::from_millis(1))).unwrap())
        .collect();
    let total = 3_000;
    std::thread::scope(|scope| {
        for generation in 0..20u64 {
            // As a host's pool would: some threads, for a while, all at once.
            for _ in 0..3 {
                let mut driver = scheduler.driver();
                scope.spawn(move || (0..200).filter(|_| driver.run_one()).count());
            }
            for n in 0..total / 20 {
                let at = n as usize % 3;
                works[at]
                    .slots
                    .lock()
                    .unwrap()
                    .push_back(Head { deadline: n, submitted: generation * 1000 + n });
                held[at].0.submitted(Forecast::default());
            }
        }
    });
    let mut last = scheduler.driver();
    while last.run_one() {}
    let mut ran = tape.lock().unwrap().clone();
    assert_eq!(ran.len(), total as usize);
    ran.sort_unstable_by_key(|(name, head)| (*name, head.submitted));
    ran.dedup();
    assert_eq!(ran.len(), total as usize, "none twice");
    for (_, attachment) in &mut held {
        attachment.detach(Duration::from_secs(10)).unwrap();
    }
}
