//! The word that says who owns a slot: an index and a phase, changed together.

#![deny(clippy::indexing_slicing, clippy::panic, clippy::unreachable)]

/// What a slot is in. The comments name the owner of the slot's contents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Phase {
    /// Audio thread: may be filled.
    Free = 0,
    /// Nobody: published, not claimed. Only here may the audio thread take it back.
    Submitted = 1,
    /// A worker, which also reads the slot's windows on the input history.
    Reading = 2,
    /// A worker, which has copied its windows: the history may be overwritten.
    Running = 3,
    /// Audio thread: results are in.
    Done = 4,
    /// Audio thread: there are no results.
    Failed = 5,
}

/// One value of the state word: the index the slot was last published as, and its [`Phase`].
///
/// The index makes a claim exact: a worker that was late for index `i` cannot take the same slot's later index for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct State {
    pub(crate) index: u64,
    pub(crate) phase: Phase,
}

const PHASE_BITS: u32 = 3;

impl State {
    pub(crate) fn new(index: u64, phase: Phase) -> Self {
        Self { index, phase }
    }

    pub(crate) fn word(self) -> u64 {
        self.index << PHASE_BITS | self.phase as u64
    }

    pub(crate) fn of(word: u64) -> Self {
        let phase = match word & ((1 << PHASE_BITS) - 1) {
            0 => Phase::Free,
            1 => Phase::Submitted,
            2 => Phase::Reading,
            3 => Phase::Running,
            4 => Phase::Done,
            _ => Phase::Failed,
        };
        Self { index: word >> PHASE_BITS, phase }
    }

    /// Whether a worker owns the slot.
    pub(crate) fn is_claimed(self) -> bool {
        matches!(self.phase, Phase::Reading | Phase::Running)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_keep_index_and_phase() {
        for phase in
            [Phase::Free, Phase::Submitted, Phase::Reading, Phase::Running, Phase::Done, Phase::Failed]
        {
            for index in [0, 1, 7, 8, 1 << 40, (1 << 61) - 1] {
                assert_eq!(State::of(State::new(index, phase).word()), State::new(index, phase));
            }
        }
    }
}
