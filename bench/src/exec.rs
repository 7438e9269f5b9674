//! A host's thread pool in CLAP's shape: the audio thread asks for `n` tasks and waits until all are done; the host's threads, and the
//! audio thread among them, call the plugin for one number after the other.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::Thread;

use crate::session::Cores;
use crate::task;

/// One request at a time, shared with the helpers.
#[derive(Debug, Default)]
pub(crate) struct Exec {
    /// The next number to be taken.
    next: AtomicUsize,
    /// How many there are; raised last, so that who sees it sees a request that is whole.
    count: AtomicUsize,
    done: AtomicUsize,
    over: AtomicBool,
}

impl Exec {
    /// Takes numbers while there are any, and calls `task` for each.
    fn take(&self, task: &mut impl FnMut()) {
        loop {
            let count = self.count.load(Ordering::Acquire);
            let taken = self
                .next
                .fetch_update(Ordering::AcqRel, Ordering::Acquire, |next| (next < count).then_some(next + 1));
            if taken.is_err() {
                return;
            }
            task();
            self.done.fetch_add(1, Ordering::Release);
        }
    }

    /// What a host's helper does until the end: sleeps, is woken for a request, takes part.
    pub(crate) fn help(&self, cores: Cores, mut task: impl FnMut()) {
        let _ = task::become_thread(cores.worker, task::WORKER);
        while !self.over.load(Ordering::Acquire) {
            std::thread::park();
            self.take(&mut task);
        }
    }

    /// Has `task` called `count` times, here and by `helpers`, and waits. Audio thread.
    pub(crate) fn request(&self, count: usize, helpers: &[Thread], mut task: impl FnMut()) {
        let first = self.next.load(Ordering::Acquire);
        self.done.store(0, Ordering::Release);
        self.count.store(first + count, Ordering::Release);
        // No more than there are tasks that the audio thread does not take itself.
        helpers.iter().take(count.saturating_sub(1)).for_each(Thread::unpark);
        self.take(&mut task);
        while self.done.load(Ordering::Acquire) < count {
            std::hint::spin_loop();
        }
    }

    /// No request will come.
    pub(crate) fn end(&self, helpers: &[Thread]) {
        self.over.store(true, Ordering::Release);
        helpers.iter().for_each(Thread::unpark);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicU64;

    #[test]
    fn each_request_runs_every_task_once_and_waits_for_all() {
        let cores = Cores { audio: 0, worker: 0 };
        let (exec, ran) = (Exec::default(), AtomicU64::new(0));
        let task = || {
            ran.fetch_add(1, Ordering::Relaxed);
        };
        std::thread::scope(|scope| {
            let helpers: Vec<_> =
                (0..2).map(|_| scope.spawn(|| exec.help(cores, task)).thread().clone()).collect();
            for (n, count) in (0..300).map(|n| (n, n % 5)).scan(0, |sum, (_, count)| {
                *sum += count as u64;
                Some((*sum, count))
            }) {
                exec.request(count, &helpers, task);
                assert_eq!(ran.load(Ordering::Relaxed), n);
            }
            exec.end(&helpers);
        });
    }
}
