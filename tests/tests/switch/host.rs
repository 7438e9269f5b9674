//! A session of several engines on a virtual clock: a sample is a microsecond, engines take what they declare.

use std::collections::VecDeque;

use anira::PrepareReport;
use anira::prelude::*;
use anira::scheduler::Driver;
use anira_tests::{Random, valid};

use crate::plain::Plain;
use crate::{Gain, RATE, Voice, builder};

/// The session, its plain twin, and the time.
pub(crate) struct Session {
    pub(crate) audio: Audio<Gain, HopProcessor, Driven>,
    pub(crate) control: Control,
    pub(crate) report: PrepareReport,
    pub(crate) handler: InferenceHandler<Gain, HopProcessor, Driven>,
    pub(crate) plain: Plain,
    pub(crate) driver: Driver,
    hop: usize,
    times: Vec<usize>,
    /// Samples that came in since the last reset, and what is right for them.
    taken: Vec<f32>,
    right: Vec<f32>,
    handed: usize,
    now: usize,
    /// When a hop is submitted and how long it takes.
    queue: VecDeque<(usize, usize)>,
    /// When each worker is free.
    free: Vec<usize>,
    /// Nothing finishes before.
    stalled: usize,
    pub(crate) late: u64,
    value: usize,
}

/// A session of these engines for a host of this block.
pub(crate) fn session(voices: &[Voice], fade: usize, block: usize) -> Session {
    let host = HostConfig::fixed(RATE, block);
    let engines = voices[0].engines;
    let driven = valid(Driven::new(engines));
    let driver = driven.driver();
    let mut handler = valid(builder(voices, fade).scheduler(driven).build());
    let Prepared { audio, report, .. } = valid(handler.prepare(&host));
    let gains = voices.iter().map(|v| v.gain).collect();
    Session {
        control: handler.control(),
        audio,
        report,
        handler,
        plain: Plain::new(gains, vec![0; voices.len()], voices[0].hop, fade),
        driver,
        hop: voices[0].hop,
        times: voices.iter().map(|v| v.time).collect(),
        taken: Vec::new(),
        right: Vec::new(),
        handed: 0,
        now: 0,
        queue: VecDeque::new(),
        free: vec![0; engines],
        stalled: 0,
        late: 0,
        value: 0,
    }
}

impl Session {
    pub(crate) fn latency(&self) -> usize {
        self.report.latency[0].samples as usize
    }

    /// Asks for an engine, from the audio thread or from another.
    pub(crate) fn ask(&mut self, engine: usize, from_control: bool) {
        match from_control {
            true => valid(self.control.set_engine(engine)),
            false => assert!(self.audio.set_engine(engine).is_ok()),
        }
        self.plain.ask(engine);
    }

    /// No inference finishes during the next samples.
    pub(crate) fn stall(&mut self, samples: usize) {
        self.stalled = self.now + samples;
    }

    pub(crate) fn reset(&mut self) {
        self.audio.reset();
        self.plain.reset();
        self.taken.clear();
        self.right.clear();
        self.queue.clear();
        (self.handed, self.now, self.stalled) = (0, 0, 0);
        self.free.fill(0);
    }

    /// Runs what is finished now.
    fn run(&mut self) {
        while let Some(&(submitted, time)) = self.queue.front() {
            let Some(free) = self.free.iter_mut().min() else { return };
            let finish = submitted.max(*free).max(self.stalled) + time;
            if finish > self.now || self.now < self.stalled {
                return;
            }
            *free = finish;
            self.queue.pop_front();
            // What the library gave up is not there to be run.
            self.driver.run_one();
        }
    }

    /// A callback: what is heard is right to the sample, or silent and counted as late. Returns how much was late.
    #[track_caller]
    pub(crate) fn callback(&mut self, block: usize) -> u64 {
        let input: Vec<f32> = (0..block).map(|i| ((self.value + i) % 4093 + 1) as f32).collect();
        self.value += block;
        self.taken.extend(&input);
        assert!(self.audio.push(0, &[&input[..]]).is_ok());
        while self.right.len() + self.hop <= self.taken.len() {
            let at = self.right.len();
            // What the model itself delays by comes from before.
            let delay = self.report.latency[0].model as usize;
            let before = |n: usize| n.checked_sub(delay).map_or(0.0, |n| self.taken[n]);
            let samples: Vec<f32> = (at..at + self.hop).map(before).collect();
            let hop = self.plain.hop(&samples);
            self.right.extend(hop);
            let time = self.plain.ran.last().unwrap().iter().map(|engine| self.times[*engine]).sum();
            self.queue.push_back((self.now, time));
        }
        self.run();
        let mut output = vec![f32::NAN; block];
        let status = self.audio.pop(0, &mut [&mut output[..]]);
        assert_eq!(status.fault, None);
        let (latency, mut silent) = (self.report.latency[0].zero_fill() as usize, 0);
        for (i, got) in output.into_iter().enumerate() {
            let position = self.handed + i;
            let Some(n) = position.checked_sub(latency) else {
                assert_eq!(got, 0.0, "sample {position}, before the latency");
                continue;
            };
            let right = self.right[n];
            if got == 0.0 && right != 0.0 {
                silent += 1;
            } else {
                assert_eq!(got, right, "sample {n}: {:?}", self.plain);
            }
        }
        assert_eq!(status.late_samples, silent, "what is silent was late");
        self.handed += block;
        self.now += block;
        self.late += silent;
        silent
    }

    /// Callbacks of which none is late.
    #[track_caller]
    pub(crate) fn on_time(&mut self, block: usize, count: usize) {
        for _ in 0..count {
            assert_eq!(self.callback(block), 0, "late although engines took what they declared");
        }
    }

    /// On time, while somebody asks for one engine after the other.
    #[track_caller]
    pub(crate) fn flip(&mut self, block: usize, count: usize, random: &mut Random) {
        for _ in 0..count {
            if random.below(3) == 0 {
                let engine = random.below(self.times.len());
                self.ask(engine, random.below(2) == 0);
            }
            self.on_time(block, 1);
        }
    }
}
