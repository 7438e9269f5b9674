//! The audio thread's side of a ring: [`Producer`].

#![deny(clippy::indexing_slicing, clippy::panic, clippy::unreachable)]
#![allow(unsafe_code, reason = "slots and history are written where the protocol says they are ours")]

use anira_traits::Head;

use super::history::StreamShape;
use super::shared::{Ring, WindowAt};
use super::state::{Phase, State};
use crate::sync::{Arc, Ordering, mutated, ordering};

/// The audio thread's end: writes input, publishes slots, collects results in order. One owner; every call is
/// wait-free, allocates nothing and makes no system call.
#[derive(Debug)]
pub struct Producer<T, X> {
    ring: Arc<Ring<T, X>>,
    streams: Box<[Cursor]>,
    /// The next index to publish; what `submitted` holds, or beyond it where void indices come last.
    next: u64,
    /// The oldest index not collected.
    collected: u64,
    /// The oldest index whose windows a worker may still read.
    unread: u64,
    generation: u64,
    /// The next hop of this generation.
    hop: u64,
    /// Per slot and stream: the first position of the window it was last published with; per slot: its hop.
    starts: Box<[u64]>,
    hops: Box<[u64]>,
}

#[derive(Clone, Copy, Debug)]
struct Cursor {
    shape: StreamShape,
    /// Samples written since the session began.
    position: u64,
    /// The first position that counts; before it is silence.
    origin: u64,
    /// Where hop 0 of this generation begins.
    base: u64,
}

/// What [`Producer::collect`] found at the head of the line.
#[derive(Debug)]
pub enum Collected<'a, T, X> {
    /// Nothing is outstanding.
    Empty,
    /// The oldest slot is not finished.
    Pending,
    /// The hop of this number has no result: its slot failed, or was dropped before it ran.
    Lost(u64),
    /// A result.
    Ready(Ready<'a, T, X>),
}

/// A collected slot; its memory goes back to the ring when this is dropped.
#[derive(Debug)]
pub struct Ready<'a, T, X> {
    ring: &'a Ring<T, X>,
    index: u64,
    hop: u64,
}

impl<T, X> Producer<T, X> {
    /// Makes a ring with one slot per payload and one executor per `X`. Allocates; control thread.
    pub fn new(
        streams: &[StreamShape],
        payloads: impl IntoIterator<Item = T>,
        executors: impl IntoIterator<Item = X>,
    ) -> Self {
        let ring = Ring::new(streams, payloads, executors);
        let slots = ring.slots.len();
        Self {
            ring: Arc::new(ring),
            streams: streams.iter().map(|&shape| Cursor { shape, position: 0, origin: 0, base: 0 }).collect(),
            next: 0,
            collected: 0,
            unread: 0,
            generation: 0,
            hop: 0,
            starts: vec![0; slots * streams.len()].into_boxed_slice(),
            hops: vec![0; slots].into_boxed_slice(),
        }
    }

    /// The workers' side.
    #[must_use]
    pub fn ring(&self) -> &Arc<Ring<T, X>> {
        &self.ring
    }

    /// The number of the next hop to submit, in this generation.
    #[must_use]
    pub fn next_hop(&self) -> u64 {
        self.hop
    }

    /// Slots published and not collected.
    #[must_use]
    pub fn outstanding(&self) -> u64 {
        self.next - self.collected
    }

    /// Samples of stream `stream` since this generation began.
    #[must_use]
    pub fn taken_in(&self, stream: usize) -> u64 {
        self.streams.get(stream).map_or(0, |s| s.position - s.base)
    }

    /// Samples that stream `stream` has beyond the hops submitted so far.
    #[must_use]
    pub fn buffered(&self, stream: usize) -> u64 {
        self.streams.get(stream).map_or(0, |s| s.position - (s.base + self.hop * s.shape.hop as u64))
    }

    /// Samples of stream `stream` that can be written now without touching what may still be read.
    pub fn room(&mut self, stream: usize) -> usize {
        self.advance_unread();
        let Some(cursor) = self.streams.get(stream) else { return 0 };
        let first = |end: u64| end.saturating_sub(cursor.shape.context as u64).max(cursor.origin);
        let mut oldest = first(cursor.base + self.hop * cursor.shape.hop as u64);
        if self.unread < self.next {
            let slot = place(self.unread, &self.hops);
            oldest = oldest.min(self.starts.get(slot * self.streams.len() + stream).copied().unwrap_or(0));
        }
        cursor.shape.capacity - (cursor.position - oldest).min(cursor.shape.capacity as u64) as usize
    }

