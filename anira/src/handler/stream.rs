//! What the audio thread does in a callback: [`Streams`] takes blocks in, submits hops, collects results, hands blocks out.

#![deny(clippy::indexing_slicing, clippy::panic, clippy::unreachable)]

use std::sync::Arc;
use std::time::Duration;

use anira_realtime::RealtimeContext;
use anira_scheduler::ring::{Collected, Producer};
use anira_scheduler::{Doorbell, clock};
use anira_traits::{EmitPart, Engine, Forecast, Head, Mode, PrePostProcessor, Submit};

use super::audio::{Fault, Status};
use super::bypass::Bypass;
use super::control::Shared;
use super::ensemble::Ensemble;
use super::late::{Heard, Late, Material};
use super::output::Output;
use super::pace::Pace;
use super::parameter::Values;
use super::patience::Patience;
use super::payload::Payload;
use super::rest::Rest;
use super::running::Closed;
use super::switcher::{Stage, Switcher};
use crate::block::{Sink, Source};
use crate::trace::recorder::AudioEnd;

/// How often a callback that may wait looks for results before it sleeps: some microseconds.
const SPINS: u32 = 64;

/// Everything that the audio thread owns of a session.
pub(super) struct Streams<E: Engine, P: PrePostProcessor, S: Submit> {
    pub(super) producer: Producer<Payload, Ensemble<E, P::Worker>>,
    pub(super) submit: S,
    pub(super) emit: P::Emit,
    pub(super) inputs: Box<[Input]>,
    pub(super) outputs: Box<[Output]>,
    pub(super) parameters: Box<[Values]>,
    pub(super) shared: Arc<Shared>,
    pub(super) closed: Closed,
    pub(super) late: Late,
    /// What is known of rest, where inferences are left out then.
    pub(super) rest: Option<Rest>,
    pub(super) bypass: Bypass,
    pub(super) switcher: Switcher,
    pub(super) stage: Arc<Stage>,
    pub(super) timing: Timing,
    /// Rung by workers that hand a slot back; there is one if callbacks may wait.
    pub(super) bell: Option<Arc<Doorbell>>,
    /// An inference of before the last reset still held an engine then, and the stream has not been on time since.
    pub(super) behind: bool,
    pub(super) pace: Pace,
    /// Hops had to be dropped, and output stream 0 has not been on time since.
    pub(super) dropping: bool,
    /// Samples of output stream 0 asked for so far: the clock of a session without inputs.
    pub(super) reference: u64,
    /// Samples that the last call brought to stream 0, by which the next submission is foretold.
    pub(super) last_block: u64,
    pub(super) patience: Patience,
    /// Where what happens is recorded, if it is.
    pub(super) recorder: Option<AudioEnd>,
}

/// One input stream, as the audio thread needs it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Input {
    pub(super) channels: usize,
    pub(super) hop: usize,
}

/// The numbers of time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Timing {
    pub(super) mode: Mode,
    pub(super) max_block: usize,
    /// The length of every block in samples of output stream 0, or of the longest if they vary.
    pub(super) block_out: u64,
    /// Whether every block is of the same length, a whole number of samples of output stream 0.
    pub(super) fixed: bool,
    /// Nanoseconds per sample of output stream 0.
    pub(super) nanos_per_sample: f64,
    /// Nanoseconds per sample of input stream 0; of output stream 0 where there is none.
    pub(super) nanos_per_input: f64,
    /// Whether slots may be finished when the submission returns: offline, and where the scheduler runs them inside.
    pub(super) ends_in_call: bool,
    pub(super) max_catch_up: u64,
}

impl<E: Engine, P: PrePostProcessor, S: Submit> Streams<E, P, S> {
    /// Calls `body` for parts of at most the largest block that was prepared; once also for no samples at all.
    pub(super) fn for_parts(&mut self, frames: usize, mut body: impl FnMut(&mut Self, usize, usize)) {
        let max = self.timing.max_block.max(1);
        let mut start = 0;
        loop {
            let part = (frames - start).min(max);
            body(self, start, part);
            start += part;
            if start >= frames {
                return;
            }
        }
    }

    pub(super) fn shared(&self) -> &Shared {
        &self.shared
    }

