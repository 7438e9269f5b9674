//! Longer runs than loom can exhaust, under shuttle: three workers, eight slots, dozens of hops, resets, hops taken back,
//! claims that fail or fall. Run by `cargo xtask shuttle`.
//!
//! Shuttle takes one schedule after the other at random (or by priorities that change a few times per run, its PCT scheduler), so
//! it shows faults and proves nothing. To it all orderings are SeqCst: it looks for wrong logic, loom for wrong orderings. A
//! failure names a schedule, which `shuttle::replay` runs again.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test's failure")]

use std::collections::VecDeque;

use anira_traits::{Head, Windows};
use shuttle::rand::{Rng, thread_rng};
use shuttle::scheduler::{PctScheduler, RandomScheduler, Scheduler};
use shuttle::{Config, Runner, thread};

use super::{Claim, Collected, Parts, Producer, Ring, StreamShape};
use crate::mailbox::Mailbox;
use crate::sync::{Arc, AtomicBool, Ordering};

const WORKERS: usize = 3;
const SLOTS: usize = 8;
const HOP: usize = 2;
const CONTEXT: usize = 3;
/// Steps of the audio thread per run.
const STEPS: usize = 60;

/// How often each scheduler runs each test.
fn iterations() -> usize {
    std::env::var("ANIRA_SHUTTLE_ITERATIONS").ok().and_then(|n| n.parse().ok()).unwrap_or(2000)
}

fn explore(run: fn()) {
    let mut config = Config::new();
    config.silence_warnings = true;
    let with = |scheduler: Box<dyn Scheduler + Send>| Runner::new(scheduler, config.clone()).run(run);
    with(Box::new(RandomScheduler::new(iterations())));
    with(Box::new(PctScheduler::new(3, iterations())));
}

/// What a slot carries, and what an executor is: both notice a second user.
#[derive(Debug, Default)]
struct Payload {
    in_use: bool,
    answer: Option<Answer>,
}

#[derive(Clone, Debug, PartialEq)]
struct Answer {
    generation: u64,
    hop: u64,
    window: Vec<f32>,
}

#[derive(Debug, Default)]
struct Executor {
    in_use: bool,
    ran: Option<(u64, u64)>,
}

/// How a hop ends, which its number decides: well, as an error, or by a panic.
fn is_well(hop: u64) -> bool {
    !fails(hop) && !panics(hop)
}

fn fails(hop: u64) -> bool {
    hop % 7 == 3
}

fn panics(hop: u64) -> bool {
    hop % 11 == 5
}

fn run(mut claim: Claim<'_, Payload, Executor>) {
    let Some(Parts { header, payload, executor, input }) = claim.parts() else { panic!("claimed twice") };
    let (generation, hop) = (header.generation, header.hop);
    assert!(!payload.in_use && !executor.in_use, "a second user");
    (payload.in_use, executor.in_use) = (true, true);
    assert!(executor.ran < Some((generation, hop)), "an executor's hops are in order");
    executor.ran = Some((generation, hop));
    let span = input.span(0, 0);
    let mut window = Vec::new();
    for sample in span.iter() {
        window.push(sample);
        thread::yield_now();
    }
    input.release();
    thread::yield_now();
    payload.answer = Some(Answer { generation, hop, window });
    (payload.in_use, executor.in_use) = (false, false);
    if panics(hop) {
        drop(claim);
    } else {
        claim.finish(!fails(hop), false);
    }
}

fn work(ring: &Ring<Payload, Executor>, over: &AtomicBool) {
    while !over.load(Ordering::Relaxed) {
        match ring.claim() {
            Some(claim) => run(claim),
            None => thread::yield_now(),
        }
    }
}

/// The audio thread, and what it expects: the samples of this generation, and the hops that are outstanding, oldest first, with
/// whether they were taken back.
struct Audio {
    producer: Producer<Payload, Executor>,
    generation: u64,
    samples: Vec<f32>,
    hop: u64,
    outstanding: VecDeque<(u64, bool)>,
    next: f32,
}

impl Audio {
    fn new(executors: usize) -> Self {
        // Room for little more than the slots need: the history is overwritten all the time.
        let stream = StreamShape { channels: 1, hop: HOP, context: CONTEXT, capacity: CONTEXT + 3 * HOP };
        let payloads = (0..SLOTS + executors).map(|_| Payload::default());
        let producer = Producer::new(&[stream], payloads, (0..executors).map(|_| Executor::default()));
        Self { producer, generation: 0, samples: Vec::new(), hop: 0, outstanding: VecDeque::new(), next: 1.0 }
    }

