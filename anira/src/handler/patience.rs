//! How long a callback may still wait for results: [`Patience`].

#![deny(clippy::indexing_slicing)]

/// The agreed share of a callback's time. It is earned by the samples that the callback brings and spent by whatever output
/// streams it asks for: several of them wait no longer together than one alone. What is not spent is not kept for the next.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// Nanoseconds per sample of the stream that clocks the session.
    per_sample: f64,
    /// Nanoseconds that are left to this callback.
    left: f64,
    /// Whether this callback has asked for output: what comes in from then on belongs to the next.
    asked: bool,
}

impl Patience {
    /// `ratio` of the time of a sample, which lasts `nanos_per_sample`, per sample.
    pub(super) fn new(ratio: f64, nanos_per_sample: f64) -> Self {
        Self { per_sample: ratio * nanos_per_sample, left: 0.0, asked: false }
    }

    pub(super) fn reset(&mut self) {
        (self.left, self.asked) = (0.0, false);
    }

    /// The callback brings so many samples.
    pub(super) fn earn(&mut self, frames: usize) {
        if self.asked {
            self.reset();
        }
        self.left += frames as f64 * self.per_sample;
    }

    /// The callback asks for output.
    pub(super) fn ask(&mut self) {
        self.asked = true;
    }

    /// Nanoseconds that it may still wait.
    pub(super) fn left(&self) -> u64 {
        self.left as u64
    }

    /// It has waited, and so much is left.
    pub(super) fn keep(&mut self, nanos: u64) {
        self.left = nanos as f64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_callback_brings_is_what_it_may_wait_and_no_more() {
        let mut patience = Patience::new(0.5, 20.0);
        assert_eq!(patience.left(), 0, "nothing came in");
        // In two parts.
        patience.earn(60);
        patience.earn(40);
        patience.ask();
        assert_eq!(patience.left(), 1000);
        patience.keep(300);
        patience.ask();
        assert_eq!(patience.left(), 300, "another stream has what the first left");
        patience.earn(10);
        assert_eq!(patience.left(), 100, "what was left is not added to what the next may wait");
        (0..5).for_each(|_| {
            patience.ask();
            patience.earn(10);
        });
        assert_eq!(patience.left(), 100, "callbacks that need not wait save nothing up");
        patience.reset();
        assert_eq!(patience.left(), 0);
        assert_eq!(Patience::new(0.0, 20.0).left(), 0);
    }
}
