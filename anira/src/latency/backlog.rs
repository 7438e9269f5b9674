//! Varying blocks with a declared minimum: the most that is pushed while a result is awaited.

use anira_traits::Result;

use super::peak::Staircase;
use super::rational::fits;

/// How many numbers of whole blocks are looked at before the search settles for its upper bound.
const MOST_STEPS: usize = 1 << 10;

/// Varying blocks from `min` to `block` samples, 1 < `min` < `block`, in whole units in which inference time and wait are
/// integers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Backlog {
    pub(super) min: i128,
    pub(super) block: i128,
    /// n·M in samples.
    pub(super) hops: i128,
    /// A in units; more than 0, at most n·M of them.
    pub(super) inference: i128,
    /// r per sample in units.
    pub(super) ratio: i128,
    /// Units in a sample.
    pub(super) unit: i128,
}

impl Backlog {
    /// The maximum over m of `W((m+1)·A) − m·n·M`, or 0; and whether it is that, or an upper bound of it. `W(y)` is the largest
    /// `x + h` with `x + r·h < y`, h a block and x the sum of any number of blocks.
    ///
    /// c blocks sum to anything from c·min to c·H. A longer h costs r per sample, a longer x costs 1: so h is H where it
    /// can be, with as many blocks before it as fit; or one block more before it, the shortest, and h as long as then fits. Still
    /// more blocks gain nothing: each takes min/r ≥ min off h.
    pub(super) fn most(self) -> Result<(i128, bool)> {
        self.most_in(MOST_STEPS)
    }

    fn most_in(self, steps: usize) -> Result<(i128, bool)> {
        let best = self.longest_last()?.max(0);
        if self.ratio == 0 { Ok((best, true)) } else { self.shorter_last(best, steps) }
    }

    /// The maximum where the last block is H. It can be from m = ⌊r·H/A⌋ on.
    ///
    /// With z = y − r·H the sum before it is the least of what fits and of what as many blocks as fit can be: the term is the
    /// least of `g = H + ⌈z⌉ − 1 − m·n·M`, which never rises, since A ≤ n·M, and of `f = H + H·⌊(⌈z⌉ − 1)/min⌋ − m·n·M`. The
    /// maximum of the lesser does not change if f is replaced by F, the most that f was so far: where F comes from an
    /// earlier m, g was no less there. F never falls, so the two cross once.
    fn longest_last(self) -> Result<i128> {
        let waited = fits(self.ratio.checked_mul(self.block))?;
        let first = waited / self.inference;
        let before_first = fits(self.hops.checked_mul(first))?;
        let left = fits((first + 1).checked_mul(self.inference))? - waited - 1;
        let stairs = Staircase {
            count: 1,
            width: fits(self.min.checked_mul(self.unit))?,
            slope: self.inference,
            offset: left,
            weight: -self.hops,
            height: self.block,
        };
        let blocks = |k: i128| fits(Staircase { count: k + 1, ..stairs }.peak());
        let room = |k: i128| -> Result<i128> {
            let left = fits(self.inference.checked_mul(k).and_then(|gained| gained.checked_add(left)))?;
            Ok(left / self.unit - fits(self.hops.checked_mul(k))?)
        };
        let crossed = |k: i128| -> Result<bool> { Ok(blocks(k)? >= room(k)?) };
        // The first k at which they have crossed lies in (below, above].
        let (mut below, mut above) = (-1, 0);
        while !crossed(above)? {
            below = above;
            above = fits(above.checked_mul(2))?.max(1);
        }
        while above - below > 1 {
            let middle = below + (above - below) / 2;
            if crossed(middle)? {
                above = middle;
            } else {
                below = middle;
            }
        }
        let at_crossing = room(above)?;
        let most = if below >= 0 { at_crossing.max(blocks(below)?) } else { at_crossing };
        Ok(self.block + most - before_first)
    }

    /// The maximum where the last block is shorter than H, after b of the shortest, or `best` if that is more.
    ///
    /// For each b that is a staircase in m. With b from ⌈(min−1)/(H−min)⌉ + 1 on blocks leave no gaps, and H comes last. No term from m
    /// on exceeds `⌈(m+1)·A + (1−r)·H⌉ − 1 − m·n·M`, which never rises.
    fn shorter_last(self, mut best: i128, steps: usize) -> Result<(i128, bool)> {
        let Self { min, block, hops, inference, ratio, unit } = self;
        let (least, waited) = (fits(ratio.checked_mul(min))?, fits(ratio.checked_mul(block))?);
        let width = fits(min.checked_mul(unit))?;
        let gaps = (min - 1 + block - min - 1) / (block - min);
        let spare = fits(block.checked_mul(unit - ratio))?;
        let mut m = least / inference;
        for _ in 0..steps {
            let until = fits(inference.checked_mul(m + 1))?;
            let bound = (fits(until.checked_add(spare))? - 1) / unit - fits(hops.checked_mul(m))?;
            let blocks = if until > waited { (until - waited - 1) / width + 1 } else { 0 };
            if bound <= best || blocks > gaps {
                return Ok((best, true));
            }
            // As long as h is a block, and no longer than H.
            let before = fits(width.checked_mul(blocks))?;
            let first = m.max(fits(before.checked_add(least))? / inference);
            let last = fits(before.checked_add(waited))? / inference - 1;
            if first <= last {
                let stairs = Staircase {
                    count: last - first + 1,
                    width: ratio,
                    slope: inference,
                    offset: fits(inference.checked_mul(first + 1))? - before - 1,
                    weight: -hops,
                    height: 1,
                };
                let samples = fits(min.checked_mul(blocks))? + fits(stairs.peak())?;
                best = best.max(samples - fits(hops.checked_mul(first))?);
            }
            m = last.max(m) + 1;
        }
        let until = fits(inference.checked_mul(m + 1))?;
        let bound = (fits(until.checked_add(spare))? - 1) / unit - fits(hops.checked_mul(m))?;
        Ok((bound.max(best), bound <= best))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_is_what_trying_finds() {
        const LONGEST: i128 = 60;
        let (mut tried, mut bounds) = (0, 0);
        for block in 3..=7 {
            for min in 2..block {
                let sums: Vec<i128> = (0..=LONGEST)
                    .filter(|x| (0..=LONGEST).any(|c| (c * min..=c * block).contains(x)))
                    .collect();
                for hops in [1, 2, 5, 8] {
                    for (unit, ratio) in [(1, 0), (1, 1), (3, 0), (3, 1), (3, 2)] {
                        for inference in 1..=hops * unit {
                            let range = Backlog { min, block, hops, inference, ratio, unit };
                            // W, as far as the sums go.
                            let longest = |y: i128| {
                                let last = |x| (min..=block).rev().find(|h| x * unit + ratio * h < y);
                                sums.iter().filter_map(|&x| last(x).map(|h| x + h)).max()
                            };
                            let depths = (LONGEST - block) * unit / inference;
                            let term = |m: i128| longest((m + 1) * inference).map(|most| most - m * hops);
                            let right = (0..depths).filter_map(term).max().unwrap_or(0).max(0);
                            assert_eq!(range.most().unwrap(), (right, true), "{range:?}");
                            tried += 1;
                            // A search that is cut off gives a bound, and says so unless it is the figure.
                            for steps in 0..3 {
                                let (bound, exact) = range.most_in(steps).unwrap();
                                assert!(
                                    if exact { bound == right } else { bound >= right },
                                    "{range:?} {steps}"
                                );
                                bounds += usize::from(!exact);
                            }
                        }
                    }
                }
            }
        }
        assert!(tried > 1000 && bounds > 100, "{tried} {bounds}");
    }
}
