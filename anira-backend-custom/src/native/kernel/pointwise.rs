//! What is done to each number for itself: activations, gates, sums and products of signals.

use super::super::lanes::{Lanes, Task, WIDTH, sigmoid, tanh};
use super::{vectors, vectors_mut};

/// An activation, with its numbers where the kernel finds them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Curve<'a> {
    Identity,
    Tanh,
    Sigmoid,
    Relu,
    /// Negative numbers times this.
    Leaky(f32),
    /// Negative numbers times the slope of their channel: a padded row.
    PRelu(&'a [f32]),
    /// Cut to these.
    Clip(f32, f32),
    /// x · sigmoid(x).
    Silu,
    /// x · clip(x + 3, 0, 6) / 6.
    HardSwish,
    /// x / (1 + |x|).
    Softsign,
}

impl Curve<'_> {
    /// The value for a vector of channels that begins `vector` vectors into its row.
    #[inline(always)]
    fn of<L: Lanes>(self, l: L, x: L::V, vector: usize) -> L::V {
        let zero = l.splat(0.0);
        match self {
            Self::Identity => x,
            Self::Tanh => tanh(l, x),
            Self::Sigmoid => sigmoid(l, x),
            Self::Relu => l.max(zero, x),
            Self::Leaky(slope) => l.fma(l.splat(slope), l.min(zero, x), l.max(zero, x)),
            Self::PRelu(slopes) => {
                let slope = vectors(slopes).get(vector).map_or(zero, |s| l.load(s));
                l.fma(slope, l.min(zero, x), l.max(zero, x))
            }
            Self::Clip(low, high) => l.max(l.splat(low), l.min(l.splat(high), x)),
            Self::Silu => l.mul(x, sigmoid(l, x)),
            Self::HardSwish => {
                let cut = l.max(zero, l.min(l.splat(6.0), l.add(x, l.splat(3.0))));
                l.mul(l.mul(x, cut), l.splat(1.0 / 6.0))
            }
            Self::Softsign => {
                let size = l.max(l.sub(zero, x), x);
                l.div(x, l.add(l.splat(1.0), size))
            }
        }
    }
}

/// An activation in place.
#[derive(Debug)]
pub(crate) struct Activate<'a> {
    pub(crate) x: &'a mut [f32],
    pub(crate) width: usize,
    pub(crate) curve: Curve<'a>,
    /// Rows to which the result is added; none where there is no such sum.
    pub(crate) sum: &'a mut [f32],
}

impl Task for Activate<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, l: L) {
        // One loop per curve, so that none decides per vector.
        macro_rules! each {
            ($curve:expr) => {{
                let width = self.width.max(WIDTH);
                if self.sum.is_empty() {
                    for row in self.x.chunks_exact_mut(width) {
                        for (v, x) in vectors_mut(row).iter_mut().enumerate() {
                            l.store($curve.of(l, l.load(x), v), x);
                        }
                    }
                }
                for (row, sums) in self.x.chunks_exact_mut(width).zip(self.sum.chunks_exact_mut(width)) {
                    for (v, (x, sum)) in vectors_mut(row).iter_mut().zip(vectors_mut(sums)).enumerate() {
                        let y = $curve.of(l, l.load(x), v);
                        l.store(y, x);
                        l.store(l.add(l.load(sum), y), sum);
                    }
                }
            }};
        }
        match self.curve {
            Curve::Identity if self.sum.is_empty() => {}
            Curve::Identity => each!(Curve::Identity),
            Curve::Tanh => each!(Curve::Tanh),
            Curve::Sigmoid => each!(Curve::Sigmoid),
            Curve::Relu => each!(Curve::Relu),
            Curve::Leaky(slope) => each!(Curve::Leaky(slope)),
            Curve::PRelu(slopes) => each!(Curve::PRelu(slopes)),
            Curve::Clip(low, high) => each!(Curve::Clip(low, high)),
            Curve::Silu => each!(Curve::Silu),
            Curve::HardSwish => each!(Curve::HardSwish),
            Curve::Softsign => each!(Curve::Softsign),
        }
    }
}

