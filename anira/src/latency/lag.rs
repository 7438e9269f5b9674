//! How far the collected results fall behind what the host has pushed: the quantity that decides the latency.

use anira_traits::Result;

use super::backlog::Backlog;
use super::peak::Staircase;
use super::query::{Blocks, LatencyQuery};
use super::rational::{Rational, common, fits};

/// The bits behind the point that are kept of numbers whose exact products would not fit.
const KEPT_BITS: u32 = 40;

/// The largest lag, in hops of the reference input stream, over all callbacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lag {
    /// Hops pushed but not collected, counted with their fraction.
    pub(super) hops: Rational,
    /// Whether some callback reaches `hops`; otherwise every lag stays strictly below.
    pub(super) reached: bool,
    /// Whether no smaller bound holds.
    pub(super) exact: bool,
}

impl Lag {
    /// What is left of `scale` times the lag when only whole numbers count.
    pub(super) fn whole(self, scale: Rational, plus: Rational) -> Result<i128> {
        let scaled = self.hops.times(scale)?.plus(plus)?;
        Ok(if self.reached { scaled.floor() } else { scaled.ceil() - 1 })
    }
}

/// The numbers that decide, in samples of the reference input stream.
#[derive(Clone, Copy, Debug)]
struct Load {
    /// The host block, H.
    block: Rational,
    /// The hop, M.
    hop: i128,
    /// The engines, n.
    engines: i128,
    /// Samples that pass during an inference, A = I·fs; at most n·M.
    inference: Rational,
    /// The blocking ratio, r.
    ratio: Rational,
}

/// The lag of `query` when an inference takes `inference` seconds, which the engines must be able to keep up with.
pub(super) fn lag(query: &LatencyQuery, inference: Rational) -> Result<Lag> {
    let load = |inference: Rational, ratio: Rational| -> Result<Load> {
        let capacity = i128::from(query.engines) * i128::from(query.hop_in);
        Ok(Load {
            block: query.host_block,
            hop: query.hop_in.into(),
            engines: query.engines.into(),
            inference: inference.min(Rational::new(capacity, 1)?),
            ratio,
        })
    };
    let (above, below) = samples_during(inference, query.sample_rate)?;
    let exact = load(above, query.blocking_ratio).and_then(|load| load.lag(query.blocks));
    if exact.is_ok() && above == below {
        return exact;
    }
    // Too many digits for 128 bits. The lag never falls when inferences take longer or the callback waits less, so
    // rounding one way bounds it from above and the other way from below; where both agree, nothing was lost.
    let ratio = query.blocking_ratio;
    let above = load(above.rounded_up(KEPT_BITS)?, ratio.rounded_down(KEPT_BITS)?)?.lag(query.blocks)?;
    let below = load(below.rounded_down(KEPT_BITS)?, ratio.rounded_up(KEPT_BITS)?)?.lag(query.blocks)?;
    Ok(Lag { exact: above.exact && above == below, ..above })
}

/// The samples at `rate` that pass in `seconds`: twice the exact number where it fits, else a bound from above and one
/// from below.
pub(super) fn samples_during(seconds: Rational, rate: Rational) -> Result<(Rational, Rational)> {
    if let Ok(samples) = seconds.times(rate) {
        return Ok((samples, samples));
    }
    let (fine, coarse) = (KEPT_BITS + 15, KEPT_BITS / 2);
    let above = seconds.rounded_up(fine)?.times(rate.rounded_up(coarse)?)?;
    Ok((above, seconds.rounded_down(fine)?.times(rate.rounded_down(coarse)?)?))
}

impl Load {
    fn lag(self, blocks: Blocks) -> Result<Lag> {
        match blocks {
            Blocks::Fixed => self.fixed(),
            Blocks::Varying { min } if min == self.block => self.fixed(),
            Blocks::Varying { min } if min.is_integer() && self.block.is_integer() => self.varying(min.num()),
            Blocks::Varying { .. } => self.varying_by_fractions(),
        }
    }

