//! What stands in for the model: [`StandIn`].

#![deny(clippy::indexing_slicing, clippy::panic, clippy::unreachable)]

use std::sync::Arc;

use anira_traits::LatePolicy;

use super::fallback::Spare;
use super::{Material, PIECE, Run};
use crate::handler::output::Output;

/// A piece of an output stream that came late, for a [function](crate::Builder::late_function) that makes it up.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct LateBlock<'a> {
    /// The output stream.
    pub stream: usize,
    /// The channel in it.
    pub channel: usize,
    /// The number of the first sample since the stream began, its zeros included.
    pub position: u64,
    /// The input, delayed by the reported latency: as many samples as are wanted. Empty where the output stream has no input
    /// stream of the same number, hop and channels.
    pub input: &'a [f32],
}

/// A user's function, as one session has it.
pub(in crate::handler) type LateFunction = Box<dyn FnMut(&LateBlock<'_>, &mut [f32]) + Send>;

/// Makes the function of each session.
pub(in crate::handler) type LateFunctionMaker = Arc<dyn Fn() -> LateFunction + Send + Sync>;

/// What stands in for the model where samples are late. Audio thread, but for making it.
pub(in crate::handler) enum StandIn {
    Silence,
    Dry {
        /// Per output stream: whether an input stream of the same number, hop and channels exists.
        paired: Box<[bool]>,
    },
    Hold {
        /// Per output stream: its last whole hop that was heard.
        held: Box<[Held]>,
    },
    Function {
        function: LateFunction,
        paired: Box<[bool]>,
    },
    Fallback(Box<dyn Spare>),
}

/// The hop that is heard over and over.
#[derive(Clone, Debug)]
pub(in crate::handler) struct Held {
    hop: usize,
    /// The last hop that was heard whole.
    whole: Option<u64>,
    /// Channel after channel; silence while nothing was heard.
    samples: Box<[f32]>,
}

impl Held {
    fn forget(&mut self) {
        self.whole = None;
        self.samples.fill(0.0);
    }
}

impl StandIn {
    /// What the configuration names. Allocates; control thread.
    pub(in crate::handler) fn of(policy: LatePolicy, paired: &[bool], outputs: &[Output]) -> Self {
        match policy {
            LatePolicy::Dry => Self::Dry { paired: paired.into() },
            LatePolicy::Hold => {
                let held = |o: &Output| Held {
                    hop: o.hop,
                    whole: None,
                    samples: vec![0.0; o.channels * o.hop].into(),
                };
                Self::Hold { held: outputs.iter().map(held).collect() }
            }
            _ => Self::Silence,
        }
    }

    /// The user's function.
    pub(in crate::handler) fn function(maker: &LateFunctionMaker, paired: &[bool]) -> Self {
        Self::Function { function: maker(), paired: paired.into() }
    }

    pub(super) fn reset(&mut self) {
        match self {
            Self::Hold { held } => held.iter_mut().for_each(Held::forget),
            Self::Fallback(spare) => spare.reset(),
            Self::Silence | Self::Dry { .. } | Self::Function { .. } => {}
        }
    }

    /// Whether it does not go on smoothly from hop to hop by itself.
    pub(super) fn has_seams(&self) -> bool {
        matches!(self, Self::Hold { .. })
    }

    /// Samples of a hop are about to go out, late or not.
    pub(super) fn pass(&mut self, hop: u64, material: Material<'_>) {
        if let Self::Fallback(spare) = self
            && spare.is_always_run()
        {
            spare.run(hop, material);
        }
    }

    /// The model's answer to a hop is heard from its first sample on, and so to its last.
    pub(super) fn hear(&mut self, stream: usize, hop: u64) {
        if let Self::Hold { held } = self
            && let Some(held) = held.get_mut(stream)
        {
            held.whole = Some(hop);
        }
    }

    /// Silence went out in place of a stream.
    pub(super) fn forget(&mut self, stream: usize) {
        if let Self::Hold { held } = self {
            held.get_mut(stream).into_iter().for_each(Held::forget);
        }
    }

    /// A replacement begins in a hop, or begins anew there.
    pub(super) fn begin(&mut self, stream: usize, output: &Output, hop: u64) {
        let Self::Hold { held } = self else { return };
        let Some(held) = held.get_mut(stream) else { return };
        // What was heard last lies in the hop before, unless that was late, too, even if it has come since: then what is held
        // is older.
        let Some(before) = held.whole.filter(|whole| whole + 1 == hop) else { return };
        for (channel, kept) in held.samples.chunks_exact_mut(held.hop.max(1)).enumerate() {
            let samples = output.samples(channel, before, 0, kept.len());
            kept.iter_mut().zip(samples).for_each(|(kept, sample)| *kept = *sample);
        }
    }

    /// Writes what stands in for a run of samples of one channel.
    pub(super) fn fill(
        &mut self,
        material: Material<'_>,
        output: &Output,
        stream: usize,
        channel: usize,
        run: Run,
        piece: &mut [f32],
    ) {
        let dry = |paired: &[bool], piece: &mut [f32]| {
            let is_paired = paired.get(stream).copied().unwrap_or(false);
            if is_paired {
                let from = run.position as i64 - output.latency as i64;
                material.history.read(stream, channel, from, piece);
            }
            is_paired
        };
        let copy = |piece: &mut [f32], samples: &[f32]| {
            piece.iter_mut().zip(samples).for_each(|(to, from)| *to = *from);
        };
        match self {
            // A hop that was lost may have something to say even so: what an overlapping one before it left.
            Self::Silence if !run.heard => copy(piece, output.samples(channel, run.hop, run.offset, run.len)),
            Self::Silence => {}
            Self::Dry { paired } => {
                dry(paired, piece);
            }
            Self::Hold { held } => {
                let Some(held) = held.get(stream) else { return };
                let hop = held.samples.chunks_exact(held.hop.max(1)).nth(channel).unwrap_or_default();
                copy(piece, hop.get(run.offset..).unwrap_or_default());
            }
            Self::Function { function, paired } => {
                let mut input = [0.0; PIECE];
                let Some(input) = input.get_mut(..piece.len()) else { return };
                let input: &[f32] = if dry(paired, input) { input } else { &[] };
                function(&LateBlock { stream, channel, position: run.position, input }, piece);
            }
            Self::Fallback(spare) => {
                spare.run(run.hop, material);
                copy(piece, spare.hop(stream, channel).get(run.offset..).unwrap_or_default());
            }
        }
    }
}
