//! Pools under load, through the public API alone: many sessions on few workers, resets, hops taken back, engines that fail and
//! panic, audio threads that come and go, sessions that are detached in the middle and attached again.
//!
//! Nothing here depends on time but how long it goes on (`ANIRA_SOAK_SECONDS`, 3 unless set; `cargo xtask soak`) and how long is
//! waited before something counts as lost for good. What is done follows from a seed, which a failure names and
//! `ANIRA_SOAK_SEED` begins with.

#![cfg(not(any(loom, shuttle)))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test's failure")]

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::thread;
use std::time::{Duration, Instant};

use anira_scheduler::ring::{Claim, Collected, Parts, Producer, Ring, StreamShape};
use anira_scheduler::{IdlePolicy, Order, Pool, clock};
use anira_traits::{
    Attachment, Engine, Forecast, Head, Ran, Result, Scheduler, Submit, TensorView, TensorViewMut, Terms,
    Windows, Work,
};

const HOP: usize = 4;
const CONTEXT: usize = 6;
/// After this long what did not come is lost.
const PATIENCE: Duration = Duration::from_secs(120);

/// Xorshift: the same numbers for the same seed, everywhere.
struct Dice(u64);

impl Dice {
    fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % n
    }
}

/// How a hop ends.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum End {
    #[default]
    Well,
    Error,
    Panic,
}

/// What a slot carries: to the worker how to end, back from it what it saw.
#[derive(Debug, Default)]
struct Payload {
    end: End,
    answer: Option<Answer>,
}

#[derive(Clone, Debug, PartialEq)]
struct Answer {
    generation: u64,
    hop: u64,
    window: Vec<f32>,
}

/// An engine that remembers: the last hop that it ran.
#[derive(Debug, Default)]
struct Memory {
    ran: Option<(u64, u64)>,
}

struct NoEngine;

impl Engine for NoEngine {
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

/// A session as its pool sees it.
struct Session {
    ring: Arc<Ring<Payload, Memory>>,
    inside: AtomicUsize,
    /// What went wrong on a worker, whose panics nobody would hear of.
    faults: Mutex<Vec<String>>,
}

impl Work for Session {
    type Engine = NoEngine;

    fn head(&self) -> Option<Head> {
        self.ring.head()
    }

    fn run_one(&self, claimed: &mut dyn FnMut()) -> Ran {
        self.inside.fetch_add(1, Ordering::Relaxed);
        // Unwinding drops the claim unfinished.
        let ran = catch_unwind(AssertUnwindSafe(|| match self.ring.claim() {
            Some(claim) => {
                claimed();
                self.run(claim);
                Ran::Slot
            }
            None => Ran::Nothing,
        }));
        self.inside.fetch_sub(1, Ordering::Release);
        ran.unwrap_or(Ran::Panicked)
    }
}

impl Session {
    fn run(&self, mut claim: Claim<'_, Payload, Memory>) {
        let Some(Parts { header, payload, executor, input }) = claim.parts() else {
            return self.faults.lock().unwrap().push("a slot was claimed twice".to_owned());
        };
        let (generation, hop) = (header.generation, header.hop);
        if executor.ran >= Some((generation, hop)) {
            let fault = format!("{:?} and then hop {hop} of {generation}", executor.ran);
            self.faults.lock().unwrap().push(fault);
        }
        executor.ran = Some((generation, hop));
        let window = input.span(0, 0).iter().collect();
        // Early or, with the slot, late.
        if hop % 2 == 0 {
            input.release();
        }
        (0..hop * 37 % 500).for_each(|_| std::hint::spin_loop());
        // Now and then so long that a session is detached meanwhile.
        if hop % 17 == 4 {
            thread::sleep(Duration::from_micros(500));
        }
        payload.answer = Some(Answer { generation, hop, window });
        match payload.end {
            End::Well => claim.finish(true, false),
            End::Error => claim.finish(false, false),
            // Without the panic hook, which would print each.
            End::Panic => resume_unwind(Box::new("on purpose")),
        }
    }
}

/// A hop that was submitted and not collected.
struct Outstanding {
    hop: u64,
    end: End,
    taken_back: bool,
}

/// The audio thread's half of a session, and what it expects.
struct Audio {
    producer: Producer<Payload, Memory>,
    dice: Dice,
    generation: u64,
    samples: Vec<f32>,
    hop: u64,
    outstanding: VecDeque<Outstanding>,
    next: f32,
    submitted: u64,
    ready: u64,
    lost: u64,
    abandoned: u64,
}

impl Audio {
    fn new(mut dice: Dice) -> Self {
        let executors = [1, 1, 2, 4][dice.below(4) as usize];
        let slots = 2 + dice.below(6) as usize + executors;
        let capacity = CONTEXT + (3 + dice.below(slots as u64) as usize) * HOP;
        let stream = StreamShape { channels: 1, hop: HOP, context: CONTEXT, capacity };
        let payloads = (0..slots).map(|_| Payload::default());
        let producer = Producer::new(&[stream], payloads, (0..executors).map(|_| Memory::default()));
        Self {
            producer,
            dice,
            generation: 0,
            samples: Vec::new(),
            hop: 0,
            outstanding: VecDeque::new(),
            next: 1.0,
            submitted: 0,
            ready: 0,
            lost: 0,
            abandoned: 0,
        }
    }

