//! What a slot carries from the audio thread to a worker and back: parameters there, hops and readings back.

/// One output stream's hop, channel after channel.
#[derive(Clone, Debug, Default)]
pub(super) struct Planar {
    len: usize,
    samples: Box<[f32]>,
}

/// The contents of a slot. Allocated at prepare, never again.
#[derive(Clone, Debug)]
pub struct Payload {
    pub(super) hops: Box<[Planar]>,
    pub(super) parameters: Box<[Box<[f64]>]>,
    pub(super) readings: Box<[Box<[f64]>]>,
}

impl Planar {
    pub(super) fn new(channels: usize, len: usize) -> Self {
        Self { len, samples: vec![0.0; channels * len].into_boxed_slice() }
    }

    pub(super) fn channel(&self, channel: usize) -> Option<&[f32]> {
        self.samples.get(channel * self.len..(channel + 1) * self.len)
    }

    pub(super) fn channel_mut(&mut self, channel: usize) -> Option<&mut [f32]> {
        self.samples.get_mut(channel * self.len..(channel + 1) * self.len)
    }

    pub(super) fn samples(&self) -> &[f32] {
        &self.samples
    }
}
