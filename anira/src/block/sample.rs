//! The sample types of hosts.

#![deny(clippy::indexing_slicing, clippy::panic, clippy::unreachable)]

mod sealed {
    pub trait Sealed {}
    impl Sealed for f32 {}
    impl Sealed for f64 {}
}

/// A host's sample: `f32` or `f64`. Models work in `f32`.
pub trait Sample: sealed::Sealed + Copy + Default + Send + Sync + 'static {
    /// Converts a run of samples; the shorter of the two decides. Wait-free.
    fn to_f32(source: &[Self], target: &mut [f32]);

    /// Converts a run of samples; the shorter of the two decides. Wait-free.
    fn from_f32(source: &[f32], target: &mut [Self]);

    /// One sample as `f32`.
    fn single(self) -> f32;

    /// One sample from `f32`.
    fn of(sample: f32) -> Self;
}

impl Sample for f32 {
    fn to_f32(source: &[f32], target: &mut [f32]) {
        target.iter_mut().zip(source).for_each(|(t, s)| *t = *s);
    }

    fn from_f32(source: &[f32], target: &mut [f32]) {
        target.iter_mut().zip(source).for_each(|(t, s)| *t = *s);
    }

    fn single(self) -> f32 {
        self
    }

    fn of(sample: f32) -> Self {
        sample
    }
}

impl Sample for f64 {
    fn to_f32(source: &[f64], target: &mut [f32]) {
        target.iter_mut().zip(source).for_each(|(t, s)| *t = *s as f32);
    }

    fn from_f32(source: &[f32], target: &mut [f64]) {
        target.iter_mut().zip(source).for_each(|(t, s)| *t = f64::from(*s));
    }

    fn single(self) -> f32 {
        self as f32
    }

    fn of(sample: f32) -> Self {
        f64::from(sample)
    }
}
