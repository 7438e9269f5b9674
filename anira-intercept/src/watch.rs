//! Threads that are watched, and pieces of code on them that are counted.

use std::fmt;
use std::sync::{Mutex, PoisonError};

use crate::tally::Open;
use crate::{Counts, Kind, system};

/// One closure is counted at a time in the whole process; whoever comes meanwhile waits.
static ONE: Mutex<()> = Mutex::new(());

/// What a closure did, and what happened beside it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// By the thread that ran the closure.
    pub mine: Counts,
    /// By all other threads of the process meanwhile; system calls only of those that were started inside of [`watched`].
    pub others: Counts,
}

/// Why nothing can be counted here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unavailable(pub(crate) String);

impl fmt::Display for Unavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Unavailable {}

/// Given to what runs inside of [`watched`]; counts pieces of it.
#[derive(Clone, Copy, Debug)]
pub struct Watch(());

/// Runs `work` on a thread of its own whose system calls are seen, and those of every thread that is started from there.
/// Blocks until it has ended. The thread, and what it starts, can gain no privileges any more.
///
/// # Errors
/// If nothing can be counted on this system.
///
/// # Panics
/// If `work` does.
pub fn watched<T: Send>(work: impl FnOnce(&Watch) -> T + Send) -> Result<T, Unavailable> {
    system::is_in_place()?;
    system::on_watched_thread(|| work(&Watch(())))
}

impl Watch {
    /// Runs `work` on the calling thread and counts what it does. A thread of [`watched`]'s, or one that was started from there.
    /// Only one such closure runs at a time in the process: this waits for the one before.
    ///
    /// # Errors
    /// If the system calls of this thread are not seen.
    pub fn count<T>(&self, work: impl FnOnce() -> T) -> Result<(T, Counted), Unavailable> {
        let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
        let thread = system::thread();
        let open = Open::new(thread);
        system::probe();
        if open.read().0[Kind::Syscall] != 1 {
            return Err(Unavailable("this thread was not started inside of `watched`".into()));
        }
        drop(open);
        let open = Open::new(thread);
        let value = work();
        let (mine, others) = open.read();
        drop(open);
        Ok((value, Counted { mine, others }))
    }
}
