//! LSTM and GRU: what the state adds to each moment. What the input adds was computed for the whole block before.
//!
//! Gates lie behind each other without padding, so that few lanes are idle; rows that end in a sigmoid are scaled by one half
//! beforehand, so that one tangent serves all.

use super::super::lanes::{Cpu, Lanes, Task, WIDTH, tanh};
use super::{padded, vectors, vectors_mut};

/// Vectors of gates that one pass keeps alive, and how many passes: some more lanes than gates, so that all passes are alike.
pub(crate) fn columns(gates: usize, cpu: Cpu) -> (usize, usize) {
    let vectors = padded(gates) / WIDTH;
    if !cpu.has_tiles() {
        return (1, vectors);
    }
    let passes = vectors.div_ceil(SIZES[SIZES.len() - 1]);
    let least = vectors.div_ceil(passes.max(1));
    let columns = SIZES.into_iter().find(|size| *size >= least).unwrap_or(1);
    (columns, vectors.div_ceil(columns))
}

/// Passes that are compiled.
const SIZES: [usize; 7] = [1, 2, 3, 4, 6, 8, 10];

/// Floats of a row of gates: whole passes.
pub(crate) fn row(gates: usize, cpu: Cpu) -> usize {
    let (columns, passes) = columns(gates, cpu);
    columns * passes * WIDTH
}

/// Lays the weights of the state out: by pass, state, gate row. `weights` is `[gate row][state]`.
pub(crate) fn pack(weights: &[f32], gates: usize, hidden: usize, cpu: Cpu) -> Vec<f32> {
    let (columns, passes) = columns(gates, cpu);
    let lanes = columns * WIDTH;
    let mut packed = Vec::with_capacity(passes * lanes * hidden);
    for pass in 0..passes {
        for h in 0..hidden {
            for row in pass * lanes..(pass + 1) * lanes {
                let weight = weights.get(row * hidden + h).copied().unwrap_or(0.0);
                packed.push(if row < gates { weight } else { 0.0 });
            }
        }
    }
    packed
}

/// What both kinds have in common.
#[derive(Debug)]
pub(crate) struct Cell<'a> {
    /// Rows of what the input adds, and the biases: padded gates.
    pub(crate) pre: &'a [f32],
    /// Floats of one such row: whole passes.
    pub(crate) gates: usize,
    /// As [`pack`] lays them out.
    pub(crate) weights: &'a [f32],
    /// Ones for the state's own lanes, zeros behind them.
    pub(crate) mask: &'a [f32],
    pub(crate) hidden: usize,
    /// The state that is heard, padded.
    pub(crate) h: &'a mut [f32],
    /// Room for the gates of one moment, and a vector.
    pub(crate) scratch: &'a mut [f32],
    /// Padded rows of the state.
    pub(crate) out: &'a mut [f32],
    pub(crate) rows: usize,
}

/// An LSTM over a block: input, forget, cell, output gate, each of `hidden` rows.
#[derive(Debug)]
pub(crate) struct Lstm<'a> {
    pub(crate) cell: Cell<'a>,
    /// One half where a sigmoid is made of a tangent, else one.
    pub(crate) scale: &'a [f32],
    /// One half there, else zero.
    pub(crate) shift: &'a [f32],
    /// The state of the cells, padded.
    pub(crate) c: &'a mut [f32],
}

/// A GRU over a block: reset, update, new gate, as PyTorch and ONNX (`linear_before_reset`) have it.
#[derive(Debug)]
pub(crate) struct Gru<'a> {
    pub(crate) cell: Cell<'a>,
    /// One where the input's part starts the sum, zero for the new gate.
    pub(crate) scale: &'a [f32],
    /// The bias of the state's part of the new gate, else zero.
    pub(crate) shift: &'a [f32],
}

/// Calls a task with the vectors of a pass as a constant.
macro_rules! with_columns {
    ($cpu:expr, $gates:expr, $task:ident($($field:expr),*)) => {
        match (columns($gates, $cpu).0, $cpu.has_tiles()) {
            (_, false) => $cpu.run($task::<1>($($field),*)),
            (1, _) => $cpu.run_tiled($task::<1>($($field),*)),
            (2, _) => $cpu.run_tiled($task::<2>($($field),*)),
            (3, _) => $cpu.run_tiled($task::<3>($($field),*)),
            (4, _) => $cpu.run_tiled($task::<4>($($field),*)),
            (6, _) => $cpu.run_tiled($task::<6>($($field),*)),
            (8, _) => $cpu.run_tiled($task::<8>($($field),*)),
            _ => $cpu.run_tiled($task::<10>($($field),*)),
        }
    };
}

impl Lstm<'_> {
    /// Does it, for so many gate rows. Wait-free.
    pub(crate) fn run(self, gates: usize, cpu: Cpu) {
        with_columns!(cpu, gates, LstmBy(self));
    }
}

impl Gru<'_> {
    /// Does it, for so many gate rows. Wait-free.
    pub(crate) fn run(self, gates: usize, cpu: Cpu) {
        with_columns!(cpu, gates, GruBy(self));
    }
}

struct LstmBy<'a, const C: usize>(Lstm<'a>);
struct GruBy<'a, const C: usize>(Gru<'a>);

/// `acc + weights · h`, for the `C` vectors of one pass.
#[inline(always)]
fn product<L: Lanes, const C: usize>(l: L, mut acc: [L::V; C], h: &[f32], weights: &[f32]) -> [L::V; C] {
    let (weights, _) = vectors(weights).as_chunks::<C>();
    for (h, weights) in h.iter().zip(weights) {
        let h = l.splat(*h);
        for (acc, weights) in acc.iter_mut().zip(weights) {
            *acc = l.fma(h, l.load(weights), *acc);
        }
    }
    acc
}

