//! What a case is made of: a model, a host, operations.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anira::prelude::*;
use anira::traits::Layout;

use crate::{backend, signature, valid};

/// Samples per second.
const RATE: f64 = 48_000.0;

/// Who runs the hops, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// Rendering, inside the call that submits.
    InTheCall,
    /// Rendering: run when somebody waits for them.
    Waiting,
    /// Real time: run when the test says so.
    RealTime,
}

/// What a run of an engine may do instead of its work.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Failure {
    Error,
    BadState,
    BadOutput,
}

/// A model and a host.
#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    /// Samples of a hop, in and out.
    pub hop_in: usize,
    /// As above.
    pub hop_out: usize,
    /// Samples before the hop that the model sees as well.
    pub context: usize,
    /// Channels of the model.
    pub channels: usize,
    /// How often the model runs side by side, each time for channels of its own.
    pub lanes: usize,
    /// The most samples that the host announces.
    pub max_block: usize,
    /// The declared worst time of a slot, as a share of what is possible, in percent.
    pub busy: u32,
    /// The configuration's field of that name, as the two below.
    pub max_catch_up: usize,
    /// What is heard where samples are late.
    pub late_policy: LatePolicy,
    /// The length of its fades.
    pub late_fade: usize,
    /// Every how many runs one fails; 0: none.
    pub fail_every: u64,
}

/// Something that a host, a worker or a user does.
#[derive(Clone, Debug)]
pub enum Op {
    /// A callback of this many samples, also more than prepared.
    Process(usize),
    /// A callback in halves, between which a worker runs some hops.
    PushRunPop(usize, usize),
    /// A callback whose input is not connected.
    Silence(usize),
    /// A worker runs up to this many hops (in real time).
    Run(usize),
    /// A callback with a channel too many.
    WrongChannels(usize),
    /// A parameter's new value, from a control thread.
    Gain(i8),
    /// The same, from the audio thread.
    GainFromAudio(i8),
    /// The bypass, on or off.
    Bypass(bool),
    /// A reset.
    Reset,
}

impl Scenario {
    /// Channels of the host.
    #[must_use]
    pub fn host_channels(&self) -> usize {
        self.channels * self.lanes
    }

    pub(crate) fn failure(&self, run: u64) -> Option<Failure> {
        if self.fail_every == 0 || run % self.fail_every != self.fail_every - 1 {
            return None;
        }
        Some([Failure::Error, Failure::BadOutput, Failure::BadState][(run / self.fail_every % 3) as usize])
    }

    /// The host.
    #[must_use]
    pub fn host(&self, how: How) -> HostConfig {
        let host = HostConfig::varying(RATE, self.max_block).channels(self.host_channels());
        host.mode(if how == How::RealTime { Mode::Realtime } else { Mode::Offline })
    }

    /// The session's configuration.
    ///
    /// # Panics
    /// If there is none for this scenario.
    #[must_use]
    pub fn config(&self) -> InferenceConfig {
        let planar = || valid("NCT".parse::<Layout>());
        let longest = self.hop_in as f64 / RATE / self.lanes as f64;
        valid(
            InferenceConfig::builder()
                .late_policy(self.late_policy)
                .late_fade(self.late_fade)
                .input(InputTensor::stream("input", self.hop_in).context(self.context).layout(planar()))
                .input(InputTensor::parameter("gain", [1.0]))
                .input(InputTensor::state("z_in", "z_out"))
                .output(OutputTensor::stream("output", self.hop_out).layout(planar()))
                .max_inference(Duration::from_secs_f64(longest * f64::from(self.busy) / 100.0 * 0.999))
                .max_catch_up(self.max_catch_up)
                .build(),
        )
    }

    /// The model: `gain` times the newest samples, half of the oldest, and the number of hops so far.
    #[must_use]
    pub fn backend(self) -> impl Backend {
        let Scenario { hop_in, hop_out, context, channels, .. } = self;
        let tensors = signature(
            &[("input", &[1, channels, context + hop_in]), ("gain", &[1]), ("z_in", &[1])],
            &[("output", &[1, channels, hop_out]), ("z_out", &[1])],
        );
        let runs = Arc::new(AtomicU64::new(0));
        backend(tensors, move |x, y| {
            let failure = self.failure(runs.fetch_add(1, Ordering::Relaxed));
            let (input, gain, z) = (x.f32(0)?, x.f32(1)?[0], x.f32(2)?[0]);
            for (w, y) in input.chunks(context + hop_in).zip(y.f32(0)?.chunks_mut(hop_out)) {
                for (u, y) in y.iter_mut().enumerate() {
                    let i = u * hop_in / hop_out;
                    *y = gain * w[context + i] + 0.5 * w[i] + z;
                }
            }
            y.f32(1)?[0] = z + 1.0;
            match failure {
                Some(Failure::Error) => return Err(Error::new(ErrorKind::Engine, "on purpose")),
                Some(Failure::BadState) => y.f32(1)?[0] = f32::NAN,
                Some(Failure::BadOutput) => y.f32(0)?[hop_out - 1] = f32::INFINITY,
                None => {}
            }
            Ok(())
        })
    }
}
