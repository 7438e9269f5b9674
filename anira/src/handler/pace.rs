//! When a stream whose results keep coming late gives up a hop, so that it is on time again: [`Pace`].

#![deny(clippy::indexing_slicing, clippy::panic, clippy::unreachable)]

/// Watches whether results keep coming late. Engines that are busy nearly all the time make up for a stall slowly, or never:
/// every hop is then heard in part, and delays the next; or one hop in each round of phases between blocks and hops is, if
/// they do not divide. One hop that is not run gives back its whole time.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pace {
    /// Results that may come late before a hop is given up.
    allowance: u64,
    /// So many results in a row that are on time, and those that were late are forgotten.
    memory: u64,
    /// Results that came late and are not forgotten.
    late: u64,
    /// Results that were on time since.
    on_time: u64,
    /// What came before this hop was given up says nothing about after.
    from: u64,
}

impl Pace {
    pub(super) fn new(allowance: u64, memory: u64) -> Self {
        Self { allowance, memory, ..Self::default() }
    }

    pub(super) fn reset(&mut self) {
        *self = Self::new(self.allowance, self.memory);
    }

    /// The result of a hop came, before its first sample was to be heard or after.
    pub(super) fn arrived(&mut self, hop: u64, is_late: bool) {
        if hop < self.from {
            return;
        }
        if is_late {
            (self.late, self.on_time) = (self.late + 1, 0);
        } else {
            self.on_time += 1;
            if self.on_time >= self.memory {
                self.late = 0;
            }
        }
    }

    /// Whether hop `next`, which is about to be submitted, is given up instead.
    pub(super) fn gives_up(&mut self, next: u64) -> bool {
        let gives_up = self.late > self.allowance;
        if gives_up {
            (self.late, self.on_time, self.from) = (0, 0, next + 1);
        }
        gives_up
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// At which of these hops, late or not, the hop that is two ahead is given up.
    fn given_up(allowance: u64, memory: u64, results: &[(u64, bool)]) -> Vec<u64> {
        let mut pace = Pace::new(allowance, memory);
        let mut given_up = Vec::new();
        for &(hop, is_late) in results {
            pace.arrived(hop, is_late);
            given_up.extend(pace.gives_up(hop + 2).then_some(hop));
        }
        given_up
    }

    fn all_late(hops: std::ops::Range<u64>) -> Vec<(u64, bool)> {
        hops.map(|hop| (hop, true)).collect()
    }

    #[test]
    fn a_late_result_now_and_then_is_borne() {
        assert!(given_up(1, 1, &[(5, true), (6, false), (7, true), (8, false), (9, true)]).is_empty());
        assert!(given_up(4, 1, &all_late(5..9)).is_empty());
    }

    #[test]
    fn one_after_the_other_costs_one_hop() {
        assert_eq!(given_up(1, 1, &all_late(5..7)), [6]);
        assert_eq!(given_up(4, 1, &all_late(5..10)), [9]);
    }

    #[test]
    fn the_next_is_given_up_only_after_the_first_had_its_effect() {
        // At hop 6, hop 8 is given up; 7 was submitted before, and 8 never comes.
        assert_eq!(given_up(1, 1, &[(5, true), (6, true), (7, true), (9, true)]), [6]);
        assert_eq!(given_up(1, 1, &[(5, true), (6, true), (7, true), (9, true), (10, true)]), [6, 10]);
    }

    #[test]
    fn late_results_are_remembered_for_a_round_of_phases() {
        let every_third: Vec<_> = (5..14).map(|hop| (hop, hop % 3 == 0)).collect();
        assert_eq!(given_up(1, 3, &every_third), [9]);
        assert!(given_up(1, 2, &every_third).is_empty(), "two on time, and it is forgotten");
    }

    #[test]
    fn a_reset_forgets() {
        let mut pace = Pace::new(0, 1);
        pace.arrived(1, true);
        pace.reset();
        assert!(!pace.gives_up(3));
        pace.arrived(0, true);
        assert!(pace.gives_up(2));
    }
}
