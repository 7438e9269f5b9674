//! What the operating system has to be asked or told beside clocks and priorities: threads that leave nothing behind, the module
//! that this code lies in, the process that it runs in.

pub(crate) mod module;
mod origin;
pub(crate) mod thread;

pub use origin::{GENERATIONS, Origin};
