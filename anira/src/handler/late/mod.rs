//! What is heard where samples are late: [`Late`] hands an output stream out, with replacements where they are needed.
//!
//! A replacement begins at the last sample that was heard, and that step fades away (nobody knows beforehand that a result
//! will be late, so there is nothing to fade with); when results are back, the two are cross-faded. Time never slips: sample
//! n of the stream is sample n, or something in its place.

#![deny(clippy::indexing_slicing, clippy::panic, clippy::unreachable)]

mod fallback;
mod stand_in;

use anira_scheduler::Telemetry;
use anira_scheduler::ring::Producer;

pub use fallback::Fallback;
pub(super) use fallback::{FallbackModel, LoadFallback};
pub use stand_in::LateBlock;
pub(super) use stand_in::{LateFunctionMaker, StandIn};

use super::output::{Output, Piece};
use super::parameter::Values;
use crate::block::Sink;

/// Samples that are made up at a time.
pub(super) const PIECE: usize = 64;

/// What came in, for who wants to hear it again. Audio thread; wait-free.
pub(super) trait History {
    /// Reads samples of one channel of an input stream from sample `start` of the stream on: silence before its begin, and
    /// where nothing is kept.
    fn read(&self, stream: usize, channel: usize, start: i64, target: &mut [f32]);
}

/// The history of a ring, borrowed: what is borrowed frees nothing, and the table of its methods holds nothing that would.
pub(super) struct Heard<'a, T, X>(pub(super) &'a Producer<T, X>);

impl<T, X> History for Heard<'_, T, X> {
    fn read(&self, stream: usize, channel: usize, start: i64, target: &mut [f32]) {
        self.0.read(stream, channel, start, target);
    }
}

/// What replacements are made of.
#[derive(Clone, Copy)]
pub(super) struct Material<'a> {
    pub(super) history: &'a dyn History,
    pub(super) parameters: &'a [Values],
    pub(super) telemetry: &'a Telemetry,
}

/// Hands out the output streams of a session.
pub(super) struct Late {
    stand_in: StandIn,
    /// Samples of a fade.
    fade: usize,
    streams: Box<[Transition]>,
}

/// Where one output stream is between the model and its replacement.
#[derive(Debug)]
struct Transition {
    phase: Phase,
    /// Samples since the replacement began, or began anew.
    run: usize,
    /// Per channel: the last sample that was heard.
    last: Box<[f32]>,
    /// Per channel: the last sample of the replacement, before the model was mixed in.
    made: Box<[f32]>,
    /// Per channel: how far the replacement began from the last sample before it.
    step: Box<[f32]>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The model alone is heard.
    Model,
    /// The replacement alone is heard.
    Replaced,
    /// The model fades in: so many samples are done.
    Return(usize),
}

/// A run of samples of one hop: at most [`PIECE`].
#[derive(Clone, Copy, Debug)]
struct Run {
    /// The first sample's number in the output stream.
    position: u64,
    hop: u64,
    /// Where it begins in its hop.
    offset: usize,
    len: usize,
    /// Whether the model's answer is there.
    heard: bool,
}

impl Late {
    /// For output streams of these numbers of channels. Allocates; control thread.
    pub(super) fn new(stand_in: StandIn, fade: usize, channels: impl IntoIterator<Item = usize>) -> Self {
        let stream = |channels: usize| Transition {
            phase: Phase::Model,
            run: 0,
            last: vec![0.0; channels].into_boxed_slice(),
            made: vec![0.0; channels].into_boxed_slice(),
            step: vec![0.0; channels].into_boxed_slice(),
        };
        Self { stand_in, fade, streams: channels.into_iter().map(stream).collect() }
    }

    /// A fresh stream. Audio thread; wait-free.
    pub(super) fn reset(&mut self) {
        self.stand_in.reset();
        self.streams.iter_mut().for_each(Transition::reset);
    }

    /// Silence goes out in place of the next `frames` samples of an output stream. Audio thread; wait-free.
    pub(super) fn skip(&mut self, material: Material<'_>, output: &mut Output, stream: usize, frames: usize) {
        let mut done = 0;
        while done < frames {
            done += match output.piece(output.handed + done as u64, frames - done) {
                Piece::Zeros(n) => n,
                Piece::Hop { hop, len, .. } => {
                    self.stand_in.pass(hop, material);
                    len
                }
            };
        }
        output.handed += frames as u64;
        if frames > 0 {
            self.stand_in.forget(stream);
            self.streams.get_mut(stream).into_iter().for_each(Transition::reset);
        }
    }

    /// Hands out the next `frames` samples of every channel of an output stream to `sink` from its frame `start` on. Returns
    /// how many were wanting and replaced.
    pub(super) fn hand_out(
        &mut self,
        material: Material<'_>,
        output: &mut Output,
        stream: usize,
        sink: &mut (impl Sink + ?Sized),
        start: usize,
        frames: usize,
    ) -> u64 {
        let (mut done, mut late) = (0, 0);
        while done < frames {
            let position = output.handed + done as u64;
            let at = start + done;
            done += match output.piece(position, frames - done) {
                Piece::Zeros(n) => {
                    (0..output.channels).for_each(|c| sink.silence(c, at, n));
                    n
                }
                Piece::Hop { hop, offset, len, heard } => {
                    late += if heard { 0 } else { len as u64 };
                    self.stand_in.pass(hop, material);
                    let run = Run { position, hop, offset, len, heard };
                    self.hand_out_run(material, output, stream, sink, at, run);
                    if heard && offset == 0 {
                        self.stand_in.hear(stream, hop);
                    }
                    len
                }
            };
        }
        output.handed += frames as u64;
        late
    }

