//! Convolution with output channels in the lanes.
//!
//! A tile of outputs (a few moments by up to 32 channels) stays in registers; each weight that is loaded is used for all
//! moments of the tile. Taps go by in groups whose weights stay in the first cache while the block passes.
//! Each output is bias plus products in the order of taps, then inputs, whatever the block: so any cut of a stream
//! gives the same bits.

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
    pub(crate) mixed: Option<Mixed<'a>>,
    /// Rows of `bias.len()` floats.
    pub(crate) out: &'a mut [f32],
    pub(crate) rows: usize,
    /// Whether the result is added to what is there.
    pub(crate) accumulate: bool,
}

/// A second source, of one channel, heard at the moment of the output: a condition. Its product is the last.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mixed<'a> {
    /// The channel stands first in each row.
    pub(crate) x: &'a [[f32; WIDTH]],
    /// One number per output channel, padded.
    pub(crate) weights: &'a [f32],
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
        let (vectors_out, most, weights) = (self.bias.len() / WIDTH, columns(cpu), vectors(self.weights));
        // Most layers are one pass, for which nothing has to be divided.
        if vectors_out <= most {
            return self.pass(cpu, vectors_out, weights, 0);
        }
        let (mut first, mut left) = (0, weights);
        for columns in passes(vectors_out, most) {
            let Some((own, rest)) = left.split_at_checked(columns * self.inputs * self.reach.taps) else {
                return;
            };
            self.pass(cpu, columns, own, first);
            first += columns;
            left = rest;
        }
    }

    /// So many vectors of output channels, from this one on.
    fn pass(&mut self, cpu: Cpu, columns: usize, weights: &[[f32; WIDTH]], first: usize) {
        match (columns, cpu.has_tiles()) {
            (_, false) => cpu.run(Pass::<1, 1, ANY, ANY> { conv: self, weights, first }),
            (1, _) => self.tiled::<8, 1>(cpu, weights, first),
            (2, _) => self.tiled::<6, 2>(cpu, weights, first),
            (3, _) => self.tiled::<4, 3>(cpu, weights, first),
            _ => self.tiled::<3, 4>(cpu, weights, first),
        }
    }
}

/// A source of any width.
const ANY: usize = 0;

impl Conv<'_> {
    /// Picks the pass that knows the distance of rows: one address then serves all of a tile.
    fn tiled<const T: usize, const C: usize>(&mut self, cpu: Cpu, weights: &[[f32; WIDTH]], first: usize) {
        let pass = (self.x_width * self.reach.stride, self.inputs);
        match pass {
            (1, 1) => cpu.run_tiled(Pass::<T, C, 1, 1> { conv: self, weights, first }),
            (8, 1) => cpu.run_tiled(Pass::<T, C, 8, 1> { conv: self, weights, first }),
            (8, 8) => cpu.run_tiled(Pass::<T, C, 8, 8> { conv: self, weights, first }),
            (16, 16) => cpu.run_tiled(Pass::<T, C, 16, 16> { conv: self, weights, first }),
            (32, 32) => cpu.run_tiled(Pass::<T, C, 32, 32> { conv: self, weights, first }),
            _ => cpu.run_tiled(Pass::<T, C, ANY, ANY> { conv: self, weights, first }),
        }
    }
}

/// Up to 32 channels from vector `first` on, `T` moments by `C` vectors at a time, of rows `S` floats apart.
struct Pass<'a, 'b, const T: usize, const C: usize, const S: usize, const N: usize> {
    conv: &'a mut Conv<'b>,
    weights: &'a [[f32; WIDTH]],
    first: usize,
}

impl<const T: usize, const C: usize, const S: usize, const N: usize> Task for Pass<'_, '_, T, C, S, N> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, l: L) {
        // Layouts are whole: nothing is missing.
        let _ = self.groups(l);
    }
}

