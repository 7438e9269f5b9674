//! Who of a band's workers is awake: an event count by which a submission wakes a worker if, and only if, nobody is looking.
//!
//! A worker either *searches*, *runs* a slot, or *sleeps* on its own seat. A submission that finds a searcher makes no system
//! call: the searcher will find it. If nobody searches and somebody sleeps, it wakes one. Each side writes before it reads, with
//! a SeqCst fence between, so of "published, then looked for searchers" and "stopped searching, then looked for work" at
//! least one sees the other. The last searcher to leave for a slot looks back, and wakes another worker if there is more.

#![deny(clippy::indexing_slicing, clippy::panic, clippy::unreachable)]

use std::time::Duration;

use crossbeam_utils::CachePadded;

use crate::sync::{AtomicU32, AtomicU64, Ordering, Seat, fence, mutated};

/// The most seats of a band: one bit each.
pub(crate) const MAX_SEATS: usize = 64;

#[derive(Debug)]
pub(crate) struct Watch {
    /// Workers that are awake and look for work.
    searching: CachePadded<AtomicU32>,
    /// One bit per seat: its worker sleeps, may be woken, and nobody has woken it yet.
    asleep: CachePadded<AtomicU64>,
    /// The seat, plus one, of the worker that minds the clock; 0 if nobody does. The others sleep until they are woken.
    clock: CachePadded<AtomicU32>,
    seats: Box<[CachePadded<Seat>]>,
}

/// How a worker sleeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sleep {
    /// At most this long; `None`: until woken.
    pub(crate) at_most: Option<Duration>,
    /// Whether a submission may wake it. A worker that may not be woken has to come back by itself.
    pub(crate) wakeable: bool,
}

impl Watch {
    pub(crate) fn new(seats: usize) -> Self {
        Self {
            searching: CachePadded::default(),
            asleep: CachePadded::default(),
            clock: CachePadded::default(),
            seats: (0..seats.min(MAX_SEATS)).map(|_| CachePadded::default()).collect(),
        }
    }

    /// Called after publishing and a SeqCst fence. Audio thread: one load; one futex call if nobody searches and somebody sleeps.
    pub(crate) fn notify(&self) {
        if self.searching.load(Ordering::Relaxed) == 0 {
            self.wake_one();
        }
    }

    /// Fetches the line that [`notify`](Self::notify) looks at.
    pub(crate) fn glance(&self) {
        std::hint::black_box(self.searching.load(Ordering::Relaxed));
    }

    /// Wakes one sleeper, if there is one. Wait-free: a seat is tried once.
    fn wake_one(&self) {
        // Relaxed, here and below: the fences order what matters, and the seat's own word hands over the rest.
        let mut asleep = self.asleep.load(Ordering::Relaxed);
        while asleep != 0 {
            let bit = asleep & asleep.wrapping_neg();
            // Whoever clears the bit has the duty to wake, so that one sleeper costs one call.
            let before = self.asleep.fetch_and(!bit, Ordering::Relaxed);
            if before & bit != 0 {
                if let Some(seat) = self.seats.get(bit.trailing_zeros() as usize) {
                    seat.wake();
                }
                return;
            }
            asleep = before & asleep & !bit;
        }
    }

    /// Wakes all workers, also those who are about to sleep. Control thread. The tokens carry what was done before, and who takes
    /// one looks for work behind a fence of its own before it sleeps again: there is none here.
    pub(crate) fn wake_all(&self) {
        self.asleep.store(0, Ordering::Relaxed);
        self.seats.iter().for_each(|seat| seat.wake());
    }

    /// This worker looks for work from now on.
    pub(crate) fn begin_search(&self) {
        self.searching.fetch_add(1, Ordering::Relaxed);
    }

    /// This worker stops looking, because it found a slot or ends. If nobody looks any more and `more` finds work (or the clock
    /// has to be minded by somebody else: `hand_over`), another is woken.
    pub(crate) fn end_search(&self, hand_over: bool, more: impl FnOnce() -> bool) {
        let last = self.searching.fetch_sub(1, Ordering::Relaxed) == 1;
        // Pairs with the fence before `notify`.
        fence(Ordering::SeqCst);
        let somebody_sleeps = || self.asleep.load(Ordering::Relaxed) != 0;
        if hand_over || last && !mutated("run-without-a-look-back") && somebody_sleeps() && more() {
            self.wake_one();
        }
    }

    /// Sleeps on a seat, unless `ready` finds something to do. The worker searches before and after.
    pub(crate) fn sleep(&self, seat: usize, how: Sleep, ready: impl FnOnce() -> bool) {
        let Some(place) = self.seats.get(seat) else { return };
        let bit = if how.wakeable { 1 << seat } else { 0 };
        self.asleep.fetch_or(bit, Ordering::Relaxed);
        self.searching.fetch_sub(1, Ordering::Relaxed);
        // Pairs with the fence before `notify`.
        if !mutated("sleep-without-fence") {
            fence(Ordering::SeqCst);
        }
        if mutated("sleep-without-a-look") || !ready() {
            place.wait(how.at_most);
        }
        self.searching.fetch_add(1, Ordering::Relaxed);
        if bit != 0 {
            // Somebody may have cleared it already and be about to wake this seat: then one sleep more ends early.
            self.asleep.fetch_and(!bit, Ordering::Relaxed);
        }
    }

    /// Whether this seat's worker minds the clock: the only one who sleeps by time. It keeps the post until it gives it up.
    pub(crate) fn minds_clock(&self, seat: usize) -> bool {
        let me = seat as u32 + 1;
        // Relaxed: if two find nobody there the swap decides; nothing is handed over.
        self.clock.load(Ordering::Relaxed) == me
            || self.clock.compare_exchange(0, me, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    /// Gives up minding the clock. Returns whether this seat had the post.
    pub(crate) fn leave_clock(&self, seat: usize) -> bool {
        self.clock.compare_exchange(seat as u32 + 1, 0, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    /// Whether a worker minds the clock.
    #[cfg(all(test, not(loom)))]
    pub(crate) fn is_clock_minded(&self) -> bool {
        self.clock.load(Ordering::Relaxed) != 0
    }

    /// Workers that look for work at this moment.
    #[cfg(all(test, not(loom)))]
    pub(crate) fn searchers(&self) -> u32 {
        self.searching.load(Ordering::Relaxed)
    }
}