    /// Whether a published window may still be read: if so, the [room](Self::room) will grow without anything being submitted.
    pub fn has_unread(&mut self) -> bool {
        self.advance_unread();
        self.unread < self.next
    }

    fn advance_unread(&mut self) {
        while self.unread < self.next {
            let Some(slot) = self.ring.slot(self.unread) else { return };
            // Acquire pairs with the release in `Input::release` and `finish`: the worker's reads are over.
            let state = State::of(slot.state.load(Ordering::Acquire));
            let reading = matches!(state.phase, Phase::Submitted | Phase::Reading);
            if state.index == self.unread && reading && !mutated("room-ignores-readers") {
                return;
            }
            self.unread += 1;
        }
    }

    /// Writes `len` samples of one channel at the stream's position; `write` gets each contiguous piece and its offset. Writes
    /// nothing beyond the [room](Self::room). All channels of a stream are written before [`advance`](Self::advance).
    pub fn write(&mut self, stream: usize, channel: usize, len: usize, write: impl FnMut(&mut [f32], usize)) {
        let len = len.min(self.room(stream));
        if let (Some(cursor), Some(history)) = (self.streams.get(stream), self.ring.histories.get(stream))
            && channel < cursor.shape.channels
        {
            // SAFETY: `Producer` is the only writer and is exclusively borrowed; `room` has just shown that no unreleased slot
            // nor the next hop's window covers what these positions overwrite; the channel was checked.
            unsafe { history.write(channel, cursor.position, len, write) };
        }
    }

    /// Writes `len` samples of every channel at the stream's position and counts them; `write` gets the channel, each
    /// contiguous piece and its offset. `false`: there was no [room](Self::room), and nothing was written.
    pub fn write_all(
        &mut self,
        stream: usize,
        len: usize,
        mut write: impl FnMut(usize, &mut [f32], usize),
    ) -> bool {
        if self.room(stream) < len {
            return false;
        }
        if let (Some(cursor), Some(history)) = (self.streams.get_mut(stream), self.ring.histories.get(stream))
        {
            for channel in 0..cursor.shape.channels {
                // SAFETY: as in `write`; what `room` has shown holds for every channel.
                unsafe {
                    history.write(channel, cursor.position, len, |piece, at| write(channel, piece, at));
                }
            }
            cursor.position += len as u64;
        }
        true
    }

    /// Counts `len` samples of a stream as written.
    pub fn advance(&mut self, stream: usize, len: usize) {
        if let Some(cursor) = self.streams.get_mut(stream) {
            cursor.position += len as u64;
        }
    }

    /// Counts `len` samples as passed without being written, for want of room: time goes on, and windows that would reach
    /// back to them, or further, find silence.
    pub fn skip(&mut self, stream: usize, len: usize) {
        if let Some(cursor) = self.streams.get_mut(stream) {
            cursor.position += len as u64;
            cursor.origin = cursor.position;
        }
    }

    /// Whether samples of the next hop itself were [skipped](Self::skip), in any stream: what an engine made of it would be no
    /// answer to what was played.
    #[must_use]
    pub fn has_gap(&self) -> bool {
        let begins = |cursor: &Cursor| cursor.base + self.hop * cursor.shape.hop as u64;
        self.streams.iter().any(|cursor| begins(cursor) < cursor.origin)
    }

    /// Reads back `len` samples of one channel, from sample `start` of this generation on: silence before its begin, and where
    /// the history no longer reaches.
    pub fn read(&self, stream: usize, channel: usize, start: i64, target: &mut [f32]) {
        let (Some(cursor), Some(history)) = (self.streams.get(stream), self.ring.histories.get(stream))
        else {
            return target.fill(0.0);
        };
        let base = cursor.base as i64 + start;
        let oldest = cursor.position.saturating_sub(cursor.shape.capacity as u64).max(cursor.origin) as i64;
        let silent = (oldest - base).clamp(0, target.len() as i64) as usize;
        let (zeros, rest) = target.split_at_mut(silent);
        zeros.fill(0.0);
        let from = base + silent as i64;
        let there = (cursor.position as i64 - from).clamp(0, rest.len() as i64) as usize;
        let (rest, beyond) = rest.split_at_mut(there);
        beyond.fill(0.0);
        if channel < cursor.shape.channels && !rest.is_empty() {
            // SAFETY: only this thread writes the history, and it is here; workers only read.
            unsafe { history.copy(channel, from as u64, rest) };
        } else {
            rest.fill(0.0);
        }
    }

