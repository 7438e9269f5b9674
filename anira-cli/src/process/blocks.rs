//! The sizes of a host's callbacks, one after the other.

use anira::BlockSize;

/// `--random-blocks SEED,MAX`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RandomBlocks {
    pub(crate) seed: u64,
    pub(crate) max: usize,
}

/// An endless sequence of block sizes, never 0.
#[derive(Clone, Debug)]
pub(super) enum Blocks {
    /// A list, over and over.
    List { sizes: Vec<usize>, next: usize },
    /// Drawn from 1 to `max`.
    Random { draw: fastrand::Rng, max: usize },
}

impl Blocks {
    pub(super) fn list(sizes: Vec<usize>) -> Self {
        Self::List { sizes, next: 0 }
    }

    pub(super) fn random(random: RandomBlocks) -> Self {
        Self::Random { draw: fastrand::Rng::with_seed(random.seed), max: random.max.max(1) }
    }

    /// What the host announces before it starts.
    pub(super) fn announced(&self) -> BlockSize {
        let (min, max) = match self {
            Self::Random { max, .. } => (1, *max),
            Self::List { sizes, .. } => {
                (sizes.iter().min().copied().unwrap_or(1), sizes.iter().max().copied().unwrap_or(1))
            }
        };
        if min == max { BlockSize::Fixed(max) } else { BlockSize::Varying { min, max } }
    }
}

impl Iterator for Blocks {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        let size = match self {
            Self::Random { draw, max } => draw.usize(1..=*max),
            Self::List { sizes, next } => {
                let size = sizes.get(*next).copied().unwrap_or(1);
                *next = (*next + 1) % sizes.len().max(1);
                size
            }
        };
        Some(size.max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_repeats_and_announces_its_extremes() {
        let blocks = Blocks::list(vec![64, 32, 100]);
        assert_eq!(blocks.announced(), BlockSize::Varying { min: 32, max: 100 });
        assert_eq!(blocks.take(5).collect::<Vec<_>>(), [64, 32, 100, 64, 32]);
        assert_eq!(Blocks::list(vec![7, 7]).announced(), BlockSize::Fixed(7));
    }

    #[test]
    fn a_seed_draws_the_same_again_and_all_sizes_come() {
        let draw = |seed| Blocks::random(RandomBlocks { seed, max: 5 }).take(200).collect::<Vec<_>>();
        assert_eq!(draw(3), draw(3));
        assert_ne!(draw(3), draw(4));
        let mut seen = draw(3);
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen, [1, 2, 3, 4, 5]);
        assert_eq!(
            Blocks::random(RandomBlocks { seed: 0, max: 9 }).announced(),
            BlockSize::Varying { min: 1, max: 9 }
        );
    }
}
