//! Sessions that could have been, written as the documentation has it, and what of them was late, counted sample by sample.

use std::collections::{HashMap, VecDeque};
use std::fmt::Write;

use anira::trace::Event;
use arbitrary::{Result, Unstructured};

/// The most callbacks and resets of a session.
const LONGEST: usize = 200;

/// A session: its numbers, and what its threads did, in the order of time.
pub(super) struct Session {
    rate: u64,
    block: u64,
    hop_in: u64,
    hop_out: u64,
    engines: usize,
    zero_fill: u64,
    ppm: u64,
    pub(super) events: Vec<Event>,
    /// Samples that each callback lacked.
    pub(super) late: Vec<u64>,
}

/// A hop that nobody has begun with.
struct Waiting {
    stream: u64,
    hop: u64,
    at: u64,
    delay: u64,
    took: u64,
    ok: bool,
    /// Whether anybody ever will.
    is_run: bool,
}

/// Engines that take hops in order, each when it is free and nothing in front waits.
struct Engines {
    free: Vec<u64>,
    waiting: VecDeque<Waiting>,
    /// When the last hop was given up: what was behind it begins later.
    given_up: u64,
}

impl Engines {
    /// Begins with what begins up to this time.
    fn begin(&mut self, until: u64, events: &mut Vec<Event>) {
        while let Some(next) = self.waiting.front() {
            if next.is_run {
                let (worker, free) = (0..).zip(&mut self.free).min_by_key(|(_, free)| **free).expect("one");
                let start = next.at.max(*free).max(self.given_up) + next.delay;
                if start > until {
                    return;
                }
                *free = start + next.took;
                let Waiting { stream, hop, ok, .. } = *next;
                events.push(Event::Run { stream, hop, worker, start, end: *free, ok });
            }
            self.waiting.pop_front();
        }
    }
}

impl Session {
    /// One that these numbers say.
    pub(super) fn of(input: &mut Unstructured<'_>) -> Result<Self> {
        let mut session = Self {
            rate: *input.choose(&[48_000, 44_100, 1_000])?,
            block: input.int_in_range(1..=48)?,
            hop_in: input.int_in_range(1..=24)?,
            hop_out: input.int_in_range(1..=24)?,
            engines: input.int_in_range(1..=3)?,
            zero_fill: input.int_in_range(0..=64)?,
            ppm: *input.choose(&[0, 0, 500_000, 1_000_000])?,
            events: Vec::new(),
            late: Vec::new(),
        };
        session.live(input)?;
        session.events.sort_by_key(|event| (event.time(), !matches!(event, Event::Run { .. })));
        session.listen();
        Ok(session)
    }

    /// Nanoseconds of so many samples.
    fn time_of(&self, samples: u64) -> u64 {
        samples * 1_000_000_000 / self.rate
    }

    /// How long a callback that brought so many may wait.
    fn wait(&self, samples: u64) -> u64 {
        self.time_of(samples) * self.ppm / 1_000_000
    }

    fn live(&mut self, input: &mut Unstructured<'_>) -> Result<()> {
        let (free, waiting) = (vec![0; self.engines], VecDeque::new());
        let mut engines = Engines { free, waiting, given_up: 0 };
        let (mut now, mut stream, mut hops, mut brought, mut handed) = (0, 0, 0, 0, 0);
        // Times are whole samples, or close to: what happens at the same moment is what is easily wrong. A hop takes about as long as its own.
        let (sample, long) = (self.time_of(1), 2 * self.hop_in);
        for _ in 0..LONGEST {
            if input.is_empty() {
                break;
            }
            if input.ratio(1, 24u8)? {
                engines.begin(now, &mut self.events);
                engines.waiting.clear();
                self.events.push(Event::Reset { at: now });
                (stream, hops, brought, handed) = (stream + 1, 0, 0, 0);
                continue;
            }
            let samples = input.int_in_range(0..=self.block)?;
            now += sample * samples * *input.choose(&[1, 1, 1, 0, 2])?;
            let has_waited = now + self.wait(samples);
            self.events.push(Event::Block { at: now, samples });
            brought += samples;
            if input.ratio(1, 8u8)? {
                engines.begin(now, &mut self.events);
                for Waiting { stream, hop, .. } in engines.waiting.drain(..) {
                    self.events.push(Event::Drop { at: now, stream, hop });
                    engines.given_up = now;
                }
            }
            while (hops + 1) * self.hop_in <= brought {
                let (at, hop) = (now, hops);
                hops += 1;
                match input.int_in_range(0..=15u8)? {
                    0 => self.events.push(Event::Drop { at, stream, hop }),
                    1 => self.events.push(Event::Skip { at, stream, hop }),
                    kind => {
                        let deadline = at + self.time_of(self.zero_fill);
                        self.events.push(Event::Hop { at, stream, hop, deadline });
                        let delay = if kind < 8 { sample * input.int_in_range(0..=long)? } else { 0 };
                        let took = sample * input.int_in_range(0..=long)?;
                        let (ok, is_run) = (kind != 2, kind != 3);
                        engines.waiting.push_back(Waiting { stream, hop, at, delay, took, ok, is_run });
                    }
                }
            }
            now += *input.choose(&[0, 0, 1, sample, sample - 1])?;
            let due = brought * self.hop_out / self.hop_in;
            self.events.push(Event::Out { at: now, samples: due - handed, late: 0 });
            handed = due;
            now = now.max(has_waited);
        }
        engines.begin(u64::MAX, &mut self.events);
        Ok(())
    }

