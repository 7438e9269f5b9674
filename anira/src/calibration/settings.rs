//! What a calibration is asked for: [`Settings`]; and what it tells meanwhile.

use std::sync::Arc;
use std::time::Duration;

use anira_scheduler::clock;
use anira_traits::{Error, MAX_BLOCK, Result};

/// How a calibration measures, and for which hosts.
#[derive(Clone)]
pub struct Settings {
    pub(super) sample_rate: f64,
    pub(super) blocks: Vec<usize>,
    pub(super) least: usize,
    pub(super) most: usize,
    pub(super) limit: Duration,
    pub(super) max_engines: usize,
    pub(super) pool: Duration,
    pub(super) clock: Arc<dyn Fn() -> u64 + Send + Sync>,
}

/// How far a calibration has come.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Progress {
    /// The hop that is being measured.
    pub hop: usize,
    /// Its number among those that are.
    pub part: usize,
    /// How many are.
    pub parts: usize,
    /// The share of the most that it may take, from 0 to 1.
    pub done: f64,
}

impl Default for Settings {
    /// 48 kHz; blocks from 32 to 2048; 512 to 32,768 slots, at most 30 s; as many engines as there are cores; 2 s of a pool.
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, |n| n.get());
        Self {
            sample_rate: 48_000.0,
            blocks: (5..12).map(|power| 1 << power).collect(),
            least: 512,
            most: 32_768,
            limit: Duration::from_secs(30),
            max_engines: cores,
            pool: Duration::from_secs(2),
            clock: Arc::new(clock::now),
        }
    }
}

impl Settings {
    /// The host's sample rate in Hz.
    #[must_use]
    pub fn sample_rate(mut self, hertz: f64) -> Self {
        self.sample_rate = hertz;
        self
    }

    /// The host blocks of the table, in samples.
    #[must_use]
    pub fn blocks(mut self, blocks: impl IntoIterator<Item = usize>) -> Self {
        self.blocks = blocks.into_iter().collect();
        self
    }

    /// The fewest slots after the warm-up that are enough, and the most in all.
    #[must_use]
    pub fn slots(mut self, least: usize, most: usize) -> Self {
        (self.least, self.most) = (least, most);
        self
    }

    /// The longest that the slots of one hop are measured.
    #[must_use]
    pub fn limit(mut self, time: Duration) -> Self {
        self.limit = time;
        self
    }

    /// The most engines that the table considers; a model that remembers has one.
    #[must_use]
    pub fn max_engines(mut self, count: usize) -> Self {
        self.max_engines = count;
        self
    }

    /// How long the shared pool is watched for its starts.
    #[must_use]
    pub fn pool(mut self, time: Duration) -> Self {
        self.pool = time;
        self
    }

    /// Without a look at the pool: the scheduling allowance is 0 then.
    #[must_use]
    pub fn without_pool(self) -> Self {
        self.pool(Duration::ZERO)
    }

    /// Another clock, in nanoseconds: slots are measured by it. For tests, whose engines move it on.
    #[must_use]
    pub fn clock(mut self, now: impl Fn() -> u64 + Send + Sync + 'static) -> Self {
        self.clock = Arc::new(now);
        self
    }

    pub(super) fn validate(&self) -> Result<()> {
        if self.blocks.is_empty() {
            return Err(Error::config("blocks", "none", "at least one host block"));
        }
        if let Some(bad) = self.blocks.iter().find(|block| !(1..=MAX_BLOCK).contains(*block)) {
            return Err(Error::config("blocks", bad, format!("from 1 to {MAX_BLOCK} samples")));
        }
        if !(64..=1 << 22).contains(&self.least) {
            return Err(Error::config("slots: least", self.least, "from 64 to 4194304"));
        }
        if self.most < 2 * self.least || self.most > 1 << 23 {
            let right = format!("from {}, twice the fewest, to 8388608", 2 * self.least);
            return Err(Error::config("slots: most", self.most, right));
        }
        if !(1..=64).contains(&self.max_engines) {
            return Err(Error::config("max_engines", self.max_engines, "from 1 to 64"));
        }
        Ok(())
    }
}

impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Settings")
            .field("sample_rate", &self.sample_rate)
            .field("blocks", &self.blocks)
            .field("least", &self.least)
            .field("most", &self.most)
            .field("limit", &self.limit)
            .field("max_engines", &self.max_engines)
            .field("pool", &self.pool)
            .finish_non_exhaustive()
    }
}
