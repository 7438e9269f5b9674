//! What no library can do without: a block copied in, a block copied out, while another core writes the same lines.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering, fence};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use crate::session::Cores;
use crate::task;

/// Memory that two cores write in turn.
#[derive(Debug)]
struct Shared {
    /// What the copy in goes to, what the copy out comes from.
    lines: Mutex<(Vec<f32>, Vec<f32>)>,
    asked: AtomicU64,
    done: AtomicU64,
    over: AtomicBool,
}

/// Two copies of a block, and a thread on the worker's core that writes their far ends in between.
#[derive(Debug)]
pub(crate) struct Reference {
    shared: Arc<Shared>,
    other: Option<JoinHandle<()>>,
}

/// Samples by which the copies' ends are set apart: addresses that agree in their last twelve bits slow a copy down.
const APART: usize = 272;

/// How a thread waits for the other: for an answer within microseconds, or until it is woken.
const ROUNDS: u32 = 2_000;

impl Reference {
    /// For blocks of `samples`, all channels together.
    pub(crate) fn new(samples: usize, cores: Cores) -> anyhow::Result<Self> {
        let shared = Arc::new(Shared {
            lines: Mutex::new((vec![0.0; samples + APART], vec![0.0; samples + 2 * APART])),
            asked: AtomicU64::new(0),
            done: AtomicU64::new(0),
            over: AtomicBool::new(false),
        });
        let theirs = shared.clone();
        let other = std::thread::Builder::new().name("reference".into()).spawn(move || {
            let _ = task::become_thread(cores.worker, task::WORKER);
            rewrite(&theirs);
        })?;
        Ok(Self { shared, other: Some(other) })
    }

    /// Asks the other core to write all lines; [`is_cold`](Self::is_cold) says when it has.
    pub(crate) fn ask(&self) {
        self.shared.asked.fetch_add(1, Ordering::Release);
        if let Some(other) = &self.other {
            other.thread().unpark();
        }
    }

    /// Whether the other core was the last to write.
    pub(crate) fn is_cold(&self) -> bool {
        self.shared.done.load(Ordering::Acquire) == self.shared.asked.load(Ordering::Relaxed)
    }

    /// The memory; nobody else has it meanwhile.
    pub(crate) fn lines(&self) -> Lines<'_> {
        Lines(self.shared.lines.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The right to copy.
pub(crate) struct Lines<'a>(MutexGuard<'a, (Vec<f32>, Vec<f32>)>);

impl Lines<'_> {
    /// In and out.
    #[inline(always)]
    pub(crate) fn copy(&mut self, blocks: &mut [Vec<f32>]) {
        let (input, output) = &mut *self.0;
        let len = blocks.first().map_or(1, Vec::len);
        for (lines, block) in input[APART..].chunks_mut(len).zip(&*blocks) {
            lines.iter_mut().zip(block).for_each(|(to, from)| *to = *from);
        }
        for (lines, block) in output[2 * APART..].chunks(len).zip(blocks) {
            block.iter_mut().zip(lines).for_each(|(to, from)| *to = *from);
        }
    }

    /// In and out, and what was copied in is everybody's before this returns: what handing over to a thread that may be
    /// asleep cannot do without.
    #[inline(always)]
    pub(crate) fn publish(&mut self, blocks: &mut [Vec<f32>]) {
        self.copy(blocks);
        fence(Ordering::SeqCst);
    }
}

fn rewrite(shared: &Shared) {
    let (mut seen, mut rounds) = (0, 0);
    while !shared.over.load(Ordering::Relaxed) {
        let asked = shared.asked.load(Ordering::Acquire);
        if asked == seen {
            rounds += 1;
            match rounds {
                ..ROUNDS => std::hint::spin_loop(),
                _ => std::thread::park(),
            }
            continue;
        }
        (seen, rounds) = (asked, 0);
        let mut lines = shared.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let (input, output) = &mut *lines;
        input.fill(asked as f32);
        output.fill(asked as f32);
        drop(lines);
        shared.done.store(asked, Ordering::Release);
    }
}

impl Drop for Reference {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::Relaxed);
        if let Some(other) = self.other.take() {
            other.thread().unpark();
            let _ = other.join();
        }
    }
}