    /// What every call of the audio thread's is to RealtimeSanitizer, until the value is dropped. Rendering promises nothing.
    #[inline]
    pub(super) fn realtime(&self) -> Option<RealtimeContext> {
        (self.timing.mode == Mode::Realtime).then(RealtimeContext::enter)
    }

    pub(super) fn latency(&self, stream: usize) -> Option<u64> {
        self.outputs.get(stream).map(|o| o.latency)
    }

    pub(super) fn channels(&self, stream: usize) -> (usize, usize) {
        let input = self.inputs.get(stream).map_or(0, |i| i.channels);
        (input, self.outputs.get(stream).map_or(0, |o| o.channels))
    }

    pub(super) fn tail(&self, stream: usize) -> Option<u64> {
        self.outputs.get(stream).map(|o| o.tail)
    }

    /// Takes in `frames` samples of `block` from `start` on, and submits the hops that they complete.
    pub(super) fn push(
        &mut self,
        stream: usize,
        block: &(impl Source + ?Sized),
        start: usize,
        frames: usize,
    ) -> Status {
        let Some(input) = self.inputs.get(stream).copied() else {
            // A session without inputs is clocked by its output.
            let clocked = stream == 0 && self.inputs.is_empty();
            return if clocked { Status::default() } else { Status::fault(Fault::NoStream) };
        };
        if block.channels() != input.channels {
            // Time goes on, or all that follows would be late.
            let _ = self.push_silence(stream, frames);
            return Status::fault(Fault::Channels);
        }
        self.take_in(stream, frames, |channel, target, offset| block.read(channel, start + offset, target));
        Status::default()
    }

    pub(super) fn push_silence(&mut self, stream: usize, frames: usize) -> Status {
        if stream >= self.inputs.len() {
            return Status::fault(Fault::NoStream);
        }
        self.take_in(stream, frames, |_, target, _| target.fill(0.0));
        Status::default()
    }

    /// Takes in samples that `write` gives: channel, target, offset.
    fn take_in(&mut self, stream: usize, frames: usize, mut write: impl FnMut(usize, &mut [f32], usize)) {
        if stream == 0 && frames > 0 {
            self.record(|recorder| recorder.block(frames));
            self.last_block = frames as u64;
            self.patience.earn(frames);
        }
        // First of all: lines that workers wrote last are under way while this block is taken in. And not after a submission:
        // a look would take from the worker the very line that it begins with.
        self.submit.approach();
        self.collect();
        let mut written = self.producer.write_all(stream, frames, &mut write);
        // Offline there is time to let a worker finish reading; in real time the samples are given up. So they are where
        // nobody reads: this input runs ahead of another by more than the history holds.
        while !written && self.may_wait() && self.producer.has_unread() {
            self.collect();
            self.submit.assist();
            written = self.producer.write_all(stream, frames, &mut write);
        }
        // The last look for readers may have found that the last of them is gone.
        if !written && !self.producer.write_all(stream, frames, &mut write) {
            self.producer.skip(stream, frames);
        }
        self.submit_complete();
    }

    #[inline]
    fn record(&mut self, event: impl FnOnce(&mut AudioEnd)) {
        if let Some(recorder) = &mut self.recorder {
            event(recorder);
        }
    }

    /// Submits every hop that all input streams have whole.
    fn submit_complete(&mut self) {
        self.drop_overdue();
        if self.has_whole_hop() {
            let mut now = clock::now();
            let mut published = false;
            while self.has_whole_hop() {
                published |= self.submit_one(now);
                if self.may_wait() {
                    // It may have waited.
                    now = clock::now();
                }
            }
            if published {
                self.submit.submitted(self.forecast(now));
            }
        }
        if self.timing.ends_in_call {
            self.collect();
        }
    }

    /// When the next hop will be complete, if blocks go on as the last one was.
    fn forecast(&self, now: u64) -> Forecast {
        let (hop, have) = match self.inputs.first() {
            Some(input) => (input.hop as u64, self.producer.buffered(0)),
            None => {
                let hop = self.outputs.first().map_or(0, |o| o.hop as u64);
                (hop, self.reference.saturating_sub(self.producer.next_hop().saturating_mul(hop)))
            }
        };
        let next = (self.last_block > 0 && hop > 0).then(|| {
            let samples = hop.saturating_sub(have).div_ceil(self.last_block).max(1) * self.last_block;
            now + (samples as f64 * self.timing.nanos_per_input) as u64
        });
        Forecast { now, next }
    }