    fn hand_out_run(
        &mut self,
        material: Material<'_>,
        output: &Output,
        stream: usize,
        sink: &mut (impl Sink + ?Sized),
        start: usize,
        run: Run,
    ) {
        let fade = self.fade;
        let Some(transition) = self.streams.get_mut(stream) else { return };
        let mut done = 0;
        while done < run.len {
            let mut part = run;
            part.position += done as u64;
            part.offset += done;
            part.len -= done;
            let at = start + done;
            if run.heard && transition.is_back(fade) {
                transition.phase = Phase::Model;
                for channel in 0..output.channels {
                    let model = output.samples(channel, run.hop, part.offset, part.len);
                    keep(&mut transition.last, channel, model);
                    sink.write(channel, at, model);
                }
                return;
            }
            part.len = part.len.min(PIECE).min(transition.left(run.heard, fade));
            let begins = transition.begins(&part, self.stand_in.has_seams());
            if begins {
                self.stand_in.begin(stream, output, part.hop);
                transition.run = 0;
            }
            for channel in 0..output.channels {
                let mut piece = [0.0; PIECE];
                let Some(piece) = piece.get_mut(..part.len) else { return };
                self.stand_in.fill(material, output, stream, channel, part, piece);
                if begins {
                    transition.begin(channel, part.heard, piece);
                }
                transition.settle(channel, fade, piece);
                keep(&mut transition.made, channel, piece);
                if part.heard {
                    let model = output.samples(channel, part.hop, part.offset, part.len);
                    transition.mix(fade, model, piece);
                }
                keep(&mut transition.last, channel, piece);
                sink.write(channel, at, piece);
            }
            transition.advance(&part);
            done += part.len;
        }
    }
}

impl Transition {
    /// The model alone is heard, after silence.
    fn reset(&mut self) {
        self.phase = Phase::Model;
        self.last.fill(0.0);
    }

    /// Whether nothing of a replacement is heard any more, once the model's answer is there.
    fn is_back(&self, fade: usize) -> bool {
        match self.phase {
            Phase::Model => true,
            Phase::Replaced => fade == 0,
            Phase::Return(done) => done >= fade,
        }
    }

    /// Samples until the phase changes by itself.
    fn left(&self, heard: bool, fade: usize) -> usize {
        match self.phase {
            _ if !heard => usize::MAX,
            Phase::Return(done) => fade.saturating_sub(done).max(1),
            _ => fade.max(1),
        }
    }

    /// Whether a replacement begins with this run: after the model, or at a seam of its own.
    fn begins(&self, run: &Run, has_seams: bool) -> bool {
        let is_seam = has_seams && run.offset == 0 && self.phase != Phase::Model;
        is_seam || !run.heard && self.phase != Phase::Replaced
    }

    /// Takes the step from the last sample to the replacement's first: from the last that was heard, or, while the model fades
    /// in over it, from the replacement's own.
    fn begin(&mut self, channel: usize, heard: bool, piece: &[f32]) {
        let last = if heard { &self.made } else { &self.last };
        let last = last.get(channel).copied().unwrap_or(0.0);
        if let (Some(step), Some(first)) = (self.step.get_mut(channel), piece.first()) {
            *step = last - first;
        }
    }

    /// Adds what is left of the step at the begin.
    fn settle(&self, channel: usize, fade: usize, piece: &mut [f32]) {
        let step = self.step.get(channel).copied().unwrap_or(0.0);
        if self.run >= fade || step == 0.0 {
            return;
        }
        for (sample, at) in piece.iter_mut().zip(self.run..fade) {
            *sample += step * (1.0 - at as f32 / fade as f32);
        }
    }

    /// Mixes the model in, as far as it is back.
    fn mix(&self, fade: usize, model: &[f32], piece: &mut [f32]) {
        let done = if let Phase::Return(done) = self.phase { done } else { 0 };
        for ((sample, model), at) in piece.iter_mut().zip(model).zip(done + 1..) {
            *sample += (model - *sample) * (at as f32 / (fade + 1) as f32);
        }
    }

    fn advance(&mut self, run: &Run) {
        self.run = self.run.saturating_add(run.len);
        self.phase = match (run.heard, self.phase) {
            (false, _) => Phase::Replaced,
            (true, Phase::Return(done)) => Phase::Return(done + run.len),
            (true, _) => Phase::Return(run.len),
        };
    }
}

/// Keeps the last sample of a channel's piece.
fn keep(last: &mut [f32], channel: usize, piece: &[f32]) {
    if let (Some(last), Some(sample)) = (last.get_mut(channel), piece.last()) {
        *last = *sample;
    }
}

impl std::fmt::Debug for Late {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Late")
            .field("fade", &self.fade)
            .field("streams", &self.streams)
            .finish_non_exhaustive()
    }
}
