//! One piece of memory for weights, state and work of an engine, aligned to lines of the cache.

use super::program::{LINE, Program};

/// Bytes of a line.
const ALIGNMENT: usize = LINE * size_of::<f32>();

/// The memory of one engine. Allocated once; whoever runs the engine only borrows it.
#[derive(Debug)]
pub(crate) struct Arena {
    memory: Vec<f32>,
    /// Where the first line begins: the vector itself is aligned to a float.
    first: usize,
    weights: usize,
    state: usize,
}

/// The three regions.
#[derive(Debug)]
pub(crate) struct Regions<'a> {
    pub(crate) weights: &'a [f32],
    pub(crate) state: &'a mut [f32],
    pub(crate) work: &'a mut [f32],
}

impl Arena {
    /// Memory for a program, with its weights in place and zeros elsewhere. Allocates.
    pub(crate) fn new(program: &Program) -> Self {
        let lines = |floats: usize| floats.next_multiple_of(LINE);
        let (weights, state) = (lines(program.weights.len()), lines(program.state));
        let mut memory = vec![0.0f32; weights + state + lines(program.work) + LINE];
        let first = match memory.as_ptr().align_offset(ALIGNMENT) {
            offset if offset < LINE => offset,
            // Nothing but speed depends on it.
            _ => 0,
        };
        if let Some(place) = memory.get_mut(first..first + program.weights.len()) {
            place.copy_from_slice(&program.weights);
        }
        Self { memory, first, weights, state }
    }

    /// The regions. Wait-free.
    pub(crate) fn regions(&mut self) -> Option<Regions<'_>> {
        let (_, memory) = self.memory.split_at_mut_checked(self.first)?;
        let (weights, memory) = memory.split_at_mut_checked(self.weights)?;
        let (state, work) = memory.split_at_mut_checked(self.state)?;
        Some(Regions { weights, state, work })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_region_begins_on_a_line() {
        for (weights, state, work) in [(1, 1, 1), (16, 17, 64), (0, 0, 5), (100, 0, 0)] {
            let program = Program { weights: vec![2.5; weights], state, work, ..Program::default() };
            let mut arena = Arena::new(&program);
            let regions = arena.regions().unwrap();
            assert_eq!(&regions.weights[..weights], vec![2.5; weights]);
            assert!(regions.state.len() >= state && regions.work.len() >= work);
            let begins = [regions.weights.as_ptr(), regions.state.as_ptr(), regions.work.as_ptr()];
            assert!(begins.iter().all(|begin| begin.align_offset(ALIGNMENT) == 0), "{begins:?}");
        }
    }
}
