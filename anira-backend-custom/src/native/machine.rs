//! Runs a program: a block of a stream, or a window. Allocates when it is made and never again.

use std::sync::Arc;

use anira_traits::{Error, ErrorKind, Result};

use super::arena::{Arena, Regions};
use super::kernel::conv::{Conv, Mixed};
use super::kernel::dot::Dot;
use super::kernel::pointwise::{Activate, Affine, Combine, Curve, Gate};
use super::kernel::recurrent::Cell;
use super::kernel::{Reach, TILE, vectors};
use super::lanes::Cpu;
use super::program::{BLOCK, CellAt, ConvAt, CurveAt, Part, Program, Ring, Slot, Source, Step};

/// Where a block's numbers come from.
pub(crate) trait Feed {
    /// Writes channel `channel` of stream `input` to every `width`-th place, moment by moment.
    fn load(&self, input: usize, channel: usize, to: &mut [f32], width: usize);

    /// The numbers of a parameter.
    fn parameter(&self, parameter: usize) -> &[f32];
}

/// Silence, under the parameters of another feed.
struct Silence<'a>(&'a dyn Feed);

impl Feed for Silence<'_> {
    fn load(&self, _input: usize, _channel: usize, to: &mut [f32], width: usize) {
        to.iter_mut().step_by(width.max(1)).for_each(|x| *x = 0.0);
    }

    fn parameter(&self, parameter: usize) -> &[f32] {
        self.0.parameter(parameter)
    }
}

/// What a step does to the past.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    /// One block more.
    Advance,
    /// The past becomes this moment, for ever; recurrent layers are at their start.
    Settle,
    /// A window: all begins at its first sample.
    Window,
}

/// An engine's inside: a program, its memory, and where the rings' heads are.
#[derive(Debug)]
pub(crate) struct Machine {
    program: Arc<Program>,
    arena: Arena,
    heads: Vec<usize>,
    cpu: Cpu,
    /// Whether nothing was heard yet.
    is_fresh: bool,
}

const BROKEN: &str = "a step of the network lies outside of its memory";

impl Machine {
    /// A machine for this program. Allocates.
    pub(crate) fn new(program: Arc<Program>, cpu: Cpu) -> Self {
        let (arena, heads) = (Arena::new(&program), vec![0; program.rings]);
        Self { program, arena, heads, cpu, is_fresh: true }
    }

    pub(crate) fn program(&self) -> &Program {
        &self.program
    }

    /// Forgets everything: the next block follows endless silence. Wait-free.
    pub(crate) fn reset(&mut self) {
        self.is_fresh = true;
    }

    /// One block of at most [`BLOCK`] samples of a stream. Wait-free.
    pub(crate) fn block(&mut self, rows: usize, feed: &dyn Feed) -> Result<()> {
        if rows > BLOCK || self.program.window.is_some() {
            return Err(broken());
        }
        self.settle(feed)?;
        self.run(rows, feed, Mode::Advance)
    }

    /// Gives the network the past of endless silence, if it has none. Wait-free.
    pub(crate) fn settle(&mut self, feed: &dyn Feed) -> Result<()> {
        if !self.is_fresh || self.program.window.is_some() {
            return Ok(());
        }
        self.run(1, &Silence(feed), Mode::Settle)?;
        self.is_fresh = false;
        Ok(())
    }

    /// One window. Wait-free.
    pub(crate) fn window(&mut self, feed: &dyn Feed) -> Result<()> {
        self.run(0, feed, Mode::Window)
    }

    /// The rows of an output of the last block or window, and floats from row to row.
    pub(crate) fn output(&mut self, output: usize) -> Option<(&[f32], usize)> {
        let slot = *self.program.outputs.get(output)?;
        let work = self.arena.regions()?.work;
        work.get(slot.at..slot.at + slot.rows * slot.width).map(|rows| (rows, slot.width))
    }

    /// The state of a recurrent layer, first or second.
    pub(crate) fn state(&mut self, cell: usize, second: bool) -> Option<&mut [f32]> {
        let (_, cell) = self.program.cells.get(cell)?;
        let part = if second { cell.c? } else { cell.h };
        let hidden = cell.hidden;
        self.arena.regions()?.state.get_mut(part.range())?.get_mut(..hidden)
    }

    fn run(&mut self, rows: usize, feed: &dyn Feed, mode: Mode) -> Result<()> {
        let Self { program, arena, heads, cpu, .. } = self;
        let mut run = Run { memory: arena.regions().ok_or_else(broken)?, heads, cpu: *cpu, rows, mode };
        for step in &program.steps {
            run.step(step, feed).ok_or_else(broken)?;
        }
        Ok(())
    }
}

struct Run<'a> {
    memory: Regions<'a>,
    heads: &'a mut [usize],
    cpu: Cpu,
    rows: usize,
    mode: Mode,
}