    /// Callbacks, one after the other.
    fn play(&mut self, submit: &mut impl Submit, blocks: u64) {
        for _ in 0..blocks {
            let hops = self.dice.below(4);
            let submitted = (0..hops).filter(|_| self.push()).count();
            if submitted > 0 {
                submit.submitted(Forecast { now: clock::now(), next: None });
            }
            while self.collect() {}
            match self.dice.below(40) {
                0 => self.reset(),
                1..4 => {
                    if let Some(hop) = self.producer.drop_oldest(u64::MAX) {
                        let taken = self.outstanding.iter_mut().find(|other| other.hop == hop);
                        taken.expect("what is taken back is outstanding").taken_back = true;
                    }
                }
                // Long enough for workers to fall asleep, now and then.
                4..6 => thread::sleep(Duration::from_micros(self.dice.below(400))),
                6..20 => thread::yield_now(),
                _ => {}
            }
        }
    }

    fn reset(&mut self) {
        self.producer.reset();
        self.generation += 1;
        self.abandoned += self.outstanding.len() as u64;
        self.outstanding.clear();
        (self.hop, self.samples) = (0, Vec::new());
    }

    /// Whether a hop was submitted.
    fn push(&mut self) -> bool {
        let (len, next) = (self.producer.room(0).min(HOP), self.next);
        self.producer.write(0, 0, len, |target, at| {
            target.iter_mut().enumerate().for_each(|(i, sample)| *sample = next + (at + i) as f32);
        });
        self.producer.advance(0, len);
        self.samples.extend((0..len).map(|i| next + i as f32));
        // Whole numbers that a float holds exactly.
        self.next = (next + len as f32) % 1e6;
        if self.producer.buffered(0) < HOP as u64 {
            return false;
        }
        let end = [End::Well, End::Error, End::Panic][self.dice.below(24).saturating_sub(21) as usize];
        let now = clock::now();
        let done = self.producer.submit(Head { deadline: now + 1_000_000, submitted: now }, |payload| {
            *payload = Payload { end, answer: None };
        });
        if done {
            self.outstanding.push_back(Outstanding { hop: self.hop, end, taken_back: false });
            self.hop += 1;
            self.submitted += 1;
        }
        done
    }

    /// Whether something came.
    fn collect(&mut self) -> bool {
        match self.producer.collect() {
            Collected::Empty => {
                assert!(self.outstanding.is_empty(), "{} hops were forgotten", self.outstanding.len());
                return false;
            }
            Collected::Pending => {
                let head = self.outstanding.front().expect("what is pending was submitted");
                assert!(!head.taken_back, "hop {} was taken back and is pending", head.hop);
                return false;
            }
            Collected::Lost(hop) => {
                let head = self.outstanding.pop_front().expect("what is lost was submitted");
                assert_eq!(hop, head.hop, "in order");
                assert!(head.taken_back || head.end != End::Well, "hop {hop} was lost for no reason");
                self.lost += 1;
            }
            Collected::Ready(mut ready) => {
                let head = self.outstanding.pop_front().expect("what comes was submitted");
                assert_eq!((ready.hop(), head.taken_back, head.end), (head.hop, false, End::Well));
                let end = (head.hop as usize + 1) * HOP;
                let silence = vec![0.0; (CONTEXT + HOP).saturating_sub(end)];
                let window = [&silence, &self.samples[end.saturating_sub(CONTEXT + HOP)..end]].concat();
                let right = Answer { generation: self.generation, hop: head.hop, window };
                assert_eq!(ready.payload().and_then(|payload| payload.answer.take()), Some(right));
                self.ready += 1;
            }
        }
        true
    }

