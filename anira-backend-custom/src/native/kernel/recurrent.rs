//! LSTM and GRU, moment by moment.
//!
//! Eight units are a group: their gates lie side by side, one vector each, so that a group's new state is made without a detour
//! through memory. Rows that end in a sigmoid are scaled by one half beforehand, and it is made of a tangent.

use std::marker::PhantomData;

use super::super::lanes::{Cpu, Lanes, Task, WIDTH, tanhs};
use super::{padded, passes, vectors, vectors_mut};

/// Gates of an LSTM: input, forget, cell, output.
pub(crate) const LSTM: usize = 4;
/// Gates of a GRU: reset, update, new, as PyTorch and ONNX (`linear_before_reset`) have it.
pub(crate) const GRU: usize = 3;

/// Groups of eight units that one pass keeps alive, at most: three times four sums.
fn most(cpu: Cpu) -> usize {
    if cpu.has_tiles() { 3 } else { 1 }
}

/// Gate rows of `width` numbers, gate by gate, in the order of the groups: group, gate, unit; zeros for units that fill a group
/// up. Each row times its gate's factor.
pub(crate) fn grouped(
    rows: &[f32],
    width: usize,
    hidden: usize,
    gates: usize,
    factor: impl Fn(usize) -> f32,
) -> Vec<f32> {
    let mut all = Vec::with_capacity(padded(hidden) * gates * width);
    for first in (0..hidden).step_by(WIDTH) {
        for gate in 0..gates {
            for unit in first..first + WIDTH {
                let row = (gate * hidden + unit) * width;
                let own = rows.get(row..row + width).filter(|_| unit < hidden);
                all.extend((0..width).map(|at| own.map_or(0.0, |own| own[at] * factor(gate))));
            }
        }
    }
    all
}

/// Lays [grouped] weights out: by pass, input and then state, gate row.
pub(crate) fn pack(own: &[f32], state: &[f32], hidden: usize, gates: usize, cpu: Cpu) -> Vec<f32> {
    let (rows, mut first) = (padded(hidden) * gates, 0);
    let mut packed = Vec::with_capacity(own.len() + state.len());
    for groups in passes(padded(hidden) / WIDTH, most(cpu)) {
        let end = first + groups * gates * WIDTH;
        for weights in [own, state] {
            let width = weights.len() / rows;
            for at in 0..width {
                packed.extend((first..end).map(|row| weights[row * width + at]));
            }
        }
        first = end;
    }
    packed
}

/// A recurrent layer over a block.
#[derive(Debug)]
pub(crate) struct Cell<'a> {
    /// Source rows.
    pub(crate) x: &'a [f32],
    /// Floats from source row to source row.
    pub(crate) x_width: usize,
    /// Channels that are read of each.
    pub(crate) inputs: usize,
    /// As [`pack`] lays them out.
    pub(crate) weights: &'a [f32],
    /// Four vectors for each group: an LSTM's gates; a GRU's gates with what the input adds, then what the state adds to
    /// the new one.
    pub(crate) bias: &'a [f32],
    pub(crate) hidden: usize,
    /// The state that the first moment hears, padded; the last moment's is the last row of `out`.
    pub(crate) h: &'a [f32],
    /// The state of an LSTM's cells, padded.
    pub(crate) c: &'a mut [f32],
    /// Padded rows of the state.
    pub(crate) out: &'a mut [f32],
}

impl Cell<'_> {
    /// Does it, for that many gates. Wait-free.
    pub(crate) fn run(self, gates: usize, cpu: Cpu) {
        let most = most(cpu);
        if gates == LSTM {
            cpu.run(Moments::<Lstm> { cell: self, most, kind: PhantomData });
        } else {
            cpu.run(Moments::<Gru> { cell: self, most, kind: PhantomData });
        }
    }
}

/// Sums of a group.
const SUMS: usize = 4;

/// One moment of `C` groups.
struct Moment<'a> {
    bias: &'a [[f32; WIDTH]],
    x: &'a [f32],
    own: &'a [[f32; WIDTH]],
    /// The whole state before, and that of these groups.
    h: &'a [f32],
    weights: &'a [[f32; WIDTH]],
    before: &'a [[f32; WIDTH]],
    c: &'a mut [[f32; WIDTH]],
    out: &'a mut [[f32; WIDTH]],
}

/// What an LSTM and a GRU do each in their own way.
trait Kind {
    const GATES: usize;
    fn moment<L: Lanes, const C: usize>(l: L, moment: Moment<'_>);
}

struct Lstm;
struct Gru;

/// The moments of a block, one after the other, `most` groups at a time.
struct Moments<'a, K> {
    cell: Cell<'a>,
    most: usize,
    kind: PhantomData<K>,
}

impl<K: Kind> Task for Moments<'_, K> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, l: L) {
        let Cell { x, x_width, inputs, weights, bias, hidden, mut h, c, out } = self.cell;
        let (width, weights) = (h.len().max(WIDTH), vectors(weights));
        let (bias, c) = (vectors(bias), vectors_mut(c));
        let all = passes(width / WIDTH, self.most);
        for (x, out) in x.chunks_exact(x_width.max(1)).zip(out.chunks_exact_mut(width)) {
            let (Some(x), Some(state)) = (x.get(..inputs), h.get(..hidden)) else { return };
            let (before, rows) = (vectors(h), vectors_mut(out));
            let (mut first, mut taken) = (0, 0);
            for groups in all.clone() {
                let (end, gates) = (first + groups, groups * K::GATES);
                let (middle, last) = (taken + gates * inputs, taken + gates * (inputs + hidden));
                let moment = Moment {
                    bias: bias.get(first * SUMS..end * SUMS).unwrap_or_default(),
                    x,
                    own: weights.get(taken..middle).unwrap_or_default(),
                    h: state,
                    weights: weights.get(middle..last).unwrap_or_default(),
                    before: before.get(first..end).unwrap_or_default(),
                    c: c.get_mut(first..end).unwrap_or_default(),
                    out: rows.get_mut(first..end).unwrap_or_default(),
                };
                match groups {
                    1 => K::moment::<L, 1>(l, moment),
                    2 => K::moment::<L, 2>(l, moment),
                    _ => K::moment::<L, 3>(l, moment),
                }
                (first, taken) = (end, last);
            }
            h = out;
        }
    }
}

