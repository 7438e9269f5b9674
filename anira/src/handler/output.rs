//! One output stream on the audio thread: hops come in by number, samples go out by position.

#![deny(clippy::indexing_slicing, clippy::panic, clippy::unreachable)]

use anira_traits::EmitPart;

use super::payload::Planar;

/// What comes next in an output stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// So many zeros, of the latency.
    Zeros(usize),
    /// Samples of one hop.
    Hop {
        /// Its number.
        hop: u64,
        /// Where the samples begin in it.
        offset: usize,
        /// How many they are.
        len: usize,
        /// Whether the model's answer is there; else they are late.
        heard: bool,
    },
}

/// A ring of hops. Sample `p` of the stream is silence for the first `zero_fill` samples, then sample `p - zero_fill` of the
/// hops in their order: time is position, so nothing that happens to a hop can shift another.
#[derive(Debug)]
pub(super) struct Output {
    pub(super) channels: usize,
    pub(super) hop: usize,
    /// Zeros at the start: the latency without the model's own.
    pub(super) zero_fill: u64,
    /// The whole latency, by which a bypassed signal is delayed.
    pub(super) latency: u64,
    /// How long it may sound on after the last input, the latency included.
    pub(super) tail: u64,
    /// Hops that the ring holds.
    capacity: usize,
    samples: Box<[f32]>,
    /// Whether the hop in a place is only a replacement.
    lost: Box<[bool]>,
    /// Hops that came in so far.
    pub(super) emitted: u64,
    /// Samples that went out so far.
    pub(super) handed: u64,
}

impl Output {
    /// A ring of `capacity` hops. Allocates and touches every page.
    pub(super) fn new(channels: usize, hop: usize, zero_fill: u64, latency: u64, capacity: usize) -> Self {
        Self {
            channels,
            hop,
            zero_fill,
            latency,
            tail: latency,
            capacity,
            samples: vec![0.0; channels * hop * capacity].into_boxed_slice(),
            lost: vec![false; capacity].into_boxed_slice(),
            emitted: 0,
            handed: 0,
        }
    }

    /// The same stream, which may sound on for this long after the last input.
    pub(super) fn with_tail(mut self, samples: u64) -> Self {
        self.tail = samples;
        self
    }

    pub(super) fn reset(&mut self) {
        self.emitted = 0;
        self.handed = 0;
    }

    /// Hops that the ring holds.
    pub(super) fn capacity(&self) -> usize {
        self.capacity
    }

    /// Samples of a hop, of which there always are some: no division here can fail.
    fn hop_len(&self) -> u64 {
        (self.hop as u64).max(1)
    }

    /// Where a hop lies in the ring.
    fn place(&self, hop: u64) -> usize {
        (hop % (self.capacity as u64).max(1)) as usize
    }

    /// Hops whose every sample has gone out.
    pub(super) fn past(&self) -> u64 {
        self.handed.saturating_sub(self.zero_fill) / self.hop_len()
    }

    /// Whether the first sample of hop `hop` has gone out.
    pub(super) fn is_due(&self, hop: u64) -> bool {
        self.handed > self.zero_fill.saturating_add(hop.saturating_mul(self.hop as u64))
    }

    /// Hops that must have come in before `frames` more samples can go out.
    pub(super) fn needed(&self, frames: usize) -> u64 {
        (self.handed + frames as u64).saturating_sub(self.zero_fill).div_ceil(self.hop_len())
    }

    /// Samples that will have gone out before the callback that needs the first sample of hop `hop`: exactly if every block is
    /// of the same length, else at least.
    pub(super) fn until(&self, hop: u64, block: u64, fixed: bool) -> u64 {
        let first = self.zero_fill + hop * self.hop as u64;
        if fixed {
            let ahead = first.saturating_sub(self.handed);
            return ahead - ahead % block.max(1);
        }
        (first + 1).saturating_sub(self.handed + block)
    }

    /// Takes hop `hop`, or its loss. Numbers in between count as lost.
    pub(super) fn emit(&mut self, stream: usize, hop: u64, data: Option<&Planar>, emit: &mut impl EmitPart) {
        let first = self.emitted.max((hop + 1).saturating_sub(self.capacity as u64));
        if first > self.emitted {
            // A gap longer than the ring: what lay in between can no longer be heard.
            emit.reset();
        }
        for number in first..=hop {
            let data = if number == hop { data } else { None };
            self.emit_one(stream, number, data, emit);
        }
        self.emitted = self.emitted.max(hop + 1);
    }

    fn emit_one(&mut self, stream: usize, hop: u64, data: Option<&Planar>, emit: &mut impl EmitPart) {
        let place = self.place(hop);
        for channel in 0..self.channels {
            let start = (channel * self.capacity + place) * self.hop;
            if let Some(target) = self.samples.get_mut(start..start + self.hop) {
                emit.emit(stream, channel, data.and_then(|d| d.channel(channel)), target);
            }
        }
        if let Some(lost) = self.lost.get_mut(place) {
            *lost = data.is_none();
        }
    }

