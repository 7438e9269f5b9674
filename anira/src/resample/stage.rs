//! One stream brought to another rate: [`Stage`], a windowed sinc at exact positions.

#![deny(clippy::indexing_slicing, clippy::panic, clippy::unreachable)]

use anira_traits::{Error, ErrorKind, Result};

use super::ratio::Ratio;

/// Samples of the lower rate on either side that make up one.
const ZEROS: u64 = 48;

/// How far the stop band is down, in decibels.
const STOP_BAND: f64 = 90.0;

/// The most coefficients of one stage.
const MOST: u64 = 1 << 22;

/// Samples that a dot product sums side by side.
const LANES: usize = 8;

/// Samples of the stream to be resampled, on either side of a place in it, that make up the sample there; it goes on by
/// `ratio.den / ratio.num` of its samples for each that it makes.
pub(super) fn half(ratio: Ratio) -> u64 {
    ratio.inverse().up(ZEROS).max(ZEROS)
}

/// Whether a ratio can be had.
///
/// # Errors
/// [`ErrorKind::Host`]: it needs too many coefficients.
pub(super) fn check(ratio: Ratio) -> Result<()> {
    let coefficients = ratio.num.saturating_mul(2 * half(ratio));
    if coefficients <= MOST {
        return Ok(());
    }
    let value = format!("a ratio of {} to {}", ratio.num, ratio.den);
    let right = format!(
        "rates whose ratio is one of smaller whole numbers: this one needs {coefficients} coefficients, more than {MOST}"
    );
    Err(Error::config("sample_rate", value, right).of_kind(ErrorKind::Host))
}

/// Resamples the channels of one stream. Places are whole numbers and fractions: nothing drifts, and the samples do not depend
/// on the blocks in which they come.
#[derive(Debug)]
pub(super) struct Stage {
    /// For each fraction of a sample the weights of the samples around it, oldest first.
    weights: Box<[f32]>,
    half: usize,
    phases: usize,
    /// From one output sample to the next.
    step: Place,
    /// The place of the next output sample, in the samples that are kept.
    next: Place,
    first: Place,
    /// Samples kept, of each channel.
    kept: usize,
    /// `kept` at the begin of a stream, all of them silence.
    at_first: usize,
    lines: Box<[Box<[f32]>]>,
}

/// A place in a stream: `whole + part / phases`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    whole: usize,
    part: usize,
}

impl Place {
    fn moved(self, step: Self, phases: usize) -> Self {
        let part = self.part + step.part;
        let over = usize::from(part >= phases);
        Self { whole: self.whole + step.whole + over, part: part - over * phases }
    }
}

impl Stage {
    /// For `channels` channels, of which at most `most` samples come at once, at a ratio that was [checked](check). The first output
    /// sample lies at `first / ratio.num` of the stream's own samples: before or at its begin. Allocates; control thread.
    pub(super) fn new(ratio: Ratio, first: i128, channels: usize, most: usize) -> Self {
        let half = half(ratio);
        let (phases, half) = (ratio.num as usize, half as usize);
        let whole = first.div_euclid(i128::from(ratio.num));
        let part = first.rem_euclid(i128::from(ratio.num)) as usize;
        // As much silence in front as the first sample looks back on.
        let at_first = usize::try_from(half as i128 - 1 - whole).unwrap_or(0);
        let step = Place { whole: (ratio.den / ratio.num) as usize, part: (ratio.den % ratio.num) as usize };
        // What is not used up: less than a step of it more than one sample needs.
        let room = at_first.max(2 * half + 2 * (step.whole + 2)) + most;
        let first = Place { whole: half - 1, part };
        Self {
            weights: weights(ratio, half),
            half,
            phases,
            step,
            next: first,
            first,
            kept: at_first,
            at_first,
            lines: vec![vec![0.0; room].into_boxed_slice(); channels].into_boxed_slice(),
        }
    }

    /// A fresh stream. Audio thread; wait-free, as all that follows.
    pub(super) fn reset(&mut self) {
        self.next = self.first;
        self.kept = self.at_first;
        self.lines.iter_mut().for_each(|line| line.fill(0.0));
    }

    pub(super) fn channels(&self) -> usize {
        self.lines.len()
    }