impl<const T: usize, const C: usize, const S: usize, const N: usize> Pass<'_, '_, T, C, S, N> {
    /// Group by group of taps.
    #[inline(always)]
    fn groups<L: Lanes>(self, l: L) -> Option<()> {
        let Self { conv, weights, first } = self;
        let Conv { x, x_width, inputs, reach, rows, accumulate, .. } = *conv;
        let width = conv.bias.len() / WIDTH;
        let bias = vectors(conv.bias).get(first..)?.first_chunk()?;
        let mixed = match conv.mixed {
            None => None,
            Some(Mixed { x, weights }) => {
                Some(Own { x, weights: vectors(weights).get(first..)?.first_chunk()? })
            }
        };
        let (mut weights, mut k) = (weights.as_chunks().0, 0);
        let tap = C * WIDTH * inputs;
        let most = if tap * reach.taps <= GROUP { reach.taps } else { (GROUP / tap.max(1)).max(1) };
        while k < reach.taps {
            let taps = most.min(reach.taps - k);
            let own;
            (own, weights) = weights.split_at_checked(taps * inputs)?;
            let is_last = k + taps == reach.taps;
            let begin = match (k, accumulate) {
                (0, false) => Begin::Bias,
                (0, true) => Begin::Summand,
                _ => Begin::Group,
            };
            let mixed = mixed.filter(|_| is_last);
            let source = Source { x, x_width, inputs, reach, first: k, taps };
            let tiles = Tiles::<'_, C, S, N> { source, weights: own, bias, begin, mixed, width, first };
            let mut left = vectors_mut(conv.out).get_mut(..rows * width)?;
            let mut t = 0;
            tiles.all::<L, T>(l, &mut left, &mut t)?;
            // What is left of a block: of 64, where tiles have six moments.
            if T > 4 {
                tiles.all::<L, 4>(l, &mut left, &mut t)?;
            }
            if T > 2 {
                tiles.all::<L, 2>(l, &mut left, &mut t)?;
            }
            tiles.all::<L, 1>(l, &mut left, &mut t)?;
            k += taps;
        }
        Some(())
    }
}

/// What the sums of a tile begin with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Begin {
    Bias,
    /// What is there, and the bias.
    Summand,
    /// What the group before has made.
    Group,
}

/// Where the taps of a group read.
#[derive(Clone, Copy)]
struct Source<'a> {
    x: &'a [f32],
    x_width: usize,
    inputs: usize,
    reach: Reach,
    first: usize,
    taps: usize,
}

impl<'a> Source<'a> {
    /// The row of each tap for the output at `t`.
    #[inline(always)]
    fn rows(self, t: usize) -> impl Iterator<Item = usize> {
        let Reach { base, wrap, dilation, stride, .. } = self.reach;
        let mut at = base + t * stride + self.first * dilation;
        (0..self.taps).map(move |_| {
            let row = if at >= wrap { at - wrap } else { at };
            at += dilation;
            row
        })
    }

    /// Some rows, one after the other in memory.
    #[inline(always)]
    fn fixed<const T: usize, const S: usize>(self, row: usize) -> Option<&'a [[f32; S]; T]> {
        self.x.as_chunks().0.get(row..)?.first_chunk()
    }

    /// Some rows, wherever they are.
    #[inline(always)]
    fn any<const T: usize>(self, row: usize) -> Option<[&'a [f32]; T]> {
        let x = self.x.get(row * self.x_width..)?;
        let mut rows: [&[f32]; T] = [&[]; T];
        for (j, row) in rows.iter_mut().enumerate() {
            *row = x.get(j * self.reach.stride * self.x_width..)?.get(..self.inputs)?;
        }
        Some(rows)
    }
}

/// What a pass hears of [`Mixed`].
#[derive(Clone, Copy)]
struct Own<'a, const C: usize> {
    x: &'a [[f32; WIDTH]],
    weights: &'a [[f32; WIDTH]; C],
}

/// The tiles of a group of taps.
#[derive(Clone, Copy)]
struct Tiles<'a, const C: usize, const S: usize, const N: usize> {
    source: Source<'a>,
    /// By tap and input.
    weights: &'a [[[f32; WIDTH]; C]],
    bias: &'a [[f32; WIDTH]; C],
    begin: Begin,
    mixed: Option<Own<'a, C>>,
    /// Vectors of a row of outputs, and the first of this pass.
    width: usize,
    first: usize,
}

