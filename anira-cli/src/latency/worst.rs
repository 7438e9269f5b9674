//! Varying blocks in an order that needs the whole latency: what `docs/latency.md` says of varying blocks, constructed.

use anira::latency::{Blocks, LatencyQuery, Rational};
use anira::{Error, ErrorKind};

/// The most queueing depths that are looked at.
const DEEPEST: i128 = 4096;

/// Blocks of 1 to the host block in whole samples, the last of which needs the whole zero-fill.
///
/// The first end one sample before a hop M is complete; the next ones last for x samples; then comes h, with x + r·h below
/// (m+1)·A: inference m·n is not there, and M − 1 + x + h − m·n·M samples are wanting. x, h and m are those with the most.
///
/// # Errors
/// [`ErrorKind::Unsupported`] for other varying blocks.
pub(super) fn sequence(query: &LatencyQuery) -> Result<Vec<Rational>, Error> {
    let whole = query.host_block.is_integer();
    if query.blocks != (Blocks::Varying { min: Rational::ONE }) || !whole {
        let message = "varying blocks are drawn if they are whole samples and --min-block is 1";
        return Err(Error::new(ErrorKind::Unsupported, message).at("svg"));
    }
    let (block, hop) = (query.host_block.num(), i128::from(query.hop_in));
    let hops = hop * i128::from(query.engines);
    let ratio = query.blocking_ratio;
    let inference = query.max_inference.plus(query.scheduling_allowance)?.times(query.sample_rate)?;
    // The most wanting without a queue: what waits for its hop.
    let (mut most, mut best) = (0, None);
    for m in 0..DEEPEST {
        let until = inference.times(Rational::new(m + 1, 1)?)?;
        let below = |time: Rational| time.ceil() - 1;
        let longest = if ratio.is_zero() { block } else { block.min(below(until.over(ratio)?)) };
        if until.is_zero() {
            break;
        }
        if longest < 1 {
            continue;
        }
        let before = below(until.minus(ratio.times(Rational::new(longest, 1)?)?)?);
        let wanting = before + longest - m * hops;
        if before >= 0 && wanting > most {
            (most, best) = (wanting, Some((before, longest)));
        }
        // Each further depth gains at most A and costs n hops.
        if longest == block && m * hops > most + block {
            break;
        }
    }
    let mut blocks = Vec::new();
    let mut play = |samples: i128| -> Result<(), Error> {
        let mut left = samples;
        while left > 0 {
            blocks.push(Rational::new(left.min(block), 1)?);
            left -= left.min(block);
        }
        Ok(())
    };
    play(hop - 1)?;
    if let Some((before, last)) = best {
        play(before)?;
        play(last)?;
    }
    Ok(blocks)
}

#[cfg(test)]
mod tests {
    use super::super::timeline::Timeline;
    use super::*;
    use anira::latency::latency;

    #[test]
    fn the_sequence_needs_the_whole_latency() {
        let mut checked = 0;
        for block in [1u32, 2, 7, 48, 64, 100, 512] {
            for hop in [1u64, 5, 64, 100, 512] {
                for engines in [1, 2, 3] {
                    for ratio in [(0, 1), (1, 3), (1, 1)] {
                        for share in [0, 1, 30, 77, 99, 100] {
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
                            .blocks(Blocks::Varying { min: Rational::ONE });
                            // With blocks of one sample there is nothing to choose from.
                            if block == 1 {
                                continue;
                            }
                            let zero_fill = i128::from(latency(&query).unwrap().zero_fill());
                            let timeline =
                                Timeline::play(&query, &sequence(&query).unwrap(), zero_fill, 5).unwrap();
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
        let blocks = sequence(&query.blocks(Blocks::Varying { min: Rational::ONE })).unwrap();
        assert_eq!(blocks, [511u32, 143, 512].map(Rational::from));
    }
}
