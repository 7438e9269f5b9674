//! The stream as anybody would write it down: one thread, vectors, no rings. What the library must do sample for sample.

use std::collections::{BTreeMap, VecDeque};

use anira::prelude::*;

use super::scenario::{Failure, How, Scenario};
use crate::{Fading, Holding};

/// The samples over which the bypass fades.
const FADE: usize = 128;

/// What the whole session has come to, as telemetry counts it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) submitted: u64,
    pub(crate) done: u64,
    pub(crate) failed: u64,
    pub(crate) dropped: u64,
    pub(crate) late: u64,
}

/// One hop on its way.
struct Hop {
    number: usize,
    gain: f32,
    fate: Fate,
}

enum Fate {
    Waiting,
    Done(Vec<Vec<f32>>),
    Lost,
}

/// The plain stream.
pub(crate) struct Plain {
    scenario: Scenario,
    how: How,
    /// Zeros at the start of the output.
    latency: usize,
    slots: usize,
    /// Everything that came in since the last reset, by channel.
    input: Vec<Vec<f32>>,
    next: usize,
    queue: VecDeque<Hop>,
    /// Results that were collected, by the hop's number.
    heard: BTreeMap<usize, Vec<Vec<f32>>>,
    /// One more than the last hop that was collected or given up.
    emitted: usize,
    handed: usize,
    states: Vec<f32>,
    gain: f32,
    bypass: bool,
    fade: usize,
    runs: u64,
    /// Hops were dropped, and no block has been on time since.
    dropping: bool,
    /// Results that came late one after the other, and the hop from which on they count.
    late_results: (usize, usize),
    /// Per channel: what is heard where samples are late.
    fading: Vec<Fading>,
    holding: Vec<Holding>,
    pub(crate) counts: Counts,
}

impl Plain {
    pub(crate) fn new(scenario: Scenario, how: How, latency: usize, slots: usize) -> Self {
        Self {
            input: vec![Vec::new(); scenario.host_channels()],
            states: vec![0.0; scenario.lanes],
            how,
            latency,
            slots,
            next: 0,
            queue: VecDeque::new(),
            heard: BTreeMap::new(),
            emitted: 0,
            handed: 0,
            gain: 1.0,
            bypass: false,
            fade: 0,
            runs: 0,
            dropping: false,
            late_results: (0, 0),
            fading: vec![Fading::new(scenario.late_fade); scenario.host_channels()],
            holding: vec![Holding::new(scenario.hop_out); scenario.host_channels()],
            counts: Counts::default(),
            scenario,
        }
    }

    pub(crate) fn set_gain(&mut self, gain: f32) {
        self.gain = gain;
    }

    pub(crate) fn set_bypass(&mut self, on: bool) {
        self.bypass = on;
    }

    /// A block comes in; `None` is silence.
    pub(crate) fn push(&mut self, block: Option<&[Vec<f32>]>, start: usize, frames: usize) {
        self.collect();
        for (c, channel) in self.input.iter_mut().enumerate() {
            match block {
                Some(block) => channel.extend(&block[c][start..start + frames]),
                None => channel.extend(std::iter::repeat_n(0.0, frames)),
            }
        }
        self.drop_overdue();
        while self.input[0].len() >= (self.next + 1) * self.scenario.hop_in {
            self.submit();
        }
        if self.how == How::InTheCall {
            while self.run_one() {}
        }
        self.collect();
    }

    fn drop_overdue(&mut self) {
        if self.how != How::RealTime {
            return;
        }
        let past = self.handed.saturating_sub(self.latency) / self.scenario.hop_out;
        let may_wait = if self.dropping { 0 } else { self.scenario.max_catch_up };
        let overdue = |hop: &&mut Hop| hop.number < past && matches!(hop.fate, Fate::Waiting);
        let mut waiting = self.queue.iter_mut().filter(overdue).peekable();
        if waiting.peek().is_some_and(|oldest| oldest.number + may_wait < past) {
            self.dropping = true;
            for hop in waiting {
                hop.fate = Fate::Lost;
                self.counts.dropped += 1;
            }
        }
    }

    fn submit(&mut self) {
        self.counts.submitted += 1;
        if self.how == How::RealTime && self.late_results.0 > self.scenario.max_catch_up + 1 {
            // One hop less for the worker; what was submitted before may still come late.
            self.late_results = (0, self.next + 1);
            self.counts.dropped += 1;
            self.next += 1;
            return;
        }
        while self.queue.len() >= self.slots {
            self.collect();
            if self.queue.len() < self.slots {
                break;
            }
            if self.how == How::RealTime {
                self.counts.dropped += 1;
                self.next += 1;
                return;
            }
            self.run_one();
        }
        self.queue.push_back(Hop { number: self.next, gain: self.gain, fate: Fate::Waiting });
        self.next += 1;
    }

    /// A worker runs the oldest hop that waits.
    pub(crate) fn run_one(&mut self) -> bool {
        let Some(at) = self.queue.iter().position(|hop| matches!(hop.fate, Fate::Waiting)) else {
            return false;
        };
        let (number, gain) = (self.queue[at].number, self.queue[at].gain);
        let answer = self.infer(number, gain);
        match answer {
            Some(_) => self.counts.done += 1,
            None => self.counts.failed += 1,
        }
        self.queue[at].fate = answer.map_or(Fate::Lost, Fate::Done);
        true
    }

