//! A forked child.

#![allow(unsafe_code, reason = "a fork is the system's")]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

/// No child is waited for longer: whatever it does, it is over at once or hangs.
const LIMIT: Duration = Duration::from_secs(60);

/// Forks this process, runs `body` in the child, and waits until the child has ended.
///
/// # Panics
/// If `body` panics there, the child ends otherwise, or does not end.
#[track_caller]
pub(crate) fn in_child(body: impl FnOnce()) {
    // SAFETY: the child runs `body` and ends. What it meets there is what is tested: memory of the parent, none of its other threads.
    let child = unsafe { libc::fork() };
    assert!(child >= 0, "no fork: {}", std::io::Error::last_os_error());
    if child == 0 {
        let well = catch_unwind(AssertUnwindSafe(body)).is_ok();
        // SAFETY: ends the child here: nothing of the parent's is torn down in it.
        unsafe { libc::_exit(i32::from(!well)) }
    }
    let (start, mut status) = (Instant::now(), 0);
    loop {
        // SAFETY: a child of this process that was not waited for yet, and a live local.
        let ended = unsafe { libc::waitpid(child, &mut status, libc::WNOHANG) };
        if ended == child {
            break;
        }
        if start.elapsed() > LIMIT {
            // SAFETY: the child has not been waited for, so the id is still its own.
            unsafe { libc::kill(child, libc::SIGKILL) };
            panic!("the child hangs");
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    assert_eq!(status, 0, "the child failed");
}
