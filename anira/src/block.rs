//! Host blocks in any layout: [`Source`] to read from, [`Sink`] to write to.

#![deny(clippy::indexing_slicing, clippy::panic, clippy::unreachable)]

mod sample;
mod strided;

pub use sample::Sample;
pub use strided::{Strided, StridedMut};

/// Samples that a host hands in. Implemented for planar slices (`[&[f32]]`, `[&mut [f64]]`, arrays of them) and for
/// [`Strided`] (interleaved, or any strides).
pub trait Source {
    /// Channels.
    fn channels(&self) -> usize;

    /// Samples per channel.
    fn frames(&self) -> usize;

    /// Copies samples `start..` of a channel to `target`; where there are none, `target` is left as it is. Audio thread: wait-free.
    fn read(&self, channel: usize, start: usize, target: &mut [f32]);
}

/// Memory that a host wants filled. Implemented for planar slices (`[&mut [f32]]`, `[&mut [f64]]`, arrays of them) and
/// for [`StridedMut`].
pub trait Sink {
    /// Channels.
    fn channels(&self) -> usize;

    /// Samples per channel.
    fn frames(&self) -> usize;

    /// Copies `source` to samples `start..` of a channel; what does not fit is left out. Audio thread: wait-free.
    fn write(&mut self, channel: usize, start: usize, source: &[f32]);

    /// Writes silence to `len` samples of a channel.
    fn silence(&mut self, channel: usize, start: usize, len: usize);
}

/// The shortest channel counts: a host that hands in ragged channels gets no more than all of them hold.
fn frames<C: AsRef<[T]>, T>(channels: &[C]) -> usize {
    channels.iter().map(|c| c.as_ref().len()).min().unwrap_or(0)
}

fn read_planar<C: AsRef<[T]>, T: Sample>(channels: &[C], channel: usize, start: usize, target: &mut [f32]) {
    if let Some(samples) = channels.get(channel).and_then(|c| c.as_ref().get(start..)) {
        T::to_f32(samples, target);
    }
}

macro_rules! source {
    ([$($generics:tt)*] $ty:ty) => {
        impl<$($generics)*> Source for $ty {
            fn channels(&self) -> usize {
                self.len()
            }
            fn frames(&self) -> usize {
                frames(self)
            }
            fn read(&self, channel: usize, start: usize, target: &mut [f32]) {
                read_planar(self, channel, start, target);
            }
        }
    };
}

macro_rules! sink {
    ([$($generics:tt)*] $ty:ty) => {
        impl<$($generics)*> Sink for $ty {
            fn channels(&self) -> usize {
                self.len()
            }
            fn frames(&self) -> usize {
                frames(self)
            }
            fn write(&mut self, channel: usize, start: usize, source: &[f32]) {
                if let Some(samples) = self.get_mut(channel).and_then(|c| c.get_mut(start..)) {
                    T::from_f32(source, samples);
                }
            }
            fn silence(&mut self, channel: usize, start: usize, len: usize) {
                if let Some(samples) = self.get_mut(channel).and_then(|c| c.get_mut(start..)) {
                    samples.iter_mut().take(len).for_each(|s| *s = T::default());
                }
            }
        }
    };
}

source!(['a, T: Sample] [&'a [T]]);
source!(['a, T: Sample] [&'a mut [T]]);
source!(['a, T: Sample, const N: usize] [&'a [T]; N]);
source!(['a, T: Sample, const N: usize] [&'a mut [T]; N]);
source!([T: Sample] [Vec<T>]);
sink!(['a, T: Sample] [&'a mut [T]]);
sink!(['a, T: Sample, const N: usize] [&'a mut [T]; N]);
sink!([T: Sample] [Vec<T>]);

#[cfg(test)]
mod tests;
