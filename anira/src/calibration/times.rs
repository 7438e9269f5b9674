//! Percentiles of measured times, and how far to trust them: [`Times`].

/// Samples of samples; 5 of them lie outside of the interval on either side.
const RESAMPLES: usize = 200;

/// A percentile of measured times. Nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Figure {
    /// The percentile.
    pub nanos: u64,
    /// Where 95 % of what might as well have been measured begins (a bootstrap of 200 resamples, the same for the same times).
    pub low: u64,
    /// Where it ends.
    pub high: u64,
}

/// A distribution of times.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Times {
    /// How many there are.
    pub count: usize,
    /// Half of all are no longer.
    pub p50: Figure,
    /// 99 in 100 are no longer.
    pub p99: Figure,
    /// 999 in 1000 are no longer.
    pub p999: Figure,
    /// None was longer.
    pub max: Figure,
}

const SHARES: [f64; 4] = [0.5, 0.99, 0.999, 1.0];

impl Times {
    /// The distribution of these times, in any order.
    #[must_use]
    pub fn of(nanos: &[u64]) -> Self {
        let mut sorted = nanos.to_vec();
        sorted.sort_unstable();
        let count = sorted.len();
        if count == 0 {
            return Self::default();
        }
        let mut resampled = SHARES.map(|_| Vec::with_capacity(RESAMPLES));
        let mut random = numbers(count as u64);
        let mut drawn = vec![0u32; count];
        for _ in 0..RESAMPLES {
            drawn.fill(0);
            for _ in 0..count {
                // Below `count`: the high half of a product with it.
                let at = ((u128::from(random()) * count as u128) >> 64) as usize;
                drawn[at] += 1;
            }
            let (mut seen, mut at) = (0, 0);
            for (share, of_share) in SHARES.iter().zip(&mut resampled) {
                let rank = rank(count, *share);
                while seen + (drawn[at] as usize) < rank {
                    seen += drawn[at] as usize;
                    at += 1;
                }
                of_share.push(sorted[at]);
            }
        }
        let [p50, p99, p999, max] = std::array::from_fn(|i| {
            let of_share = &mut resampled[i];
            of_share.sort_unstable();
            let tail = RESAMPLES / 40;
            Figure {
                nanos: sorted[rank(count, SHARES[i]) - 1],
                low: of_share[tail],
                high: of_share[RESAMPLES - 1 - tail],
            }
        });
        Self { count, p50, p99, p999, max }
    }
}

/// The number, from 1, of the time that this share of all does not exceed.
fn rank(count: usize, share: f64) -> usize {
    ((count as f64 * share).ceil() as usize).clamp(1, count)
}

pub(super) fn median(nanos: &[u64]) -> u64 {
    quantile(nanos, 2)
}

/// The time that so many quarters of all do not exceed.
pub(super) fn quantile(nanos: &[u64], quarters: usize) -> u64 {
    let mut sorted = nanos.to_vec();
    let at = (sorted.len() * quarters).div_ceil(4).saturating_sub(1);
    if at < sorted.len() { *sorted.select_nth_unstable(at).1 } else { 0 }
}

/// Numbers of 64 bits, the same for the same seed (splitmix64).
pub(super) fn numbers(seed: u64) -> impl FnMut() -> u64 {
    let mut state = seed;
    move || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}
