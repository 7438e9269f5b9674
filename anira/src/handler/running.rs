//! What the owner keeps of a prepared session, and where it goes when its audio half outlives the owner.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anira_traits::{Attachment, Backend, PrePostProcessor, Result, Scheduler};

use super::EngineOf;
use super::audio::State;
use super::job::Job;

type AttachmentOf<B, P, S> =
    <S as Scheduler<EngineOf<B>>>::Attachment<Job<EngineOf<B>, <P as PrePostProcessor>::Worker>>;

/// The owner's end of one prepared session.
pub(super) struct Running<B: Backend, P: PrePostProcessor, S: Scheduler<EngineOf<B>>> {
    attachment: AttachmentOf<B, P, S>,
    /// Where the audio half's memory comes back when it is dropped.
    home: rtrb::Consumer<Box<State<B, P, S>>>,
}

impl<B: Backend, P: PrePostProcessor, S: Scheduler<EngineOf<B>>> Running<B, P, S> {
    pub(super) fn new(attachment: AttachmentOf<B, P, S>, home: rtrb::Consumer<Box<State<B, P, S>>>) -> Self {
        Self { attachment, home }
    }

    /// Whether the audio half has been dropped.
    pub(super) fn is_over(&self) -> bool {
        self.home.is_abandoned()
    }

    pub(super) fn detach(&mut self, timeout: Duration) -> Result<()> {
        self.attachment.detach(timeout)
    }

    /// Lets go of it: freed now if the audio half is gone, else as soon as somebody looks after it is.
    pub(super) fn bury(self)
    where
        Self: Send + 'static,
    {
        sweep();
        if !self.is_over() {
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
    static GRAVEYARD: Mutex<Vec<Box<dyn Remains>>> = Mutex::new(Vec::new());
    GRAVEYARD.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Frees what ownerless sessions left behind, where their audio halves are gone. Control thread.
pub(super) fn sweep() {
    let over: Vec<_> = graveyard().extract_if(.., |remains| remains.is_over()).collect();
    // Freed here, outside of the lock: engines may take their time.
    drop(over);
}
