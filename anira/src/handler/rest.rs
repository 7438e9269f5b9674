//! Hops whose answer is known without an inference, because input and state are at rest: [`Rest`].
//!
//! An inference whose window was all zeros and that left every state as it was is a fixed point: as long as windows stay zeros,
//! and engine and parameters the same, every further one has the same answer and changes nothing.

#![deny(clippy::indexing_slicing, clippy::panic, clippy::unreachable)]

use std::ops::Range;

use anira_scheduler::ring::StreamShape;
use anira_traits::EmitPart;

use super::crew::Parameters;
use super::late::{History, PIECE};
use super::mix::Mix;
use super::output::Output;
use super::pace::Pace;
use super::parameter::Values;
use super::payload::{Payload, Planar};

/// What the audio thread knows of a session's rest.
#[derive(Debug)]
pub(super) struct Rest {
    streams: Box<[Quiet]>,
    /// Parameters and engine of the last hop that was looked at.
    parameters: Box<Parameters>,
    mix: Mix,
    /// The hop since which every one was silent, for this engine and these parameters.
    since: Option<u64>,
    /// The answer to such a hop.
    hops: Box<[Planar]>,
    is_known: bool,
    /// Hops that were skipped and are not yet in the outputs: those before them are still under way.
    skipped: Range<u64>,
}

/// Where an input stream was last heard.
#[derive(Clone, Copy, Debug)]
struct Quiet {
    shape: StreamShape,
    /// The end of the last sample that is not zero; 0 if there was none.
    heard: u64,
}

impl Rest {
    /// For these input streams, parameters and hops of the output streams. Allocates; control thread.
    pub(super) fn new(inputs: &[StreamShape], parameters: &Parameters, hops: &[Planar]) -> Self {
        Self {
            streams: inputs.iter().map(|&shape| Quiet { shape, heard: 0 }).collect(),
            parameters: parameters.into(),
            mix: Mix::default(),
            since: None,
            hops: hops.into(),
            is_known: false,
            skipped: 0..0,
        }
    }

    /// A fresh stream.
    pub(super) fn reset(&mut self) {
        self.streams.iter_mut().for_each(|stream| stream.heard = 0);
        (self.since, self.is_known, self.skipped) = (None, false, 0..0);
    }

    /// Looks at the next hop, with the parameters and the engine that it would be submitted with. Whether it is silent, and one engine
    /// answers it alone. Every hop is looked at, in order.
    pub(super) fn look(&mut self, hop: u64, history: &impl History, parameters: &[Values], mix: Mix) -> bool {
        let mut silent = true;
        for (index, stream) in self.streams.iter_mut().enumerate() {
            silent &= stream.look(index, hop, history);
        }
        let mut changed = mix != self.mix;
        for (known, values) in self.parameters.iter_mut().zip(parameters) {
            for (known, now) in known.iter_mut().zip(&values.now) {
                changed |= known.to_bits() != now.to_bits();
                *known = *now;
            }
        }
        self.mix = mix;
        let still = silent && mix.second.is_none() && mix.backup.is_none();
        if changed || !still {
            self.forget();
        }
        self.since = if still { self.since.or(Some(hop)) } else { None };
        still
    }

    /// What is known of rest is known no longer.
    pub(super) fn forget(&mut self) {
        (self.since, self.is_known) = (None, false);
    }

    /// Takes note of what came back for a hop.
    pub(super) fn learn(&mut self, hop: u64, payload: &Payload) {
        let is_one = payload.outcome.at_rest && payload.mix == self.mix;
        if is_one && !self.is_known && self.since.is_some_and(|since| since <= hop) {
            self.hops.iter_mut().zip(&payload.answer.hops).for_each(|(to, from)| to.copy_from(from));
            self.is_known = true;
        }
    }

    /// Skips the hop that was just looked at, if its answer is known.
    pub(super) fn skip(&mut self, hop: u64) -> bool {
        if self.is_known {
            let first = if self.skipped.is_empty() { hop } else { self.skipped.start };
            self.skipped = first..hop + 1;
        }
        self.is_known
    }

    /// Puts the answers to skipped hops into the outputs, once all hops before `hop` have come back.
    pub(super) fn give(
        &mut self,
        hop: u64,
        outputs: &mut [Output],
        emit: &mut impl EmitPart,
        pace: &mut Pace,
    ) {
        if self.skipped.is_empty() || self.skipped.start >= hop {
            return;
        }
        let end = self.skipped.end;
        for (stream, (output, data)) in outputs.iter_mut().zip(&self.hops).enumerate() {
            let from = self.skipped.start.max(end.saturating_sub(output.capacity() as u64));
            (from..end).for_each(|hop| output.emit(stream, hop, Some(data), emit));
        }
        if let Some(output) = outputs.first() {
            pace.arrived(end - 1, output.is_due(end - 1));
        }
        self.skipped = end..end;
    }
}

impl Quiet {
    /// Whether the window of hop `hop` is silent.
    fn look(&mut self, stream: usize, hop: u64, history: &impl History) -> bool {
        let StreamShape { channels, hop: len, context, .. } = self.shape;
        let start = hop.saturating_mul(len as u64);
        for channel in 0..channels {
            let sounds = sounds_until(history, stream, channel, start, len);
            self.heard = self.heard.max(if sounds > 0 { start + sounds } else { 0 });
        }
        self.heard == 0 || self.heard + context as u64 <= start
    }
}

/// How many of the `len` samples from `start` on there are up to the last that is not zero. (-0 is not: an engine may tell them apart.)
fn sounds_until(history: &impl History, stream: usize, channel: usize, start: u64, len: usize) -> u64 {
    let mut end = len;
    while end > 0 {
        let begin = end - end.min(PIECE);
        let mut piece = [0.0; PIECE];
        let Some(piece) = piece.get_mut(..end - begin) else { return len as u64 };
        history.read(stream, channel, start as i64 + begin as i64, piece);
        if let Some(at) = piece.iter().rposition(|sample| sample.to_bits() != 0) {
            return (begin + at + 1) as u64;
        }
        end = begin;
    }
    0
}
