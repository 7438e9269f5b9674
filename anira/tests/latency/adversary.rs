//! The worst that varying blocks can do, found by going through every state that any sequence of them reaches.

use std::collections::HashSet;

use crate::simulation::Fraction;

/// A session and its host, in steps of a sample or, with hop and blocks scaled, of a part of one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Adversary {
    pub(crate) min: i64,
    pub(crate) max: i64,
    pub(crate) hop: i64,
    pub(crate) inference: Fraction,
    pub(crate) engines: usize,
    pub(crate) ratio: Fraction,
}

/// The worst over all sequences.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Worst {
    /// Steps pushed and not collected, after a callback.
    pub(crate) lag: i64,
    /// Inferences submitted and not collected, before a callback collects.
    pub(crate) slots: i64,
    /// The states that were looked at.
    pub(crate) states: usize,
}

/// Between two callbacks: steps towards the next hop, and how long each inference that is not collected still takes.
type State = (u8, Vec<u8>);

impl Adversary {
    pub(crate) fn worst(self) -> Worst {
        let unit = self.inference.1 * self.ratio.1;
        let takes = self.inference.0 * self.ratio.1;
        let mut worst = Worst::default();
        let mut seen: HashSet<State> = HashSet::from([State::default()]);
        let mut open = vec![State::default()];
        while let Some((phase, running)) = open.pop() {
            for block in self.min..=self.max {
                let mut running: Vec<i64> = running.iter().copied().map(i64::from).collect();
                let pushed = i64::from(phase) + block;
                for _ in 0..pushed / self.hop {
                    // In order and all equally long: the engine that is free next is that of the n-th last inference.
                    let free = running.len().checked_sub(self.engines).map_or(0, |index| running[index]);
                    running.push(free + takes);
                }
                worst.slots = worst.slots.max(running.len() as i64);
                let wait = self.ratio.0 * self.inference.1 * block;
                let done = running.iter().take_while(|&&left| left <= wait).count();
                running.drain(..done);
                let phase = pushed % self.hop;
                worst.lag = worst.lag.max(running.len() as i64 * self.hop + phase);
                let byte = |value: i64| u8::try_from(value).unwrap();
                let left = running.iter().map(|left| byte((left - block * unit).max(0))).collect();
                let state = (byte(phase), left);
                if !seen.contains(&state) {
                    seen.insert(state.clone());
                    open.push(state);
                }
            }
        }
        Worst { states: seen.len(), ..worst }
    }
}
