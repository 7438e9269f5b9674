//! Convolution with output channels in the lanes.
//!
//! A tile of outputs (a few moments by up to 32 channels) stays in registers; each weight that is loaded is used for all
//! moments of the tile. Taps go by in groups whose weights stay in the first cache while the block passes.
//! Each output is bias plus products in the order of taps, then inputs, whatever the block: so any cut of a stream
//! gives the same bits.

use std::ops::Range;

use super::super::lanes::{Cpu, Lanes, Task, WIDTH};
use super::{Reach, padded, passes, vectors, vectors_mut};

/// Vectors of output channels in one pass, at most.
fn columns(cpu: Cpu) -> usize {
    if cpu.has_tiles() { 4 } else { 1 }
}

/// Floats of weights that one group of taps may take: half of a small first cache.
const GROUP: usize = 4096;

/// One call: `rows` outputs.
#[derive(Debug)]
pub(crate) struct Conv<'a> {
    /// Source rows.
    pub(crate) x: &'a [f32],
    /// Floats from source row to source row.
    pub(crate) x_width: usize,
    /// Channels that are read of each.
    pub(crate) inputs: usize,
    pub(crate) reach: Reach,
    /// As [`pack`] lays them out.
    pub(crate) weights: &'a [f32],
    /// One number per output channel, padded.
    pub(crate) bias: &'a [f32],
    /// Rows of `bias.len()` floats.
    pub(crate) out: &'a mut [f32],
    pub(crate) rows: usize,
    /// Whether the result is added to what is there.
    pub(crate) accumulate: bool,
}

/// Lays weights out for [`Conv`]: by pass, tap, input, output. `weights` is `[output][input][tap]`.
pub(crate) fn pack(weights: &[f32], outputs: usize, inputs: usize, taps: usize, cpu: Cpu) -> Vec<f32> {
    let mut packed = Vec::with_capacity(padded(outputs) * inputs * taps);
    let mut first = 0;
    for columns in passes(padded(outputs) / WIDTH, columns(cpu)) {
        for k in 0..taps {
            for i in 0..inputs {
                for o in first..first + columns * WIDTH {
                    let at = (o * inputs + i) * taps + k;
                    packed.push(if o < outputs { weights.get(at).copied().unwrap_or(0.0) } else { 0.0 });
                }
            }
        }
        first += columns * WIDTH;
    }
    packed
}

impl Conv<'_> {
    /// Does it. Wait-free.
    pub(crate) fn run(mut self, cpu: Cpu) {
        let (mut first, mut weights) = (0, self.weights);
        for columns in passes(self.bias.len() / WIDTH, columns(cpu)) {
            let Some((own, rest)) = weights.split_at_checked(columns * WIDTH * self.inputs * self.reach.taps)
            else {
                return;
            };
            let conv = &mut self;
            match (columns, cpu.has_tiles()) {
                (_, false) => cpu.run(Pass::<1, 1, ANY> { conv, weights: own, first }),
                (1, _) => conv.tiled::<8, 1>(cpu, own, first),
                (2, _) => conv.tiled::<6, 2>(cpu, own, first),
                (3, _) => conv.tiled::<4, 3>(cpu, own, first),
                _ => conv.tiled::<3, 4>(cpu, own, first),
            }
            first += columns * WIDTH;
            weights = rest;
        }
    }
}

/// A source of any width.
const ANY: usize = 0;

impl Conv<'_> {
    /// Picks the pass that knows the distance of rows: one address then serves all of a tile.
    fn tiled<const T: usize, const C: usize>(&mut self, cpu: Cpu, weights: &[f32], first: usize) {
        match self.x_width * self.reach.stride {
            1 => cpu.run_tiled(Pass::<T, C, 1> { conv: self, weights, first }),
            8 => cpu.run_tiled(Pass::<T, C, 8> { conv: self, weights, first }),
            16 => cpu.run_tiled(Pass::<T, C, 16> { conv: self, weights, first }),
            32 => cpu.run_tiled(Pass::<T, C, 32> { conv: self, weights, first }),
            _ => cpu.run_tiled(Pass::<T, C, ANY> { conv: self, weights, first }),
        }
    }
}

/// Up to 32 channels from `first` on, `T` moments by `C` vectors at a time, of rows `S` floats apart.
struct Pass<'a, 'b, const T: usize, const C: usize, const S: usize> {
    conv: &'a mut Conv<'b>,
    weights: &'a [f32],
    first: usize,
}

