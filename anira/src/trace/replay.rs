//! A trace on the virtual clock: [`replay`].

use std::collections::{HashMap, VecDeque};

use anira_scheduler::schedule::Spread;
use anira_traits::{Error, Result};

use super::why::{LateRun, Why};
use super::{Event, Header, Trace};

/// How a hop fared in a replay. Nanoseconds since the prepare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Played {
    /// Its stream.
    pub stream: u64,
    /// Its number in the stream.
    pub hop: u64,
    /// When it was submitted; for a hop that never was, when it was given up.
    pub submitted: u64,
    /// The callback that submitted it, counted from 0 over the whole trace.
    pub callback: u64,
    /// What became of it.
    pub fate: Fate,
}

/// What became of a hop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It was run.
    Ran {
        /// When an engine was free for it.
        free: u64,
        /// The place among the hops of the trace of the one that had the engine before.
        after: Option<usize>,
        /// When it began.
        start: u64,
        /// When it was over.
        end: u64,
        /// The worker that ran it, where it ran as recorded.
        worker: Option<u64>,
        /// Whether there was an answer.
        ok: bool,
    },
    /// It was given up.
    Dropped {
        /// When.
        at: u64,
    },
    /// It was not run: its answer was known.
    Skipped {
        /// When.
        at: u64,
    },
    /// It was neither run nor given up before the trace ended, or the stream did.
    Waits,
}

/// What came of a replay.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Replayed {
    /// Every hop, in the order of submission.
    pub hops: Vec<Played>,
    /// When callbacks began.
    pub callbacks: Vec<u64>,
    /// Every run of late samples, in order: those of one hop in one callback, or of all hops that it lacked because they were not yet
    /// complete.
    pub late: Vec<LateRun>,
    /// Samples of output stream 0 that were late.
    pub late_samples: u64,
    /// Samples of output stream 0 in all.
    pub samples: u64,
    /// Samples that were late when the trace was recorded.
    pub recorded_late_samples: u64,
}

/// How a hop ran when it was recorded.
#[derive(Clone, Copy, Debug)]
struct Recorded {
    /// From the moment when it could begin to its begin.
    delay: u64,
    took: u64,
    worker: Option<u64>,
    ok: bool,
}

/// Plays a trace: hops are submitted and samples handed out when they were, engines take the hops in order, each is begun as long after
/// it could be, and takes as long, as was recorded.
///
/// With a seed the recorded starts and durations are dealt out anew, among all hops that ran: another day with the same work. Hops
/// whose time has passed before they are begun are given up, as a session does. The same trace and seed give the same outcome.
///
/// # Errors
/// [`Config`](crate::ErrorKind::Config): the trace lacks events, or what it says cannot be.
pub fn replay(trace: &Trace, seed: Option<u64>) -> Result<Replayed> {
    if trace.lost > 0 {
        let right = "0: a trace that lacks events says nothing; record with more room, or drain more often";
        return Err(Error::config("lost", trace.lost, right));
    }
    trace.header.validate()?;
    let mut plan = Plan::of(trace);
    let again = seed.is_some();
    if let Some(seed) = seed {
        plan.deal(seed);
    }
    let mut player = Player::new(&trace.header, plan, again);
    trace.events.iter().try_for_each(|event| player.play(event))?;
    Ok(player.finish(trace.late_samples()))
}

impl Header {
    pub(super) fn validate(&self) -> Result<()> {
        let between =
            |field: &'static str, value: u64, least: u64, most: u64| match (least..=most).contains(&value) {
                true => Ok(()),
                false => Err(Error::config(field, value, format!("from {least} to {most}"))),
            };
        if !(self.sample_rate >= 0.001 && self.sample_rate <= 1e9) {
            return Err(Error::config("sample_rate", self.sample_rate, "from 0.001 to 1000000000 Hz"));
        }
        const HOUR: u64 = 3_600_000_000_000;
        between("block", self.block, 1, 1 << 20)?;
        between("hop_in", self.hop_in, 1, 1 << 24)?;
        between("hop_out", self.hop_out, 1, 1 << 24)?;
        between("engines", self.engines, 1, 1024)?;
        between("latency", self.latency, 0, 1 << 41)?;
        between("zero_fill", self.zero_fill, 0, self.latency)?;
        between("max_inference_ns", self.max_inference, 0, 1024 * HOUR)?;
        between("scheduling_allowance_ns", self.scheduling_allowance, 0, HOUR)?;
        between("blocking_ppm", self.blocking_ppm, 0, 1_000_000)?;
        between("max_catch_up", self.max_catch_up, 0, 1 << 20)
    }

    /// Nanoseconds of so many samples of the reference stream.
    pub(super) fn time_of(&self, samples: u64) -> u64 {
        (samples as f64 * 1e9 / self.sample_rate) as u64
    }
}

/// What is known of each hop before it is played.
struct Plan {
    runs: HashMap<(u64, u64), Recorded>,
    /// In the order of submission.
    order: Vec<(u64, u64)>,
    /// Hops that were given up after they had been submitted.
    dropped: HashMap<(u64, u64), u64>,
}

