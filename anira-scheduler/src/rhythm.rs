//! When a session will submit next: its audio thread's own estimate, by which workers wake up in time.

#![deny(clippy::indexing_slicing, clippy::panic, clippy::unreachable)]

use anira_traits::Forecast;

/// Follows a session's submissions. Audio thread: a few additions per submission, no memory beyond this.
///
/// A phase-locked loop: the host's clock is steady, its callbacks jitter about it. The estimate moves by a quarter of each error,
/// so that one odd callback does not shift the next forecast by its whole error. Around the estimate lies a window
/// that follows the largest recent errors to either side.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Rhythm {
    /// The forecast for the submission now due; 0 if there was none.
    due: u64,
    /// How much too early and too late submissions have come of late, nanoseconds.
    early: u64,
    late: u64,
}

/// Errors beyond this part of the span, or this many nanoseconds, are a change of the host's mind, not jitter.
const GAP_SHARE: u64 = 4;
const GAP_FLOOR: u64 = 1_000_000;

/// A window reaches no further to either side than this part of the span: waiting awake has its price.
const MOST_SHARE: u64 = 64;

/// To be awake a little longer costs nothing while submissions come: they end the wait.
const LEAST_LATE: u64 = 10_000;

impl Rhythm {
    /// Takes note of a submission; the window in which the next one is likely, in nanoseconds.
    pub(crate) fn submitted(&mut self, forecast: Forecast) -> Option<(u64, u64)> {
        let Forecast { now, next } = forecast;
        let Some(span) = next.and_then(|next| next.checked_sub(now)) else {
            self.due = 0;
            return None;
        };
        let error = now.abs_diff(self.due);
        let phase = if self.due == 0 || error > (span / GAP_SHARE).max(GAP_FLOOR) {
            // The first one, or a gap: suspended, moved, clock or blocks changed. Begin anew from here.
            now
        } else if now < self.due {
            self.early = envelope(self.early, error);
            self.late = envelope(self.late, 0);
            self.due - error / 4
        } else {
            self.late = envelope(self.late, error);
            self.early = envelope(self.early, 0);
            self.due + error / 4
        };
        self.due = phase.saturating_add(span);
        let most = span / MOST_SHARE;
        let (early, late) = (self.early.min(most), self.late.max(LEAST_LATE).min(most));
        Some((self.due.saturating_sub(early), self.due.saturating_add(late)))
    }
}

/// Rises at once by half of what is new, falls by a 256th: close to the largest of the last hundreds.
fn envelope(last: u64, new: u64) -> u64 {
    if new > last { last + (new - last) / 2 + 1 } else { last - (last - new) / 256 }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test's failure")]

    use super::*;

    const SPAN: u64 = 2_666_667;

    fn at(now: u64) -> Forecast {
        Forecast { now, next: Some(now + SPAN) }
    }

    /// A generator of jitter, the same in every run.
    fn noise(seed: &mut u64) -> u64 {
        *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        *seed >> 33
    }

    #[test]
    fn a_steady_host_is_foretold_to_the_microsecond() {
        let mut rhythm = Rhythm::default();
        let mut window = (0, 0);
        for k in 1..50u64 {
            if k > 2 {
                assert!((window.0..=window.1).contains(&(k * SPAN)), "{k}: {window:?}");
            }
            window = rhythm.submitted(at(k * SPAN)).unwrap();
        }
        assert!(window.1 - window.0 < 11_000, "{window:?}");
    }

    #[test]
    fn jitter_widens_the_window_until_it_holds_nearly_all() {
        let (mut rhythm, mut seed, mut inside) = (Rhythm::default(), 1, 0);
        let mut window = (0, 0);
        for k in 1..1_000u64 {
            let now = 1_000_000 + k * SPAN + noise(&mut seed) % 40_000;
            inside += u64::from(k > 100 && (window.0..=window.1).contains(&now));
            window = rhythm.submitted(at(now)).unwrap();
        }
        assert!(inside > 800, "{inside} of 899 inside");
        assert!(window.1 - window.0 < 80_000, "{window:?}");
    }

    #[test]
    fn after_a_gap_of_minutes_or_a_jump_of_the_clock_the_next_forecast_is_a_span_away() {
        let mut rhythm = Rhythm::default();
        (1..100).for_each(|k| assert!(rhythm.submitted(at(k * SPAN)).is_some()));
        let calm = rhythm;
        for now in [600_000_000_000, 50 * SPAN, 102 * SPAN + SPAN / 2] {
            let mut rhythm = calm;
            for k in 1..4 {
                let window = rhythm.submitted(at(now + (k - 1) * SPAN)).unwrap();
                let due = now + k * SPAN;
                assert!(
                    due - 1_000 < window.0 && window.1 < due + 11_000,
                    "no memory of the gap: {window:?}"
                );
            }
        }
    }

    #[test]
    fn who_foretells_nothing_is_not_expected() {
        let mut rhythm = Rhythm::default();
        assert_eq!(rhythm.submitted(Forecast { now: 5, next: None }), None);
        assert_eq!(rhythm.submitted(Forecast { now: 5, next: Some(4) }), None);
        assert!(rhythm.submitted(Forecast { now: u64::MAX, next: Some(u64::MAX) }).is_some());
    }
}
