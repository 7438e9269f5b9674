//! [`InferenceHandler`]: one model in one plugin instance, from building to closing.

mod allowance;
mod audio;
mod builder;
mod bypass;
mod control;
mod crew;
mod engine_spec;
mod ensemble;
mod hop;
mod job;
mod late;
mod member;
mod mix;
mod output;
mod pace;
mod parameter;
mod patience;
mod payload;
mod prepare;
mod record;
mod report;
mod rest;
mod running;
mod stream;
mod swap;
mod switcher;

use std::sync::Arc;
use std::time::Duration;

use anira_scheduler::Origin;
use anira_traits::{
    Backend, EngineRequest, HopProcessor, HostConfig, InferenceConfig, Model, PrePostProcessor, Result,
    Scheduler,
};

pub use audio::{Audio, Fault, Status};
pub use builder::Builder;
pub use control::{Control, Switching};
pub use engine_spec::EngineSpec;
pub use ensemble::Ensemble;
pub use hop::HopChoice;
pub use job::Job;
pub use late::{Fallback, LateBlock};
pub use payload::Payload;
pub use report::{PrepareReport, Prepared};

use crate::latency::Latency;
use control::Shared;
use late::{FallbackModel, LateFunctionMaker};
use member::{Alignment, Member, Planned};
use running::Running;

/// The engine type of a backend.
pub type EngineOf<B> = <<B as Backend>::Model as Model>::Engine;

/// How long the drop of a handler waits for an inference that is running.
const PATIENCE: Duration = Duration::from_secs(10);

/// A model, its configuration, and who runs it: the owner of a session. Lives on control threads.
///
/// [`prepare`](Self::prepare) gives the audio thread's half, [`control`](Self::control) a handle for everybody else.
///
/// In a process that was forked from the one that prepared a session the session is silent and says
/// [`Forked`](Fault::Forked); its end waits for nobody and frees nothing. `prepare` works there as ever, if the engine bears a fork
/// (`docs/living-in-a-host.md` has which).
///
/// ```
/// use anira::prelude::*;
/// use std::time::Duration;
///
/// let config = InferenceConfig::builder()
///     .input(InputTensor::stream("input", 512))
///     .output(OutputTensor::stream("output", 512))
///     .max_inference(Duration::from_millis(5))
///     .build()?;
/// let mut handler = InferenceHandler::builder(config).backend(Bypass).build()?;
/// let Prepared { mut audio, report, .. } = handler.prepare(&HostConfig::fixed(48_000.0, 480))?;
/// assert_eq!(report.latency[0].samples, 960);
///
/// // On the audio thread:
/// let mut block = [0.0f32; 480];
/// let status = audio.process(&mut [&mut block[..]]);
/// assert!(status.is_ok());
/// # Ok::<(), anira::Error>(())
/// ```
///
/// There is nothing to process with before a prepare:
///
/// ```compile_fail,E0599
/// # use anira::prelude::*;
/// # let config = InferenceConfig::builder().input(InputTensor::stream("i", 8)).output(OutputTensor::stream("o", 8)).build().unwrap();
/// let mut handler = InferenceHandler::builder(config).backend(Bypass).build().unwrap();
/// handler.process(&mut [&mut [0.0f32; 8][..]]);
/// ```
pub struct InferenceHandler<B: Backend, P: PrePostProcessor, S: Scheduler<EngineOf<B>>> {
    // Sessions end before the scheduler and the model do: fields drop in this order.
    running: Vec<Running<B, P, S>>,
    shared: Arc<Shared>,
    config: InferenceConfig,
    late_function: Option<LateFunctionMaker>,
    fallback: Option<Arc<dyn FallbackModel>>,
    processor: P,
    /// The models; what the host sees is described by the first.
    members: Vec<Member<B>>,
    /// What sessions count on, engine by engine, whatever they are exchanged for.
    planned: Vec<Planned>,
    alignment: Alignment,
    switch_fade: usize,
    swappable: bool,
    scheduler: S,
    /// How much later than its samples say a callback may come.
    jitter: Duration,
    name: String,
    /// Events that the next recording has room for; 0: none is wanted.
    record: usize,
    origin: Origin,
}

/// [`InferenceHandler`] by the word that the design uses for the owner of a session.
pub type Session<B, P = HopProcessor, S = anira_scheduler::Pool> = InferenceHandler<B, P, S>;

impl InferenceHandler<anira_backend_custom::Bypass, HopProcessor, anira_scheduler::Pool> {
    /// Starts building a handler for this configuration; the backend is chosen next.
    #[must_use]
    pub fn builder(config: InferenceConfig) -> Builder<(), HopProcessor, anira_scheduler::Pool> {
        Builder::new(config)
    }
}

impl<B: Backend, P: PrePostProcessor, S: Scheduler<EngineOf<B>>> InferenceHandler<B, P, S> {
    /// Makes ready for a host: allocates everything, warms engines up, attaches to the scheduler. Control thread; may block.
    ///
    /// An [`Audio`] of an earlier prepare works until it is dropped; if this prepare fails nothing has changed. The model is
    /// not loaded again.
    ///
    /// # Errors
    /// [`Host`](crate::ErrorKind::Host) and [`Config`](crate::ErrorKind::Config), naming the field;
    /// [`Overload`](crate::ErrorKind::Overload) if the model cannot keep up; the engine's and the scheduler's own.
    pub fn prepare(&mut self, host: &HostConfig) -> Result<Prepared<B, P, S>> {
        self.reclaim();
        let choice = self.choose_hop(host)?;
        if let Some(choice) = &choice {
            self.take_hop(choice.hop)?;
        }
        let sizes = self.sizes(host)?;
        let mut prepared = self.start(host, sizes)?;
        prepared.report.hop_choice = choice;
        Ok(prepared)
    }

