//! Values that cross between control threads and the audio thread: parameters in, readings out.

#![deny(clippy::indexing_slicing, clippy::panic, clippy::unreachable)]

use anira_scheduler::{Latest, Mailbox};

use crate::bind::{ParameterBinding, ReadingBinding};

/// A parameter's way from any thread to the audio thread.
#[derive(Debug)]
pub(super) struct Parameter {
    pub(super) name: String,
    mailbox: Mailbox,
    /// What the audio thread took last, for the next audio half of the session.
    applied: Latest,
    default: Vec<f64>,
}

/// A reading's way from the audio thread to any thread.
#[derive(Debug)]
pub(super) struct Reading {
    pub(super) name: String,
    pub(super) latest: Latest,
}

impl Parameter {
    pub(super) fn new(binding: &ParameterBinding) -> Self {
        let len = binding.default.len();
        Self {
            name: binding.name.clone(),
            mailbox: Mailbox::new(len),
            applied: Latest::new(len),
            default: binding.default.clone(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.default.len()
    }

    /// Any thread; lock-free. `false`: too many threads set it at this moment.
    pub(super) fn set(&self, values: &[f64]) -> bool {
        self.mailbox.set(values.iter().map(|v| v.to_bits()))
    }

    /// The values in force. Not on the audio thread.
    pub(super) fn current(&self) -> Vec<f64> {
        match self.applied.read() {
            (0, _) => self.default.clone(),
            (_, words) => words.into_iter().map(f64::from_bits).collect(),
        }
    }

    /// Brings `values` up to date: with what was set since, or with what another audio half of the session took. Audio
    /// thread; wait-free.
    pub(super) fn take(&self, values: &mut Values) {
        let now = &mut values.now;
        let taken = self.mailbox.take(|i, word| store(now, i, word));
        if taken {
            self.applied.publish(now.iter().map(|v| v.to_bits()));
            values.seen = self.applied.count();
        } else if self.applied.count() != values.seen {
            let next = &mut values.next;
            if let Some(count) = self.applied.try_read_into(|i, word| store(next, i, word)) {
                std::mem::swap(&mut values.now, &mut values.next);
                values.seen = count;
            }
        }
    }
}

/// A parameter's values as one audio half has them.
#[derive(Clone, Debug)]
pub(super) struct Values {
    pub(super) now: Box<[f64]>,
    next: Box<[f64]>,
    /// How often a value had been applied when `now` was read.
    seen: u64,
}

impl Values {
    pub(super) fn new(now: Vec<f64>) -> Self {
        let now = now.into_boxed_slice();
        Self { next: now.clone(), now, seen: 0 }
    }
}

fn store(values: &mut [f64], index: usize, word: u64) {
    if let Some(value) = values.get_mut(index) {
        *value = f64::from_bits(word);
    }
}

impl Reading {
    pub(super) fn new(binding: &ReadingBinding) -> Self {
        Self { name: binding.name.clone(), latest: Latest::new(binding.len) }
    }

    /// Audio thread; wait-free.
    pub(super) fn publish(&self, values: &[f64]) {
        self.latest.publish(values.iter().map(|v| v.to_bits()));
    }

    /// The values of the last inference that was heard; `None` before the first.
    pub(super) fn read(&self) -> Option<Vec<f64>> {
        match self.latest.read() {
            (0, _) => None,
            (_, words) => Some(words.into_iter().map(f64::from_bits).collect()),
        }
    }
}
