//! Linux with glibc: functions of ours in front of the C library's, and a filter for system calls.

mod filter;
mod hook;
mod number;

pub(crate) use filter::{on_watched_thread, probe, thread};
pub(crate) use hook::is_in_place;
