//! What a prepare gives and tells.

use std::time::Duration;

use anira_traits::{Admission, Backend, PrePostProcessor, Scheduler};

use super::EngineOf;
use super::audio::Audio;
use super::hop::HopChoice;
use crate::latency::Latency;
use crate::trace::Recording;

/// A prepared session: the audio thread's half, and what the host may want to know.
#[non_exhaustive]
pub struct Prepared<B: Backend, P: PrePostProcessor, S: Scheduler<EngineOf<B>>> {
    /// For the audio thread.
    pub audio: Audio<B, P, S>,
    /// For the host and the user.
    pub report: PrepareReport,
    /// What the session's threads do, as they do it; only after [`record`](crate::InferenceHandler::record).
    pub recording: Option<Recording>,
}

/// What a session came out as.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct PrepareReport {
    /// The latency of each output stream, in parts.
    pub latency: Vec<Latency>,
    /// How long each output stream may sound on after the last input, in samples: latency, receptive field (window less one: an
    /// engine may look at any sample of its window for any of its hop) and declared decay.
    pub tail: Vec<u64>,
    /// Slots in the ring, spares for resets included.
    pub slots: usize,
    /// Samples of the reference stream that one inference consumes.
    pub hop: usize,
    /// How that hop was chosen, where the configuration has a [range](crate::HopRange).
    pub hop_choice: Option<HopChoice>,
    /// How often the model runs per hop: once per group of the host's channels.
    pub lanes: usize,
    /// Engines that may run at once.
    pub engines: usize,
    /// The worst time of one slot that the latency counts on: all lanes.
    pub max_inference: Duration,
    /// What a worker may need before it begins, which the latency counts on.
    pub scheduling_allowance: Duration,
    /// Bytes of sample memory: histories, slots, output rings.
    pub bytes: usize,
    /// Whether this session and those prepared before it fit on their scheduler, by what they declared; `None` where the
    /// scheduler cannot say.
    pub admission: Option<Admission>,
}

impl<B: Backend, P: PrePostProcessor, S: Scheduler<EngineOf<B>>> std::fmt::Debug for Prepared<B, P, S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Prepared").field("report", &self.report).finish_non_exhaustive()
    }
}
