//! Exchanging what the audio thread has played while it plays: [`Handover`].

use crate::sync::{AtomicU64, Ordering, ordering};

/// The most things that one handover knows.
pub const MAX_THINGS: usize = 8;

/// Said by the audio thread: it has seen this word.
const TAKEN: u64 = 1 << MAX_THINGS;
/// The lowest bit of the count that tells one word from the next.
const COUNT: u64 = TAKEN << 1;

/// Each of a few things has two sides; the audio thread plays one, and meanwhile a control thread may make the other one ready and
/// offer it. Nothing is waited for, and nothing is freed, on the audio thread.
///
/// Two words. `offered` names the side of each thing, and is changed by compare-and-swap: by the control thread to offer a side or to
/// take an offer back, by the audio thread to say that it has seen it. `played` says which offer the audio thread goes by, and which
/// sides it may yet have played; it alone writes it. A side is the control thread's if it is not offered, the newest offer is the one
/// that the audio thread goes by, and it is not among those played. What workers do with slots submitted before is another matter:
/// who takes a side over waits for them.
#[derive(Debug)]
pub struct Handover {
    offered: AtomicU64,
    played: AtomicU64,
}

/// What the audio thread goes by: the side of each thing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Offer(u64);

impl Offer {
    /// The side of a thing, 0 or 1.
    #[must_use]
    pub fn side(self, thing: usize) -> usize {
        (self.0 >> thing & 1) as usize
    }

    fn count(self) -> u64 {
        self.0 / COUNT
    }

    /// An offer that nobody has seen, with a count of its own: of the same sides, but for those of these bits.
    fn turned(self, things: u64) -> u64 {
        ((self.0 & !TAKEN) ^ things).wrapping_add(COUNT)
    }
}

impl Default for Handover {
    fn default() -> Self {
        Self { offered: AtomicU64::new(TAKEN), played: AtomicU64::new(0) }
    }
}

impl Handover {
    /// The first side of everything is offered and taken; none is played yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// What to go by at the beginning.
    #[must_use]
    pub fn begin() -> Offer {
        Offer(TAKEN)
    }

    /// The newest offer, which is taken by this; `None` if it is the one that is gone by already. Audio thread; wait-free.
    pub fn take(&self, seen: Offer) -> Option<Offer> {
        // Relaxed: only whether there is anything new; the acquire below counts.
        if self.offered.load(Ordering::Relaxed) == seen.0 {
            return None;
        }
        // Acquire pairs with the release in `offer`: what was made ready for a side is seen by who plays it.
        let order = ordering("take-offer-relaxed", Ordering::Acquire);
        Some(Offer(self.offered.fetch_or(TAKEN, order) | TAKEN))
    }

    /// From now on the audio thread goes by this offer, and may have these sides played: bit `2 * thing + side`. To be said before
    /// anything is submitted that names a side. Audio thread; wait-free.
    pub fn play(&self, offer: Offer, sides: u64) {
        // Release pairs with the acquire in `is_free`: slots that name sides which are not played any more have been published.
        let order = ordering("play-relaxed", Ordering::Release);
        self.played.store(offer.count() << (2 * MAX_THINGS) | sides, order);
    }

    /// The side that is offered. Control thread.
    #[must_use]
    pub fn side(&self, thing: usize) -> usize {
        Offer(self.offered.load(Ordering::Relaxed)).side(thing)
    }

    /// Whether the newest offer has been taken. Control thread.
    #[must_use]
    pub fn is_taken(&self) -> bool {
        self.offered.load(Ordering::Relaxed) & TAKEN != 0
    }

    /// Whether the audio thread will not have this side played, unless it is offered (again), by the newest offer. Control thread.
    #[must_use]
    pub fn is_free(&self, thing: usize, side: usize) -> bool {
        self.is_at_rest(|offered, sides| offered.side(thing) != side && sides & 1 << (2 * thing + side) == 0)
    }

    /// Whether the audio thread goes by the newest offer and yet plays the other side of this thing, and nothing else: it found what
    /// was offered unfit. Where it plays more than that it is on its way to something else. Control thread.
    #[must_use]
    pub fn is_refused(&self, thing: usize) -> bool {
        self.is_at_rest(|offered, sides| sides == 1 << (2 * thing + 1 - offered.side(thing)))
    }

