//! Ways out of an audio path, each of which the check has to find.

/// An index that may be out of bounds.
#[inline(never)]
#[allow(clippy::indexing_slicing, reason = "planted")]
pub fn index(samples: &[f32], at: usize) -> f32 {
    samples[at]
}

/// A division by what may be zero.
#[inline(never)]
pub fn division(frames: u64, hop: u64) -> u64 {
    frames / hop
}

/// An allocation.
#[inline(never)]
pub fn allocation(frames: usize) -> Vec<f32> {
    vec![0.0; frames]
}

/// Memory that goes back.
#[inline(never)]
pub fn free(samples: Vec<f32>) {
    drop(samples);
}

/// A panic that only a table of functions leads to.
#[inline(never)]
pub fn table(which: usize) -> Option<fn(&[f32], usize) -> f32> {
    fn first(samples: &[f32], _: usize) -> f32 {
        samples.first().copied().unwrap_or(0.0)
    }
    const ALL: [fn(&[f32], usize) -> f32; 2] = [first, index];
    ALL.get(which).copied()
}

/// A system call by the C library.
#[inline(never)]
pub fn library() {
    std::thread::yield_now();
}