    /// Fixed blocks: `(q−1)/q + max over m in 0..p of (ρ·d_m − m·n)` with ρ = H/M = p/q, τ = A/H and
    /// `d_m = max(0, ⌈(m+1)·τ − r⌉)`.
    ///
    /// m below p is enough: `d_{m+p} ≤ d_m + q·n` as long as A ≤ n·M, so a term p further on is no larger.
    fn fixed(self) -> Result<Lag> {
        let hops_per_block = self.block.over(Rational::new(self.hop, 1)?)?;
        let (p, q) = (hops_per_block.num(), hops_per_block.den());
        let adaptation = Rational::new(q - 1, q)?;
        let queue = if self.inference.is_zero() {
            Rational::ZERO
        } else {
            let (tau, ratio, width) = common(self.inference.over(self.block)?, self.ratio)?;
            // ⌈x/width⌉ = ⌊(x + width − 1)/width⌋; nothing is below 0, since tau ≥ 1 and ratio ≤ width.
            let offset = fits(tau.checked_add(width))? - ratio - 1;
            let stairs = Staircase {
                count: p,
                width,
                slope: tau,
                offset,
                weight: -fits(q.checked_mul(self.engines))?,
                height: p,
            };
            Rational::new(fits(stairs.peak())?, q)?
        };
        Ok(Lag { hops: adaptation.plus(queue)?, reached: true, exact: true })
    }

    /// Varying blocks of whole samples, `min < H`: `M − 1 + max(0, max over m of (W((m+1)·A) − m·n·M))`, where `W(y)` is
    /// the largest `x + h` with `x + r·h < y`, h a block and x the sum of any number of blocks.
    fn varying(self, min: i128) -> Result<Lag> {
        let (queue, exact) = if self.inference.is_zero() {
            (0, true)
        } else if min == 1 {
            (self.backlog_of_any_blocks()?, true)
        } else {
            let (inference, ratio, unit) = common(self.inference, self.ratio)?;
            let hops = self.hop * self.engines;
            let range = Backlog { min, block: self.block.num(), hops, inference, ratio, unit };
            let (queue, exact) = range.most()?;
            // Blocks that may be shorter are a bound too.
            (if exact { queue } else { queue.min(self.backlog_of_any_blocks()?) }, exact)
        };
        let samples = fits((self.hop - 1).checked_add(queue))?;
        Ok(Lag { hops: Rational::new(samples, self.hop)?, reached: true, exact })
    }

    /// Blocks whose sizes are no whole samples: every lag stays below `M + A + (1−r)·H` samples.
    fn varying_by_fractions(self) -> Result<Lag> {
        let hop = Rational::new(self.hop, 1)?;
        let queue = if self.inference.is_zero() {
            Rational::ZERO
        } else {
            self.block.times(Rational::ONE.minus(self.ratio)?)?.plus(self.inference)?
        };
        Ok(Lag { hops: hop.plus(queue)?.over(hop)?, reached: false, exact: false })
    }

    /// The maximum over m of `W((m+1)·A) − m·n·M`, or 0, when x may be any whole number.
    ///
    /// For a given m the largest block is best, `h = min(H, ⌈(m+1)·A/r⌉ − 1)`, and x takes what is left. Below
    /// `m = ⌊r·H/A⌋` that block is shorter than H and nothing is left for x; there h is H, and later terms are smaller.
    fn backlog_of_any_blocks(self) -> Result<i128> {
        let (inference, ratio, unit) = common(self.inference, self.ratio)?;
        let block = self.block.num();
        let waited = fits(ratio.checked_mul(block))?;
        let hops = self.hop * self.engines;
        let last = waited / inference;
        // Where a wait for one more inference gains less than n hops, the first term is the largest.
        let gains = inference > fits(ratio.checked_mul(hops))?;
        let mut best = 0;
        if last > 0 {
            let count = if gains { last } else { 1 };
            let stairs = Staircase {
                count,
                width: ratio,
                slope: inference,
                offset: fits(inference.checked_add(ratio))? - 1,
                weight: -hops,
                height: 1,
            };
            best = best.max(fits(stairs.peak())? - 1);
        }
        if last == 0 || gains {
            let left = fits((last + 1).checked_mul(inference))? - waited;
            best = best.max(block + (left - 1) / unit - fits(last.checked_mul(hops))?);
        }
        Ok(best)
    }
}