/// Vector `v` of the part of a slice that begins at `first`.
#[inline(always)]
fn vector_at<L: Lanes>(l: L, x: &[f32], first: usize, v: usize) -> L::V {
    let part = x.get(first + v * WIDTH..).and_then(<[f32]>::first_chunk);
    part.map_or(l.splat(0.0), |part| l.load(part))
}

impl<const C: usize> Task for LstmBy<'_, C> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, l: L) {
        let Lstm { cell, scale, shift, c } = self.0;
        let (n, lanes) = (cell.hidden, C * WIDTH);
        let outs = cell.out.chunks_exact_mut(cell.h.len().max(WIDTH));
        for (pre, out) in cell.pre.chunks_exact(cell.gates.max(WIDTH)).zip(outs).take(cell.rows) {
            let Some(h) = cell.h.get(..n) else { return };
            let weights = cell.weights.chunks_exact(lanes * n);
            let curves = scale.chunks_exact(lanes).zip(shift.chunks_exact(lanes));
            let passes = pre.chunks_exact(lanes).zip(weights).zip(curves);
            let gates = cell.scratch.chunks_exact_mut(lanes);
            for (((pre, weights), (scale, shift)), gates) in passes.zip(gates) {
                let mut acc = [l.splat(0.0); C];
                for (acc, pre) in acc.iter_mut().zip(vectors(pre)) {
                    *acc = l.load(pre);
                }
                let acc = product::<L, C>(l, acc, h, weights);
                let curves = vectors(scale).iter().zip(vectors(shift));
                for ((acc, (scale, shift)), out) in acc.into_iter().zip(curves).zip(vectors_mut(gates)) {
                    l.store(l.fma(tanh(l, acc), l.load(scale), l.load(shift)), out);
                }
            }
            let states = vectors_mut(cell.h).iter_mut().zip(vectors_mut(c));
            let rows = states.zip(vectors_mut(out)).zip(vectors(cell.mask));
            for (v, (((h, c), out), mask)) in rows.enumerate() {
                let i = vector_at(l, cell.scratch, 0, v);
                let f = vector_at(l, cell.scratch, n, v);
                let g = vector_at(l, cell.scratch, 2 * n, v);
                let o = vector_at(l, cell.scratch, 3 * n, v);
                let new = l.mul(l.fma(f, l.load(c), l.mul(i, g)), l.load(mask));
                l.store(new, c);
                let new = l.mul(o, tanh(l, new));
                l.store(new, h);
                l.store(new, out);
            }
        }
    }
}

impl<const C: usize> Task for GruBy<'_, C> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, l: L) {
        let Gru { cell, scale, shift } = self.0;
        let (n, lanes, half) = (cell.hidden, C * WIDTH, l.splat(0.5));
        let outs = cell.out.chunks_exact_mut(cell.h.len().max(WIDTH));
        for (pre, out) in cell.pre.chunks_exact(cell.gates.max(WIDTH)).zip(outs).take(cell.rows) {
            let Some(h) = cell.h.get(..n) else { return };
            let weights = cell.weights.chunks_exact(lanes * n);
            let starts = scale.chunks_exact(lanes).zip(shift.chunks_exact(lanes));
            let passes = pre.chunks_exact(lanes).zip(weights).zip(starts);
            let sums = cell.scratch.chunks_exact_mut(lanes);
            for (((pre, weights), (scale, shift)), sums) in passes.zip(sums) {
                let mut acc = [l.splat(0.0); C];
                let start = vectors(scale).iter().zip(vectors(shift));
                for ((acc, pre), (scale, shift)) in acc.iter_mut().zip(vectors(pre)).zip(start) {
                    *acc = l.fma(l.load(pre), l.load(scale), l.load(shift));
                }
                let acc = product::<L, C>(l, acc, h, weights);
                for (acc, out) in acc.into_iter().zip(vectors_mut(sums)) {
                    l.store(acc, out);
                }
            }
            let rows = vectors_mut(cell.h).iter_mut().zip(vectors_mut(out)).zip(vectors(cell.mask));
            for (v, ((h, out), mask)) in rows.enumerate() {
                let r = l.fma(tanh(l, vector_at(l, cell.scratch, 0, v)), half, half);
                let z = l.fma(tanh(l, vector_at(l, cell.scratch, n, v)), half, half);
                let state = vector_at(l, cell.scratch, 2 * n, v);
                // A row ends with its padding: what is beyond stands for lanes that the mask clears.
                let input = vector_at_or_part(l, pre, 2 * n, v);
                let new = tanh(l, l.fma(r, state, input));
                let new = l.mul(l.fma(z, l.sub(l.load(h), new), new), l.load(mask));
                l.store(new, h);
                l.store(new, out);
            }
        }
    }
}

/// As [`vector_at`], where the slice may end within the vector.
#[inline(always)]
fn vector_at_or_part<L: Lanes>(l: L, x: &[f32], first: usize, v: usize) -> L::V {
    let rest = x.get(first + v * WIDTH..).unwrap_or_default();
    if let Some(whole) = rest.first_chunk() {
        return l.load(whole);
    }
    let mut part = [0.0; WIDTH];
    part.iter_mut().zip(rest).for_each(|(p, x)| *p = *x);
    l.load(&part)
}