    /// Finds what is late: a sample whose hop, or one in front of it, was not over at the look.
    fn listen(&mut self) {
        let mut ran = HashMap::new();
        for event in &self.events {
            if let Event::Run { stream, hop, end, ok, .. } = *event {
                ran.insert((stream, hop), (end, ok));
            }
        }
        // Of each hop of the stream when it was over, if it was, and whether it can be heard.
        let mut answers: Vec<Option<(u64, bool)>> = Vec::new();
        let (mut handed, mut look_at_least) = (0, 0);
        let (mut found, mut lacked) = (Vec::new(), Vec::new());
        for (at, event) in self.events.iter().enumerate() {
            match *event {
                Event::Block { at, samples } => {
                    look_at_least = at + self.wait(samples);
                    lacked.push(0);
                }
                Event::Hop { stream, hop, .. } => answers.push(ran.get(&(stream, hop)).copied()),
                Event::Drop { hop, .. } if hop < answers.len() as u64 => {
                    answers[hop as usize] = Some((0, false));
                }
                Event::Drop { .. } => answers.push(Some((0, false))),
                Event::Skip { .. } => answers.push(Some((0, true))),
                Event::Reset { .. } => {
                    answers.clear();
                    handed = 0;
                }
                Event::Out { at: look, samples, .. } => {
                    let look = look.max(look_at_least);
                    let is_over = |answer: &&Option<(u64, bool)>| answer.is_some_and(|(end, _)| end <= look);
                    let over = answers.iter().take_while(is_over).count() as u64;
                    let lacks = |sample: &u64| {
                        let Some(sample) = sample.checked_sub(self.zero_fill) else { return false };
                        let hop = sample / self.hop_out;
                        hop >= over || !answers[hop as usize].is_some_and(|(_, heard)| heard)
                    };
                    let late = (handed..handed + samples).filter(lacks).count() as u64;
                    handed += samples;
                    *lacked.last_mut().expect("a callback hands out") += late;
                    found.push((at, late));
                }
                _ => {}
            }
        }
        self.late = lacked;
        for (at, found) in found {
            if let Event::Out { late, .. } = &mut self.events[at] {
                *late = found;
            }
        }
    }

    /// Its file.
    pub(super) fn text(&self) -> String {
        let Self { rate, block, hop_in, hop_out, engines, zero_fill, ppm, .. } = self;
        let mut text = format!(
            "{{\"anira_trace\":1,\"sample_rate\":{rate},\"block\":{block},\"varying\":true,\"hop_in\":{hop_in},\
             \"hop_out\":{hop_out},\"engines\":{engines},\"latency\":{zero_fill},\"zero_fill\":{zero_fill},\
             \"max_inference_ns\":{},\"scheduling_allowance_ns\":0,\"blocking_ppm\":{ppm},\"max_catch_up\":2}}\n",
            self.time_of(*hop_in)
        );
        for event in &self.events {
            let line = match event {
                Event::Block { at, samples } => format!(r#""block","at":{at},"samples":{samples}"#),
                Event::Hop { at, stream, hop, deadline } => {
                    format!(r#""hop","at":{at},"stream":{stream},"hop":{hop},"deadline":{deadline}"#)
                }
                Event::Drop { at, stream, hop } => {
                    format!(r#""drop","at":{at},"stream":{stream},"hop":{hop}"#)
                }
                Event::Skip { at, stream, hop } => {
                    format!(r#""skip","at":{at},"stream":{stream},"hop":{hop}"#)
                }
                Event::Run { stream, hop, worker, start, end, ok } => format!(
                    r#""run","stream":{stream},"hop":{hop},"worker":{worker},"start":{start},"end":{end},"ok":{ok}"#
                ),
                Event::Out { at, samples, late } => {
                    format!(r#""out","at":{at},"samples":{samples},"late":{late}"#)
                }
                Event::Reset { at } => format!(r#""reset","at":{at}"#),
                _ => unreachable!("this is all that is made here"),
            };
            writeln!(text, "{{\"event\":{line}}}").expect("memory takes all");
        }
        writeln!(text, "{{\"event\":\"end\",\"events\":{},\"lost\":0}}", self.events.len())
            .expect("memory takes all");
        text
    }
}
