//! Convolution with input channels in the lanes, for layers with few outputs: one sum over the lanes per output.

use super::super::lanes::{Cpu, Lanes, Task, WIDTH};
use super::{Reach, TILE, padded, vectors, vectors_mut};

/// The most output channels: they share one vector.
pub(crate) const MOST: usize = WIDTH;

/// One call: `rows` outputs of at most [`MOST`] channels, a row of one vector each.
#[derive(Debug)]
pub(crate) struct Dot<'a> {
    /// Source rows.
    pub(crate) x: &'a [f32],
    /// Floats from source row to source row, whole vectors.
    pub(crate) x_width: usize,
    pub(crate) reach: Reach,
    /// As [`pack`] lays them out.
    pub(crate) weights: &'a [f32],
    pub(crate) bias: &'a [f32],
    pub(crate) outputs: usize,
    pub(crate) out: &'a mut [f32],
    pub(crate) rows: usize,
    /// Whether the result is added to what is there.
    pub(crate) accumulate: bool,
}

/// Lays weights out for [`Dot`]: by output, tap, input. `weights` is `[output][input][tap]`.
pub(crate) fn pack(weights: &[f32], outputs: usize, inputs: usize, taps: usize, _cpu: Cpu) -> Vec<f32> {
    let mut packed = Vec::with_capacity(outputs * taps * padded(inputs));
    for o in 0..outputs {
        for k in 0..taps {
            for i in 0..padded(inputs) {
                let at = (o * inputs + i) * taps + k;
                packed.push(if i < inputs { weights.get(at).copied().unwrap_or(0.0) } else { 0.0 });
            }
        }
    }
    packed
}

impl Dot<'_> {
    /// Does it. Wait-free.
    pub(crate) fn run(self, cpu: Cpu) {
        match (cpu.has_tiles(), self.outputs) {
            (true, 1) => cpu.run_tiled(Tiles::<TILE, 1>(self)),
            (true, _) => cpu.run_tiled(Tiles::<TILE, MOST>(self)),
            (false, _) => cpu.run(Tiles::<1, MOST>(self)),
        }
    }
}

/// `T` moments side by side, of at most `O` outputs.
struct Tiles<'a, const T: usize, const O: usize>(Dot<'a>);

impl<const T: usize, const O: usize> Task for Tiles<'_, T, O> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(mut self, l: L) {
        let mut t = 0;
        while t + T <= self.0.rows {
            self.0.tile::<L, T, O>(l, t);
            t += T;
        }
        while t < self.0.rows {
            self.0.tile::<L, 1, O>(l, t);
            t += 1;
        }
    }
}

impl Dot<'_> {
    #[inline(always)]
    fn tile<L: Lanes, const T: usize, const O: usize>(&mut self, l: L, t: usize) {
        let vectors_in = self.x_width / WIDTH;
        let mut sums = [[0.0; O]; T];
        let mut weights = vectors(self.weights).iter();
        for o in 0..self.outputs.min(O) {
            let mut acc = [l.splat(0.0); T];
            for k in 0..self.reach.taps {
                let start = self.reach.row(t, k);
                let mut rows: [&[[f32; WIDTH]]; T] = [&[]; T];
                for (j, row) in rows.iter_mut().enumerate() {
                    let at = (start + j * self.reach.stride) * self.x_width;
                    let Some(x) = self.x.get(at..).and_then(|x| x.get(..self.x_width)) else { return };
                    *row = vectors(x);
                }
                for i in 0..vectors_in {
                    let Some(weights) = weights.next() else { return };
                    let weights = l.load(weights);
                    for (acc, row) in acc.iter_mut().zip(rows) {
                        let Some(x) = row.get(i) else { return };
                        *acc = l.fma(l.load(x), weights, *acc);
                    }
                }
            }
            for (sums, acc) in sums.iter_mut().zip(acc) {
                if let Some(sum) = sums.get_mut(o) {
                    *sum = l.sum(acc);
                }
            }
        }
        let Some(bias) = vectors(self.bias).first() else { return };
        for (j, sums) in sums.iter().enumerate() {
            let Some(out) = vectors_mut(self.out).get_mut(t + j) else { return };
            let before = if self.accumulate { l.load(out) } else { l.splat(0.0) };
            l.store(l.add(l.add(before, l.load(bias)), few(l, sums)), out);
        }
    }
}

/// At most eight numbers as a vector, with zeros behind them.
#[inline(always)]
fn few<L: Lanes, const O: usize>(l: L, numbers: &[f32; O]) -> L::V {
    match numbers.as_slice() {
        [only] => l.only(*only),
        many => match many.first_chunk() {
            Some(many) => l.load(many),
            None => l.splat(0.0),
        },
    }
}
