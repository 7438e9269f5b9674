//! Recording what a session's threads do.

use std::time::Duration;

use anira_traits::{
    Backend, BlockSize, HostConfig, PrePostProcessor, Scheduler, SessionPlan, Timing as SchedulerTiming,
};

use super::ensemble::Ensemble;
use super::{EngineOf, InferenceHandler};
use crate::latency::Latency;
use crate::trace::recorder::AudioEnd;
use crate::trace::{Header, Recording};

impl<B: Backend, P: PrePostProcessor, S: Scheduler<EngineOf<B>>> InferenceHandler<B, P, S> {
    /// Lets every further prepare give a [`Recording`], with room for `events` of each thread between two drains; 0 for none. An audio
    /// thread that records reads the clock about four times more in a callback, and stays wait-free. Control thread.
    pub fn record(&mut self, events: usize) {
        self.record = events;
    }

    /// A recording, if one is wanted, and its audio end; the workers' ends go into the ensembles.
    pub(super) fn recording(
        &self,
        host: &HostConfig,
        plan: &SessionPlan,
        latency: &[Latency],
        (max_inference, allowance): (Duration, Duration),
        ensembles: &mut [Ensemble<EngineOf<B>, P::Worker>],
    ) -> (Option<Recording>, Option<AudioEnd>) {
        if self.record == 0 {
            return (None, None);
        }
        let workers = match self.scheduler.timing() {
            SchedulerTiming::Beside { workers } => workers,
            _ => 1,
        };
        let nanos = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let hop_in = plan.inputs.first().or(plan.outputs.first()).map_or(1, |s| s.hop);
        let header = Header {
            sample_rate: host.sample_rate(),
            block: host.block_size().max() as u64,
            varying: matches!(host.block_size(), BlockSize::Varying { .. }),
            hop_in: hop_in as u64,
            hop_out: plan.outputs.first().map_or(hop_in, |s| s.hop) as u64,
            engines: plan.engines.min(workers).max(1) as u64,
            latency: latency.first().map_or(0, |l| l.samples),
            zero_fill: latency.first().map_or(0, Latency::zero_fill),
            max_inference: nanos(max_inference),
            scheduling_allowance: nanos(allowance),
            blocking_ppm: u64::from(self.config.blocking_ppm()),
            max_catch_up: if self.remembers() { self.config.max_catch_up() as u64 } else { 0 },
        };
        let (recording, audio, ends) = Recording::new(header, self.record, ensembles.len());
        ensembles.iter_mut().zip(ends).for_each(|(ensemble, end)| ensemble.recorder = Some(end));
        (Some(recording), Some(audio))
    }
}
