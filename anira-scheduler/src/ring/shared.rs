//! What both sides of a ring share: slots, histories, executors, two counters. And the workers' side: [`Claim`].

#![deny(clippy::indexing_slicing, clippy::panic, clippy::unreachable)]
#![allow(unsafe_code, reason = "slots and executors change hands by their state words")]

use anira_traits::{Head, Span, Windows};
use crossbeam_utils::CachePadded;

use super::history::{History, StreamShape};
use super::state::{Phase, State};
use crate::sync::{AtomicBool, AtomicU64, Ordering, UnsafeCell, fence, mutated, ordering};

/// What a slot says of itself. Written by the audio thread before it publishes, read by the worker that claims.
#[derive(Clone, Debug, Default)]
pub struct Header {
    /// Raised by every reset; results of an older one are never heard.
    pub generation: u64,
    /// The number of the hop within its generation.
    pub hop: u64,
    /// When it was submitted and when its output is needed, in nanoseconds of the session's clock.
    pub times: Head,
    /// Per input stream: where its window ends, and the first position that is not silence.
    pub(super) windows: Box<[WindowAt]>,
}

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct WindowAt {
    pub(super) origin: u64,
    pub(super) end: u64,
}

pub(super) struct Slot<T> {
    /// [`State`]; see PROTOCOL.md for who may move it where.
    pub(super) state: AtomicU64,
    /// Hints for the scan, in nanoseconds of the session's clock.
    pub(super) deadline: AtomicU64,
    pub(super) submitted: AtomicU64,
    pub(super) header: UnsafeCell<Header>,
    pub(super) payload: UnsafeCell<T>,
}

pub(super) struct Executor<X> {
    /// Taken by compare-and-swap, given back by a release store. Never given back by a withheld executor.
    busy: AtomicBool,
    cell: UnsafeCell<X>,
}

/// The shared part of a ring; workers hold it by reference or `Arc`. `T` is what a slot carries, `X` what runs it.
pub struct Ring<T, X> {
    pub(super) slots: Box<[CachePadded<Slot<T>>]>,
    pub(super) histories: Box<[History]>,
    executors: Box<[CachePadded<Executor<X>>]>,
    healthy: AtomicU64,
    /// Indices published. Written by the audio thread alone.
    pub(super) submitted: CachePadded<AtomicU64>,
    /// Indices claimed (or passed over as void). Moved by workers with compare-and-swap.
    claimed: CachePadded<AtomicU64>,
}

// SAFETY: `T` and `Header` are touched by one thread at a time, as the state word says; `X` by the holder of its `busy` flag.
// Both are moved between threads, hence `Send`; neither is ever shared, hence no `Sync`.
unsafe impl<T: Send, X: Send> Sync for Ring<T, X> {}
// SAFETY: as above; owning the ring owns its contents.
unsafe impl<T: Send, X: Send> Send for Ring<T, X> {}

impl<T, X> Ring<T, X> {
    pub(super) fn new(
        streams: &[StreamShape],
        payloads: impl IntoIterator<Item = T>,
        executors: impl IntoIterator<Item = X>,
    ) -> Self {
        let windows = vec![WindowAt::default(); streams.len()].into_boxed_slice();
        let slot = |payload| {
            CachePadded::new(Slot {
                state: AtomicU64::new(State::new(0, Phase::Free).word()),
                deadline: AtomicU64::new(0),
                submitted: AtomicU64::new(0),
                header: UnsafeCell::new(Header { windows: windows.clone(), ..Header::default() }),
                payload: UnsafeCell::new(payload),
            })
        };
        let executors: Box<[_]> = executors
            .into_iter()
            .map(|x| CachePadded::new(Executor { busy: AtomicBool::new(false), cell: UnsafeCell::new(x) }))
            .collect();
        Self {
            slots: payloads.into_iter().map(slot).collect(),
            histories: streams.iter().map(|shape| History::new(*shape)).collect(),
            healthy: AtomicU64::new(executors.len() as u64),
            executors,
            submitted: CachePadded::new(AtomicU64::new(0)),
            claimed: CachePadded::new(AtomicU64::new(0)),
        }
    }

    pub(super) fn slot(&self, index: u64) -> Option<&Slot<T>> {
        self.slots.get((index % self.slots.len().max(1) as u64) as usize).map(|padded| &**padded)
    }

    /// The oldest slot that could be claimed now: published, and an executor free. A hint.
    #[must_use]
    pub fn head(&self) -> Option<Head> {
        let claimed = self.claimed.load(Ordering::Relaxed);
        // Acquire pairs with the release in `publish`: the times read below are those of this index, or of a later one.
        if claimed >= self.submitted.load(Ordering::Acquire) {
            return None;
        }
        // Relaxed: a claim decides with the swap; here a stale answer costs one round.
        if self.executors.iter().all(|x| x.busy.load(Ordering::Relaxed)) {
            return None;
        }
        self.slot(claimed).map(|slot| Head {
            deadline: slot.deadline.load(Ordering::Relaxed),
            submitted: slot.submitted.load(Ordering::Relaxed),
        })
    }