    /// Waits for all that is outstanding, without submitting anything that could wake a worker.
    fn drain(&mut self) {
        let start = Instant::now();
        while !self.outstanding.is_empty() {
            if !self.collect() {
                assert!(start.elapsed() < PATIENCE, "{} hops never came back", self.outstanding.len());
                thread::sleep(Duration::from_micros(50));
            }
        }
        assert_eq!(self.submitted, self.ready + self.lost + self.abandoned, "every hop once");
    }
}

/// A session's life: attached, played by one audio thread after the other, detached, and so on. Control thread.
fn live(pool: &Pool, seed: u64) -> Weak<Session> {
    let mut dice = Dice::new(seed);
    let mut audio = Audio::new(Dice::new(seed ^ 0xABCD));
    let work = Arc::new(Session {
        ring: audio.producer.ring().clone(),
        inside: AtomicUsize::new(0),
        faults: Mutex::new(Vec::new()),
    });
    let phases = 1 + dice.below(4);
    for phase in 1..=phases {
        // Terms of all kinds: bands are dealt anew with every session that comes or goes.
        let period = Duration::from_micros([300, 1_000, 10_000, 40_000][dice.below(4) as usize]);
        let mut terms = Terms::new(format!("session {seed}"), period);
        terms.priority = dice.below(3) as i32;
        terms.max_inference = period * dice.below(10) as u32 / 10;
        let (mut submit, mut attachment) = pool.attach(work.clone(), terms).unwrap();
        for _ in 0..=dice.below(2) {
            let blocks = 5 + dice.below(60);
            let (back, theirs) = thread::spawn(move || {
                audio.play(&mut submit, blocks);
                (audio, submit)
            })
            .join()
            .unwrap_or_else(|payload| resume_unwind(payload));
            (audio, submit) = (back, theirs);
        }
        if phase == phases && dice.below(2) == 0 {
            // The audio side goes first, whatever is under way.
            drop(audio);
            drop(submit);
            attachment.detach(PATIENCE).unwrap();
            assert_eq!(work.inside.load(Ordering::Acquire), 0, "a worker is in a detached session");
            break;
        }
        if phase == phases || dice.below(2) == 0 {
            audio.drain();
        }
        match dice.below(3) {
            0 => drop(attachment),
            _ => attachment.detach(PATIENCE).unwrap(),
        }
        assert_eq!(work.inside.load(Ordering::Acquire), 0, "a worker is in a detached session");
        if phase == phases {
            break;
        }
    }
    assert_eq!(*work.faults.lock().unwrap(), [""; 0]);
    Arc::downgrade(&work)
}

/// A pool's life.
fn scenario(seed: u64) {
    let mut dice = Dice::new(seed);
    let before = tasks();
    let idle = match dice.below(4) {
        0 => IdlePolicy::park(),
        1 => IdlePolicy::backoff(),
        2 => IdlePolicy::polling(Duration::from_micros(100)),
        _ => IdlePolicy::predictive(),
    };
    let threads = 1 + dice.below(8) as usize;
    let builder = Pool::builder().idle(idle).bands(1 + dice.below(3) as usize);
    let builder = if dice.below(3) == 0 { builder.order(Order::Fifo) } else { builder };
    let builder = if dice.below(2) == 0 { builder.threads(threads) } else { builder.threads_up_to(threads) };
    let pool = builder.build().unwrap();
    let most = [4, 8, 16, 64][dice.below(4) as usize];
    let sessions = 1 + dice.below(most);
    let lives: Vec<_> = thread::scope(|scope| {
        let lives: Vec<_> = (0..sessions)
            .map(|session| {
                let (pool, seed) = (pool.clone(), seed.wrapping_mul(1000) + session);
                scope.spawn(move || live(&pool, seed))
            })
            .collect();
        lives.into_iter().map(|life| life.join().unwrap_or_else(|p| resume_unwind(p))).collect()
    });
    assert_eq!(pool.running(), 0, "workers of a pool without sessions");
    drop(pool);
    assert!(lives.iter().all(|life| life.upgrade().is_none()), "a session is held by nobody");
    if let Some(before) = before {
        let start = Instant::now();
        while tasks().is_some_and(|now| now > before) {
            assert!(start.elapsed() < PATIENCE, "{:?} threads, {before} before", tasks());
            thread::sleep(Duration::from_millis(1));
        }
    }
}

/// Threads of this process, where the system says.
fn tasks() -> Option<usize> {
    std::fs::read_dir("/proc/self/task").ok().map(Iterator::count)
}

fn number(variable: &str, otherwise: u64) -> u64 {
    std::env::var(variable).map_or(otherwise, |text| text.parse().expect("a whole number"))
}

#[test]
fn sessions_come_and_go_and_every_hop_is_accounted_for() {
    let time = Duration::from_secs(number("ANIRA_SOAK_SECONDS", 3));
    let start = Instant::now();
    for seed in number("ANIRA_SOAK_SEED", 1).. {
        if let Err(payload) = catch_unwind(|| scenario(seed)) {
            let what = payload.downcast_ref::<String>().map(String::as_str);
            let what = what.or(payload.downcast_ref::<&str>().copied()).unwrap_or_default();
            panic!("ANIRA_SOAK_SEED={seed} begins with the scenario that failed: {what}");
        }
        if start.elapsed() >= time {
            break;
        }
    }
}
