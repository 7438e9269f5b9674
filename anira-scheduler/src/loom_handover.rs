//! Loom models of [`Handover`]. Run by `cargo xtask loom`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test's failure")]

use loom::thread;

use crate::handover::Handover;
use crate::sync::{Arc, Track};

/// What stands on the two sides of one thing. Loom fails if two threads touch a side and are not one after the other.
struct Sides {
    handover: Handover,
    tracks: [Track; 2],
}

impl Sides {
    fn new() -> Arc<Self> {
        Arc::new(Self { handover: Handover::new(), tracks: [Track::default(), Track::default()] })
    }

    /// The control thread makes the spare side ready, if it is its own, and offers it.
    fn exchange(&self) -> bool {
        let spare = 1 - self.handover.side(0);
        let is_free = self.handover.is_free(0, spare);
        if is_free {
            self.tracks[spare].write();
            self.handover.offer(0, spare);
        }
        is_free
    }
}

/// An audio thread plays whatever is offered, hop by hop, while a control thread makes the other side ready: never a side that is
/// not ready, never one that is being made ready. Two hops, two exchanges.
#[test]
fn a_side_is_ready_before_it_is_played_and_left_before_it_is_changed() {
    loom::model(|| {
        let sides = Sides::new();
        let theirs = sides.clone();
        let control = thread::spawn(move || {
            theirs.exchange();
            theirs.exchange();
        });
        let mut seen = Handover::begin();
        for _ in 0..2 {
            seen = sides.handover.take(seen).unwrap_or(seen);
            sides.handover.play(seen, 1 << seen.side(0));
            sides.tracks[seen.side(0)].read();
        }
        control.join().unwrap();
    });
}

/// A control thread that takes its offer back either gets the side back, or the audio thread plays it.
#[test]
fn an_offer_is_taken_back_or_played() {
    loom::model(|| {
        let sides = Sides::new();
        let theirs = sides.clone();
        let control = thread::spawn(move || {
            assert!(theirs.exchange());
            let is_back = theirs.handover.take_back(0);
            if is_back {
                theirs.tracks[1].write();
                theirs.handover.offer(0, 1);
            }
        });
        let mut seen = Handover::begin();
        for _ in 0..2 {
            seen = sides.handover.take(seen).unwrap_or(seen);
            sides.handover.play(seen, 1 << seen.side(0));
            sides.tracks[seen.side(0)].read();
        }
        control.join().unwrap();
        seen = sides.handover.take(seen).unwrap_or(seen);
        assert_eq!(seen.side(0), 1, "offered in the end");
    });
}
