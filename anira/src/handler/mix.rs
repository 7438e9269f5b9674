//! Which engines answer a hop, and how they are mixed: [`Mix`], which a slot carries to its worker.

/// The most engines of one session.
pub(super) const MAX_ENGINES: usize = anira_scheduler::MAX_THINGS;

/// An engine's part in a hop.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Cue {
    /// The engine by its number in the handler.
    pub(super) engine: usize,
    /// Where it is found: at `2 * engine`, or beside it if it was exchanged.
    pub(super) place: usize,
    /// 0 since the stream began; else a number of its own for every time that the engine joined in later.
    pub(super) joined: u64,
}

/// How two engines are heard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Way {
    /// The first alone; the second hears the stream and is not heard yet.
    #[default]
    First,
    /// So many samples of the fade from the first to the second are done, in samples of output stream 0; it goes on or back.
    Fade { at: usize, up: bool },
}

/// Who answers a hop.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Mix {
    pub(super) first: Cue,
    pub(super) second: Option<Cue>,
    pub(super) way: Way,
    /// Who answers if the first cannot, where nobody knows yet whether it can.
    pub(super) backup: Option<Cue>,
}

/// What became of a [`Mix`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Outcome {
    pub(super) first_failed: bool,
    pub(super) second_failed: bool,
    /// Every state is what it was before, bit for bit; only where the slot asked.
    pub(super) at_rest: bool,
}

/// A cross-fade in samples of one output stream.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fade {
    len: usize,
    at: usize,
    up: bool,
}

impl Fade {
    /// The fade of an output stream of hop `hop`, of one that is `len` samples long in output stream 0, whose hop is `reference`.
    pub(super) fn new(len: usize, at: usize, up: bool, hop: usize, reference: usize) -> Self {
        let scaled = |samples: usize| (samples as u128 * hop as u128 / reference.max(1) as u128) as usize;
        // The ends of a fade are ends in every stream.
        let at = if at >= len { scaled(len).max(1) } else { scaled(at) };
        Self { len: scaled(len).max(1), at, up }
    }

    /// How far the second engine is faded in at sample `i` of the hop: 0 to the fade's length.
    fn share(&self, i: usize) -> usize {
        if self.up { (self.at + i + 1).min(self.len) } else { self.at.saturating_sub(i + 1) }
    }

    /// Mixes one channel of a hop of the second engine into that of the first.
    pub(super) fn mix(&self, first: &mut [f32], second: &[f32]) {
        for (i, (first, second)) in first.iter_mut().zip(second).enumerate() {
            *first = match self.share(i) {
                0 => *first,
                share if share == self.len => *second,
                share => *first + (*second - *first) * (share as f32 / self.len as f32),
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mixed(fade: Fade, hop: usize) -> Vec<f32> {
        let mut first = vec![0.0; hop];
        fade.mix(&mut first, &vec![8.0; hop]);
        first
    }

    #[test]
    fn a_fade_goes_on_from_hop_to_hop_and_back() {
        let at = |at, up| mixed(Fade::new(8, at, up, 4, 4), 4);
        assert_eq!(at(0, true), [1.0, 2.0, 3.0, 4.0]);
        assert_eq!(at(4, true), [5.0, 6.0, 7.0, 8.0]);
        assert_eq!(at(6, true), [7.0, 8.0, 8.0, 8.0]);
        assert_eq!(at(6, false), [5.0, 4.0, 3.0, 2.0]);
        assert_eq!(at(2, false), [1.0, 0.0, 0.0, 0.0]);
    }

    #[test]
    fn a_stream_of_another_rate_fades_in_the_same_time() {
        assert_eq!(
            mixed(Fade::new(8, 4, true, 8, 4), 8),
            [4.5, 5.0, 5.5, 6.0, 6.5, 7.0, 7.5, 8.0],
            "twice as many samples"
        );
        assert_eq!(mixed(Fade::new(8, 4, true, 2, 4), 2), [6.0, 8.0]);
        assert_eq!(mixed(Fade::new(3, 3, false, 1, 4), 1), [0.0], "shorter than a sample: a cut");
    }

    #[test]
    fn the_ends_are_the_engines_themselves() {
        let mut first = vec![f32::MAX, -f32::MAX];
        Fade::new(1, 0, true, 2, 2).mix(&mut first, &[-f32::MAX, 0.1]);
        assert_eq!(first, [-f32::MAX, 0.1]);
        let mut first = vec![0.3];
        Fade::new(1, 1, false, 1, 1).mix(&mut first, &[0.7]);
        assert_eq!(first, [0.3]);
    }
}
