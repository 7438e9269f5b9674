//! What the owner keeps of a prepared session, and where it goes when its audio half outlives the owner.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anira_scheduler::ring::Ring;
use anira_scheduler::{Doorbell, GENERATIONS, Origin};
use anira_traits::{Attachment, Backend, Error, ErrorKind, PrePostProcessor, Result, Scheduler};

use super::EngineOf;
use super::audio::State;
use super::ensemble::Ensemble;
use super::job::Job;
use super::payload::Payload;
use super::swap::Troupe;

type AttachmentOf<B, P, S> =
    <S as Scheduler<EngineOf<B>>>::Attachment<Job<EngineOf<B>, <P as PrePostProcessor>::Worker>>;

pub(super) type RingOf<B, P> = Ring<Payload, Ensemble<EngineOf<B>, <P as PrePostProcessor>::Worker>>;

/// Between looks of [`Running::quiesce`].
const LOOK: Duration = Duration::from_micros(200);

/// Whether a session's owner has ended it: then nothing of it is run any more, nor waited for, by any thread.
#[derive(Clone, Debug, Default)]
pub(super) struct Closed(Arc<AtomicBool>);

impl Closed {
    /// Any thread; wait-free.
    pub(super) fn is_set(&self) -> bool {
        // Relaxed: a word on its own. Who is inside a slot is waited for by the attachment; who sleeps is woken by the bell,
        // which has the fences.
        self.0.load(Ordering::Relaxed)
    }
}

/// The owner's end of one prepared session.
pub(super) struct Running<B: Backend, P: PrePostProcessor, S: Scheduler<EngineOf<B>>> {
    attachment: AttachmentOf<B, P, S>,
    ring: Arc<RingOf<B, P>>,
    closed: Closed,
    /// Where the audio thread may be waiting for results.
    bell: Option<Arc<Doorbell>>,
    /// Where the audio half's memory comes back when it is dropped.
    home: rtrb::Consumer<Box<State<B, P, S>>>,
    /// Its engines.
    pub(super) troupe: Troupe<B, P>,
    origin: Origin,
}

impl<B: Backend, P: PrePostProcessor, S: Scheduler<EngineOf<B>>> Running<B, P, S> {
    pub(super) fn new(
        attachment: AttachmentOf<B, P, S>,
        ring: Arc<RingOf<B, P>>,
        closed: Closed,
        bell: Option<Arc<Doorbell>>,
        home: rtrb::Consumer<Box<State<B, P, S>>>,
        troupe: Troupe<B, P>,
    ) -> Self {
        Self { attachment, ring, closed, bell, home, troupe, origin: Origin::here() }
    }

    pub(super) fn ring(&self) -> Arc<RingOf<B, P>> {
        self.ring.clone()
    }

    /// Whether the audio half has been dropped.
    pub(super) fn is_over(&self) -> bool {
        self.home.is_abandoned()
    }

    /// Whether this process is a fork of the one that prepared it: then no thread is in it, or ever will be, and engines may have
    /// had threads that their end would wait for. So nothing of it is freed.
    pub(super) fn is_inherited(&self) -> bool {
        self.origin != Origin::here()
    }

    /// Waits until every slot that has been submitted has ended.
    pub(super) fn quiesce(&self, timeout: Duration) -> Result<()> {
        if self.is_inherited() {
            return Ok(());
        }
        let (published, start) = (self.ring.published(), Instant::now());
        while self.ring.is_busy_before(published) {
            if start.elapsed() >= timeout {
                let text = "inferences that were submitted before have not ended; a scheduler may have nobody to run them";
                return Err(Error::new(ErrorKind::Timeout, text).at("quiesce"));
            }
            std::thread::sleep(LOOK);
        }
        Ok(())
    }

    pub(super) fn detach(&mut self, timeout: Duration) -> Result<()> {
        self.closed.0.store(true, Ordering::Relaxed);
        if self.is_inherited() {
            return Ok(());
        }
        // Nobody will answer any more: who waits for it goes on now.
        if let Some(bell) = &self.bell {
            bell.ring();
        }
        self.attachment.detach(timeout)
    }

    /// Lets go of it: freed now if the audio half is gone, else as soon as somebody looks after it is.
    pub(super) fn bury(self)
    where
        Self: Send + 'static,
    {
        sweep();
        if self.is_inherited() {
            std::mem::forget(self);
        } else if !self.is_over() {
            graveyard().push(Box::new(self));
        }
    }
}

/// A session without an owner, whose audio half may still be in use.
trait Remains: Send {
    fn is_over(&self) -> bool;
}

impl<B: Backend, P: PrePostProcessor, S: Scheduler<EngineOf<B>>> Remains for Running<B, P, S> {
    fn is_over(&self) -> bool {
        Running::is_over(self)
    }
}

fn graveyard() -> std::sync::MutexGuard<'static, Vec<Box<dyn Remains>>> {
    // A fork leaves its parent's where it is.
    static GRAVEYARDS: [Mutex<Vec<Box<dyn Remains>>>; GENERATIONS] =
        [const { Mutex::new(Vec::new()) }; GENERATIONS];
    Origin::here().of(&GRAVEYARDS).lock().unwrap_or_else(PoisonError::into_inner)
}

/// Frees what ownerless sessions left behind, where their audio halves are gone. Control thread.
pub(super) fn sweep() {
    let over: Vec<_> = graveyard().extract_if(.., |remains| remains.is_over()).collect();
    // Freed here, outside of the lock: engines may take their time.
    drop(over);
}
