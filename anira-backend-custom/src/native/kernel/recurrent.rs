//! LSTM and GRU, moment by moment.
//!
//! Eight units are a group: one vector for each gate. A pass takes up to three groups, so that a new state is made of sums without a
//! detour through memory. Rows that end in a sigmoid are scaled by one half beforehand, and it is made of a tangent.

use std::marker::PhantomData;

use super::super::lanes::{Cpu, Lanes, Task, WIDTH, tanhs, tanhs_soon};
use super::{dealt, padded, passes, vectors, vectors_mut};

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

/// Gates whose sums are made together, in the order of the weights. A GRU's reset gate comes first: what it lets through is the
/// longest way to the new state, and the other sums are made meanwhile.
fn parts(gates: usize) -> &'static [&'static [usize]] {
    if gates == LSTM { &[&[0, 1, 2, 3]] } else { &[&[0], &[1, 2]] }
}

/// Lays [grouped] weights out: by pass, part, input and then state, gate, group.
pub(crate) fn pack(own: &[f32], state: &[f32], hidden: usize, gates: usize, cpu: Cpu) -> Vec<f32> {
    let (rows, mut first) = (padded(hidden) * gates, 0);
    let mut packed = Vec::with_capacity(own.len() + state.len());
    for groups in passes(padded(hidden) / WIDTH, most(cpu)) {
        for part in parts(gates) {
            for weights in [own, state] {
                let width = weights.len() / rows;
                for at in 0..width {
                    for (gate, group) in
                        part.iter().flat_map(|gate| (0..groups).map(move |group| (gate, group)))
                    {
                        let row = first + (group * gates + gate) * WIDTH;
                        packed.extend((row..row + WIDTH).map(|row| weights[row * width + at]));
                    }
                }
            }
        }
        first += groups * gates * WIDTH;
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

/// A vector for each of `C` groups.
type Row<const C: usize> = [[f32; WIDTH]; C];

/// Sums of `G` gates of as many groups.
type Sums<V, const G: usize, const C: usize> = [[V; C]; G];

/// What the sums of a pass start from.
type Start<const C: usize> = [[[f32; WIDTH]; SUMS]; C];

/// One moment of a pass.
struct Moment<'w, 'a, const C: usize> {
    /// Those of this pass and of all that follow.
    weights: &'w [Row<C>],
    bias: &'a Start<C>,
    x: &'a [f32],
    /// The whole state before, and that of these groups.
    h: &'a [f32],
    before: &'a Row<C>,
    /// The state of an LSTM's cells.
    c: Option<&'a mut Row<C>>,
    out: &'a mut Row<C>,
}

/// What an LSTM and a GRU do each in their own way.
trait Kind {
    const GATES: usize;

    /// Does it and gives the weights that are left: those of the next pass.
    fn moment<'w, L: Lanes, const C: usize>(l: L, moment: Moment<'w, '_, C>) -> Option<&'w [Row<C>]>;
}

struct Lstm;
struct Gru;

/// The moments of a block, one after the other, `most` groups at a time.
struct Moments<'a, K> {
    cell: Cell<'a>,
    most: usize,
    kind: PhantomData<K>,
}

/// All passes of `C` groups.
struct Passes<'a, const C: usize> {
    weights: &'a [Row<C>],
    bias: &'a [Start<C>],
    c: &'a mut [Row<C>],
}

/// What no pass has taken yet.
struct Untaken<'a> {
    weights: &'a [[f32; WIDTH]],
    bias: &'a [[[f32; WIDTH]; SUMS]],
    c: &'a mut [[f32; WIDTH]],
}

impl<'a> Untaken<'a> {
    /// The next passes, of `rows` weights for each unit.
    fn take<const C: usize>(&mut self, passes: usize, rows: usize) -> Option<Passes<'a, C>> {
        let groups = passes * C;
        let (weights, bias, c);
        (weights, self.weights) = self.weights.split_at_checked(groups * rows)?;
        (bias, self.bias) = self.bias.split_at_checked(groups)?;
        // A GRU has no cells.
        let cells = groups.min(self.c.len());
        (c, self.c) = std::mem::take(&mut self.c).split_at_mut_checked(cells)?;
        Some(Passes { weights: weights.as_chunks().0, bias: bias.as_chunks().0, c: c.as_chunks_mut().0 })
    }
}

impl<const C: usize> Passes<'_, C> {
    /// One moment of them, which take their groups from `before` and `out`.
    #[inline(always)]
    fn moment<K: Kind, L: Lanes>(
        &mut self,
        l: L,
        (x, h): (&[f32], &[f32]),
        before: &mut &[[f32; WIDTH]],
        out: &mut &mut [[f32; WIDTH]],
    ) -> Option<()> {
        let (mut weights, mut cells) = (self.weights, self.c.iter_mut());
        for bias in self.bias {
            let (own, rest) = before.split_first_chunk()?;
            let (to, more) = std::mem::take(out).split_first_chunk_mut()?;
            (*before, *out) = (rest, more);
            let moment = Moment { weights, bias, x, h, before: own, c: cells.next(), out: to };
            weights = K::moment(l, moment)?;
        }
        Some(())
    }
}

