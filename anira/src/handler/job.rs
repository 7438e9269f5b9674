//! What a worker does with a slot: [`Job`] claims it, an [`Ensemble`] runs it.

use std::sync::Arc;

use anira_scheduler::ring::{Claim, Input, Parts, Ring};
use anira_scheduler::{Doorbell, clock};
use anira_traits::{Engine, Error, ErrorKind, Head, Ran, Work, WorkerPart};

use super::control::Shared;
use super::ensemble::{Ensemble, Played};
use super::payload::Payload;
use super::running::Closed;

/// A session as its scheduler sees it.
pub struct Job<E, W> {
    ring: Arc<Ring<Payload, Ensemble<E, W>>>,
    shared: Arc<Shared>,
    closed: Closed,
    /// Where the audio thread waits for results, if it ever does.
    bell: Option<Arc<Doorbell>>,
}

impl<E: Engine, W: WorkerPart> Job<E, W> {
    pub(super) fn new(
        ring: Arc<Ring<Payload, Ensemble<E, W>>>,
        shared: Arc<Shared>,
        closed: Closed,
        bell: Option<Arc<Doorbell>>,
    ) -> Self {
        Self { ring, shared, closed, bell }
    }

    fn run(&self, mut claim: Claim<'_, Payload, Ensemble<E, W>>) -> Ran {
        let started = clock::now();
        let times = claim.times();
        let mut which = (0, 0);
        let played = match claim.parts() {
            Some(Parts { header, payload, executor, input }) => {
                which = (header.generation, header.hop);
                executor.run(header.generation, payload, input, Input::release)
            }
            None => Played::failed(Error::new(ErrorKind::Internal, "a claimed slot without contents")),
        };
        let telemetry = &self.shared.telemetry;
        let ended = clock::now();
        telemetry.count_run(played.ok, times, started, ended);
        if let Some(recorder) = claim.executor().and_then(|ensemble| ensemble.recorder.as_mut()) {
            recorder.run(which, (started, ended), played.ok);
        }
        // Engines that broke (a panic, a reset that failed) must not take slots away from those that work. Only once: the last
        // ensemble of a session goes on to answer that one of it is broken, and with the others.
        claim.finish(played.ok, played.broke);
        if let Some(bell) = &self.bell {
            bell.ring();
        }
        self.shared.telemetry.count_returned();
        if let Some(error) = played.error {
            self.shared.report(error);
        }
        if played.panicked { Ran::Panicked } else { Ran::Slot }
    }
}

impl<E: Engine, W: WorkerPart> Work for Job<E, W> {
    type Engine = E;

    fn head(&self) -> Option<Head> {
        self.ring.head()
    }

    fn run_one(&self, claimed: &mut dyn FnMut()) -> Ran {
        // Callers that run slots themselves, as rendering does, come past every scheduler's own door.
        if self.closed.is_set() {
            return Ran::Nothing;
        }
        match self.ring.claim() {
            Some(claim) => {
                claimed();
                self.run(claim)
            }
            None => Ran::Nothing,
        }
    }
}

impl<E, W> std::fmt::Debug for Job<E, W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Job").field("ring", &self.ring).finish_non_exhaustive()
    }
}