    /// What comes at sample `position` of the stream: a run of at most `most` samples.
    pub(super) fn piece(&self, position: u64, most: usize) -> Piece {
        let Some(sample) = position.checked_sub(self.zero_fill) else {
            return Piece::Zeros(most.min((self.zero_fill - position).min(usize::MAX as u64) as usize));
        };
        let (hop, offset) = (sample / self.hop_len(), (sample % self.hop_len()) as usize);
        Piece::Hop { hop, offset, len: most.min(self.hop - offset), heard: self.is_heard(hop) }
    }

    /// Whether a hop's place holds it, or its loss.
    fn is_there(&self, hop: u64) -> bool {
        hop < self.emitted && hop + self.capacity as u64 >= self.emitted
    }

    /// Whether the model's answer to a hop is there.
    pub(super) fn is_heard(&self, hop: u64) -> bool {
        let place = self.place(hop);
        self.is_there(hop) && self.lost.get(place).is_some_and(|lost| !lost)
    }

    /// Samples of one channel of a hop; none if the hop is not there.
    pub(super) fn samples(&self, channel: usize, hop: u64, offset: usize, len: usize) -> &[f32] {
        let place = self.place(hop);
        let first = (channel * self.capacity + place) * self.hop + offset;
        match self.samples.get(first..first + len) {
            Some(samples) if self.is_there(hop) && channel < self.channels => samples,
            _ => &[],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anira_traits::HopEmit;

    fn hop(value: f32) -> Planar {
        let mut planar = Planar::new(1, 4);
        planar.channel_mut(0).unwrap().iter_mut().enumerate().for_each(|(i, s)| *s = value + i as f32);
        planar
    }

    /// With silence for what is late, without a fade.
    fn out(output: &mut Output, frames: usize) -> (Vec<f32>, u64) {
        let (mut samples, mut late) = (Vec::new(), 0);
        while samples.len() < frames {
            let done = samples.len();
            let n = match output.piece(output.handed, frames - done) {
                Piece::Zeros(n) => n,
                Piece::Hop { hop, offset, len, heard } => {
                    late += if heard { 0 } else { len as u64 };
                    samples.extend_from_slice(output.samples(0, hop, offset, len));
                    len
                }
            };
            samples.resize(done + n, 0.0);
            output.handed += n as u64;
        }
        (samples, late)
    }

    #[test]
    fn zeros_then_hops_in_order_whatever_the_blocks() {
        let mut output = Output::new(1, 4, 3, 3, 3);
        output.emit(0, 0, Some(&hop(10.0)), &mut HopEmit);
        assert_eq!(out(&mut output, 5), (vec![0.0, 0.0, 0.0, 10.0, 11.0], 0));
        output.emit(0, 1, Some(&hop(20.0)), &mut HopEmit);
        assert_eq!(out(&mut output, 6), (vec![12.0, 13.0, 20.0, 21.0, 22.0, 23.0], 0));
        assert_eq!((output.past(), output.needed(1), output.needed(5)), (2, 3, 4));
    }

    #[test]
    fn what_comes_late_is_not_heard_and_shifts_nothing() {
        let mut output = Output::new(1, 4, 0, 0, 4);
        assert_eq!(out(&mut output, 6), (vec![0.0; 6], 6));
        output.emit(0, 0, Some(&hop(10.0)), &mut HopEmit);
        output.emit(0, 1, Some(&hop(20.0)), &mut HopEmit);
        assert_eq!(out(&mut output, 2), (vec![22.0, 23.0], 0), "position 6 is position 6");
    }

    #[test]
    fn gaps_and_losses_are_silent_and_counted() {
        let mut output = Output::new(1, 4, 0, 0, 4);
        output.emit(0, 0, None, &mut HopEmit);
        output.emit(0, 2, Some(&hop(30.0)), &mut HopEmit);
        let (samples, late) = out(&mut output, 12);
        assert_eq!((&samples[..8], late), (&[0.0; 8][..], 8));
        assert_eq!(samples[8..], [30.0, 31.0, 32.0, 33.0]);
    }

    #[test]
    fn a_gap_longer_than_the_ring_takes_no_longer_than_the_ring() {
        let mut output = Output::new(1, 4, 0, 0, 4);
        out(&mut output, 4_000_000);
        output.emit(0, 1_000_000, Some(&hop(1.0)), &mut HopEmit);
        assert_eq!(output.emitted, 1_000_001);
        assert_eq!(out(&mut output, 4), (vec![1.0, 2.0, 3.0, 4.0], 0));
    }

    #[test]
    fn what_nobody_fetched_is_overwritten_not_shifted() {
        let mut output = Output::new(1, 4, 0, 0, 2);
        (0..3).for_each(|n| output.emit(0, n, Some(&hop(10.0 * n as f32)), &mut HopEmit));
        let (samples, late) = out(&mut output, 8);
        assert_eq!((&samples[..4], &samples[4..], late), (&[0.0; 4][..], &[10.0, 11.0, 12.0, 13.0][..], 4));
    }
}
