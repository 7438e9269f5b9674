//! What happens when: the definition of the latency, played event by event.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::ops::Range;

use anira::Error;
use anira::latency::{LatencyQuery, Rational};

/// The callbacks after which a search for the one that decides gives up.
const MOST_CALLBACKS: usize = 20_000;
/// The inferences after which it does.
const MOST_INFERENCES: i128 = 100_000;

/// One inference. Times are in samples of the reference input stream since the first callback.
#[derive(Clone, Debug)]
pub(super) struct Inference {
    /// The callback that completes its hop and submits it.
    pub(super) submitted_by: usize,
    pub(super) start: Rational,
    pub(super) finish: Rational,
    /// The callback that hands its hop to the output stream.
    pub(super) collected_by: Option<usize>,
}

/// One callback: totals as it leaves them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Callback {
    pub(super) time: Rational,
    /// Samples that it brings.
    pub(super) block: Rational,
    pub(super) pushed: i128,
    pub(super) submitted: usize,
    pub(super) collected: usize,
    pub(super) handed_out: i128,
    /// Samples handed out that no collected result covers: zeros of the start.
    pub(super) short: i128,
}

/// The first callbacks of a session.
#[derive(Debug, Default)]
pub(super) struct Timeline {
    pub(super) callbacks: Vec<Callback>,
    pub(super) inferences: Vec<Inference>,
    /// The first callback that comes up short by the whole zero-fill.
    pub(super) decides: Option<usize>,
}

impl Timeline {
    /// Plays callbacks up to the first that falls short by `zero_fill`, and `after` more; or gives up after a number of them.
    /// They bring `blocks`, and host blocks from then on.
    pub(super) fn play(
        query: &LatencyQuery,
        blocks: &[Rational],
        zero_fill: i128,
        after: usize,
    ) -> Result<Self, Error> {
        let inference = query.max_inference.plus(query.scheduling_allowance)?.times(query.sample_rate)?;
        let hop_in = i128::from(query.hop_in);
        let hop_out = i128::from(query.output.hop_out);
        let out_per_in = Rational::new(hop_out, hop_in)?;
        let mut free: BinaryHeap<Reverse<Rational>> =
            (0..query.engines).map(|_| Reverse(Rational::ZERO)).collect();
        let mut timeline = Self::default();
        let mut collected = 0;
        let mut time = Rational::ZERO;
        for _ in 0..MOST_CALLBACKS {
            let index = timeline.callbacks.len();
            let block = blocks.get(index).copied().unwrap_or(query.host_block);
            let end = time.plus(block)?;
            let complete = end.floor() / hop_in;
            while i128::try_from(timeline.inferences.len()).is_ok_and(|submitted| submitted < complete) {
                let start = free.pop().map_or(time, |Reverse(free)| free.max(time));
                let finish = start.plus(inference)?;
                free.push(Reverse(finish));
                timeline.inferences.push(Inference {
                    submitted_by: index,
                    start,
                    finish,
                    collected_by: None,
                });
            }
            let until = time.plus(query.blocking_ratio.times(block)?)?;
            while let Some(done) = timeline.inferences.get_mut(collected).filter(|next| next.finish <= until)
            {
                done.collected_by = Some(index);
                collected += 1;
            }
            let handed_out = end.times(out_per_in)?.floor();
            let covered = i128::try_from(collected).unwrap_or(i128::MAX).saturating_mul(hop_out);
            let short = handed_out.saturating_sub(covered);
            timeline.callbacks.push(Callback {
                time,
                block,
                pushed: end.floor(),
                submitted: timeline.inferences.len(),
                collected,
                handed_out,
                short,
            });
            time = end;
            if timeline.decides.is_none() && short >= zero_fill {
                timeline.decides = Some(index);
            }
            let enough = timeline.decides.is_some_and(|decides| index >= decides + after);
            if enough || complete > MOST_INFERENCES {
                break;
            }
        }
        Ok(timeline)
    }

    /// The callbacks to look at, at most about `most`: from before the submission of the result that the deciding one lacks,
    /// to one after it.
    pub(super) fn window(&self, most: usize) -> Range<usize> {
        let last = self.callbacks.len().saturating_sub(1);
        let decides = self.decides.unwrap_or(last);
        let lacked = self.callbacks.get(decides).map_or(0, |callback| callback.collected);
        let submitted =
            self.inferences.get(lacked).map_or(decides, |inference| inference.submitted_by.min(decides));
        let first = submitted.saturating_sub(1).max((decides + 2).saturating_sub(most));
        first..(decides + 2).max(first + 4).min(last + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anira::latency::latency;

    #[test]
    fn the_callback_that_decides_is_found_and_nothing_before_it_needs_as_much() {
        let half = Rational::new(1, 2).unwrap();
        for (block, hop, ms, engines, ratio) in [
            (480u32, 512, 5, 1, Rational::ZERO),
            (480, 64, 1, 1, Rational::ZERO),
            (1000, 256, 5, 1, Rational::ZERO),
            (512, 480, 10, 1, Rational::ZERO),
            (64, 1024, 20, 1, Rational::ZERO),
            (512, 480, 15, 2, Rational::ZERO),
            (441, 150, 2, 1, half),
            (480, 512, 7, 1, half),
        ] {
            let seconds = Rational::new(ms, 1000).unwrap();
            let query =
                LatencyQuery::new(block, 48_000u32, hop, hop, seconds).engines(engines).blocking_ratio(ratio);
            let zero_fill = i128::from(latency(&query).unwrap().zero_fill());
            let timeline = Timeline::play(&query, &[], zero_fill, 50).unwrap();
            let decides = timeline.decides.unwrap();
            assert_eq!(timeline.callbacks[decides].short, zero_fill);
            assert!(timeline.callbacks[..decides].iter().all(|callback| callback.short < zero_fill));
            assert!(timeline.callbacks.iter().all(|callback| callback.short <= zero_fill));
        }
    }
}
