//! What a worker may need before it begins, and the latency with it.

use std::time::Duration;

use anira_traits::{
    Backend, Error, HostConfig, PrePostProcessor, Result, Scheduler, SchedulingAllowance, SessionPlan, Timing,
};

use super::{EngineOf, InferenceHandler};
use crate::latency::Latency;

/// How often an allowance is tried, until it is enough for the session that it makes.
const TRIALS: usize = 64;

impl<B: Backend, P: PrePostProcessor, S: Scheduler<EngineOf<B>>> InferenceHandler<B, P, S> {
    /// The latency of each output stream, and the scheduling allowance in it.
    pub(super) fn allowed(
        &self,
        host: &HostConfig,
        plan: &SessionPlan,
        max_inference: Duration,
    ) -> Result<(Vec<Latency>, Duration)> {
        let with = |allowance| Ok((self.latencies(host, plan, max_inference, allowance)?, allowance));
        match self.config.scheduling_allowance() {
            // Nobody has to begin: the callback runs the engine.
            _ if self.scheduler.timing() == Timing::InCallback => with(Duration::ZERO),
            SchedulingAllowance::Time(time) => with(time),
            _ => self.allowed_for_others(host, plan, max_inference),
        }
    }

    /// The least allowance of those tried that covers how long other sessions may stand in the way of the session that it makes.
    /// With more latency a session can wait longer, and is served after others that it would have preceded.
    fn allowed_for_others(
        &self,
        host: &HostConfig,
        plan: &SessionPlan,
        max_inference: Duration,
    ) -> Result<(Vec<Latency>, Duration)> {
        let mut allowance = Duration::ZERO;
        for _ in 0..TRIALS {
            let latency = self.latencies(host, plan, max_inference, allowance)?;
            let terms =
                self.terms(host, plan, max_inference, latency.get(..plan.outputs.len()).unwrap_or(&[]));
            let Some(blocking) = self.scheduler.blocking(&terms) else {
                let right =
                    "a time in milliseconds: this scheduler cannot say how long others may be in the way";
                return Err(Error::config("scheduling_allowance", "auto", right));
            };
            if blocking <= allowance {
                return Ok((latency, allowance));
            }
            allowance = blocking;
        }
        let right = "a time in milliseconds: the sessions of this scheduler are too many to tell";
        Err(Error::config("scheduling_allowance", "auto", right))
    }
}
