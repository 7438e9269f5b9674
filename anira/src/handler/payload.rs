//! What a slot carries from the audio thread to a worker and back: parameters and who is to be heard there, hops and readings
//! back.

use super::mix::{Mix, Outcome};

/// One output stream's hop, channel after channel.
#[derive(Clone, Debug, Default)]
pub(super) struct Planar {
    len: usize,
    samples: Lines,
}

/// Samples on cache lines of their own: what lies before and after them stays in the audio thread's cache when a worker writes.
#[derive(Debug, Default)]
struct Lines {
    memory: Box<[f32]>,
    /// Where the samples begin, and how many there are.
    first: usize,
    len: usize,
}

/// Bytes: two lines, for processors that fetch them in pairs.
const PAIR: usize = 128;

impl Lines {
    fn new(len: usize) -> Self {
        let pair = PAIR / size_of::<f32>();
        let memory = vec![0.0; len.next_multiple_of(pair) + pair].into_boxed_slice();
        let first = memory.as_ptr().align_offset(PAIR).min(pair);
        Self { memory, first, len }
    }

    fn range(&self) -> std::ops::Range<usize> {
        self.first..self.first + self.len
    }
}

impl Clone for Lines {
    fn clone(&self) -> Self {
        let mut copy = Self::new(self.len);
        let range = copy.range();
        copy.memory[range].copy_from_slice(&self.memory[self.range()]);
        copy
    }
}

/// The contents of a slot. Allocated at prepare, never again.
#[derive(Clone, Debug)]
pub struct Payload {
    pub(super) parameters: Box<[Box<[f64]>]>,
    /// Which engines answer, and how they are mixed.
    pub(super) mix: Mix,
    /// Whether the worker looks whether the states stay as they are.
    pub(super) still: bool,
    /// What became of that.
    pub(super) outcome: Outcome,
    pub(super) answer: Answer,
}

/// What an engine makes of a slot.
#[derive(Clone, Debug, Default)]
pub(super) struct Answer {
    pub(super) hops: Box<[Planar]>,
    pub(super) readings: Box<[Box<[f64]>]>,
}

impl Planar {
    pub(super) fn new(channels: usize, len: usize) -> Self {
        Self { len, samples: Lines::new(channels * len) }
    }

    /// Samples per channel.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn channel(&self, channel: usize) -> Option<&[f32]> {
        self.samples().get(channel * self.len..(channel + 1) * self.len)
    }

    pub(super) fn channel_mut(&mut self, channel: usize) -> Option<&mut [f32]> {
        let range = self.samples.range();
        let samples = self.samples.memory.get_mut(range)?;
        samples.get_mut(channel * self.len..(channel + 1) * self.len)
    }

    /// Copies all samples of a hop of the same shape.
    pub(super) fn copy_from(&mut self, other: &Self) {
        let channels = self.channels_mut().zip(other.channels());
        channels.flat_map(|(to, from)| to.iter_mut().zip(from)).for_each(|(to, from)| *to = *from);
    }

    pub(super) fn channels(&self) -> impl Iterator<Item = &[f32]> {
        self.samples().chunks_exact(self.len.max(1))
    }

    pub(super) fn channels_mut(&mut self) -> impl Iterator<Item = &mut [f32]> {
        let range = self.samples.range();
        self.samples.memory.get_mut(range).unwrap_or_default().chunks_exact_mut(self.len.max(1))
    }

    pub(super) fn samples(&self) -> &[f32] {
        self.samples.memory.get(self.samples.range()).unwrap_or_default()
    }
}