    /// Slots published so far. Any thread.
    #[must_use]
    pub fn published(&self) -> u64 {
        // Acquire pairs with the release in `publish`: the states of these indices are seen.
        self.submitted.load(Ordering::Acquire)
    }

    /// Whether a slot of the first `published` waits for a worker or is in a worker's hands, one that a reset gave up included.
    /// Any thread; a look at each slot.
    #[must_use]
    pub fn is_busy_before(&self, published: u64) -> bool {
        self.slots.iter().any(|slot| {
            // Acquire pairs with the release in `Claim::finish`: for who sees the end, all that the worker did is over.
            let state = State::of(slot.state.load(ordering("quiesce-relaxed", Ordering::Acquire)));
            state.index < published && (state.is_claimed() || state.phase == Phase::Submitted)
        })
    }

    /// Claims the oldest published slot and a free executor, or nothing. Any number of threads; lock-free.
    pub fn claim(&self) -> Option<Claim<'_, T, X>> {
        loop {
            // Relaxed: only whether to take an executor at all; `claim_index` asks again, with the acquire that counts.
            if self.claimed.load(Ordering::Relaxed) >= self.submitted.load(Ordering::Relaxed) {
                return None;
            }
            let executor = self.take_executor()?;
            if let Some(index) = self.claim_index() {
                return Some(Claim { ring: self, index, executor, finished: false });
            }
            self.give_back(executor);
            if mutated("give-back-without-a-look") || mutated("claim-gives-up") {
                return None;
            }
        }
    }

    fn take_executor(&self) -> Option<usize> {
        self.executors.iter().position(|x| {
            // Acquire pairs with the release in `give_back`: the last holder's writes to the cell are seen. A compare, not a
            // swap: who comes too late must not write, neither for the cache nor for loom, which knows no order of
            // unrelated writes.
            mutated("executor-unguarded")
                || !x.busy.load(Ordering::Relaxed)
                    && x.busy.compare_exchange(false, true, Ordering::Acquire, Ordering::Relaxed).is_ok()
        })
    }

    /// After this the caller looks for work once more: another thread may have seen this executor busy, and gone to sleep
    /// over a slot that was published since.
    fn give_back(&self, executor: usize) {
        if let Some(executor) = self.executors.get(executor) {
            // Release pairs with the acquire in `take_executor`.
            executor.busy.store(false, Ordering::Release);
        }
        // Between "given back" and "looked once more". Pairs with the sleeper's fence between "announced" and "looked": either
        // the sleeper sees the executor free, or this thread sees the slot.
        fence(Ordering::SeqCst);
    }

    /// With an executor in hand: moves `claimed` on to the first index that is still there to be run, and owns it.
    fn claim_index(&self) -> Option<u64> {
        loop {
            let index = self.claimed.load(Ordering::Relaxed);
            if index >= self.submitted.load(Ordering::Acquire) {
                return None;
            }
            if mutated("claim-by-store") {
                self.claimed.store(index + 1, Ordering::Relaxed);
                let slot = self.slot(index)?;
                slot.state.store(State::new(index, Phase::Reading).word(), Ordering::Relaxed);
                return Some(index);
            }
            // Relaxed: exactly one thread wins an index; what the slot holds came over with `submitted`.
            if self.claimed.compare_exchange(index, index + 1, Ordering::Relaxed, Ordering::Relaxed).is_err()
            {
                if mutated("claim-gives-up") {
                    return None;
                }
                continue;
            }
            let from = State::new(index, Phase::Submitted).word();
            let to = State::new(index, Phase::Reading).word();
            // Relaxed: the acquire of `submitted` above already pairs with the release in `publish`. It fails if the audio
            // thread took the slot back, or never published under this index: then the index is void and the next one is tried.
            let owned = self.slot(index).is_some_and(|slot| {
                let swap = |from| {
                    slot.state.compare_exchange(from, to, Ordering::Relaxed, Ordering::Relaxed).is_ok()
                };
                if mutated("claim-ignores-the-index") {
                    let there = slot.state.load(Ordering::Relaxed);
                    return State::of(there).phase == Phase::Submitted && swap(there);
                }
                swap(from)
            });
            if owned {
                return Some(index);
            }
        }
    }
}

impl<T, X> std::fmt::Debug for Ring<T, X> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ring")
            .field("slots", &self.slots.len())
            .field("executors", &self.executors.len())
            .finish_non_exhaustive()
    }
}

