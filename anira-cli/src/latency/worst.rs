//! Varying blocks in an order that needs the whole latency: what `docs/latency.md` says of varying blocks, constructed.

use anira::latency::{Blocks, LatencyQuery, Rational};
use anira::{Error, ErrorKind};

/// The most queueing depths that are looked at.
const DEEPEST: i128 = 4096;
/// The most hops after which blocks may end where they have to.
const LATEST: i128 = 100_000;
/// The most blocks.
const MOST_BLOCKS: i128 = 20_000;

/// Whole samples from `min` to `max`: what a callback may bring.
#[derive(Clone, Copy, Debug)]
struct Range {
    min: i128,
    max: i128,
}

/// Blocks from the least to the host block in whole samples, the last of which needs the whole zero-fill.
///
/// The first end one sample before a hop M is complete; the next ones last for x samples; then comes h, with x + r·h below
/// (m+1)·A: inference m·n is not there, and M − 1 + x + h − m·n·M samples are wanting. x, h and m are those with the most.
///
/// # Errors
/// [`ErrorKind::Unsupported`] for blocks that are no whole samples, and where the order is too long to be shown or none is known.
pub(super) fn sequence(query: &LatencyQuery, zero_fill: i128) -> Result<Vec<Rational>, Error> {
    let unsupported = |message: &str| Error::new(ErrorKind::Unsupported, message.to_owned());
    let range = match query.blocks {
        Blocks::Varying { min } if min.is_integer() && query.host_block.is_integer() => {
            Range { min: min.num(), max: query.host_block.num() }
        }
        _ => return Err(unsupported("varying blocks are drawn if they are whole samples")),
    };
    let (hop, hop_out) = (i128::from(query.hop_in), i128::from(query.output.hop_out));
    let hops = hop * i128::from(query.engines);
    let inference = query.max_inference.plus(query.scheduling_allowance)?.times(query.sample_rate)?;
    let enough = |samples: i128| samples * hop_out / hop >= zero_fill;
    let parts = if enough(hop - 1) {
        // Nothing that waits for its hop would do.
        Vec::new()
    } else {
        let first = query.blocking_ratio.times(Rational::new(range.min, 1)?)?.over(inference)?.floor();
        let mut found = None;
        for m in first..first + DEEPEST {
            let until = inference.times(Rational::new(m + 1, 1)?)?;
            for (before, last) in range.longest(query.blocking_ratio, until)?.into_iter().flatten() {
                if found.is_none() && enough(hop - 1 + before + last - m * hops) {
                    found = Some(vec![before, last]);
                }
            }
            if found.is_some() {
                break;
            }
        }
        found.ok_or_else(|| unsupported("no order of these blocks is known to need the whole latency"))?
    };
    // Sums of blocks leave gaps at first, but not for ever.
    let start = (1..=LATEST).map(|i| i * hop - 1).find(|&samples| range.has_sum(samples));
    let start =
        start.ok_or_else(|| unsupported("blocks that hardly vary take too many callbacks to be drawn"))?;
    let mut blocks = Vec::new();
    for samples in std::iter::once(start).chain(parts) {
        if i128::try_from(blocks.len()).unwrap_or(i128::MAX) + samples / range.max >= MOST_BLOCKS {
            return Err(unsupported("these blocks take too many callbacks to be drawn"));
        }
        range.split(samples, &mut blocks);
    }
    Ok(blocks)
}

impl Range {
    /// Candidates for x and h with the largest sum and x + r·h below `until`: the largest block after as many as fit, or one block
    /// more before a shorter one.
    fn longest(self, ratio: Rational, until: Rational) -> Result<[Option<(i128, i128)>; 2], Error> {
        let below = |samples: Rational| samples.ceil() - 1;
        let left = below(until.minus(ratio.times(Rational::new(self.max, 1)?)?)?);
        let count = if left >= 0 { left / self.min } else { -1 };
        let after_most = (left >= 0).then_some((left.min(count * self.max), self.max));
        let before = (count + 1) * self.min;
        let rest = until.minus(Rational::new(before, 1)?)?;
        let last = match rest > Rational::ZERO && !ratio.is_zero() {
            true => below(rest.over(ratio)?).min(self.max),
            false => 0,
        };
        Ok([after_most, (last >= self.min).then_some((before, last))])
    }