impl Plan {
    fn of(trace: &Trace) -> Self {
        let mut ran = HashMap::new();
        let (mut dropped, mut submitted) = (HashMap::new(), Vec::new());
        for event in &trace.events {
            match *event {
                Event::Run { stream, hop, worker, start, end, ok } => {
                    ran.insert((stream, hop), (worker, start, end, ok));
                }
                Event::Drop { at, stream, hop } => {
                    dropped.insert((stream, hop), at);
                }
                Event::Hop { at, stream, hop, .. } => submitted.push((at, (stream, hop))),
                _ => {}
            }
        }
        let mut engines = vec![0u64; trace.header.engines as usize];
        let (mut runs, mut order) = (HashMap::new(), Vec::new());
        for (at, hop) in submitted {
            order.push(hop);
            let (Some((worker, start, end, ok)), Some(free)) = (ran.get(&hop), engines.iter_mut().min())
            else {
                continue;
            };
            let (delay, took) = (start.saturating_sub(at.max(*free)), end.saturating_sub(*start));
            *free = *end;
            runs.insert(hop, Recorded { delay, took, worker: Some(*worker), ok: *ok });
        }
        Self { runs, order, dropped }
    }

    /// Deals starts and durations out anew.
    fn deal(&mut self, seed: u64) {
        let spares: Vec<Recorded> = self.order.iter().filter_map(|hop| self.runs.get(hop).copied()).collect();
        let mut deck = spares.clone();
        let mut random = Spread::new(seed, 0, u64::MAX);
        let mut below = |n: usize| ((u128::from(random.next_work()) * n as u128) >> 64) as usize;
        for last in (1..deck.len()).rev() {
            deck.swap(last, below(last + 1));
        }
        let mut deck = deck.into_iter();
        for hop in &self.order {
            // A hop that was given up is run this time, if it is begun in time: like any of the others.
            let dealt = match self.runs.contains_key(hop) {
                true => deck.next(),
                false => spares.get(below(spares.len())).copied(),
            };
            if let Some(dealt) = dealt {
                self.runs.insert(*hop, Recorded { worker: None, ..dealt });
            }
        }
        self.dropped.clear();
    }
}

struct Player<'t> {
    header: &'t Header,
    plan: Plan,
    /// Whether starts and durations are other ones than were recorded.
    again: bool,
    /// When each engine is free, and the place of the hop that it ran last.
    engines: Vec<(u64, Option<usize>)>,
    hops: Vec<Played>,
    /// Places of hops that nobody has begun with, in order.
    waiting: VecDeque<usize>,
    /// Places of this stream's hops, by number.
    of_stream: Vec<usize>,
    stream: u64,
    /// Samples of output stream 0 that this stream has handed out.
    handed: u64,
    /// Hops of this stream that are over or given up, without a gap.
    collected: usize,
    callbacks: Vec<u64>,
    /// Samples that callbacks brought before each of them.
    brought: Vec<u64>,
    brings: u64,
    late: Vec<LateRun>,
    samples: u64,
}

impl<'t> Player<'t> {
    fn new(header: &'t Header, plan: Plan, again: bool) -> Self {
        Self {
            header,
            plan,
            again,
            engines: vec![(0, None); header.engines as usize],
            hops: Vec::new(),
            waiting: VecDeque::new(),
            of_stream: Vec::new(),
            stream: 0,
            handed: 0,
            collected: 0,
            callbacks: Vec::new(),
            brought: Vec::new(),
            brings: 0,
            late: Vec::new(),
            samples: 0,
        }
    }

    fn play(&mut self, event: &Event) -> Result<()> {
        match *event {
            Event::Block { at, samples } => {
                self.callbacks.push(at);
                self.brought.push(self.brings);
                self.brings = self.brings.saturating_add(samples);
            }
            Event::Hop { at, stream, hop, .. } => {
                self.next(stream, hop)?;
                self.waiting.push_back(self.hops.len());
                self.add(hop, at, Fate::Waits);
            }
            Event::Drop { at, stream, hop } => self.drop_hop(at, stream, hop)?,
            Event::Skip { at, stream, hop } => {
                self.next(stream, hop)?;
                self.add(hop, at, Fate::Skipped { at });
            }
            Event::Run { .. } => {}
            Event::Out { at, samples, .. } => self.hand_out(at, samples),
            Event::Reset { at } => {
                self.advance(at);
                self.waiting.clear();
                self.of_stream.clear();
                self.stream += 1;
                (self.handed, self.collected) = (0, 0);
            }
        }
        Ok(())
    }

    /// Whether this hop is the next one of the stream.
    fn next(&self, stream: u64, hop: u64) -> Result<()> {
        let next = self.of_stream.len() as u64;
        if stream != self.stream {
            return Err(Error::config(
                "stream",
                stream,
                format!("{}, one for every reset before", self.stream),
            ));
        }
        if hop != next {
            return Err(Error::config("hop", hop, format!("{next}, the next one of its stream")));
        }
        Ok(())
    }

    fn add(&mut self, hop: u64, submitted: u64, fate: Fate) {
        self.of_stream.push(self.hops.len());
        let callback = (self.callbacks.len() as u64).saturating_sub(1);
        self.hops.push(Played { stream: self.stream, hop, submitted, callback, fate });
    }