    /// Rendering waits for its results, but not for those of a session whose owner is gone.
    fn may_wait(&self) -> bool {
        self.timing.mode == Mode::Offline && !self.closed.is_set()
    }

    fn has_whole_hop(&self) -> bool {
        let inputs = &self.inputs;
        if inputs.is_empty() {
            let hop = self.outputs.first().map_or(u64::MAX, |o| o.hop as u64);
            return self.reference >= (self.producer.next_hop() + 1).saturating_mul(hop);
        }
        inputs.iter().enumerate().all(|(stream, input)| self.producer.buffered(stream) >= input.hop as u64)
    }

    fn submit_one(&mut self, now: u64) -> bool {
        self.take_parameters();
        self.switcher.settle(&self.shared.choice, &self.stage);
        let still = self.look_for_rest();
        if still && self.skip() {
            return false;
        }
        self.shared.telemetry.count_submitted();
        let is_late = !self.may_wait() && self.pace.gives_up(self.producer.next_hop());
        // Or its samples found no room: an answer to silence in their place would be heard, and be counted as right.
        if is_late || self.producer.has_gap() {
            self.forgo();
            return false;
        }
        let (times, hop) = (self.times(now), self.producer.next_hop());
        loop {
            // Within the loop: a result that is collected there may change who is heard.
            let (parameters, mix) = (&self.parameters, self.switcher.mix());
            let sent = self.producer.submit(times, |payload| {
                (payload.mix, payload.still) = (mix, still);
                for (slot, values) in payload.parameters.iter_mut().zip(parameters) {
                    slot.iter_mut().zip(&values.now).for_each(|(to, from)| *to = *from);
                }
            });
            if sent {
                self.record(|recorder| recorder.hop(hop, times));
                self.switcher.go_on(&self.shared.choice);
                return true;
            }
            // Every slot is taken. Finished ones may be had back; offline it is worth waiting for.
            let before = self.producer.outstanding();
            self.collect();
            if self.producer.outstanding() < before {
                continue;
            }
            if !self.may_wait() {
                self.forgo();
                return false;
            }
            self.submit.submitted(self.forecast(clock::now()));
            self.submit.assist();
        }
    }

    /// Whether the next hop is like the one before: silence, for the same engine with the same parameters.
    fn look_for_rest(&mut self) -> bool {
        let Some(rest) = &mut self.rest else { return false };
        rest.look(self.producer.next_hop(), &Heard(&self.producer), &self.parameters, self.switcher.mix())
    }

    /// The next hop is not run if its answer is known.
    fn skip(&mut self) -> bool {
        let (hop, has_gap) = (self.producer.next_hop(), self.producer.has_gap());
        let Some(rest) = &mut self.rest else { return false };
        if has_gap {
            // Nobody knows what its samples were.
            rest.forget();
        }
        let is_skipped = rest.skip(hop);
        if is_skipped {
            self.producer.forgo();
            self.record(|recorder| recorder.skipped(hop));
            self.shared.telemetry.count_skipped();
        }
        is_skipped
    }

    /// The next hop is not run at all.
    fn forgo(&mut self) {
        let hop = self.producer.forgo();
        self.record(|recorder| recorder.dropped(hop));
        // Time goes on, for a fade as well.
        self.switcher.go_on(&self.shared.choice);
        self.shared.telemetry.count_dropped(1);
    }

    fn take_parameters(&mut self) {
        for (parameter, values) in self.shared.parameters.iter().zip(&mut self.parameters) {
            parameter.take(values);
        }
    }

    /// When it is submitted, and when the first sample of the next hop will be needed, in nanoseconds.
    fn times(&self, submitted: u64) -> Head {
        let hop = self.producer.next_hop();
        let samples =
            self.outputs.first().map_or(0, |o| o.until(hop, self.timing.block_out, self.timing.fixed));
        Head { submitted, deadline: submitted + (samples as f64 * self.timing.nanos_per_sample) as u64 }
    }