    /// As [`prepare`](Self::prepare), for a host whose callbacks may come so much later than their samples say.
    pub(crate) fn prepare_with(&mut self, host: &HostConfig, jitter: Duration) -> Result<Prepared<B, P, S>> {
        self.jitter = jitter;
        let prepared = self.prepare(host);
        self.jitter = Duration::ZERO;
        prepared
    }

    /// As [`prepare`](Self::prepare), at this hop of the configuration's range, as if a slot took this time.
    pub(crate) fn prepare_at(
        &mut self,
        host: &HostConfig,
        hop: usize,
        time: Duration,
    ) -> Result<Prepared<B, P, S>> {
        self.reclaim();
        self.take_hop(hop)?;
        self.planned.iter_mut().for_each(|planned| planned.time = Some(time));
        let sizes = self.sizes(host)?;
        self.start(host, sizes)
    }

    /// The latency of each output stream that [`prepare`](Self::prepare) would give this host, in parts. Control thread.
    ///
    /// # Errors
    /// As [`prepare`](Self::prepare).
    pub fn latency(&self, host: &HostConfig) -> Result<Vec<Latency>> {
        let hop = self.choose_hop(host)?.map(|choice| choice.hop);
        self.sizes_at(host, hop).map(|sizes| sizes.latency())
    }

    /// A handle for parameters, readings, counters and errors. Any thread.
    #[must_use]
    pub fn control(&self) -> Control {
        Control::new(self.shared.clone())
    }

    /// The loaded model, which sessions of the same backend, bytes and options share; of several engines, that of number 0. Any
    /// thread.
    #[must_use]
    pub fn model(&self) -> &B::Model {
        &self.first().model
    }

    fn first(&self) -> &Member<B> {
        // Built with at least one, and none is ever taken away.
        &self.members[0]
    }

    /// What its engines are asked to be: the shape of every tensor, and what they hold in a trial run. Any thread.
    #[must_use]
    pub fn engine_request(&self) -> &EngineRequest {
        &self.first().binding.request
    }

    /// The configuration. Any thread.
    #[must_use]
    pub fn config(&self) -> &InferenceConfig {
        &self.config
    }

    /// Waits until every inference that was submitted before this call has ended, those that a reset gave up included: no code of
    /// an engine or of a processor runs for this handler then, until the audio thread submits again. So the audio thread
    /// is stopped first, or what it submits meanwhile is not waited for. Control thread; waits, at most `timeout` per session.
    ///
    /// # Errors
    /// [`Timeout`](crate::ErrorKind::Timeout): an engine did not come back, or nobody runs the slots.
    pub fn quiesce(&mut self, timeout: Duration) -> Result<()> {
        self.running.iter_mut().try_for_each(|running| match running.is_over() {
            // Nobody will hear it: what waits need not be run.
            true => running.detach(timeout),
            false => running.quiesce(timeout),
        })
    }

    /// Ends all sessions of this handler: when this returns `Ok`, no engine runs or will run. Audio halves that still exist
    /// give silence. Control thread; waits for running inferences, at most `timeout` each.
    ///
    /// # Errors
    /// [`Timeout`](crate::ErrorKind::Timeout) if an engine did not come back; its memory is never freed.
    pub fn close(mut self, timeout: Duration) -> Result<()> {
        self.end(timeout)
    }

    /// Frees the memory of audio halves that were dropped.
    fn reclaim(&mut self) {
        running::sweep();
        // What is over is detached and freed by being dropped.
        self.running.extract_if(.., |running| running.is_over()).for_each(Running::bury);
    }

    fn end(&mut self, timeout: Duration) -> Result<()> {
        let mut outcome = Ok(());
        for mut running in self.running.drain(..) {
            match running.detach(timeout) {
                Ok(()) => running.bury(),
                Err(error) => {
                    // Somebody is still inside: what they use must outlive them, and nobody knows for how long.
                    std::mem::forget(running);
                    outcome = Err(error);
                }
            }
        }
        outcome
    }
}

impl<B: Backend, P: PrePostProcessor, S: Scheduler<EngineOf<B>>> Drop for InferenceHandler<B, P, S> {
    fn drop(&mut self) {
        let _ = self.end(PATIENCE);
        if self.origin != Origin::here() {
            // A fork: engines, and what they share, may wait at their end for threads that are not here.
            std::mem::forget(std::mem::take(&mut self.members));
            std::mem::forget(self.fallback.take());
        }
    }
}

impl<B: Backend, P: PrePostProcessor, S: Scheduler<EngineOf<B>>> std::fmt::Debug
    for InferenceHandler<B, P, S>
{
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("InferenceHandler")
            .field("name", &self.name)
            .field("config", &self.config)
            .field("sessions", &self.running.len())
            .finish_non_exhaustive()
    }
}