    fn is_at_rest(&self, holds: impl Fn(Offer, u64) -> bool) -> bool {
        // Acquire pairs with the release in `play`.
        let played = self.played.load(Ordering::Acquire);
        let offered = Offer(self.offered.load(Ordering::Relaxed));
        let mask = (1 << (2 * MAX_THINGS)) - 1;
        let counts = mask_count(offered.count()) == played >> (2 * MAX_THINGS);
        (counts || crate::sync::mutated("free-before-the-offer-is-seen")) && holds(offered, played & mask)
    }

    /// Offers this side of a thing, which may be the one that was offered before and [refused](Self::is_refused). Control thread,
    /// one at a time.
    pub fn offer(&self, thing: usize, side: usize) {
        let things = if self.side(thing) == side { 0 } else { 1 << thing };
        let mut now = self.offered.load(Ordering::Relaxed);
        loop {
            // Release pairs with the acquire in `take`.
            let release = ordering("offer-relaxed", Ordering::Release);
            match self.offered.compare_exchange(now, Offer(now).turned(things), release, Ordering::Relaxed) {
                Ok(_) => return,
                // Only the audio thread is beside us, and takes an offer once: it ends.
                Err(newer) => now = newer,
            }
        }
    }

    /// Takes an offer back that the audio thread has not seen: the side of before is offered again. `false`: it was seen. Control
    /// thread, one at a time; only for a thing that was offered since [`is_taken`](Self::is_taken) held last.
    #[must_use]
    pub fn take_back(&self, thing: usize) -> bool {
        let now = self.offered.load(Ordering::Relaxed);
        // Relaxed on success, but for the release: nothing of the audio thread's is taken over, it never saw the offer.
        let untaken = now & TAKEN == 0 || crate::sync::mutated("take-back-what-was-seen");
        untaken
            && self
                .offered
                .compare_exchange(now, Offer(now).turned(1 << thing), Ordering::Release, Ordering::Relaxed)
                .is_ok()
    }
}

fn mask_count(count: u64) -> u64 {
    count & (u64::MAX >> (2 * MAX_THINGS))
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_side_is_free_only_when_the_audio_thread_has_left_it() {
        let (handover, mut seen) = (Handover::new(), Handover::begin());
        handover.play(seen, 0b0101);
        assert_eq!(handover.take(seen), None);
        assert!(handover.is_free(0, 1) && !handover.is_free(0, 0) && handover.is_free(1, 1));
        handover.offer(0, 1 - handover.side(0));
        assert!(!handover.is_free(0, 0) && !handover.is_taken(), "nobody has seen it");
        seen = handover.take(seen).unwrap();
        assert_eq!((seen.side(0), seen.side(1), handover.is_taken()), (1, 0, true));
        assert!(!handover.is_free(0, 0));
        handover.play(seen, 0b0111);
        assert!(!handover.is_free(0, 0), "a fade goes on");
        handover.play(seen, 0b0110);
        assert!(handover.is_free(0, 0) && !handover.is_free(0, 1) && !handover.is_refused(0));
        assert_eq!(handover.take(seen), None);
    }

    #[test]
    fn an_offer_is_taken_back_until_it_is_seen() {
        let (handover, mut seen) = (Handover::new(), Handover::begin());
        handover.play(seen, 1);
        handover.offer(0, 1 - handover.side(0));
        assert!(handover.take_back(0));
        handover.offer(0, 1 - handover.side(0));
        seen = handover.take(seen).unwrap();
        assert_eq!(seen.side(0), 1);
        assert!(!handover.take_back(0));
        handover.play(seen, 1);
        assert!(handover.is_refused(0), "it goes on with what it had");
        handover.play(seen, 0b101);
        assert!(!handover.is_refused(0), "it may be leaving for another");
        handover.play(seen, 1);
        handover.offer(0, 1);
        assert!(!handover.is_refused(0) && !handover.is_taken());
        let next = handover.take(seen).unwrap();
        assert_eq!(next.side(0), 1, "the same side again");
    }

    #[test]
    fn the_count_goes_round() {
        let handover = Handover { offered: AtomicU64::new(!0xff), played: AtomicU64::new(0) };
        let mut seen = Offer(!0xff);
        handover.play(seen, 1);
        assert!(handover.is_free(0, 1));
        handover.offer(0, 1 - handover.side(0));
        seen = handover.take(seen).unwrap();
        handover.play(seen, 0b10);
        assert!(handover.is_free(0, 0));
    }
}