impl<const C: usize, const S: usize, const N: usize> Tiles<'_, C, S, N> {
    /// As many tiles of `T` moments as there are.
    #[inline(always)]
    fn all<L: Lanes, const T: usize>(
        self,
        l: L,
        left: &mut &mut [[f32; WIDTH]],
        t: &mut usize,
    ) -> Option<()> {
        let mut rest = std::mem::take(left);
        while rest.len() >= T * self.width {
            let tile;
            (tile, rest) = rest.split_at_mut_checked(T * self.width)?;
            self.tile::<L, T>(l, tile, *t)?;
            *t += T;
        }
        *left = rest;
        Some(())
    }

    #[inline(always)]
    fn tile<L: Lanes, const T: usize>(self, l: L, out: &mut [[f32; WIDTH]], t: usize) -> Option<()> {
        let mut sums = [[l.splat(0.0); C]; T];
        if self.width == C {
            self.begin(l, &mut sums, out.as_chunks().0.first_chunk::<T>()?);
        } else {
            let mut rows = [[[0.0; WIDTH]; C]; T];
            for (j, row) in rows.iter_mut().enumerate() {
                *row = *out.get(j * self.width + self.first..)?.first_chunk()?;
            }
            self.begin(l, &mut sums, &rows);
        }
        self.products(l, &mut sums, t)?;
        if let Some(Own { x, weights }) = self.mixed {
            let rows: &[[f32; WIDTH]; T] = x.get(t..)?.first_chunk()?;
            multiply(l, &mut sums, &rows.map(|[x, ..]| x), weights);
        }
        if self.width == C {
            let rows: &mut [[[f32; WIDTH]; C]; T] = out.as_chunks_mut().0.first_chunk_mut()?;
            for (sums, row) in sums.iter().zip(rows) {
                store(l, sums, row);
            }
        } else {
            for (j, sums) in sums.iter().enumerate() {
                store(l, sums, out.get_mut(j * self.width + self.first..)?.first_chunk_mut()?);
            }
        }
        Some(())
    }

    #[inline(always)]
    fn begin<L: Lanes, const T: usize>(self, l: L, sums: &mut [[L::V; C]; T], rows: &[[[f32; WIDTH]; C]; T]) {
        for (sums, row) in sums.iter_mut().zip(rows) {
            for ((sum, row), bias) in sums.iter_mut().zip(row).zip(self.bias) {
                *sum = match self.begin {
                    Begin::Bias => l.load(bias),
                    Begin::Summand => l.add(l.load(row), l.load(bias)),
                    Begin::Group => l.load(row),
                };
            }
        }
    }

    #[inline(always)]
    fn products<L: Lanes, const T: usize>(self, l: L, sums: &mut [[L::V; C]; T], t: usize) -> Option<()> {
        let (source, mut weights) = (self.source, self.weights);
        if S != ANY {
            for (row, weights) in source.rows(t).zip(weights.as_chunks::<N>().0) {
                tap(l, sums, source.fixed::<T, S>(row)?, weights)?;
            }
            return Some(());
        }
        for row in source.rows(t) {
            let own;
            (own, weights) = weights.split_at_checked(source.inputs)?;
            tap(l, sums, &source.any::<T>(row)?, own)?;
        }
        Some(())
    }
}

/// `sums + rows · weights`, as many inputs as there are weights.
#[inline(always)]
fn tap<L: Lanes, R: AsRef<[f32]>, const T: usize, const C: usize>(
    l: L,
    sums: &mut [[L::V; C]; T],
    rows: &[R; T],
    weights: &[[[f32; WIDTH]; C]],
) -> Option<()> {
    for (i, weights) in weights.iter().enumerate() {
        let mut x = [0.0; T];
        for (x, row) in x.iter_mut().zip(rows) {
            *x = *row.as_ref().get(i)?;
        }
        multiply(l, sums, &x, weights);
    }
    Some(())
}

#[inline(always)]
fn store<L: Lanes, const C: usize>(l: L, sums: &[L::V; C], row: &mut [[f32; WIDTH]; C]) {
    for (sum, row) in sums.iter().zip(row) {
        l.store(*sum, row);
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
