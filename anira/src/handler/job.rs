//! What a worker does with a slot: [`Job`] claims it, a [`Crew`] runs it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use anira_scheduler::ring::{Claim, Input, Parts, Ring};
use anira_scheduler::{Doorbell, clock};
use anira_traits::{Engine, Error, ErrorKind, Head, Ran, Result, Work, WorkerPart};

use super::control::{Shared, panicked};
use super::crew::Crew;
use super::payload::Payload;
use super::running::Closed;

/// A session as its scheduler sees it.
pub struct Job<E, W> {
    ring: Arc<Ring<Payload, Crew<E, W>>>,
    shared: Arc<Shared>,
    closed: Closed,
    /// Where the audio thread waits for results, if it ever does.
    bell: Option<Arc<Doorbell>>,
}

impl<E: Engine, W: WorkerPart> Job<E, W> {
    pub(super) fn new(
        ring: Arc<Ring<Payload, Crew<E, W>>>,
        shared: Arc<Shared>,
        closed: Closed,
        bell: Option<Arc<Doorbell>>,
    ) -> Self {
        Self { ring, shared, closed, bell }
    }

    fn run(&self, mut claim: Claim<'_, Payload, Crew<E, W>>) -> Ran {
        let started = clock::now();
        let times = claim.times();
        let was_broken = claim.executor().is_some_and(|crew| crew.is_broken());
        let outcome = catch_unwind(AssertUnwindSafe(|| run(&mut claim)));
        let mut ran = Ran::Slot;
        let outcome = outcome.unwrap_or_else(|payload| {
            ran = Ran::Panicked;
            let error = panicked(payload.as_ref());
            if let Some(crew) = claim.executor() {
                crew.retire(error.clone());
            }
            Err(error)
        });
        // A crew that broke (a panic, a reset that failed) must not take slots away from those that work. Only once: the last
        // crew of a session goes on to answer that it is broken.
        let withhold = !was_broken && claim.executor().is_some_and(|crew| crew.is_broken());
        let telemetry = &self.shared.telemetry;
        telemetry.count_run(outcome.is_ok(), times, started, clock::now());
        claim.finish(outcome.is_ok(), withhold);
        if let Some(bell) = &self.bell {
            bell.ring();
        }
        self.shared.telemetry.count_returned();
        if let Err(error) = outcome {
            self.shared.report(error);
        }
        ran
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

fn run<E: Engine, W: WorkerPart>(claim: &mut Claim<'_, Payload, Crew<E, W>>) -> Result<()> {
    let Some(Parts { header, payload, executor, input }) = claim.parts() else {
        return Err(Error::new(ErrorKind::Internal, "a claimed slot without contents"));
    };
    executor.run(header.generation, payload, input, Input::release)
}

impl<E, W> std::fmt::Debug for Job<E, W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Job").field("ring", &self.ring).finish_non_exhaustive()
    }
}