impl<const T: usize, const C: usize, const S: usize> Task for Pass<'_, '_, T, C, S> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, l: L) {
        let Self { conv, weights, first } = self;
        let tap = C * WIDTH * conv.inputs;
        let group = (GROUP / tap.max(1)).max(1);
        let mut k = 0;
        while k < conv.reach.taps {
            let taps = k..(k + group).min(conv.reach.taps);
            let Some(own) = weights.get(taps.start * tap..taps.end * tap) else { return };
            let mut t = 0;
            while t + T <= conv.rows {
                conv.tile::<L, T, C, S>(l, own, taps.clone(), t, first);
                t += T;
            }
            // What is left of a block of 64.
            while T == 6 && t + 4 <= conv.rows {
                conv.tile::<L, 4, C, S>(l, own, taps.clone(), t, first);
                t += 4;
            }
            while t < conv.rows {
                conv.tile::<L, 1, C, S>(l, own, taps.clone(), t, first);
                t += 1;
            }
            k = taps.end;
        }
    }
}

impl Conv<'_> {
    #[inline(always)]
    fn tile<L: Lanes, const T: usize, const C: usize, const S: usize>(
        &mut self,
        l: L,
        weights: &[f32],
        taps: Range<usize>,
        t: usize,
        first: usize,
    ) {
        let (width, inputs) = (self.bias.len(), self.inputs);
        let Some(bias) = self.bias.get(first..first + C * WIDTH) else { return };
        let mut acc = [[l.splat(0.0); C]; T];
        for (j, acc) in acc.iter_mut().enumerate() {
            let at = (t + j) * width + first;
            let Some(out) = self.out.get(at..at + C * WIDTH) else { return };
            for ((acc, out), bias) in acc.iter_mut().zip(vectors(out)).zip(vectors(bias)) {
                *acc = match (taps.start > 0, self.accumulate) {
                    (true, _) => l.load(out),
                    (false, true) => l.add(l.load(out), l.load(bias)),
                    (false, false) => l.load(bias),
                };
            }
        }
        let (mut weights, _) = vectors(weights).as_chunks::<C>();
        for k in taps {
            let start = self.reach.row(t, k);
            let Some(x) = self.x.get(start * self.x_width..) else { return };
            let Some((own, rest)) = weights.split_at_checked(inputs) else { return };
            if S == ANY {
                let mut rows: [&[f32]; T] = [&[]; T];
                for (j, row) in rows.iter_mut().enumerate() {
                    let Some(x) = x.get(j * self.reach.stride * self.x_width..) else { return };
                    let Some(x) = x.get(..inputs) else { return };
                    *row = x;
                }
                for (i, weights) in own.iter().enumerate() {
                    let mut x = [0.0; T];
                    for (x, row) in x.iter_mut().zip(rows) {
                        let Some(number) = row.get(i) else { return };
                        *x = *number;
                    }
                    multiply(l, &mut acc, &x, weights);
                }
            } else {
                let Some(rows) = x.as_chunks::<S>().0.first_chunk::<T>() else { return };
                // Where rows are full the compiler knows the count.
                match own.first_chunk::<S>() {
                    Some(own) if inputs == S => fixed(l, &mut acc, rows, own),
                    _ => fixed(l, &mut acc, rows, own),
                }
            }
            weights = rest;
        }
        for (j, acc) in acc.iter().enumerate() {
            let at = (t + j) * width + first;
            let Some(out) = self.out.get_mut(at..at + C * WIDTH) else { return };
            for (acc, out) in acc.iter().zip(vectors_mut(out)) {
                l.store(*acc, out);
            }
        }
    }
}

/// `sums + rows · weights`, as many inputs as there are weights.
#[inline(always)]
fn fixed<L: Lanes, const T: usize, const C: usize, const S: usize>(
    l: L,
    sums: &mut [[L::V; C]; T],
    rows: &[[f32; S]; T],
    weights: &[[[f32; WIDTH]; C]],
) {
    for (i, weights) in weights.iter().enumerate() {
        let mut x = [0.0; T];
        for (x, row) in x.iter_mut().zip(rows) {
            *x = row.get(i).copied().unwrap_or_default();
        }
        multiply(l, sums, &x, weights);
    }
}

/// `sums + x · weights`. The fewer of both stay in registers, the others pass: with the sums they fill all sixteen.
#[inline(always)]
fn multiply<L: Lanes, const T: usize, const C: usize>(
    l: L,
    sums: &mut [[L::V; C]; T],
    x: &[f32; T],
    weights: &[[f32; WIDTH]; C],
) {
    if T > C {
        let mut held = [l.splat(0.0); C];
        for (held, weights) in held.iter_mut().zip(weights) {
            *held = l.load(weights);
        }
        for (sums, x) in sums.iter_mut().zip(x) {
            let x = l.splat(*x);
            for (sum, weights) in sums.iter_mut().zip(&held) {
                *sum = l.fma(x, *weights, *sum);
            }
        }
    } else {
        let mut held = [l.splat(0.0); T];
        for (held, x) in held.iter_mut().zip(x) {
            *held = l.splat(*x);
        }
        for (c, weights) in weights.iter().enumerate() {
            let weights = l.load(weights);
            for (sums, x) in sums.iter_mut().zip(&held) {
                if let Some(sum) = sums.get_mut(c) {
                    *sum = l.fma(*x, weights, *sum);
                }
            }
        }
    }
}