    /// The model, lane by lane; nothing is remembered unless all lanes succeed.
    fn infer(&mut self, number: usize, gain: f32) -> Option<Vec<Vec<f32>>> {
        let Scenario { hop_in, hop_out, context, channels, lanes, .. } = self.scenario;
        let mut output = Vec::new();
        let mut ok = true;
        for lane in 0..lanes {
            let failure = self.scenario.failure(self.runs);
            self.runs += 1;
            for channel in 0..channels {
                let input = &self.input[lane * channels + channel];
                // The window begins `context` samples before the hop; before the stream there is silence.
                let sample = |i: usize| (number * hop_in + i).checked_sub(context).map_or(0.0, |i| input[i]);
                let answer = |u: usize| {
                    let i = u * hop_in / hop_out;
                    gain * sample(context + i) + 0.5 * sample(i) + self.states[lane]
                };
                output.push((0..hop_out).map(answer).collect());
            }
            match failure {
                Some(Failure::Error | Failure::BadState) => return None,
                Some(Failure::BadOutput) => ok = false,
                None => {}
            }
        }
        if !ok {
            return None;
        }
        self.states.iter_mut().for_each(|z| *z += 1.0);
        Some(output)
    }

    fn collect(&mut self) {
        while let Some(hop) = self.queue.front() {
            if matches!(hop.fate, Fate::Waiting) {
                return;
            }
            self.emitted = hop.number + 1;
            if let Some(Hop { number, fate: Fate::Done(samples), .. }) = self.queue.pop_front() {
                let (late, from) = self.late_results;
                if number >= from {
                    let is_late = self.handed > self.latency + number * self.scenario.hop_out;
                    self.late_results.0 = if is_late { late + 1 } else { 0 };
                }
                self.heard.insert(number, samples);
            }
        }
    }

    /// Before samples go out: what rendering waits for.
    fn await_results(&mut self, frames: usize) {
        self.collect();
        let wanted = (self.handed + frames).saturating_sub(self.latency).div_ceil(self.scenario.hop_out);
        while self.how == How::Waiting && self.emitted < wanted && !self.queue.is_empty() {
            self.run_one();
            self.collect();
        }
    }

    /// Samples go out: by channel, and how many were late.
    pub(crate) fn pop(&mut self, frames: usize) -> (Vec<Vec<f32>>, u64) {
        self.await_results(frames);
        let channels = self.scenario.host_channels();
        let mut block = vec![Vec::new(); channels];
        let mut late = 0;
        for _ in 0..frames {
            let sample = self.handed.checked_sub(self.latency);
            let hop = sample.and_then(|s| Some((self.heard.get(&(s / self.scenario.hop_out))?, s)));
            late += u64::from(sample.is_some() && hop.is_none());
            self.fade = if self.bypass { (self.fade + 1).min(FADE) } else { self.fade.saturating_sub(1) };
            for (c, block) in block.iter_mut().enumerate() {
                let paired = self.scenario.hop_in == self.scenario.hop_out;
                let dry =
                    sample.filter(|_| paired).and_then(|s| self.input[c].get(s)).copied().unwrap_or(0.0);
                let offset = sample.map_or(0, |s| s % self.scenario.hop_out);
                // The zeros of the latency are no answer, and nothing stands in for them.
                let model = hop.map(|(hop, _)| hop[c][offset]);
                let wet = sample.map_or(0.0, |_| {
                    let held = self.holding[c].next(model, offset);
                    let (replacement, seam) = match self.scenario.late_policy {
                        LatePolicy::Dry => (dry, false),
                        LatePolicy::Hold => (held, offset == 0),
                        _ => (0.0, false),
                    };
                    self.fading[c].next(model, replacement, seam)
                });
                block.push(match self.fade {
                    0 => wet,
                    FADE => dry,
                    at => wet + (dry - wet) * (at as f32 / FADE as f32),
                });
            }
            self.handed += 1;
        }
        self.dropping &= late > 0 || frames == 0;
        self.counts.late += late;
        if late > 0 {
            self.drop_overdue();
        }
        (block, late)
    }

    /// Samples go to a block that has no room for these channels: time goes on.
    pub(crate) fn pop_wrong(&mut self, frames: usize) {
        self.await_results(frames);
        self.handed += frames;
        if frames > 0 {
            self.hear_silence();
        }
    }

    fn hear_silence(&mut self) {
        self.fading.iter_mut().for_each(Fading::silence);
        self.holding.iter_mut().for_each(Holding::silence);
    }

    pub(crate) fn reset(&mut self) {
        self.counts.dropped +=
            self.queue.iter().filter(|hop| matches!(hop.fate, Fate::Waiting)).count() as u64;
        self.input.iter_mut().for_each(Vec::clear);
        self.queue.clear();
        self.heard.clear();
        (self.next, self.emitted, self.handed) = (0, 0, 0);
        self.states.iter_mut().for_each(|z| *z = 0.0);
        self.fade = if self.bypass { FADE } else { 0 };
        self.dropping = false;
        self.late_results = (0, 0);
        self.hear_silence();
    }
}
