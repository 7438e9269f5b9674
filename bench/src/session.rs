//! Sessions to measure, and the beat of a host.

use std::time::{Duration, Instant};

use anira::HostConfig;
use anira::prelude::{
    Audio, Bypass, Control, HopProcessor, InferenceConfig, InferenceHandler, InputTensor, OutputTensor, Pool,
    Prepared,
};
use anira::scheduler::{Affinity, IdlePolicy, Priority};

use crate::task;

/// The rate of every measurement.
pub(crate) const RATE: f64 = 48_000.0;

/// What the names of a pool's threads begin with.
pub(crate) const WORKERS: &str = "anira-";

/// Where the two sides run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cores {
    pub(crate) audio: usize,
    pub(crate) worker: usize,
}

/// The sizes of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub(crate) struct Sizes {
    pub(crate) block: usize,
    pub(crate) hop: usize,
    pub(crate) context: usize,
    pub(crate) channels: usize,
}

impl Sizes {
    /// A model whose hop is the host's block.
    pub(crate) fn even(block: usize, channels: usize) -> Self {
        Self { block, hop: block, context: 0, channels }
    }

    pub(crate) fn period(&self) -> Duration {
        Duration::from_secs_f64(self.block as f64 / RATE)
    }

    fn config(&self) -> anira::Result<InferenceConfig> {
        InferenceConfig::builder()
            .input(InputTensor::stream("input", self.hop).context(self.context).channels(self.channels))
            .output(OutputTensor::stream("output", self.hop).channels(self.channels))
            .max_inference(Duration::from_micros(100))
            .build()
    }
}

/// A pool of one worker, pinned, at [`task::WORKER`]'s priority.
pub(crate) fn pool(idle: IdlePolicy, cores: Cores) -> anira::Result<Pool> {
    pool_at(task::WORKER, idle, cores)
}

/// The same at another priority.
pub(crate) fn pool_at(priority: Priority, idle: IdlePolicy, cores: Cores) -> anira::Result<Pool> {
    Pool::builder()
        .threads(1)
        .affinity(Affinity::PerWorker(vec![cores.worker]))
        .priority(priority)
        .idle(idle)
        .build()
}

/// A session that passes its input through.
pub(crate) struct BypassSession {
    pub(crate) audio: Audio<Bypass, HopProcessor, Pool>,
    pub(crate) control: Control,
    _handler: InferenceHandler<Bypass, HopProcessor, Pool>,
}

impl BypassSession {
    pub(crate) fn new(sizes: &Sizes, pool: Pool) -> anira::Result<Self> {
        let mut handler =
            InferenceHandler::builder(sizes.config()?).backend(Bypass).scheduler(pool).build()?;
        let Prepared { audio, .. } = handler.prepare(&HostConfig::fixed(RATE, sizes.block))?;
        Ok(Self { audio, control: handler.control(), _handler: handler })
    }

    /// Waits until the worker has handed back everything that was submitted.
    pub(crate) fn settle(&self) {
        loop {
            let counts = self.control.telemetry();
            if counts.returned + counts.dropped >= counts.submitted {
                return;
            }
            std::hint::spin_loop();
        }
    }
}

/// The times at which a host calls.
pub(crate) struct Beat {
    next: Instant,
    period: Duration,
}

impl Beat {
    pub(crate) fn new(period: Duration) -> Self {
        Self { next: Instant::now() + period, period }
    }

    /// Sleeps until the next call is due.
    pub(crate) fn wait(&mut self) {
        std::thread::sleep(self.next.saturating_duration_since(Instant::now()));
        self.next += self.period;
    }
}