impl<K: Kind> Moments<'_, K> {
    /// Layers of a single pass, up to 24 units: there is nothing to keep but the moment's own places.
    #[inline(always)]
    fn single<L: Lanes, const C: usize>(self, l: L, mut untaken: Untaken<'_>) -> Option<()> {
        let Cell { x, x_width, inputs, hidden, h, out, .. } = self.cell;
        let pass = untaken.take::<C>(1, (inputs + hidden) * K::GATES)?;
        let (bias, mut before) = (pass.bias.first()?, vectors(h).first_chunk()?);
        for (x, out) in x.chunks_exact(x_width.max(1)).zip(vectors_mut(out).as_chunks_mut::<C>().0) {
            let (x, h) = (x.get(..inputs)?, before.as_flattened().get(..hidden)?);
            K::moment(l, Moment { weights: pass.weights, bias, x, h, before, c: pass.c.first_mut(), out })?;
            before = out;
        }
        Some(())
    }

    /// Layers of several passes, the larger ones first.
    #[inline(always)]
    fn several<L: Lanes>(self, l: L, mut untaken: Untaken<'_>) -> Option<()> {
        let Cell { x, x_width, inputs, hidden, mut h, out, .. } = self.cell;
        let width = h.len().max(WIDTH);
        let rows = (inputs + hidden) * K::GATES;
        let (count, least, more) = dealt(width / WIDTH, self.most);
        let of = |size| {
            if size == least {
                count - more
            } else if size == least + 1 {
                more
            } else {
                0
            }
        };
        let (mut threes, mut twos) = (untaken.take::<3>(of(3), rows)?, untaken.take::<2>(of(2), rows)?);
        let mut ones = untaken.take::<1>(of(1), rows)?;
        for (x, out) in x.chunks_exact(x_width.max(1)).zip(out.chunks_exact_mut(width)) {
            let heard = (x.get(..inputs)?, h.get(..hidden)?);
            let (mut before, mut to) = (vectors(h), vectors_mut(out));
            threes.moment::<K, L>(l, heard, &mut before, &mut to)?;
            twos.moment::<K, L>(l, heard, &mut before, &mut to)?;
            ones.moment::<K, L>(l, heard, &mut before, &mut to)?;
            h = out;
        }
        Some(())
    }
}

impl<K: Kind> Task for Moments<'_, K> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(mut self, l: L) {
        let bias = vectors(self.cell.bias).as_chunks().0;
        let c = vectors_mut(std::mem::take(&mut self.cell.c));
        let untaken = Untaken { weights: vectors(self.cell.weights), bias, c };
        // Layouts are whole: nothing is missing.
        let _ = match self.cell.h.len() / WIDTH {
            3 if self.most >= 3 => self.single::<L, 3>(l, untaken),
            2 if self.most >= 2 => self.single::<L, 2>(l, untaken),
            1 => self.single::<L, 1>(l, untaken),
            _ => self.several(l, untaken),
        };
    }
}

/// `sums + weights · (x, h)` for `G` gates of `C` groups, and the weights that are left. Few sums would wait for themselves: they
/// are made in `S` parts, one, two or four.
#[inline(always)]
fn product<'a, L: Lanes, const G: usize, const C: usize, const S: usize>(
    l: L,
    sums: Sums<L::V, G, C>,
    (x, h): (&[f32], &[f32]),
    weights: &'a [Row<C>],
) -> Option<(Sums<L::V, G, C>, &'a [Row<C>])> {
    let (own, rest) = weights.split_at_checked(x.len() * G)?;
    let (state, rest) = rest.split_at_checked(h.len() * G)?;
    let mut parts = [[[l.splat(0.0); C]; G]; S];
    *parts.first_mut()? = sums;
    for (x, own) in x.iter().zip(own.as_chunks().0) {
        add(l, parts.first_mut()?, *x, own);
    }
    let ((fours, h), (of_fours, state)) = (h.as_chunks(), state.as_chunks().0.as_chunks());
    for ([h0, h1, h2, h3], [w0, w1, w2, w3]) in fours.iter().zip(of_fours) {
        add(l, parts.get_mut(0)?, *h0, w0);
        add(l, parts.get_mut(1 % S)?, *h1, w1);
        add(l, parts.get_mut(2 % S)?, *h2, w2);
        add(l, parts.get_mut(3 % S)?, *h3, w3);
    }
    for (h, state) in h.iter().zip(state) {
        add(l, parts.first_mut()?, *h, state);
    }
    if S == 4 {
        let (left, right) = parts.split_at_mut_checked(2)?;
        for (left, right) in left.iter_mut().zip(right) {
            merge(l, left, right);
        }
    }
    if S > 1 {
        let [left, right, ..] = parts.get_mut(..2)? else { return None };
        merge(l, left, right);
    }
    Some((*parts.first()?, rest))
}

