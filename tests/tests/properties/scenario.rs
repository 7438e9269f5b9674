//! What a case is made of: a model, a host, a list of operations.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anira::prelude::*;
use anira::traits::Layout;
use anira_tests::{backend, signature, valid};
use proptest::prelude::*;

pub(crate) const RATE: f64 = 48_000.0;

/// Who runs the hops, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
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
pub(crate) struct Scenario {
    pub(crate) hop_in: usize,
    pub(crate) hop_out: usize,
    pub(crate) context: usize,
    /// Channels of the model.
    pub(crate) channels: usize,
    pub(crate) lanes: usize,
    pub(crate) max_block: usize,
    /// The declared worst time of a slot, as a share of what is possible, in percent.
    pub(crate) busy: u32,
    pub(crate) max_catch_up: usize,
    pub(crate) late_policy: LatePolicy,
    pub(crate) late_fade: usize,
    /// Every how many runs one fails; 0: none.
    pub(crate) fail_every: u64,
}

/// Something that a host, a worker or a user does.
#[derive(Clone, Debug)]
pub(crate) enum Op {
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
    Gain(i8),
    GainFromAudio(i8),
    Bypass(bool),
    Reset,
}

impl Scenario {
    pub(crate) fn host_channels(&self) -> usize {
        self.channels * self.lanes
    }

    pub(crate) fn failure(&self, run: u64) -> Option<Failure> {
        if self.fail_every == 0 || run % self.fail_every != self.fail_every - 1 {
            return None;
        }
        Some([Failure::Error, Failure::BadOutput, Failure::BadState][(run / self.fail_every % 3) as usize])
    }

    pub(crate) fn host(&self, how: How) -> HostConfig {
        let host = HostConfig::varying(RATE, self.max_block).channels(self.host_channels());
        host.mode(if how == How::RealTime { Mode::Realtime } else { Mode::Offline })
    }

    pub(crate) fn config(&self) -> InferenceConfig {
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
    pub(crate) fn backend(self) -> impl Backend {
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

/// Small scenarios, the simplest first.
pub(crate) fn scenarios() -> impl Strategy<Value = Scenario> {
    let ratio = prop_oneof![4 => Just((1, 1)), 1 => Just((1, 2)), 1 => Just((2, 1)), 1 => Just((2, 3))];
    let model = (1usize..12, ratio, 0usize..20, 1usize..3, 1usize..3);
    let host = (1usize..20, 0u32..=100, 1usize..4, prop_oneof![Just(0u64), 2u64..9]);
    let policy = prop_oneof![Just(LatePolicy::Silence), Just(LatePolicy::Dry), Just(LatePolicy::Hold)];
    let fade = prop_oneof![Just(0usize), Just(1), Just(7), Just(64), Just(200)];
    (model, host, (policy, fade)).prop_map(|(model, host, (late_policy, late_fade))| {
        let (hop, (i, o), context, channels, lanes) = model;
        let (max_block, busy, max_catch_up, fail_every) = host;
        Scenario {
            hop_in: hop * i,
            hop_out: hop * o,
            context,
            channels,
            lanes,
            max_block,
            busy,
            max_catch_up,
            // Where hops differ there is nothing dry to hear.
            late_policy: match late_policy {
                LatePolicy::Dry if i != o => LatePolicy::Silence,
                policy => policy,
            },
            late_fade,
            fail_every,
        }
    })
}

/// Lists of what happens; most of it is callbacks and runs.
pub(crate) fn operations() -> impl Strategy<Value = Vec<Op>> {
    let op = prop_oneof![
        10 => (0usize..24).prop_map(Op::Process),
        6 => (0usize..24, 0usize..4).prop_map(|(n, runs)| Op::PushRunPop(n, runs)),
        8 => (1usize..6).prop_map(Op::Run),
        1 => (0usize..24).prop_map(Op::Silence),
        1 => (0usize..24).prop_map(Op::WrongChannels),
        1 => any::<i8>().prop_map(Op::Gain),
        1 => any::<i8>().prop_map(Op::GainFromAudio),
        1 => any::<bool>().prop_map(Op::Bypass),
        1 => Just(Op::Reset),
    ];
    proptest::collection::vec(op, 1..80)
}