/// A slot that this thread owns, with the executor to run it. Dropped unfinished (a panic), it counts as failed.
#[derive(Debug)]
pub struct Claim<'a, T, X> {
    ring: &'a Ring<T, X>,
    index: u64,
    executor: usize,
    finished: bool,
}

/// Everything that a claimed slot gives its worker.
#[derive(Debug)]
pub struct Parts<'c, T, X> {
    /// The slot's header.
    pub header: &'c Header,
    /// What the slot carries.
    pub payload: &'c mut T,
    /// What runs it.
    pub executor: &'c mut X,
    /// The slot's windows on the input streams; given up by [`Input::release`].
    pub input: Input<'c, T, X>,
}

/// The right to read a slot's windows.
#[derive(Debug)]
pub struct Input<'c, T, X> {
    ring: &'c Ring<T, X>,
    header: &'c Header,
    index: u64,
}

impl<T, X> Claim<'_, T, X> {
    /// The slot's parts, borrowed from the claim. The windows can be had once.
    pub fn parts(&mut self) -> Option<Parts<'_, T, X>> {
        let (slot, executor) = (self.ring.slot(self.index)?, self.ring.executors.get(self.executor)?);
        // Having been given once is remembered by the phase itself.
        if State::of(slot.state.load(Ordering::Relaxed)).phase != Phase::Reading {
            return None;
        }
        // SAFETY: the state word says that this claim owns header and payload (nobody else touches them before `finish`), the
        // executor's `busy` flag is ours; the borrow of `self` keeps a second call from aliasing.
        let (header, payload, executor) = unsafe {
            (
                slot.header.with(|p| &*p),
                slot.payload.with_mut(|p| &mut *p),
                executor.cell.with_mut(|p| &mut *p),
            )
        };
        Some(Parts { header, payload, executor, input: Input { ring: self.ring, header, index: self.index } })
    }

    /// When the slot was submitted and when its output is needed.
    #[must_use]
    pub fn times(&self) -> Head {
        // SAFETY: this claim owns the header until `finish`; it is only read here.
        self.ring.slot(self.index).map_or(Head::default(), |slot| unsafe { slot.header.with(|p| (*p).times) })
    }

    /// What runs the slot; also after the windows were given up.
    pub fn executor(&mut self) -> Option<&mut X> {
        let executor = self.ring.executors.get(self.executor)?;
        // SAFETY: its `busy` flag is ours until `finish`; the borrow of `self` keeps a second one away.
        Some(unsafe { executor.cell.with_mut(|p| &mut *p) })
    }

    /// Hands the slot back to the audio thread, with results (`ok`) or without. With `withhold` the executor is never
    /// used again, unless it is the last: then it goes on, so that slots still come back (as failures, by its owner's doing).
    pub fn finish(mut self, ok: bool, withhold: bool) {
        self.end(ok, withhold);
    }

    fn end(&mut self, ok: bool, withhold: bool) {
        self.finished = true;
        if let Some(slot) = self.ring.slot(self.index) {
            let phase = if ok { Phase::Done } else { Phase::Failed };
            // Release pairs with the acquires in `collect`, `submit` and `room`: the audio thread sees the payload, and our
            // reads are over.
            let release = ordering("finish-relaxed", Ordering::Release);
            slot.state.store(State::new(self.index, phase).word(), release);
        }
        // Relaxed: the count alone decides, nothing is handed over by it.
        let healthy = &self.ring.healthy;
        let kept_back = withhold
            && healthy
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| {
                    (n > 1 || mutated("withhold-the-last")).then(|| n - 1)
                })
                .is_ok();
        if !kept_back {
            self.ring.give_back(self.executor);
        }
    }
}

impl<T, X> Drop for Claim<'_, T, X> {
    fn drop(&mut self) {
        if !self.finished {
            self.end(false, true);
        }
    }
}

impl<T, X> Input<'_, T, X> {
    /// Says that the windows were read: the audio thread may overwrite them.
    pub fn release(self) {
        if let Some(slot) = self.ring.slot(self.index) {
            // Release pairs with the acquire in `Producer::room`: our reads are over before the audio thread writes.
            let release = ordering("release-input-relaxed", Ordering::Release);
            slot.state.store(State::new(self.index, Phase::Running).word(), release);
        }
    }
}

impl<T, X> Windows for Input<'_, T, X> {
    fn span(&self, stream: usize, channel: usize) -> Span<'_> {
        match (self.ring.histories.get(stream), self.header.windows.get(stream)) {
            // SAFETY: this value exists only while its slot is claimed and unreleased, and the span borrows from it.
            (Some(history), Some(at)) => unsafe { history.span(channel, at.origin, at.end) },
            _ => Span::default(),
        }
    }
}