/// One product for each of these sums.
#[inline(always)]
fn add<L: Lanes, const G: usize, const C: usize>(
    l: L,
    sums: &mut Sums<L::V, G, C>,
    x: f32,
    weights: &[Row<C>; G],
) {
    let x = l.splat(x);
    for (sums, weights) in sums.iter_mut().zip(weights) {
        for (sum, weights) in sums.iter_mut().zip(weights) {
            *sum = l.fma(x, l.load(weights), *sum);
        }
    }
}

/// The sum of two parts.
#[inline(always)]
fn merge<L: Lanes, const G: usize, const C: usize>(
    l: L,
    left: &mut Sums<L::V, G, C>,
    right: &Sums<L::V, G, C>,
) {
    for (left, right) in left.iter_mut().zip(right) {
        for (left, right) in left.iter_mut().zip(right) {
            *left = l.add(*left, *right);
        }
    }
}

/// What the sums of the gates with these places start from.
#[inline(always)]
fn start<L: Lanes, const G: usize, const C: usize>(
    l: L,
    bias: &Start<C>,
    places: [usize; G],
) -> Sums<L::V, G, C> {
    let mut sums = [[l.splat(0.0); C]; G];
    for (sums, place) in sums.iter_mut().zip(places) {
        for (sum, bias) in sums.iter_mut().zip(bias) {
            if let Some(bias) = bias.get(place) {
                *sum = l.load(bias);
            }
        }
    }
    sums
}

impl Kind for Lstm {
    const GATES: usize = LSTM;

    #[inline(always)]
    fn moment<'w, L: Lanes, const C: usize>(l: L, moment: Moment<'w, '_, C>) -> Option<&'w [Row<C>]> {
        let Moment { weights, bias, x, h, c, out, .. } = moment;
        let sums = start(l, bias, [0, 1, 2, 3]);
        let ([i, f, g, o], rest) = match C {
            1 => product::<L, 4, C, 2>(l, sums, (x, h), weights)?,
            _ => product::<L, 4, C, 1>(l, sums, (x, h), weights)?,
        };
        let half = l.splat(0.5);
        let (mut cells, mut opened) = ([half; C], [half; C]);
        let gates = i.iter().zip(&f).zip(&g).zip(&o);
        for ((gates, c), (cell, open)) in gates.zip(c?).zip(cells.iter_mut().zip(&mut opened)) {
            let (((i, f), g), o) = gates;
            // Tangents side by side: one waits while another is computed.
            let [i, f, g, o] = tanhs(l, [*i, *f, *g, *o]);
            let (i, f) = (l.fma(i, half, half), l.fma(f, half, half));
            *cell = l.fma(f, l.load(c), l.mul(i, g));
            *open = l.fma(o, half, half);
            l.store(*cell, c);
        }
        for ((cell, open), out) in tanhs(l, cells).iter().zip(&opened).zip(out) {
            l.store(l.mul(*open, *cell), out);
        }
        Some(rest)
    }
}

impl Kind for Gru {
    const GATES: usize = GRU;

    #[inline(always)]
    fn moment<'w, L: Lanes, const C: usize>(l: L, moment: Moment<'w, '_, C>) -> Option<&'w [Row<C>]> {
        let Moment { weights, bias, x, h, before, out, .. } = moment;
        let (half, one) = (l.splat(0.5), l.splat(1.0));
        let ([r], rest) = product::<L, 1, C, 4>(l, start(l, bias, [0]), (x, h), weights)?;
        let mut resets = tanhs_soon(l, r);
        for r in &mut resets {
            *r = l.pin(*r);
        }
        // The update, and the new state as the input has it; then as the state has it.
        let [z, new, s] = start(l, bias, [1, 2, 3]);
        let ([z, mut news], rest) = product::<L, 2, C, 1>(l, [z, new], (x, &[]), rest)?;
        let ([z, s], rest) = match C {
            3 => product::<L, 2, C, 1>(l, [z, s], (&[], h), rest)?,
            _ => product::<L, 2, C, 2>(l, [z, s], (&[], h), rest)?,
        };
        let updates = tanhs(l, z);
        for ((new, r), s) in news.iter_mut().zip(&resets).zip(&s) {
            let s = l.mul(*s, half);
            *new = l.fma(*r, s, l.add(s, *new));
        }
        for (((new, z), before), out) in tanhs_soon(l, news).iter().zip(&updates).zip(before).zip(out) {
            let keep = l.fma(*z, half, half);
            l.store(l.fma(l.sub(one, keep), *new, l.mul(keep, l.load(before))), out);
        }
        Some(rest)
    }
}
