//! Eight floats at a time, on whatever the processor has.
//!
//! A [`Task`] is written once over [`Lanes`]; [`Cpu::run`] compiles and calls it for the set that was found when the engine was made.

#[cfg(target_arch = "x86_64")]
mod avx2;
mod math;
#[cfg(target_arch = "aarch64")]
mod neon;
mod portable;

pub(crate) use math::{sigmoid, tanh, tanhs, tanhs_soon};
pub(crate) use portable::Portable;

/// How many floats one vector holds.
pub(crate) const WIDTH: usize = 8;

/// The arithmetic of vectors of eight floats. A value of this type is the proof that the processor has it.
///
/// Every method must be inlined into the function that carries the processor's features: no closures around them.
pub(crate) trait Lanes: Copy {
    /// Eight floats.
    type V: Copy;

    fn splat(self, x: f32) -> Self::V;
    /// This number, then zeros.
    fn only(self, x: f32) -> Self::V;
    fn load(self, from: &[f32; WIDTH]) -> Self::V;
    fn store(self, v: Self::V, to: &mut [f32; WIDTH]);
    fn add(self, a: Self::V, b: Self::V) -> Self::V;
    fn sub(self, a: Self::V, b: Self::V) -> Self::V;
    fn mul(self, a: Self::V, b: Self::V) -> Self::V;
    fn div(self, a: Self::V, b: Self::V) -> Self::V;
    /// The lesser; `b` where one is NaN.
    fn min(self, a: Self::V, b: Self::V) -> Self::V;
    /// The greater; `b` where one is NaN.
    fn max(self, a: Self::V, b: Self::V) -> Self::V;
    /// `a * b + c`, rounded once where the processor can.
    fn fma(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// The same, but computed here and not where it is needed: a compiler moves work past the loop in which it would have been done
    /// for nothing.
    fn pin(self, v: Self::V) -> Self::V;
    /// The sum of all eight, always in the same order.
    fn sum(self, v: Self::V) -> f32;
}

/// Work that is done with vectors.
pub(crate) trait Task {
    /// What it gives.
    type Output;

    /// Does it. Implementations are `#[inline(always)]`.
    fn run<L: Lanes>(self, lanes: L) -> Self::Output;
}

/// The vectors that this processor has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cpu {
    /// Any processor.
    Portable,
    /// x86-64 with AVX2 and FMA, as of x86-64-v3.
    #[cfg(target_arch = "x86_64")]
    Avx2(avx2::Avx2),
    /// 64-bit ARM.
    #[cfg(target_arch = "aarch64")]
    Neon(neon::Neon),
}

impl Cpu {
    /// The best that this processor has. Asks the processor: control threads.
    pub(crate) fn detect() -> Self {
        #[cfg(target_arch = "x86_64")]
        if let Some(avx2) = avx2::Avx2::detect() {
            return Self::Avx2(avx2);
        }
        #[cfg(target_arch = "aarch64")]
        return Self::Neon(neon::Neon::new());
        #[cfg(not(target_arch = "aarch64"))]
        Self::Portable
    }

    /// What reports say.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Portable => "portable",
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(_) => "avx2",
            #[cfg(target_arch = "aarch64")]
            Self::Neon(_) => "neon",
        }
    }

    /// Whether there are registers for tiles of vectors: else kernels keep a single one alive.
    pub(crate) fn has_tiles(self) -> bool {
        self != Self::Portable
    }

    /// Does the task with these vectors.
    #[inline]
    pub(crate) fn run<T: Task>(self, task: T) -> T::Output {
        match self {
            Self::Portable => plain(task),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(avx2) => avx2.run(task),
            #[cfg(target_arch = "aarch64")]
            Self::Neon(neon) => task.run(neon),
        }
    }

    /// Does a task that keeps many vectors alive. Without [tiles](Self::has_tiles) nothing happens: layouts see to it that
    /// none is asked for.
    #[inline]
    pub(crate) fn run_tiled<T: Task<Output = ()>>(self, task: T) {
        match self {
            Self::Portable => drop(task),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(avx2) => avx2.run(task),
            #[cfg(target_arch = "aarch64")]
            Self::Neon(neon) => task.run(neon),
        }
    }
}

/// A function for each task, so that none grows into its caller.
#[inline(never)]
fn plain<T: Task>(task: T) -> T::Output {
    task.run(Portable)
}