    /// Gives up hops that nobody has begun and whose time has passed, if one of them has waited too long: all of them, until
    /// the stream is on time again. If some were left, a busy worker would take long to work them off.
    fn drop_overdue(&mut self) {
        // No stream may still want it, but one that nobody takes from wants nothing.
        let past = self.outputs.iter().filter(|o| o.handed > 0).map(Output::past).min();
        let Some(past) = past.filter(|_| !self.may_wait()) else { return };
        let may_wait = if self.dropping { 0 } else { self.timing.max_catch_up };
        let mut before = past.saturating_sub(may_wait);
        while let Some(hop) = self.producer.drop_oldest(before) {
            self.record(|recorder| recorder.dropped(hop));
            (before, self.dropping) = (past, true);
            self.shared.telemetry.count_dropped(1);
        }
    }

    /// Takes every result that is next in order.
    fn collect(&mut self) {
        loop {
            match self.producer.collect() {
                Collected::Empty | Collected::Pending => break,
                Collected::Lost(hop) => {
                    if let Some(rest) = &mut self.rest {
                        rest.give(hop, &mut self.outputs, &mut self.emit, &mut self.pace);
                        rest.forget();
                    }
                    for (stream, output) in self.outputs.iter_mut().enumerate() {
                        output.emit(stream, hop, None, &mut self.emit);
                    }
                }
                Collected::Ready(mut ready) => {
                    let hop = ready.hop();
                    if let Some(rest) = &mut self.rest {
                        rest.give(hop, &mut self.outputs, &mut self.emit, &mut self.pace);
                    }
                    if let Some(output) = self.outputs.first() {
                        self.pace.arrived(hop, output.is_due(hop));
                    }
                    let Some(payload) = ready.payload() else { return };
                    self.switcher.collected(&payload.mix, payload.outcome, &self.shared.choice);
                    if let Some(rest) = &mut self.rest {
                        rest.learn(hop, payload);
                    }
                    let answer = &payload.answer;
                    for (stream, (output, data)) in self.outputs.iter_mut().zip(&answer.hops).enumerate() {
                        output.emit(stream, hop, Some(data), &mut self.emit);
                    }
                    for (reading, values) in self.shared.readings.iter().zip(&answer.readings) {
                        reading.publish(values);
                    }
                }
            }
        }
        if let Some(rest) = &mut self.rest {
            let next = self.producer.oldest().unwrap_or(u64::MAX);
            rest.give(next, &mut self.outputs, &mut self.emit, &mut self.pace);
        }
    }

    /// Takes in as much silence as belongs to the next `frames` samples of output stream 0, and hands them out.
    pub(super) fn flush(&mut self, block: &mut (impl Sink + ?Sized), start: usize, frames: usize) -> Status {
        let due = self.outputs.first().map(|o| (o.hop.max(1) as u128, o.handed as u128 + frames as u128));
        for stream in 0..self.inputs.len() {
            let (Some((hop_out, due)), Some(input)) = (due, self.inputs.get(stream)) else { break };
            let due = (due * input.hop as u128).div_ceil(hop_out) as u64;
            let silence = due.saturating_sub(self.producer.taken_in(stream));
            let _ = self.push_silence(stream, silence as usize);
        }
        self.hand_out(0, block, start, frames, true)
    }

    /// Takes in and hands out `frames` samples of `block` from `start` on.
    pub(super) fn process(
        &mut self,
        block: &mut (impl Source + Sink + ?Sized),
        start: usize,
        frames: usize,
    ) -> Status {
        let pushed = self.push(0, &*block, start, frames);
        pushed.and(self.hand_out(0, block, start, frames, true))
    }

    /// Hands out the next `frames` samples of an output stream to `block` from `start` on.
    pub(super) fn pop(
        &mut self,
        stream: usize,
        block: &mut (impl Sink + ?Sized),
        start: usize,
        frames: usize,
    ) -> Status {
        self.hand_out(stream, block, start, frames, false)
    }

