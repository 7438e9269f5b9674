//! The one protocol between an audio thread and its workers: a ring of slots over an input history.
//!
//! [`Producer`] is the audio thread's side, [`Ring`] the workers'. The protocol is told in
//! [`protocol`](crate::protocol); every ordering names its partner there and in the code.

mod history;
mod producer;
mod shared;
mod state;

#[cfg(all(test, loom))]
mod loom_faults;
#[cfg(all(test, loom))]
mod loom_ring;
#[cfg(all(test, shuttle))]
mod shuttle_ring;
#[cfg(all(test, not(any(loom, shuttle))))]
mod tests;

pub use history::StreamShape;
pub use producer::{Collected, Producer, Ready};
pub use shared::{Claim, Header, Input, Parts, Ring};
