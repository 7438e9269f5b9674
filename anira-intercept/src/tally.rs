//! The numbers while they are counted. What writes here may stand inside of `malloc`: no allocation, no lock.

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use crate::{Counts, Kind};

/// A number per kind that every thread may raise.
type Numbers = [AtomicU64; Kind::COUNT];

/// Something is being counted.
static OPEN: AtomicBool = AtomicBool::new(false);
/// The system's number of the thread that is being counted.
static THREAD: AtomicU32 = AtomicU32::new(0);
/// What that thread did.
static MINE: Numbers = [const { AtomicU64::new(0) }; Kind::COUNT];
/// What the others did.
static OTHERS: Numbers = [const { AtomicU64::new(0) }; Kind::COUNT];

thread_local! {
    /// This is the thread that is being counted. Without a destructor and made of a constant: nothing is allocated for it.
    static COUNTED: Cell<bool> = const { Cell::new(false) };
}

/// Counts one of this kind on the calling thread. Any thread; wait-free.
pub(crate) fn add(kind: Kind) {
    if OPEN.load(Ordering::Relaxed) {
        let mine = COUNTED.try_with(Cell::get).unwrap_or(false);
        raise(if mine { &MINE } else { &OTHERS }, kind);
    }
}

/// Counts one of this kind for another thread, by the system's number.
pub(crate) fn add_for(thread: u32, kind: Kind) {
    if OPEN.load(Ordering::Acquire) {
        let mine = THREAD.load(Ordering::Relaxed) == thread;
        raise(if mine { &MINE } else { &OTHERS }, kind);
    }
}

fn raise(numbers: &Numbers, kind: Kind) {
    numbers[kind as usize].fetch_add(1, Ordering::Relaxed);
}

/// While it lives, all that happens is counted, and what the calling thread does is told apart.
pub(crate) struct Open;

impl Open {
    /// Starts at zero. One at a time in the process: the caller sees to it.
    pub(crate) fn new(thread: u32) -> Self {
        MINE.iter().chain(&OTHERS).for_each(|number| number.store(0, Ordering::Relaxed));
        THREAD.store(thread, Ordering::Relaxed);
        COUNTED.set(true);
        OPEN.store(true, Ordering::Release);
        Self
    }

    /// What has been counted so far: this thread's, the others'.
    pub(crate) fn read(&self) -> (Counts, Counts) {
        let read =
            |numbers: &Numbers| Counts::new(std::array::from_fn(|i| numbers[i].load(Ordering::Relaxed)));
        (read(&MINE), read(&OTHERS))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        OPEN.store(false, Ordering::Release);
        COUNTED.set(false);
    }
}
