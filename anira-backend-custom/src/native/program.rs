//! A network laid out: the steps of one block, and where in the arena each finds its numbers.

use anira_traits::{Error, ErrorKind, Result};

use super::kernel::pointwise::{Curve, Pair};
use super::lanes::WIDTH;

/// The most samples of one block: what a layer makes of them stays in the first caches.
pub(crate) const BLOCK: usize = 64;
/// The most floats of state and of work: 128 MB.
pub(crate) const MAX_MEMORY: usize = 1 << 25;
/// Floats of a line of the cache: every region begins on one.
pub(crate) const LINE: usize = 16;

/// A stretch of a region of the arena.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) at: usize,
    pub(crate) len: usize,
}

impl Part {
    pub(crate) fn range(self) -> std::ops::Range<usize> {
        self.at..self.at + self.len
    }
}

/// Rows of a signal, in the region of work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Slot {
    pub(crate) at: usize,
    /// Floats of a row: channels, padded.
    pub(crate) width: usize,
    pub(crate) channels: usize,
    /// Rows: all of them in a window, the most of a block in a stream.
    pub(crate) rows: usize,
}

/// Past rows of a signal, in the region of state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ring {
    /// Which one, to find its head.
    pub(crate) index: usize,
    pub(crate) at: usize,
    pub(crate) width: usize,
    /// Rows before it starts over; the first few stand once more behind them.
    pub(crate) rows: usize,
    /// Rows from the oldest that is read to the newest.
    pub(crate) span: usize,
    /// Zero rows before the first one of a window.
    pub(crate) before: usize,
}

/// Where a convolution reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    Slot(Slot),
    Ring(Ring),
}

/// An activation whose slopes are in the arena.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct CurveAt {
    pub(crate) curve: Curve<'static>,
    pub(crate) slopes: Option<Part>,
}

/// A recurrent layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CellAt {
    pub(crate) from: Slot,
    pub(crate) to: Slot,
    pub(crate) hidden: usize,
    /// Of an LSTM or of a GRU.
    pub(crate) gates: usize,
    pub(crate) weights: Part,
    pub(crate) bias: Part,
    /// In the region of state, padded.
    pub(crate) h: Part,
    /// An LSTM's second state.
    pub(crate) c: Option<Part>,
    /// What both states are at the start, in the region of weights.
    pub(crate) start_h: Part,
    pub(crate) start_c: Part,
}

/// One step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Step {
    /// Rows from a stream of the caller's.
    Load {
        input: usize,
        to: Slot,
    },
    /// Rows of a parameter.
    Fill {
        parameter: usize,
        to: Slot,
    },
    Zero {
        slot: Slot,
    },
    /// Channels of one signal into another.
    Copy {
        from: Slot,
        to: Slot,
        first: usize,
        at: usize,
        channels: usize,
    },
    /// The newest row alone.
    Newest {
        from: Slot,
        to: Slot,
    },
    /// Rows into the past.
    Push {
        from: Slot,
        ring: Ring,
    },
    Conv(ConvAt),
    /// An activation; its result is added to `sum`, too.
    Activate {
        slot: Slot,
        curve: CurveAt,
        sum: Option<Slot>,
    },
    Affine {
        slot: Slot,
        scale: Part,
        shift: Part,
    },
    Pair {
        x: Slot,
        y: Slot,
        pair: Pair,
    },
    Gate {
        from: Slot,
        to: Slot,
        a: CurveAt,
        b: CurveAt,
    },
    Recurrent(CellAt),
}

/// A convolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ConvAt {
    pub(crate) from: Source,
    pub(crate) inputs: usize,
    pub(crate) outputs: usize,
    pub(crate) taps: usize,
    pub(crate) dilation: usize,
    pub(crate) stride: usize,
    /// Inputs in the lanes rather than outputs.
    pub(crate) dot: bool,
    pub(crate) weights: Part,
    pub(crate) bias: Part,
    /// A second source, of one channel and one tap, with its weights.
    pub(crate) mixed: Option<(Slot, Part)>,
    pub(crate) to: Slot,
    pub(crate) accumulate: bool,
}

/// A network laid out.
#[derive(Clone, Debug, Default)]
pub(crate) struct Program {
    pub(crate) steps: Vec<Step>,
    /// The region of weights.
    pub(crate) weights: Vec<f32>,
    /// Floats of the region of state.
    pub(crate) state: usize,
    /// Floats of the region of work.
    pub(crate) work: usize,
    pub(crate) rings: usize,
    pub(crate) outputs: Vec<Slot>,
    /// Samples of a window; `None` for a stream.
    pub(crate) window: Option<usize>,
    /// The recurrent layers, by the node of the network.
    pub(crate) cells: Vec<(usize, CellAt)>,
    pub(crate) inputs: Vec<usize>,
    pub(crate) parameters: Vec<usize>,
    /// Past samples that an output hears by convolutions.
    pub(crate) past: usize,
    pub(crate) is_recurrent: bool,
}

impl Program {
    /// Puts numbers into the region of weights.
    pub(crate) fn keep(&mut self, numbers: &[f32]) -> Part {
        self.weights.resize(self.weights.len().next_multiple_of(LINE), 0.0);
        let at = self.weights.len();
        self.weights.extend_from_slice(numbers);
        Part { at, len: numbers.len() }
    }

    /// The same for one number per channel, zeros behind them.
    pub(crate) fn keep_padded(&mut self, numbers: &[f32], channels: usize) -> Part {
        let mut padded = numbers.to_vec();
        padded.resize(channels.next_multiple_of(WIDTH), 0.0);
        self.keep(&padded)
    }

    /// Room in the region of state.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] beyond the limit.
    pub(crate) fn remember(&mut self, len: Option<usize>) -> Result<Part> {
        take(&mut self.state, len)
    }

    /// Room in the region of work.
    ///
    /// # Errors
    /// As [`remember`](Self::remember).
    pub(crate) fn room(&mut self, len: Option<usize>) -> Result<Part> {
        take(&mut self.work, len)
    }
}

fn take(used: &mut usize, len: Option<usize>) -> Result<Part> {
    let at = used.next_multiple_of(LINE);
    let end = len.and_then(|len| at.checked_add(len)).filter(|end| *end <= MAX_MEMORY);
    let (Some(len), Some(end)) = (len, end) else {
        let text = format!("takes more than {} MB; use an inference engine for this one", MAX_MEMORY >> 18);
        return Err(Error::new(ErrorKind::Unsupported, text).at("memory"));
    };
    *used = end;
    Ok(Part { at, len })
}