/// `sums + weights · x`, for `C` groups of `G` gates: the sums of the gates with these places.
#[inline(always)]
fn product<L: Lanes, const G: usize, const C: usize>(
    l: L,
    sums: &mut [[L::V; SUMS]; C],
    places: [usize; G],
    x: &[f32],
    weights: &[[f32; WIDTH]],
) {
    let (mut weights, _) = weights.as_chunks::<G>().0.as_chunks::<C>();
    let mut x = x;
    // Few sums would wait for themselves: every second product has sums of its own.
    if C * G <= 6 {
        let mut others = [[l.splat(0.0); SUMS]; C];
        let ((pairs, last), (of_pairs, of_last)) = (x.as_chunks::<2>(), weights.as_chunks::<2>());
        for ([x, other], [own, of_other]) in pairs.iter().zip(of_pairs) {
            add::<L, G, C>(l, sums, places, *x, own);
            add::<L, G, C>(l, &mut others, places, *other, of_other);
        }
        for (sums, others) in sums.iter_mut().zip(&others) {
            for (sum, other) in sums.iter_mut().zip(others) {
                *sum = l.add(*sum, *other);
            }
        }
        (x, weights) = (last, of_last);
    }
    for (x, weights) in x.iter().zip(weights) {
        add::<L, G, C>(l, sums, places, *x, weights);
    }
}

/// One product for each of these sums.
#[inline(always)]
fn add<L: Lanes, const G: usize, const C: usize>(
    l: L,
    sums: &mut [[L::V; SUMS]; C],
    places: [usize; G],
    x: f32,
    weights: &[[[f32; WIDTH]; G]; C],
) {
    let x = l.splat(x);
    for (sums, weights) in sums.iter_mut().zip(weights) {
        for (place, weights) in places.iter().zip(weights) {
            if let Some(sum) = sums.get_mut(*place) {
                *sum = l.fma(x, l.load(weights), *sum);
            }
        }
    }
}

/// What the sums start from.
#[inline(always)]
fn start<L: Lanes, const C: usize>(l: L, bias: &[[f32; WIDTH]]) -> Option<[[L::V; SUMS]; C]> {
    let bias = bias.as_chunks::<SUMS>().0.first_chunk::<C>()?;
    let mut sums = [[l.splat(0.0); SUMS]; C];
    for (sums, bias) in sums.iter_mut().zip(bias) {
        for (sum, bias) in sums.iter_mut().zip(bias) {
            *sum = l.load(bias);
        }
    }
    Some(sums)
}

impl Kind for Lstm {
    const GATES: usize = LSTM;

    #[inline(always)]
    fn moment<L: Lanes, const C: usize>(l: L, moment: Moment<'_>) {
        let Some(mut sums) = start::<L, C>(l, moment.bias) else { return };
        product(l, &mut sums, [0, 1, 2, 3], moment.x, moment.own);
        product(l, &mut sums, [0, 1, 2, 3], moment.h, moment.weights);
        let Some(c) = moment.c.first_chunk_mut::<C>() else { return };
        let Some(out) = moment.out.first_chunk_mut::<C>() else { return };
        let half = l.splat(0.5);
        // Tangents side by side: one waits while another is computed.
        let (mut cells, mut opened) = ([half; C], [half; C]);
        for (((sums, c), cell), open) in sums.iter().zip(c).zip(&mut cells).zip(&mut opened) {
            let [i, f, g, o] = tanhs(l, *sums);
            let (i, f) = (l.fma(i, half, half), l.fma(f, half, half));
            *cell = l.fma(f, l.load(c), l.mul(i, g));
            *open = l.fma(o, half, half);
            l.store(*cell, c);
        }
        for ((cell, open), out) in tanhs(l, cells).iter().zip(&opened).zip(out) {
            l.store(l.mul(*open, *cell), out);
        }
    }
}

impl Kind for Gru {
    const GATES: usize = GRU;

    #[inline(always)]
    fn moment<L: Lanes, const C: usize>(l: L, moment: Moment<'_>) {
        let Some(mut sums) = start::<L, C>(l, moment.bias) else { return };
        product(l, &mut sums, [0, 1, 2], moment.x, moment.own);
        product(l, &mut sums, [0, 1, 3], moment.h, moment.weights);
        let Some(before) = moment.before.first_chunk::<C>() else { return };
        let Some(out) = moment.out.first_chunk_mut::<C>() else { return };
        let half = l.splat(0.5);
        let (mut news, mut kept) = ([half; C], [half; C]);
        for ((sums, new), keep) in sums.iter().zip(&mut news).zip(&mut kept) {
            let [r, z, input, state] = *sums;
            let [r, z] = tanhs(l, [r, z]);
            *new = l.fma(l.fma(r, half, half), state, input);
            *keep = l.fma(z, half, half);
        }
        let states = before.iter().zip(out);
        for ((new, keep), (before, out)) in tanhs(l, news).iter().zip(&kept).zip(states) {
            l.store(l.fma(*keep, l.sub(l.load(before), *new), *new), out);
        }
    }
}
