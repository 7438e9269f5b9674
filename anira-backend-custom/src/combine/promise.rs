//! Which combinators may run inside an audio callback.
#![allow(unsafe_code, reason = "promises about real time; no memory is at stake")]

use anira_traits::RealtimeSafe;

use super::{ChainEngine, DelayLineEngine, GainEngine, SumEngine};

// SAFETY: a gain runs a bypass, which keeps the promise, and multiplies elements in place, reached by `get_mut`.
unsafe impl RealtimeSafe for GainEngine {}

// SAFETY: a delay line runs a bypass, which keeps the promise, and swaps elements with those of lines that were allocated with
// the engine, all reached by `get_mut`; a reset fills them.
unsafe impl RealtimeSafe for DelayLineEngine {}

// SAFETY: a chain calls its two engines, which keep the promise, and copies tensors between them, which does not allocate; its
// errors have static texts.
unsafe impl<A: RealtimeSafe, B: RealtimeSafe> RealtimeSafe for ChainEngine<A, B> {}

// SAFETY: a sum calls its two engines, which keep the promise, copies tensors and adds elements of zipped slices; its errors
// have static texts.
unsafe impl<A: RealtimeSafe, B: RealtimeSafe> RealtimeSafe for SumEngine<A, B> {}
