//! A value of several words, set by any thread, taken by the audio thread: only the newest counts, and none is ever torn.

#![deny(clippy::indexing_slicing, clippy::panic, clippy::unreachable)]

use crate::sync::{AtomicU64, Ordering, Track, ordering};

/// How many versions can be in somebody's hands at once: the newest, the one being read, and one per concurrent writer.
const CELLS: usize = 8;

/// The newest value of `len` words. Writers are lock-free, the reader is wait-free.
///
/// Each version lives in a cell; a bit in `free` says that nobody uses it. A writer claims a free cell, fills it and
/// swaps it in as `newest`, freeing the one that was there; the reader swaps `newest` out, copies, and frees it. So a cell has
/// one user at a time, and every change of user goes through `newest` or `free`, each a release and an acquire.
#[derive(Debug)]
pub struct Mailbox {
    cells: Box<[Cell]>,
    free: AtomicU64,
    /// Index + 1 of the cell with the newest value that nobody has taken; 0 if there is none.
    newest: AtomicU64,
}

/// One version. Its words are atomic because Rust would otherwise want `unsafe`; `track` has loom treat them as if they were not.
#[derive(Debug)]
struct Cell {
    words: Box<[AtomicU64]>,
    track: Track,
}

impl Mailbox {
    /// A mailbox for values of `len` words, with nothing in it. Allocates.
    #[must_use]
    pub fn new(len: usize) -> Self {
        let words = || (0..len).map(|_| AtomicU64::new(0)).collect();
        let cell = || Cell { words: words(), track: Track::default() };
        Self {
            cells: (0..CELLS).map(|_| cell()).collect(),
            free: AtomicU64::new((1 << CELLS) - 1),
            newest: AtomicU64::new(0),
        }
    }

    /// The number of words.
    #[must_use]
    #[allow(clippy::len_without_is_empty, reason = "a mailbox's width is not a count of messages")]
    pub fn len(&self) -> usize {
        self.cells.first().map_or(0, |cell| cell.words.len())
    }

    /// Sets the value; missing words keep what the cell held before, so give all. Any thread; lock-free, no allocation.
    /// `false`: seven other writers are in here at this moment and nothing was set.
    pub fn set(&self, words: impl IntoIterator<Item = u64>) -> bool {
        let claimed = self.free.fetch_update(
            // Acquire pairs with the releases below: the last user of the cell is done with it.
            Ordering::Acquire,
            Ordering::Relaxed,
            |free| (free != 0).then(|| free & (free - 1)),
        );
        let Ok(before) = claimed else { return false };
        let at = before.trailing_zeros() as usize;
        if let Some(cell) = self.cells.get(at) {
            cell.track.write();
            // Relaxed: the swap below hands them over.
            cell.words.iter().zip(words).for_each(|(word, value)| word.store(value, Ordering::Relaxed));
        }
        // Release hands the words over, to `take`; acquire takes over the cell of the value that nobody will read any more from
        // the `set` that filled it.
        let old = self.newest.swap(at as u64 + 1, Ordering::AcqRel);
        self.put_back(old);
        true
    }

    /// Takes the newest value, if one came since the last call. Audio thread; wait-free.
    pub fn take(&self, mut into: impl FnMut(usize, u64)) -> bool {
        // Acquire pairs with the release in `set`.
        let newest = self.newest.swap(0, ordering("take-relaxed", Ordering::Acquire));
        let Some(cell) = newest.checked_sub(1).and_then(|at| self.cells.get(at as usize)) else {
            return false;
        };
        cell.track.read();
        // Relaxed: the cell is this thread's own until it is put back.
        cell.words.iter().enumerate().for_each(|(i, word)| into(i, word.load(Ordering::Relaxed)));
        self.put_back(newest);
        true
    }

    fn put_back(&self, at_plus_one: u64) {
        if let Some(at) = at_plus_one.checked_sub(1) {
            // Release pairs with the acquire of who claims the cell next.
            self.free.fetch_or(1 << at, Ordering::Release);
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicBool;

    fn taken(mailbox: &Mailbox) -> Option<Vec<u64>> {
        let mut value = vec![0; mailbox.len()];
        let mut put = |i: usize, word| value.get_mut(i).into_iter().for_each(|v| *v = word);
        mailbox.take(&mut put).then_some(value)
    }

    #[test]
    fn only_the_newest_value_is_taken_and_only_once() {
        let mailbox = Mailbox::new(2);
        assert_eq!(taken(&mailbox), None);
        for i in 0..100 {
            assert!(mailbox.set([i, i + 1]));
        }
        assert_eq!(taken(&mailbox), Some(vec![99, 100]));
        assert_eq!(taken(&mailbox), None);
    }

    #[test]
    fn values_of_many_writers_are_never_torn() {
        let mailbox = Mailbox::new(16);
        let stop = AtomicBool::new(false);
        let mut seen = 0;
        std::thread::scope(|scope| {
            for writer in 0..3u64 {
                let (mailbox, stop) = (&mailbox, &stop);
                scope.spawn(move || {
                    let mut n = 0;
                    while !stop.load(Ordering::Relaxed) {
                        assert!(mailbox.set([writer << 32 | n; 16]), "three writers always find a cell");
                        n += 1;
                    }
                });
            }
            for _ in 0..200_000 {
                if let Some(value) = taken(&mailbox) {
                    assert!(value.iter().all(|word| *word == value[0]), "{value:x?}");
                    seen += 1;
                }
                std::hint::spin_loop();
            }
            stop.store(true, Ordering::Relaxed);
        });
        assert!(seen > 0, "the writers wrote");
    }
}
