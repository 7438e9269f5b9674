//! Blocks whose samples lie at strides: interleaved, or a part of a larger frame.

#![deny(clippy::indexing_slicing, clippy::panic, clippy::unreachable)]

use super::{Sample, Sink, Source};

/// Where the samples of a strided block lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Shape {
    channels: usize,
    frames: usize,
    channel_stride: usize,
    frame_stride: usize,
}

impl Shape {
    /// The shape, with as many frames as `len` elements have room for.
    fn fitting(mut self, len: usize) -> Self {
        let last_channel = self.channels.saturating_sub(1).saturating_mul(self.channel_stride);
        let room = match (len.checked_sub(last_channel + 1), self.frame_stride) {
            (None, _) => 0,
            (Some(_), 0) => self.frames.min(1),
            (Some(rest), stride) => rest / stride + 1,
        };
        self.frames = self.frames.min(room);
        self
    }

    fn first(&self, channel: usize, start: usize) -> usize {
        channel * self.channel_stride + start * self.frame_stride
    }
}

/// A strided block to read from; [`Strided::interleaved`] is the common case.
#[derive(Clone, Copy, Debug)]
pub struct Strided<'a, T> {
    data: &'a [T],
    shape: Shape,
}

/// A strided block to read from and to write to; [`StridedMut::interleaved`] is the common case.
#[derive(Debug)]
pub struct StridedMut<'a, T> {
    data: &'a mut [T],
    shape: Shape,
}

macro_rules! constructors {
    ($name:ident, $data:ty) => {
        impl<'a, T: Sample> $name<'a, T> {
            /// Frames of `channels` samples each, one after the other. A last frame that is not whole is left out.
            #[must_use]
            pub fn interleaved(data: $data, channels: usize) -> Self {
                let frames = data.len().checked_div(channels).unwrap_or(0);
                Self::new(data, channels, frames, 1, channels)
            }

            /// Sample `f` of channel `c` lies at `c * channel_stride + f * frame_stride`. Frames that `data` has no room
            /// for are left out.
            #[must_use]
            pub fn new(
                data: $data,
                channels: usize,
                frames: usize,
                channel_stride: usize,
                frame_stride: usize,
            ) -> Self {
                let shape = Shape { channels, frames, channel_stride, frame_stride }.fitting(data.len());
                Self { data, shape }
            }
        }

        impl<T: Sample> Source for $name<'_, T> {
            fn channels(&self) -> usize {
                self.shape.channels
            }

            fn frames(&self) -> usize {
                self.shape.frames
            }

            fn read(&self, channel: usize, start: usize, target: &mut [f32]) {
                let frames = self.shape.frames.saturating_sub(start);
                if let Some(data) = self.data.get(self.shape.first(channel, start)..) {
                    let samples = data.iter().step_by(self.shape.frame_stride.max(1)).take(frames);
                    target.iter_mut().zip(samples).for_each(|(t, s)| *t = s.single());
                }
            }
        }
    };
}

constructors!(Strided, &'a [T]);
constructors!(StridedMut, &'a mut [T]);

impl<T: Sample> StridedMut<'_, T> {
    fn cells(&mut self, channel: usize, start: usize) -> impl Iterator<Item = &mut T> {
        let frames = self.shape.frames.saturating_sub(start);
        let stride = self.shape.frame_stride.max(1);
        let data = self.data.get_mut(self.shape.first(channel, start)..).unwrap_or_default();
        data.iter_mut().step_by(stride).take(frames)
    }
}

impl<T: Sample> Sink for StridedMut<'_, T> {
    fn channels(&self) -> usize {
        self.shape.channels
    }

    fn frames(&self) -> usize {
        self.shape.frames
    }

    fn write(&mut self, channel: usize, start: usize, source: &[f32]) {
        self.cells(channel, start).zip(source).for_each(|(t, s)| *t = T::of(*s));
    }

    fn silence(&mut self, channel: usize, start: usize, len: usize) {
        self.cells(channel, start).take(len).for_each(|t| *t = T::default());
    }
}
