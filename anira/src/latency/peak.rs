//! The maximum of a line plus a staircase, in as many steps as Euclid's algorithm takes.

/// What `weight·x + height·⌊(slope·x + offset) / width⌋` is made of.
#[derive(Clone, Copy, Debug)]
pub(super) struct Staircase {
    /// x runs over `0..count`; 1 or more.
    pub(super) count: i128,
    /// The divisor; 1 or more.
    pub(super) width: i128,
    /// 0 or more.
    pub(super) slope: i128,
    /// 0 or more.
    pub(super) offset: i128,
    /// What each x weighs.
    pub(super) weight: i128,
    /// What each step weighs.
    pub(super) height: i128,
}

impl Staircase {
    /// The largest value; `None` if some intermediate result overflows.
    ///
    /// Whole multiples of the width go into the line and a constant. Then there is at most one step per x. Where line and
    /// stairs pull the same way, an end is best. Where they don't, the best x within a step is its last (if the line
    /// rises) or its first (if it falls); that x is again a staircase in the number of the step, with slope and width
    /// exchanged: the pair shrinks as in Euclid's algorithm.
    pub(super) fn peak(self) -> Option<i128> {
        let Self { mut count, mut width, mut slope, mut offset, mut weight, mut height } = self;
        let mut base = 0i128;
        let mut best: Option<i128> = None;
        loop {
            weight = weight.checked_add(height.checked_mul(slope / width)?)?;
            base = base.checked_add(height.checked_mul(offset / width)?)?;
            (slope, offset) = (slope % width, offset % width);
            let last = count - 1;
            let steps = slope.checked_mul(last)?.checked_add(offset)? / width;
            let at_last =
                weight.checked_mul(last)?.checked_add(height.checked_mul(steps)?)?.checked_add(base)?;
            best = best.max(Some(base.max(at_last)));
            if steps == 0 || weight == 0 || height == 0 || (weight > 0) == (height > 0) {
                return best;
            }
            // Step y = 0, 1, … ends at x = ⌊(width·(y+1) − offset − 1) / slope⌋, and step y+1 starts one later.
            let end = width - offset - 1;
            if weight > 0 {
                offset = end;
            } else {
                offset = end.checked_add(slope)?;
                base = base.checked_add(height)?;
            }
            (count, width, slope) = (steps, slope, width);
            (weight, height) = (height, weight);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn by_trying(s: Staircase) -> i128 {
        (0..s.count).map(|x| s.weight * x + s.height * ((s.slope * x + s.offset) / s.width)).max().unwrap()
    }

    #[test]
    fn peaks_equal_those_found_by_trying() {
        let mut tried = 0;
        for count in [1, 2, 3, 7, 20] {
            for width in 1..9 {
                for slope in 0..2 * width {
                    for offset in [0, 1, width / 2, width - 1, width, 2 * width + 1] {
                        for weight in -6..=6 {
                            for height in [-9, -5, -1, 0, 1, 2, 7] {
                                let s = Staircase { count, width, slope, offset, weight, height };
                                assert_eq!(s.peak(), Some(by_trying(s)), "{s:?}");
                                tried += 1;
                            }
                        }
                    }
                }
            }
        }
        assert!(tried > 150_000, "{tried}");
    }

    #[test]
    fn long_ranges_take_no_longer_and_overflow_is_told() {
        let s = Staircase {
            count: 1 << 40,
            width: 1_000_000_007,
            slope: 999_999_937,
            offset: 5,
            weight: -999_999,
            height: 1_000_000,
        };
        assert!(s.peak().is_some());
        assert_eq!(Staircase { height: i128::MAX, ..s }.peak(), None);
    }
}