    fn step(&mut self) {
        match thread_rng().gen_range(0..12) {
            0..6 => self.push(),
            6..10 => self.collect(),
            10 => {
                if let Some(hop) = self.producer.drop_oldest(u64::MAX) {
                    let taken = self.outstanding.iter_mut().find(|(other, _)| *other == hop);
                    taken.expect("what is taken back is outstanding").1 = true;
                }
            }
            _ if thread_rng().gen_range(0..4) == 0 => {
                self.producer.reset();
                self.generation += 1;
                (self.hop, self.samples) = (0, Vec::new());
                self.outstanding.clear();
            }
            _ => thread::yield_now(),
        }
    }

    fn push(&mut self) {
        let len = self.producer.room(0).min(HOP);
        let next = self.next;
        self.producer.write(0, 0, len, |target, at| {
            target.iter_mut().enumerate().for_each(|(i, sample)| *sample = next + (at + i) as f32);
        });
        self.producer.advance(0, len);
        self.samples.extend((0..len).map(|i| next + i as f32));
        self.next += len as f32;
        if self.producer.buffered(0) < HOP as u64 {
            return;
        }
        if self.producer.submit(Head::default(), |payload| {
            assert!(!payload.in_use, "filled while a worker is in it");
            payload.answer = None;
        }) {
            self.outstanding.push_back((self.hop, false));
            self.hop += 1;
        } else {
            assert!(self.outstanding.len() >= SLOTS, "{} slots are to be had", SLOTS);
        }
    }

    fn collect(&mut self) {
        let head = self.outstanding.front().copied();
        match self.producer.collect() {
            Collected::Empty => assert_eq!(head, None),
            Collected::Pending => {
                assert!(matches!(head, Some((_, false))), "{head:?} is pending");
                thread::yield_now();
            }
            Collected::Lost(hop) => {
                let (right, taken) = self.outstanding.pop_front().expect("something is outstanding");
                assert!(hop == right && (taken || !is_well(hop)), "hop {hop} was lost");
            }
            Collected::Ready(mut ready) => {
                let (hop, taken) = self.outstanding.pop_front().expect("something is outstanding");
                assert!(ready.hop() == hop && !taken && is_well(hop), "hop {hop} came back");
                let end = (hop as usize + 1) * HOP;
                let silence = vec![0.0; (CONTEXT + HOP).saturating_sub(end)];
                let sound = &self.samples[end.saturating_sub(CONTEXT + HOP)..end];
                // The span leaves out the silence where there is none; it counts as zeros all the same.
                let window = [&silence, sound].concat();
                let right = Answer { generation: self.generation, hop, window };
                assert_eq!(ready.payload().and_then(|payload| payload.answer.take()), Some(right));
            }
        }
    }
}

/// Every hop comes back in order, once: with what its window held, or lost for a reason that is known.
fn session(executors: usize) {
    let mut audio = Audio::new(executors);
    let over = Arc::new(AtomicBool::new(false));
    let workers: Vec<_> = (0..WORKERS)
        .map(|_| {
            let (ring, over) = (audio.producer.ring().clone(), over.clone());
            thread::spawn(move || work(&ring, &over))
        })
        .collect();
    (0..STEPS).for_each(|_| audio.step());
    while !audio.outstanding.is_empty() {
        audio.collect();
    }
    audio.collect();
    over.store(true, Ordering::Relaxed);
    workers.into_iter().for_each(|worker| worker.join().unwrap());
}

#[test]
fn every_hop_of_a_stateless_session_comes_back_once() {
    explore(|| session(WORKERS));
}

#[test]
fn every_hop_of_a_stateful_session_comes_back_once_and_in_order() {
    explore(|| session(1));
}

/// Two threads set, a third takes: whole values, of each writer in the order in which it set them, and the last one at the end.
#[test]
fn values_of_two_writers_are_taken_whole() {
    explore(|| {
        let mailbox = Arc::new(Mailbox::new(3));
        let writers = [0, 1].map(|writer| {
            let mailbox = mailbox.clone();
            thread::spawn(move || (1..=12u64).for_each(|n| assert!(mailbox.set([writer << 32 | n; 3]))))
        });
        let mut last = [0; 2];
        let take = |last: &mut [u64; 2]| {
            let mut value = [0; 3];
            if mailbox.take(|i, word| value[i] = word) {
                assert_eq!(value, [value[0]; 3], "torn");
                let (writer, n) = ((value[0] >> 32) as usize, value[0] & u64::from(u32::MAX));
                assert!(n > last[writer], "{n} after {}", last[writer]);
                last[writer] = n;
            }
        };
        (0..20).for_each(|_| take(&mut last));
        writers.into_iter().for_each(|writer| writer.join().unwrap());
        take(&mut last);
        assert!(last.contains(&12), "the last value of one of them is there: {last:?}");
    });
}
