//! One inference after the other: the first, the second, and what remains.

use crate::{Counted, Counts, Kind};

/// What a series of runs did, each counted by itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Series {
    /// Who ran.
    pub engine: String,
    /// What was run.
    pub model: String,
    /// Each run, in order.
    pub runs: Vec<Counted>,
}

impl Series {
    /// Runs before the state is called steady.
    pub const UNSTEADY: usize = 2;

    /// What the first run did, by its own thread.
    #[must_use]
    pub fn first(&self) -> Option<Counts> {
        self.runs.first().map(|run| run.mine)
    }

    /// What the second run did.
    #[must_use]
    pub fn second(&self) -> Option<Counts> {
        self.runs.get(1).map(|run| run.mine)
    }

    /// What a run does from the third on: the median of each kind, the lower one of two.
    #[must_use]
    pub fn steady(&self) -> Option<Counts> {
        self.late(|numbers| numbers.get((numbers.len() - 1) / 2).copied())
    }

    /// The most that a run does from the third on, kind by kind.
    #[must_use]
    pub fn steady_most(&self) -> Option<Counts> {
        self.late(|numbers| numbers.last().copied())
    }

    /// All that other threads did during the runs.
    #[must_use]
    pub fn others(&self) -> Counts {
        self.runs.iter().fold(Counts::default(), |sum, run| sum + run.others)
    }

    /// The kinds that a run still does after the first one.
    #[must_use]
    pub fn after_first(&self) -> Vec<Kind> {
        let later = self.runs.iter().skip(1);
        Kind::ALL.into_iter().filter(|kind| later.clone().any(|run| run.mine[*kind] > 0)).collect()
    }

    /// Takes one number of each kind's, which are in order of size.
    fn late(&self, take: impl Fn(&[u64]) -> Option<u64>) -> Option<Counts> {
        let late = self.runs.get(Self::UNSTEADY..).filter(|late| !late.is_empty())?;
        Some(Counts::new(Kind::ALL.map(|kind| {
            let mut numbers: Vec<u64> = late.iter().map(|run| run.mine[kind]).collect();
            numbers.sort_unstable();
            take(&numbers).unwrap_or(0)
        })))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(mallocs: &[u64]) -> Series {
        let run = |n: &u64| {
            let mut numbers = [0; Kind::COUNT];
            (numbers[Kind::Malloc as usize], numbers[Kind::Free as usize]) = (*n, 1);
            Counted { mine: Counts::new(numbers), others: Counts::new(numbers) }
        };
        Series { runs: mallocs.iter().map(run).collect(), ..Series::default() }
    }

    #[test]
    fn first_second_and_what_remains() {
        let series = series(&[100, 50, 7, 9, 7, 30]);
        let malloc = |counts: Option<Counts>| counts.map(|counts| counts[Kind::Malloc]);
        assert_eq!(malloc(series.first()), Some(100));
        assert_eq!(malloc(series.second()), Some(50));
        assert_eq!(malloc(series.steady()), Some(7));
        assert_eq!(malloc(series.steady_most()), Some(30));
        assert_eq!(series.others()[Kind::Malloc], 203);
        assert_eq!(series.after_first(), [Kind::Malloc, Kind::Free]);
    }

    #[test]
    fn short_series_have_no_steady_state() {
        assert_eq!((series(&[]).first(), series(&[1]).second()), (None, None));
        assert_eq!((series(&[1, 2]).steady(), series(&[1, 2]).steady_most()), (None, None));
        assert!(series(&[1]).after_first().is_empty());
    }
}