/// `a(first half of the channels) · b(second half)`.
#[derive(Debug)]
pub(crate) struct Gate<'a> {
    pub(crate) x: &'a [f32],
    pub(crate) x_width: usize,
    /// Channels of each half.
    pub(crate) channels: usize,
    pub(crate) a: Curve<'a>,
    pub(crate) b: Curve<'a>,
    pub(crate) out: &'a mut [f32],
    pub(crate) out_width: usize,
}

impl Task for Gate<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, l: L) {
        macro_rules! each {
            ($a:expr, $b:expr) => {
                let rows = self.x.chunks_exact(self.x_width.max(WIDTH));
                for (x, out) in rows.zip(self.out.chunks_exact_mut(self.out_width.max(WIDTH))) {
                    let Some((first, second)) = x.split_at_checked(self.channels) else { return };
                    let halves = first.chunks(WIDTH).zip(second.chunks(WIDTH));
                    for (v, ((a, b), out)) in halves.zip(vectors_mut(out)).enumerate() {
                        let (a, b) = (part(a), part(b.get(..a.len()).unwrap_or_default()));
                        let (a, b) = ($a.of(l, l.load(&a), v), $b.of(l, l.load(&b), v));
                        l.store(l.mul(a, b), out);
                    }
                }
            };
        }
        match (self.a, self.b) {
            (Curve::Tanh, Curve::Sigmoid) => {
                each!(Curve::Tanh, Curve::Sigmoid);
            }
            (a, b) => {
                each!(a, b);
            }
        }
    }
}

/// Up to eight numbers, zeros behind them.
#[inline(always)]
fn part(x: &[f32]) -> [f32; WIDTH] {
    if let Some(whole) = x.first_chunk() {
        return *whole;
    }
    let mut out = [0.0; WIDTH];
    out.iter_mut().zip(x).for_each(|(o, x)| *o = *x);
    out
}

/// How two numbers become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pair {
    Add,
    Sub,
    /// The second less the first.
    SubFrom,
    Mul,
}

/// `x = x ∘ y` in place; a `y` of one channel serves all channels.
#[derive(Debug)]
pub(crate) struct Combine<'a> {
    pub(crate) x: &'a mut [f32],
    pub(crate) width: usize,
    pub(crate) y: &'a [f32],
    pub(crate) y_width: usize,
    pub(crate) y_is_one: bool,
    pub(crate) pair: Pair,
}

impl Task for Combine<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, l: L) {
        macro_rules! each {
            ($op:ident $($swap:ident)?) => {
                let rows = self.x.chunks_exact_mut(self.width.max(WIDTH));
                for (x, y) in rows.zip(self.y.chunks_exact(self.y_width.max(WIDTH))) {
                    let one = l.splat(y.first().copied().unwrap_or(0.0));
                    if self.y_is_one {
                        for x in vectors_mut(x) {
                            l.store(each!(@ $op $($swap)?, l.load(x), one), x);
                        }
                    } else {
                        for (x, y) in vectors_mut(x).iter_mut().zip(vectors(y)) {
                            l.store(each!(@ $op $($swap)?, l.load(x), l.load(y)), x);
                        }
                    }
                }
            };
            (@ $op:ident, $x:expr, $y:expr) => { l.$op($x, $y) };
            (@ $op:ident swapped, $x:expr, $y:expr) => { l.$op($y, $x) };
        }
        match self.pair {
            Pair::Add => {
                each!(add);
            }
            Pair::Sub => {
                each!(sub);
            }
            Pair::SubFrom => {
                each!(sub swapped);
            }
            Pair::Mul => {
                each!(mul);
            }
        }
    }
}

/// `x = x · scale + shift`, per channel, in place.
#[derive(Debug)]
pub(crate) struct Affine<'a> {
    pub(crate) x: &'a mut [f32],
    pub(crate) scale: &'a [f32],
    pub(crate) shift: &'a [f32],
}

impl Task for Affine<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, l: L) {
        for row in self.x.chunks_exact_mut(self.scale.len().max(WIDTH)) {
            let numbers = vectors(self.scale).iter().zip(vectors(self.shift));
            for (x, (scale, shift)) in vectors_mut(row).iter_mut().zip(numbers) {
                l.store(l.fma(l.load(x), l.load(scale), l.load(shift)), x);
            }
        }
    }
}
