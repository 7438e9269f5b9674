//! A stretch of a stream's past, read in place.

/// Consecutive samples of one channel, oldest first, borrowed from the session's input history in up to three pieces:
/// silence (before the stream began, or before its last reset), then two slices of a ring.
#[derive(Clone, Copy, Debug, Default)]
pub struct Span<'a> {
    silence: usize,
    first: &'a [f32],
    second: &'a [f32],
}

impl<'a> Span<'a> {
    /// `silence` zeros, then `first`, then `second`.
    #[must_use]
    pub fn new(silence: usize, first: &'a [f32], second: &'a [f32]) -> Self {
        Self { silence, first, second }
    }

    /// A span over one slice.
    #[must_use]
    pub fn from_slice(samples: &'a [f32]) -> Self {
        Self::new(0, samples, &[])
    }

    /// Samples in all.
    #[must_use]
    pub fn len(&self) -> usize {
        self.silence + self.first.len() + self.second.len()
    }

    /// Whether it holds no samples.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The sample at `index`, 0 the oldest.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<f32> {
        match index.checked_sub(self.silence) {
            None => Some(0.0),
            Some(i) => match i.checked_sub(self.first.len()) {
                None => self.first.get(i).copied(),
                Some(i) => self.second.get(i).copied(),
            },
        }
    }

    /// The part from `start` on, at most `len` samples.
    #[must_use]
    pub fn slice(&self, start: usize, len: usize) -> Span<'a> {
        let (mut skip, mut left) = (start, len);
        let silence = self.silence.saturating_sub(skip).min(left);
        skip = skip.saturating_sub(self.silence);
        left -= silence;
        let first = part(self.first, skip, left);
        skip = skip.saturating_sub(self.first.len());
        left -= first.len();
        Span { silence, first, second: part(self.second, skip, left) }
    }

    /// Block-copies the samples to the front of `target`; what is longer than `target` is left out. Returns how many.
    pub fn copy_to(&self, target: &mut [f32]) -> usize {
        let mut done = self.silence.min(target.len());
        target[..done].fill(0.0);
        for piece in [self.first, self.second] {
            let n = piece.len().min(target.len() - done);
            target[done..done + n].copy_from_slice(&piece[..n]);
            done += n;
        }
        done
    }

    /// The samples, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = f32> + 'a {
        std::iter::repeat_n(0.0, self.silence)
            .chain(self.first.iter().copied())
            .chain(self.second.iter().copied())
    }
}

fn part(slice: &[f32], skip: usize, left: usize) -> &[f32] {
    let start = skip.min(slice.len());
    &slice[start..(start + left).min(slice.len())]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_of_a_span_equals_the_part_of_its_samples() {
        let (first, second) = ([1.0, 2.0, 3.0], [4.0, 5.0]);
        let span = Span::new(2, &first, &second);
        let all: Vec<f32> = span.iter().collect();
        assert_eq!(all, [0.0, 0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
        for start in 0..9 {
            for len in 0..9 {
                let part: Vec<f32> = span.slice(start, len).iter().collect();
                let right: Vec<f32> = all.iter().copied().skip(start).take(len).collect();
                assert_eq!(part, right, "{start}+{len}");
                let mut copy = [9.0; 4];
                let n = span.slice(start, len).copy_to(&mut copy);
                assert_eq!(copy[..n], right[..n]);
                assert_eq!(n, right.len().min(4));
            }
        }
        assert_eq!((0..8).map(|i| span.get(i)).collect::<Vec<_>>()[6..], [Some(5.0), None]);
    }
}