impl Run<'_> {
    /// Rows of a signal in this run.
    fn rows(&self, slot: Slot) -> usize {
        if self.mode == Mode::Window { slot.rows } else { self.rows }
    }

    /// The live rows of a signal.
    fn live(&mut self, slot: Slot) -> Option<&mut [f32]> {
        let len = self.rows(slot) * slot.width;
        self.memory.work.get_mut(slot.at..slot.at + len)
    }

    /// Two signals' live rows, the first to be read.
    fn two(&mut self, from: Slot, to: Slot) -> Option<(&[f32], &mut [f32])> {
        let ranges = [self.range(from), self.range(to)];
        let [from, to] = self.memory.work.get_disjoint_mut(ranges).ok()?;
        Some((from, to))
    }

    fn range(&self, slot: Slot) -> std::ops::Range<usize> {
        slot.at..slot.at + self.rows(slot) * slot.width
    }

    #[inline]
    fn step(&mut self, step: &Step, feed: &dyn Feed) -> Option<()> {
        match step {
            &Step::Load { input, to } => {
                let rows = self.live(to)?;
                if to.channels < to.width {
                    rows.fill(0.0);
                }
                for channel in 0..to.channels {
                    feed.load(input, channel, rows.get_mut(channel..)?, to.width);
                }
            }
            &Step::Fill { parameter, to } => {
                let values = feed.parameter(parameter);
                for row in self.live(to)?.chunks_exact_mut(to.width.max(1)) {
                    row.fill(0.0);
                    row.iter_mut().zip(values).for_each(|(x, value)| *x = *value);
                }
            }
            &Step::Zero { slot } => self.live(slot)?.fill(0.0),
            &Step::Copy { from, to, first, at, channels } => {
                let (source, target) = self.two(from, to)?;
                let rows =
                    source.chunks_exact(from.width.max(1)).zip(target.chunks_exact_mut(to.width.max(1)));
                for (source, target) in rows {
                    let source = source.get(first..first + channels)?;
                    copy(target.get_mut(at..at + channels)?, source)?;
                }
            }
            &Step::Newest { from, to } => {
                let (source, target) = self.two(from, to)?;
                copy(target, source.get(source.len().checked_sub(from.width)?..)?)?;
            }
            &Step::Push { from, ring } => self.push(from, ring)?,
            Step::Conv(conv) => self.conv(conv)?,
            &Step::Activate { slot, curve, sum } => {
                let ranges = [self.range(slot), sum.map_or(0..0, |sum| self.range(sum))];
                let [x, sum] = self.memory.work.get_disjoint_mut(ranges).ok()?;
                let curve = curve_of(curve, self.memory.weights)?;
                self.cpu.run(Activate { x, width: slot.width, curve, sum });
            }
            &Step::Affine { slot, scale, shift } => {
                let len = self.rows(slot) * slot.width;
                let x = self.memory.work.get_mut(slot.at..slot.at + len)?;
                let weights = self.memory.weights;
                let (scale, shift) = (weights.get(scale.range())?, weights.get(shift.range())?);
                self.cpu.run(Affine { x, scale, shift });
            }
            &Step::Pair { x, y, pair } => {
                let (cpu, y_is_one) = (self.cpu, y.channels == 1 && x.channels != 1);
                let (source, target) = self.two(y, x)?;
                let (width, y_width) = (x.width, y.width);
                cpu.run(Combine { x: target, width, y: source, y_width, y_is_one, pair });
            }
            &Step::Gate { from, to, a, b } => {
                let (cpu, weights) = (self.cpu, self.memory.weights);
                let (a, b) = (curve_of(a, weights)?, curve_of(b, weights)?);
                let (x, out) = self.two(from, to)?;
                let (x_width, out_width, channels) = (from.width, to.width, to.channels);
                cpu.run(Gate { x, x_width, channels, a, b, out, out_width });
            }
            Step::Recurrent(cell) => self.recurrent(cell)?,
        }
        Some(())
    }

    fn push(&mut self, from: Slot, ring: Ring) -> Option<()> {
        let rows = self.rows(from);
        let source = self.memory.work.get(from.at..from.at + rows * from.width)?;
        let target = self.memory.state.get_mut(ring.at..ring.at + (ring.rows + TILE) * ring.width)?;
        match self.mode {
            Mode::Settle => {
                let row = source.get(..ring.width)?;
                target.chunks_exact_mut(ring.width.max(1)).try_for_each(|place| copy(place, row))?;
                *self.heads.get_mut(ring.index)? = 0;
            }
            Mode::Window => {
                let places = target.chunks_exact_mut(ring.width.max(1)).skip(ring.before);
                for (row, place) in source.chunks_exact(from.width.max(1)).zip(places) {
                    copy(place, row.get(..ring.width)?)?;
                }
            }
            Mode::Advance => {
                let head = self.heads.get_mut(ring.index)?;
                let (mut source, mut left, mut is_first) = (source, rows, false);
                while left > 0 {
                    let count = left.min(ring.rows - *head);
                    let (own, rest) = source.split_at_checked(count * from.width)?;
                    let at = *head * ring.width;
                    let target = target.get_mut(at..at + count * ring.width)?;
                    if from.width == ring.width {
                        copy(target, own)?;
                    } else {
                        let rows = own
                            .chunks_exact(from.width.max(1))
                            .zip(target.chunks_exact_mut(ring.width.max(1)));
                        for (row, target) in rows {
                            copy(target, row.get(..ring.width)?)?;
                        }
                    }
                    is_first |= *head < TILE;
                    *head = if *head + count == ring.rows { 0 } else { *head + count };
                    (source, left) = (rest, left - count);
                }
                if is_first {
                    let (first, last) = target.split_at_mut_checked(ring.rows * ring.width)?;
                    copy(last, first.get(..TILE * ring.width)?)?;
                }
            }
        }
        Some(())
    }

    fn conv(&mut self, conv: &ConvAt) -> Option<()> {
        let rows = self.rows(conv.to);
        let Regions { weights, state, work } = &mut self.memory;
        let of = |slot: Slot, rows| slot.at..slot.at + rows * slot.width;
        let from = if let Source::Slot(slot) = conv.from { of(slot, slot.rows) } else { 0..0 };
        let mix = conv.mixed.map_or(0..0, |(slot, _)| of(slot, rows));
        let [heard, mix, out] = work.get_disjoint_mut([from, mix, of(conv.to, rows)]).ok()?;
        let (x, x_width, base, wrap) = match conv.from {
            Source::Slot(slot) => (&*heard, slot.width, 0, usize::MAX),
            Source::Ring(ring) => {
                let x = state.get(ring.at..ring.at + (ring.rows + TILE) * ring.width)?;
                let (base, wrap) = match self.mode {
                    Mode::Window => (0, usize::MAX),
                    // The head is behind the newest row.
                    _ => {
                        let back = ring.span + rows;
                        let head = *self.heads.get(ring.index)?;
                        let oldest = if head >= back { head - back } else { head + ring.rows - back };
                        (oldest, ring.rows)
                    }
                };
                (x, ring.width, base, wrap)
            }
        };
        let reach = Reach { base, wrap, dilation: conv.dilation, stride: conv.stride, taps: conv.taps };
        let mixed = match conv.mixed {
            None => None,
            Some((_, own)) => Some(Mixed { x: vectors(mix), weights: weights.get(own.range())? }),
        };
        let (weights, bias) = (weights.get(conv.weights.range())?, weights.get(conv.bias.range())?);
        let (inputs, outputs, accumulate) = (conv.inputs, conv.outputs, conv.accumulate);
        if conv.dot {
            Dot { x, x_width, reach, weights, bias, outputs, out, rows, accumulate }.run(self.cpu);
        } else {
            Conv { x, x_width, inputs, reach, weights, bias, mixed, out, rows, accumulate }.run(self.cpu);
        }
        Some(())
    }

    fn recurrent(&mut self, cell: &CellAt) -> Option<()> {
        let rows = self.rows(cell.to);
        let Regions { weights, state, work } = &mut self.memory;
        let weights = *weights;
        if self.mode != Mode::Advance {
            for (part, start) in [(Some(cell.h), cell.start_h), (cell.c, cell.start_c)] {
                if let Some(part) = part {
                    copy(state.get_mut(part.range())?, weights.get(start.range())?)?;
                }
            }
        }
        let range = |slot: Slot| slot.at..slot.at + rows * slot.width;
        let [x, out] = work.get_disjoint_mut([range(cell.from), range(cell.to)]).ok()?;
        if self.mode == Mode::Settle {
            // What follows has always heard the state of the start.
            copy(out, weights.get(cell.start_h.range())?)?;
            return Some(());
        }
        let c = cell.c.map_or(0..0, Part::range);
        let [h, c] = state.get_disjoint_mut([cell.h.range(), c]).ok()?;
        let (own, bias) = (weights.get(cell.weights.range())?, weights.get(cell.bias.range())?);
        let width = cell.to.width;
        let (x_width, inputs, hidden) = (cell.from.width, cell.from.channels, cell.hidden);
        Cell { x, x_width, inputs, weights: own, bias, hidden, h, c, out }.run(cell.gates, self.cpu);
        // What the last moment made is heard by the next block's first.
        copy(h, out.get(out.len().checked_sub(width)?..)?)?;
        Some(())
    }
}

/// `None` if they are not equally long: the standard library's would panic.
fn copy(to: &mut [f32], from: &[f32]) -> Option<()> {
    (to.len() == from.len()).then(|| to.copy_from_slice(from))
}

fn curve_of(at: CurveAt, weights: &[f32]) -> Option<Curve<'_>> {
    match at.slopes {
        None => Some(at.curve),
        Some(slopes) => weights.get(slopes.range()).map(Curve::PRelu),
    }
}

/// Does not allocate: its text is static.
fn broken() -> Error {
    Error::new(ErrorKind::Internal, BROKEN)
}