    /// As [`pop`](Self::pop). `collected`: this call has looked for results already; only what is wanting is looked for again.
    fn hand_out(
        &mut self,
        stream: usize,
        block: &mut (impl Sink + ?Sized),
        start: usize,
        frames: usize,
        collected: bool,
    ) -> Status {
        if self.inputs.is_empty() && stream == 0 {
            self.record(|recorder| recorder.block(frames));
            self.reference += frames as u64;
            self.last_block = frames as u64;
            self.patience.earn(frames);
            self.submit.approach();
            self.collect();
            self.submit_complete();
        }
        let Some(output) = self.outputs.get(stream) else {
            (0..block.channels()).for_each(|c| block.silence(c, start, frames));
            return Status::fault(Fault::NoStream);
        };
        self.patience.ask();
        let channels = output.channels;
        let needed = output.needed(frames);
        if !collected || output.emitted < needed {
            self.wait_for(stream, needed);
        }
        let looked = self.recorder.as_ref().map_or(0, AudioEnd::now);
        let telemetry = &self.shared.telemetry;
        let history = Heard(&self.producer);
        let material = Material { history: &history, parameters: &self.parameters, telemetry };
        let Some(output) = self.outputs.get_mut(stream) else { return Status::default() };
        if block.channels() != channels {
            (0..block.channels()).for_each(|c| block.silence(c, start, frames));
            self.late.skip(material, output, stream, frames);
            return Status::fault(Fault::Channels);
        }
        let is_clock = stream == 0 && frames > 0;
        let late = self.bypass.hand_out(&mut self.late, material, output, stream, block, start, frames);
        self.dropping &= late > 0 || !is_clock;
        match late {
            0 if self.behind && output.past() > 0 => self.behind = self.producer.has_stragglers(),
            0 => {}
            late if self.behind => telemetry.count_late_after_reset(late),
            late => telemetry.count_late(late),
        }
        if is_clock {
            self.record(|recorder| recorder.out(looked, frames, late));
        }
        if late > 0 {
            // At once: a worker that is free before the next callback must not begin with what can no longer be heard.
            self.drop_overdue();
        }
        Status { late_samples: late, fault: None }
    }

    /// Collects; offline until `needed` hops are there, in real time for at most what is left of the agreed share of the
    /// callback's time.
    fn wait_for(&mut self, stream: usize, needed: u64) {
        self.collect();
        let wanting = |s: &Self| {
            s.outputs.get(stream).is_some_and(|o| o.emitted < needed) && s.producer.outstanding() > 0
        };
        match self.timing.mode {
            Mode::Offline => {
                while wanting(self) && self.may_wait() {
                    self.submit.assist();
                    self.collect();
                }
            }
            Mode::Realtime if self.patience.left() > 0 && wanting(self) => {
                let end = clock::now() + self.patience.left();
                let mut rounds = 0u32;
                while wanting(self) && !self.closed.is_set() {
                    let Some(left) = end.checked_sub(clock::now()).filter(|left| *left > 0) else { break };
                    rounds += 1;
                    match &self.bell {
                        // A spinning real-time thread would starve its own worker.
                        Some(bell) if rounds > SPINS => {
                            bell.wait(Some(Duration::from_nanos(left)), || {
                                self.producer.is_head_finished() || self.closed.is_set()
                            });
                        }
                        _ => std::hint::spin_loop(),
                    }
                    self.collect();
                }
                self.patience.keep(end.saturating_sub(clock::now()));
            }
            Mode::Realtime => {}
        }
    }

    pub(super) fn set_parameter(&mut self, index: usize, values: &[f64]) -> Status {
        let fits = self.parameters.get(index).is_some_and(|p| p.now.len() == values.len());
        match self.shared.parameters.get(index) {
            Some(parameter) if fits && values.iter().all(|v| v.is_finite()) && parameter.set(values) => {
                Status::default()
            }
            _ => Status::fault(Fault::Parameter),
        }
    }

    pub(super) fn set_bypass(&mut self, bypass: bool) {
        self.bypass.set(bypass);
    }

    pub(super) fn reset(&mut self) {
        let dropped = self.producer.reset();
        self.record(AudioEnd::reset);
        self.shared.telemetry.count_dropped(dropped);
        self.outputs.iter_mut().for_each(Output::reset);
        self.emit.reset();
        self.late.reset();
        self.rest.iter_mut().for_each(Rest::reset);
        self.bypass.reset();
        self.switcher.reset(&self.shared.choice, &self.stage);
        // An inference that runs now is not waited for: what is late behind it is not the model's doing.
        self.behind = self.producer.has_stragglers();
        self.dropping = false;
        self.pace.reset();
        self.reference = 0;
        self.last_block = 0;
        self.patience.reset();
    }
}

impl<E: Engine, P: PrePostProcessor, S: Submit> std::fmt::Debug for Streams<E, P, S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Streams").field("outputs", &self.outputs).finish_non_exhaustive()
    }
}
