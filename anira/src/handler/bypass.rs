//! Letting the input through, delayed by the latency: [`Bypass`].

#![deny(clippy::indexing_slicing, clippy::panic, clippy::unreachable)]

use super::late::{Late, Material, PIECE};
use super::output::Output;
use crate::block::Sink;

/// Samples of the cross-fade between model and input.
const FADE: usize = 128;

/// The switch between the model's output and the input, delayed as long.
#[derive(Clone, Debug)]
pub(super) struct Bypass {
    on: bool,
    /// Per output stream: how far the fade is towards the input, 0 to [`FADE`].
    fades: Box<[usize]>,
    /// Per output stream: whether an input stream of the same number, hop and channels exists.
    paired: Box<[bool]>,
    /// The model's output, one piece per channel.
    wet: Box<[Vec<f32>]>,
}

impl Bypass {
    /// A switch that is off, for output streams that have an input to let through or not, of at most `channels` channels.
    pub(super) fn new(paired: Vec<bool>, channels: usize) -> Self {
        Self {
            on: false,
            fades: vec![0; paired.len()].into_boxed_slice(),
            paired: paired.into_boxed_slice(),
            wet: vec![vec![0.0; PIECE]; channels].into_boxed_slice(),
        }
    }

    pub(super) fn set(&mut self, on: bool) {
        self.on = on;
    }

    /// A fresh stream has nothing to fade from.
    pub(super) fn reset(&mut self) {
        let to = if self.on { FADE } else { 0 };
        self.fades.iter_mut().for_each(|fade| *fade = to);
    }

    /// Hands out `frames` samples of an output stream, mixed with its delayed input as the fade stands. Returns how many were
    /// late.
    #[allow(clippy::too_many_arguments, reason = "a stream, a place in a block, and what both are made of")]
    pub(super) fn hand_out(
        &mut self,
        late: &mut Late,
        material: Material<'_>,
        output: &mut Output,
        stream: usize,
        block: &mut (impl Sink + ?Sized),
        start: usize,
        frames: usize,
    ) -> u64 {
        let Some(fade) = self.fades.get_mut(stream) else { return 0 };
        if !self.on && *fade == 0 {
            return late.hand_out(material, output, stream, block, start, frames);
        }
        let paired = self.paired.get(stream).copied().unwrap_or(false);
        let (mut done, mut missing) = (0, 0);
        while done < frames {
            let n = (frames - done).min(PIECE);
            let dry_from = output.handed as i64 - output.latency as i64;
            missing += late.hand_out(material, output, stream, &mut *self.wet, 0, n);
            let from = *fade;
            *fade = if self.on { (from + n).min(FADE) } else { from.saturating_sub(n) };
            for (channel, wet) in self.wet.iter_mut().enumerate().take(output.channels) {
                let mut dry = [0.0; PIECE];
                if let (true, Some(dry)) = (paired, dry.get_mut(..n)) {
                    material.history.read(stream, channel, dry_from, dry);
                }
                for (i, (wet, dry)) in wet.iter_mut().zip(&dry).take(n).enumerate() {
                    let at = if self.on { (from + i + 1).min(FADE) } else { from.saturating_sub(i + 1) };
                    *wet = match at {
                        FADE => *dry,
                        at => *wet + (*dry - *wet) * (at as f32 / FADE as f32),
                    };
                }
                block.write(channel, start + done, wet.get(..n).unwrap_or_default());
            }
            done += n;
        }
        missing
    }
}