    fn drop_hop(&mut self, at: u64, stream: u64, hop: u64) -> Result<()> {
        if hop >= self.of_stream.len() as u64 {
            // It was given up instead of being submitted.
            self.next(stream, hop)?;
            self.add(hop, at, Fate::Dropped { at });
            return Ok(());
        }
        if self.again || stream != self.stream {
            return Ok(());
        }
        self.advance(at);
        let place = self.of_stream.get(hop as usize);
        if let Some(played) = place.and_then(|place| self.hops.get_mut(*place)) {
            played.fate = Fate::Dropped { at };
        }
        Ok(())
    }

    /// Lets engines begin with what they begin with up to this time.
    fn advance(&mut self, until: u64) {
        while let Some(&place) = self.waiting.front() {
            let Some(played) = self.hops.get_mut(place) else { return };
            if matches!(played.fate, Fate::Dropped { .. }) {
                self.waiting.pop_front();
                continue;
            }
            let key = (played.stream, played.hop);
            if self.plan.dropped.contains_key(&key) {
                return;
            }
            let Some(recorded) = self.plan.runs.get(&key).copied() else {
                // Nobody knows when it would have begun, nor whether anything could before.
                self.waiting.pop_front();
                continue;
            };
            let Some(engine) = self.engines.iter_mut().min_by_key(|(free, _)| *free) else { return };
            let (free, after) = *engine;
            let start = played.submitted.max(free).saturating_add(recorded.delay);
            if start > until {
                return;
            }
            let end = start.saturating_add(recorded.took);
            let Recorded { worker, ok, .. } = recorded;
            played.fate = Fate::Ran { free, after, start, end, worker, ok };
            *engine = (end, Some(place));
            self.waiting.pop_front();
        }
    }

    fn hand_out(&mut self, at: u64, samples: u64) {
        // A callback that may wait would have done so, had it had to.
        let began = self.callbacks.last().copied().unwrap_or(at);
        let brought = self.brings.saturating_sub(self.brought.last().copied().unwrap_or(0));
        let waits = (u128::from(self.header.time_of(brought)) * u128::from(self.header.blocking_ppm)
            / 1_000_000) as u64;
        let look = at.max(began.saturating_add(waits));
        self.advance(look);
        while let Some(played) = self.of_stream.get(self.collected).and_then(|place| self.hops.get(*place)) {
            match played.fate {
                Fate::Ran { end, .. } if end <= look => {}
                Fate::Dropped { .. } | Fate::Skipped { .. } => {}
                _ => break,
            }
            self.collected += 1;
        }
        let (from, to) = (self.handed, self.handed.saturating_add(samples));
        let (hop_out, zeros) = (self.header.hop_out, self.header.zero_fill);
        let mut sample = from.max(zeros);
        while sample < to {
            let hop = (sample - zeros) / hop_out;
            let place = self.of_stream.get(hop as usize).copied();
            // Hops that are not complete are lacked together.
            let end = place.map_or(to, |_| (zeros + (hop + 1) * hop_out).min(to));
            let heard =
                |played: &Played| matches!(played.fate, Fate::Ran { ok: true, .. } | Fate::Skipped { .. });
            let there = (hop as usize) < self.collected
                && place.and_then(|place| self.hops.get(place)).is_some_and(heard);
            if !there {
                let callback = (self.callbacks.len() as u64).saturating_sub(1);
                self.late.push(LateRun::new(
                    self.stream,
                    hop,
                    (sample, end - sample),
                    callback,
                    look,
                    (place, self.of_stream.get(self.collected).copied()),
                ));
            }
            sample = end;
        }
        self.handed = to;
        self.samples = self.samples.saturating_add(samples);
        if self.again {
            self.give_up(look);
        }
    }

    /// Gives up hops whose time has passed, all of them if one has waited too long.
    fn give_up(&mut self, at: u64) {
        let past = self.handed.saturating_sub(self.header.zero_fill) / self.header.hop_out;
        let (hops, waiting) = (&mut self.hops, &mut self.waiting);
        let before = |place: &usize, hop: u64| hops.get(*place).is_some_and(|played| played.hop < hop);
        if !waiting.front().is_some_and(|place| before(place, past.saturating_sub(self.header.max_catch_up)))
        {
            return;
        }
        while let Some(place) = waiting.front().copied() {
            match hops.get_mut(place) {
                Some(played) if played.hop < past => played.fate = Fate::Dropped { at },
                _ => return,
            }
            waiting.pop_front();
        }
    }

    fn finish(mut self, recorded_late_samples: u64) -> Replayed {
        self.advance(u64::MAX - 1);
        let why = Why::new(self.header, &self.hops, &self.callbacks, &self.brought);
        self.late.iter_mut().for_each(|run| run.cause = why.of(run));
        let late_samples = self.late.iter().map(|run| run.samples).fold(0, u64::saturating_add);
        Replayed {
            late: self.late,
            late_samples,
            samples: self.samples,
            recorded_late_samples,
            hops: self.hops,
            callbacks: self.callbacks,
        }
    }
}
