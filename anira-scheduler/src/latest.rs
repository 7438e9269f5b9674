//! A value of several words, published by the audio thread, read by anyone: a sequence lock over atomic words.

#![deny(clippy::indexing_slicing, clippy::panic, clippy::unreachable)]

use crate::sync::{AtomicU64, Ordering, fence, mutated};

/// The latest value of `len` words. The writer is wait-free and alone; readers retry while it writes.
#[derive(Debug)]
pub struct Latest {
    /// Odd while a write is going on.
    sequence: AtomicU64,
    words: Box<[AtomicU64]>,
}

impl Latest {
    /// `len` zeros. Allocates.
    #[must_use]
    pub fn new(len: usize) -> Self {
        Self { sequence: AtomicU64::new(0), words: (0..len).map(|_| AtomicU64::new(0)).collect() }
    }

    /// Publishes a value. One thread at a time (the audio thread); wait-free.
    pub fn publish(&self, words: impl IntoIterator<Item = u64>) {
        let before = self.sequence.load(Ordering::Relaxed);
        self.sequence.store(before.wrapping_add(1), Ordering::Relaxed);
        // Pairs with the fence in `read`: who sees a word of this write sees the odd sequence too.
        fence(Ordering::Release);
        self.words.iter().zip(words).for_each(|(word, value)| word.store(value, Ordering::Relaxed));
        // Pairs with the acquire in `read`: who sees the even sequence sees all words.
        self.sequence.store(before.wrapping_add(2), Ordering::Release);
    }

    /// How often a value was published so far. Any thread; wait-free.
    #[must_use]
    pub fn count(&self) -> u64 {
        // Relaxed: it hands nothing over. Who then reads looks at this word again, and sees at least the same count.
        self.sequence.load(Ordering::Relaxed) / 2
    }

    /// How often a value was published, and the words of the latest. Any thread but the audio thread: it repeats while a
    /// write is going on.
    #[must_use]
    pub fn read(&self) -> (u64, Vec<u64>) {
        loop {
            if let Some(value) = self.try_read() {
                return value;
            }
            std::hint::spin_loop();
        }
    }

    /// As [`read`](Self::read), or `None` while a write is going on.
    pub(crate) fn try_read(&self) -> Option<(u64, Vec<u64>)> {
        let mut words = vec![0; self.words.len()];
        let count = self.try_read_into(|i, word| {
            if let Some(to) = words.get_mut(i) {
                *to = word;
            }
        })?;
        Some((count, words))
    }

    /// Hands each word of the latest value to `into` and says how often a value was published; `None` while a write is going
    /// on: what `into` got then is worth nothing. Any thread; wait-free.
    pub fn try_read_into(&self, mut into: impl FnMut(usize, u64)) -> Option<u64> {
        // Pairs with the release in `publish`.
        let before = self.sequence.load(Ordering::Acquire);
        self.words.iter().enumerate().for_each(|(i, word)| into(i, word.load(Ordering::Relaxed)));
        // Pairs with the fence in `publish`.
        if !mutated("read-without-fence") {
            fence(Ordering::Acquire);
        }
        let unchanged = before.is_multiple_of(2) && before == self.sequence.load(Ordering::Relaxed);
        unchanged.then_some(before / 2)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn readers_never_see_a_torn_value() {
        let latest = Latest::new(8);
        std::thread::scope(|scope| {
            let reader = scope.spawn(|| {
                let mut last = 0;
                while last < 50_000 {
                    let (count, words) = latest.read();
                    assert!(words.iter().all(|w| *w == count), "{count}: {words:?}");
                    assert!(count >= last);
                    last = count;
                }
            });
            let mut n = 0;
            while !reader.is_finished() {
                n += 1;
                latest.publish([n; 8]);
            }
        });
    }
}
