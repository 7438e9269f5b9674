//! The input history of one stream: written once by the audio thread, read in place by workers.
//!
//! Positions count samples from the session's start and never go back; position `p` lies at `p mod capacity`. Which
//! positions are readable is decided by the slot protocol: a worker reads the windows of a slot that it claimed until
//! it releases the slot's input; the audio thread writes only positions whose predecessors at `p - capacity` no unreleased slot
//! may still read ([`Producer::room`](super::Producer::room)).

#![allow(unsafe_code, reason = "slices of shared sample memory")]

use anira_traits::Span;

#[cfg(loom)]
use crate::sync::UnsafeCell as UnsafeTrack;
use std::cell::UnsafeCell;

/// The shape of one input stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamShape {
    /// Channels over all lanes.
    pub channels: usize,
    /// New samples per slot.
    pub hop: usize,
    /// Past samples in front of the hop.
    pub context: usize,
    /// Samples per channel that the history holds.
    pub capacity: usize,
}

/// Planar sample memory, shared between one writer and many readers on disjoint positions.
pub(super) struct History {
    shape: StreamShape,
    samples: Box<[UnsafeCell<f32>]>,
    /// Where position 0 of channel 0 lies: at the begin of a cache line, as blocks of the usual lengths then do.
    first: usize,
    /// Loom cannot see raw slices: one tracked cell per position stands for the samples there.
    #[cfg(loom)]
    track: Box<[UnsafeTrack<()>]>,
}

// SAFETY: the cells are plain floats; the slot protocol (module text) never lets a write meet another access to the same
// position, and orders both by the release and acquire of the slot's state word.
unsafe impl Sync for History {}

/// Bytes.
const LINE: usize = 64;

impl History {
    pub(super) fn new(shape: StreamShape) -> Self {
        let line = LINE / size_of::<f32>();
        let len = shape.channels * shape.capacity + 2 * line;
        // Written, not only reserved: every page is touched here, so that no callback meets a page fault.
        let samples: Box<[_]> = (0..len).map(|_| UnsafeCell::new(0.0)).collect();
        Self {
            shape,
            first: samples.as_ptr().align_offset(LINE).min(line),
            samples,
            #[cfg(loom)]
            track: (0..shape.capacity).map(|_| UnsafeTrack::new(())).collect(),
        }
    }

    /// Where `len` samples from `position` lie: (start, length before the ring's end, length after).
    fn locate(&self, position: u64, len: usize) -> (usize, usize, usize) {
        let start = (position % (self.shape.capacity as u64).max(1)) as usize;
        let first = len.min(self.shape.capacity - start);
        (start, first, len - first)
    }

    /// Hands `write` the two pieces of memory for `len` samples of `channel` from `position`, in order.
    ///
    /// # Safety
    /// The caller is the stream's one writer and no slot that may still be read covers a position that is congruent to one in
    /// `position..position + len`; `channel` is below the shape's, `len` at most its capacity.
    pub(super) unsafe fn write(
        &self,
        channel: usize,
        position: u64,
        len: usize,
        mut write: impl FnMut(&mut [f32], usize),
    ) {
        let (start, first, second) = self.locate(position, len);
        #[cfg(loom)]
        (start..start + first).chain(0..second).for_each(|i| self.track[i].with_mut(|_| ()));
        let base = self.first + channel * self.shape.capacity;
        for (offset, len, done) in [(base + start, first, 0), (base, second, first)] {
            if let Some(cells) = self.samples.get(offset..offset + len) {
                // SAFETY: the range was bounds-checked just above, `UnsafeCell<f32>` has the layout of `f32`, and by this
                // function's contract nobody else touches these positions while the slice lives.
                let slice = unsafe { std::slice::from_raw_parts_mut(cells.as_ptr() as *mut f32, len) };
                write(slice, done);
            }
        }
    }

    /// Copies the samples of `channel` from `position` on.
    ///
    /// # Safety
    /// The caller is the stream's one writer, so that nobody writes meanwhile; the positions lie within the last `capacity`
    /// that were written; `channel` is below the shape's.
    pub(super) unsafe fn copy(&self, channel: usize, position: u64, target: &mut [f32]) {
        let (start, first, second) = self.locate(position, target.len());
        let base = self.first + channel * self.shape.capacity;
        let (head, tail) = target.split_at_mut(first);
        for (offset, part) in [(base + start, head), (base, tail)] {
            if let Some(cells) = self.samples.get(offset..offset + part.len()) {
                // SAFETY: bounds-checked just above; by this function's contract nobody writes these positions now.
                let source = unsafe { std::slice::from_raw_parts(cells.as_ptr() as *const f32, part.len()) };
                part.copy_from_slice(source);
            }
        }
        debug_assert_eq!(first + second, target.len());
    }

    /// The `window` samples of `channel` that end before position `end`; those before `origin` are silence.
    ///
    /// # Safety
    /// The caller has claimed a slot with this window and not yet released its input, and the span does not outlive that.
    pub(super) unsafe fn span(&self, channel: usize, origin: u64, end: u64) -> Span<'_> {
        let window = self.shape.context + self.shape.hop;
        let len = (end - origin).min(window as u64) as usize;
        let (start, first, second) = self.locate(end - len as u64, len);
        #[cfg(loom)]
        (start..start + first).chain(0..second).for_each(|i| self.track[i].with(|_| ()));
        let base = self.first + channel * self.shape.capacity;
        let slice = |offset: usize, len: usize| match self.samples.get(offset..offset + len) {
            // SAFETY: the range was bounds-checked, the layout is that of `f32`, and by this function's contract the writer
            // stays away from these positions while the span lives.
            Some(cells) => unsafe { std::slice::from_raw_parts(cells.as_ptr() as *const f32, len) },
            None => &[],
        };
        Span::new(window - len, slice(base + start, first), slice(base, second))
    }
}

impl std::fmt::Debug for History {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("History").field("shape", &self.shape).finish_non_exhaustive()
    }
}