    /// Takes `frames` samples of every channel, which `write` gives: channel, target.
    pub(super) fn take(&mut self, frames: usize, mut write: impl FnMut(usize, &mut [f32])) {
        let used = (self.next.whole + 1).saturating_sub(self.half).min(self.kept);
        for (channel, line) in self.lines.iter_mut().enumerate() {
            if let Some(line) = line.get_mut(..self.kept).filter(|line| used <= line.len()) {
                line.copy_within(used.., 0);
            }
            let kept = self.kept - used;
            if let Some(target) = line.get_mut(kept..kept + frames) {
                write(channel, target);
            }
        }
        self.kept = self.kept - used + frames;
        self.next.whole -= used;
    }

    /// Output samples that can be made now.
    pub(super) fn ready(&self) -> usize {
        let at = |place: Place| place.whole as u128 * self.phases as u128 + place.part as u128;
        let end = at(Place { whole: self.kept.saturating_sub(self.half), part: 0 });
        let left = end.saturating_sub(at(self.next));
        left.div_ceil(at(self.step).max(1)) as usize
    }

    /// Makes as many samples of one channel as `target` has, at the places that come next.
    pub(super) fn make(&self, channel: usize, target: &mut [f32]) {
        let mut place = self.next;
        let line = self.lines.get(channel).map(|line| line.get(..self.kept).unwrap_or_default());
        for sample in target {
            let (first, taps) = ((place.whole + 1).saturating_sub(self.half), 2 * self.half);
            let around = line.and_then(|line| line.get(first..first + taps));
            let weights = self.weights.get(place.part * taps..(place.part + 1) * taps);
            *sample = around.zip(weights).map_or(0.0, |(around, weights)| dot(around, weights));
            place = place.moved(self.step, self.phases);
        }
    }

    /// So many samples were made, of every channel.
    pub(super) fn pass(&mut self, frames: usize) {
        (0..frames).for_each(|_| self.next = self.next.moved(self.step, self.phases));
    }
}

/// The sum of products, always in the same order.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0f32; LANES];
    let (wholes, rest) = (a.chunks_exact(LANES).zip(b.chunks_exact(LANES)), a.len() % LANES);
    for (a, b) in wholes {
        sums.iter_mut().zip(a).zip(b).for_each(|((sum, a), b)| *sum += a * b);
    }
    let rest = a.iter().zip(b).skip(a.len() - rest).map(|(a, b)| a * b);
    rest.chain(sums).fold(0.0, |sum, x| sum + x)
}

/// For each of `ratio.num` fractions of a sample: the windowed sinc over `2 * half` samples, with a sum of 1.
fn weights(ratio: Ratio, half: usize) -> Box<[f32]> {
    // Kaiser's formulas for the window's shape, and for how wide it makes the edge of the pass band, which ends at the lower of
    // the two rates' limits.
    let shape = 0.1102 * (STOP_BAND - 8.7);
    let edge = (STOP_BAND - 7.95) / (14.36 * ZEROS as f64);
    let lower = (ratio.num as f64 / ratio.den as f64).min(1.0);
    let band = lower * (1.0 - edge / 2.0);
    let mut all = Vec::with_capacity(ratio.num as usize * 2 * half);
    for phase in 0..ratio.num {
        let at = |tap: usize| tap as f64 - (half as f64 - 1.0) - phase as f64 / ratio.num as f64;
        let weight = |tap: usize| {
            let inside = (1.0 - (at(tap) / half as f64).powi(2)).max(0.0);
            sinc(band * at(tap)) * bessel(shape * inside.sqrt())
        };
        let row: Vec<f64> = (0..2 * half).map(weight).collect();
        let sum: f64 = row.iter().sum();
        all.extend(row.iter().map(|weight| (weight / sum) as f32));
    }
    all.into_boxed_slice()
}

fn sinc(x: f64) -> f64 {
    let angle = std::f64::consts::PI * x;
    if angle.abs() < 1e-9 { 1.0 } else { angle.sin() / angle }
}

/// The modified Bessel function of order 0, by its series.
fn bessel(x: f64) -> f64 {
    let quarter = x * x / 4.0;
    let (mut sum, mut term, mut k) = (1.0, 1.0, 1.0);
    while term > sum * 1e-17 {
        term *= quarter / (k * k);
        sum += term;
        k += 1.0;
    }
    sum
}