    /// Publishes the next hop, which every input stream must have whole. `fill` writes the payload. `false`: no slot was free.
    pub fn submit(&mut self, times: Head, fill: impl FnOnce(&mut T)) -> bool {
        for _ in 0..self.hops.len() {
            let Some(slot) = self.ring.slot(self.next) else { return false };
            // Acquire pairs with the release in `Claim::finish`: an abandoned slot's contents are ours again.
            let state = State::of(slot.state.load(Ordering::Acquire));
            let abandoned = state.index < self.collected && !mutated("results-hold-their-slots");
            // Taken back, but not yet collected: its hop is still to be called lost. (A slot that was never used bears index 0,
            // which is another slot's.)
            let to_be_collected = (self.collected..self.next).contains(&state.index)
                && place(state.index, &self.hops) == place(self.next, &self.hops);
            match state.phase {
                Phase::Free if !to_be_collected => {}
                Phase::Done | Phase::Failed if abandoned => {}
                Phase::Running if abandoned && mutated("submit-over-running") => {}
                // A worker is still in a slot of before the reset: this index is void, the next slot is tried.
                _ if abandoned => {
                    self.next += 1;
                    continue;
                }
                _ => return false,
            }
            self.publish(times, fill);
            return true;
        }
        // Only void indices: workers need not hear of them before a slot is published beyond.
        false
    }

    fn publish(&mut self, times: Head, fill: impl FnOnce(&mut T)) {
        let at = place(self.next, &self.hops);
        let Some(slot) = self.ring.slot(self.next) else { return };
        let (hop, generation) = (self.hop, self.generation);
        let (streams, starts) = (&self.streams, &mut self.starts);
        // SAFETY: `submit` saw the slot in a phase that belongs to the audio thread.
        let (header, payload) =
            unsafe { (slot.header.with_mut(|p| &mut *p), slot.payload.with_mut(|p| &mut *p)) };
        header.generation = generation;
        header.hop = hop;
        header.times = times;
        for (stream, (window, cursor)) in header.windows.iter_mut().zip(streams).enumerate() {
            let end = cursor.base + (hop + 1) * cursor.shape.hop as u64;
            // A gap may have swallowed the hop itself: then its window is all silence.
            *window = WindowAt { origin: cursor.origin.min(end), end };
            let start = end.saturating_sub((cursor.shape.context + cursor.shape.hop) as u64);
            if let Some(kept) = starts.get_mut(at * streams.len() + stream) {
                *kept = start.max(cursor.origin);
            }
        }
        fill(payload);
        if let Some(kept) = self.hops.get_mut(at) {
            *kept = hop;
        }
        // Relaxed: the release below carries it.
        slot.deadline.store(times.deadline, Ordering::Relaxed);
        slot.submitted.store(times.submitted, Ordering::Relaxed);
        // Relaxed: no worker touches the slot before it has read `submitted` beyond this index, and the release of that store
        // carries this one too.
        slot.state.store(State::new(self.next, Phase::Submitted).word(), Ordering::Relaxed);
        self.next += 1;
        self.hop += 1;
        // Release pairs with the acquires in `claim_index` and `head`: header, payload, history, times and state are seen by who
        // sees the index.
        self.ring.submitted.store(self.next, ordering("publish-relaxed", Ordering::Release));
    }

    /// Counts the next hop as lost without a slot for it. Its number is returned; [`collect`](Self::collect) will not name it.
    pub fn forgo(&mut self) -> u64 {
        self.hop += 1;
        self.hop - 1
    }

    /// Whether [`collect`](Self::collect) would find anything but [`Collected::Pending`].
    #[must_use]
    pub fn is_head_finished(&self) -> bool {
        let Some(slot) = self.ring.slot(self.collected) else { return true };
        // Relaxed: `collect` looks again, with the acquire that counts.
        let state = State::of(slot.state.load(Ordering::Relaxed));
        let pending = state.phase == Phase::Submitted || state.is_claimed();
        self.collected >= self.next || state.index != self.collected || !pending
    }

    /// The hop of the oldest slot that is not collected, as [`collect`](Self::collect) last left it; `None` if nothing is outstanding.
    #[must_use]
    pub fn oldest(&self) -> Option<u64> {
        let hop = self.hops.get(place(self.collected, &self.hops)).copied();
        hop.filter(|_| self.collected < self.next)
    }