    /// Whether blocks can be so long together.
    fn has_sum(self, samples: i128) -> bool {
        (samples + self.max - 1) / self.max * self.min <= samples
    }

    /// Adds blocks that are so long together, which they can be, the longest first.
    fn split(self, samples: i128, blocks: &mut Vec<Rational>) {
        let mut left = samples;
        for still in (0..(samples + self.max - 1) / self.max).rev() {
            let block = self.max.min(left - still * self.min);
            blocks.extend(Rational::new(block, 1));
            left -= block;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::timeline::Timeline;
    use super::*;
    use anira::latency::latency;

    #[test]
    fn the_sequence_needs_the_whole_latency() {
        let mut checked = 0;
        for block in [1u32, 2, 4, 7, 48, 64, 100, 512] {
            for hop in [1u64, 5, 64, 100, 512] {
                for engines in [1, 2, 3] {
                    for ratio in [(0, 1), (1, 3), (1, 1)] {
                        for (share, min) in [
                            (0, 1),
                            (1, 1),
                            (30, 1),
                            (77, 1),
                            (99, 1),
                            (100, 1),
                            (0, 3),
                            (20, 2),
                            (60, 5),
                            (99, 40),
                            (100, 7),
                        ] {
                            let samples = i128::from(hop * engines) * share;
                            let query = LatencyQuery::new(
                                block,
                                48_000u32,
                                hop,
                                hop,
                                Rational::new(samples, 4_800_000).unwrap(),
                            )
                            .engines(engines)
                            .blocking_ratio(Rational::new(ratio.0, ratio.1).unwrap())
                            .blocks(Blocks::Varying { min: Rational::from(min) });
                            // With blocks of one length there is nothing to choose from.
                            if block <= min {
                                continue;
                            }
                            let answer = latency(&query).unwrap();
                            assert!(answer.exact, "{query:?}");
                            let zero_fill = i128::from(answer.zero_fill());
                            let blocks = sequence(&query, zero_fill).unwrap();
                            let range = Rational::from(min)..=Rational::from(block);
                            assert!(
                                blocks.iter().all(|block| range.contains(block)),
                                "{query:?}: {blocks:?}"
                            );
                            let timeline = Timeline::play(&query, &blocks, zero_fill, 5).unwrap();
                            let worst = timeline.callbacks.iter().map(|callback| callback.short).max();
                            assert_eq!(worst, Some(zero_fill), "{query:?}");
                            checked += 1;
                        }
                    }
                }
            }
        }
        assert!(checked > 1500, "{checked}");
    }

    #[test]
    fn the_example_of_the_document() {
        let three_ms = Rational::new(3, 1000).unwrap();
        let query = LatencyQuery::new(512u32, 48_000u32, 512, 512, three_ms);
        let any = query.clone().blocks(Blocks::Varying { min: Rational::ONE });
        assert_eq!(sequence(&any, 1166).unwrap(), [511u32, 143, 512].map(Rational::from));
        // No 511 samples in blocks of 300 or more but in one; and no further block fits into the inference.
        let longer = query.clone().blocks(Blocks::Varying { min: Rational::from(300u32) });
        assert_eq!(sequence(&longer, 1023).unwrap(), [511u32, 512].map(Rational::from));
        // 1023 samples are none of 400 to 511: blocks end there only a hop later.
        let narrow = LatencyQuery::new(511u32, 48_000u32, 256, 256, three_ms);
        let narrow = narrow.blocks(Blocks::Varying { min: Rational::from(300u32) });
        assert_eq!(sequence(&narrow, 766).unwrap()[0], Rational::from(511u32), "255 are less than a block");
        let refused = |query: LatencyQuery, figure| sequence(&query, figure).unwrap_err().kind();
        assert_eq!(refused(any, 1167), ErrorKind::Unsupported, "nothing needs more than the latency");
        let decimals = Blocks::Varying { min: Rational::new(3, 2).unwrap() };
        assert_eq!(refused(query.blocks(decimals), 100), ErrorKind::Unsupported);
    }
}