    /// Takes the oldest result, if it is there.
    pub fn collect(&mut self) -> Collected<'_, T, X> {
        while self.collected < self.next {
            let index = self.collected;
            let Some(slot) = self.ring.slot(index) else { return Collected::Empty };
            // Acquire pairs with the release in `Claim::finish`.
            let state = State::of(slot.state.load(Ordering::Acquire));
            if state.index != index && !mutated("collect-takes-void-indices") {
                // Void: passed over by `submit`. Only then does a slot of an older index stand here.
                self.collected += 1;
                continue;
            }
            let hop = self.hops.get(place(index, &self.hops)).copied().unwrap_or(0);
            let early = state.phase == Phase::Running && mutated("collect-while-running");
            return match if early { Phase::Done } else { state.phase } {
                Phase::Submitted | Phase::Reading | Phase::Running => Collected::Pending,
                Phase::Done => {
                    self.collected += 1;
                    Collected::Ready(Ready { ring: &self.ring, index, hop })
                }
                Phase::Failed | Phase::Free => {
                    self.collected += 1;
                    // Relaxed: nobody but this thread acts on a slot that is free.
                    slot.state.store(State::new(index, Phase::Free).word(), Ordering::Relaxed);
                    Collected::Lost(hop)
                }
            };
        }
        Collected::Empty
    }

    /// Takes back the oldest slot with a hop below `before` that no worker has claimed; `collect` will call it lost.
    /// Returns its hop.
    pub fn drop_oldest(&mut self, before: u64) -> Option<u64> {
        let hops = &self.hops;
        let hop = |index: u64| hops.get(place(index, hops)).copied().unwrap_or(u64::MAX);
        // Void indices bear the hop of an older slot; `take_back` fails for them, so they are passed over.
        let index = (self.collected..self.next).find(|&i| hop(i) < before && self.take_back(i))?;
        Some(hop(index))
    }

    fn take_back(&self, index: u64) -> bool {
        let from = State::new(index, Phase::Submitted).word();
        let to = State::new(index, Phase::Free).word();
        // Relaxed on success: nothing was written by anyone since this thread published.
        self.ring.slot(index).is_some_and(|slot| {
            if mutated("take-back-by-store") {
                let submitted = slot.state.load(Ordering::Relaxed) == from;
                slot.state.store(to, Ordering::Relaxed);
                return submitted;
            }
            slot.state.compare_exchange(from, to, Ordering::Relaxed, Ordering::Relaxed).is_ok()
        })
    }

    /// Begins a new generation: all that is outstanding is abandoned, the input history is silence again, hops
    /// count from 0. Returns how many unclaimed slots were taken back.
    pub fn reset(&mut self) -> u64 {
        let taken = (self.collected..self.next).filter(|&index| self.take_back(index)).count();
        self.collected = self.next;
        // Workers that are still in a slot are not waited for.
        while mutated("reset-waits-for-workers") && self.has_stragglers() {}
        self.generation += u64::from(!mutated("reset-keeps-the-generation"));
        self.hop = 0;
        for cursor in &mut self.streams {
            cursor.origin = cursor.position;
            cursor.base = cursor.position;
        }
        taken as u64
    }

    /// Whether a worker is still in a slot that a reset abandoned. A look at each slot.
    #[must_use]
    pub fn has_stragglers(&self) -> bool {
        self.ring.slots.iter().any(|slot| {
            // Relaxed: only whether; nothing of the slot is touched.
            let state = State::of(slot.state.load(Ordering::Relaxed));
            state.is_claimed() && state.index < self.collected
        })
    }
}

/// The slot of an index, where `hops` has a place for each: of which there always are some, so that no division here can fail.
fn place(index: u64, hops: &[u64]) -> usize {
    (index % (hops.len() as u64).max(1)) as usize
}

impl<T, X> Ready<'_, T, X> {
    /// The number of the hop within its generation.
    #[must_use]
    pub fn hop(&self) -> u64 {
        self.hop
    }

    /// What the worker left in the slot.
    pub fn payload(&mut self) -> Option<&mut T> {
        let slot = self.ring.slot(self.index)?;
        // SAFETY: `collect` saw the slot done, so it is the audio thread's until this value's drop frees it; `&mut self` keeps
        // it exclusive.
        Some(unsafe { slot.payload.with_mut(|p| &mut *p) })
    }
}

impl<T, X> Drop for Ready<'_, T, X> {
    fn drop(&mut self) {
        if let Some(slot) = self.ring.slot(self.index).filter(|_| !mutated("results-hold-their-slots")) {
            // Relaxed: the audio thread itself is the only one to act on a free slot.
            slot.state.store(State::new(self.index, Phase::Free).word(), Ordering::Relaxed);
        }
    }
}
