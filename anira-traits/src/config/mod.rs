//! [`InferenceConfig`]: what each tensor of a model is to the stream, and how the model may be run.
//!
//! Built once, validated once, then only read. Shapes are checked against a model where the two meet, when a handler
//! is built.

mod allowance;
mod builder;
mod late;
mod layout;
mod range;
mod tensor;

pub use allowance::SchedulingAllowance;
pub use builder::InferenceConfigBuilder;
pub use late::LatePolicy;
pub use layout::{Axis, Layout};
pub use range::HopRange;
pub use tensor::{InputRole, InputTensor, OutputRole, OutputTensor};

use std::time::Duration;

/// The largest hop, context or channel count that a configuration may name: 2²⁴.
pub const MAX_EXTENT: usize = 1 << 24;

/// The largest number of engines that one session may use at once.
pub const MAX_ENGINES: usize = 64;

/// The most hops that may wait although their time has passed: each costs a hop of input memory.
pub const MAX_CATCH_UP: usize = 1024;

/// The longest fade between an output and what stands in for it, in samples.
pub const MAX_LATE_FADE: usize = 1 << 20;
/// The most input tensors that may be configured, and output tensors.
pub const MAX_TENSORS: usize = 1024;

/// Which tensors a model has, what they mean, how long an inference may take. See [`InferenceConfig::builder`].
///
/// ```
/// use anira_traits::{InferenceConfig, InputTensor, OutputTensor};
/// use std::time::Duration;
///
/// let config = InferenceConfig::builder()
///     .input(InputTensor::stream("input", 64))
///     .input(InputTensor::state("h_in", "h_out"))
///     .output(OutputTensor::stream("output", 64))
///     .max_inference(Duration::from_micros(800))
///     .build()?;
/// assert_eq!(config.inputs().len(), 2);
/// # Ok::<(), anira_traits::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct InferenceConfig {
    inputs: Vec<InputTensor>,
    outputs: Vec<OutputTensor>,
    max_inference: Option<Duration>,
    scheduling_allowance: SchedulingAllowance,
    warm_up: u32,
    engines: usize,
    blocking_ppm: u32,
    priority: i32,
    sample_rate: Option<f64>,
    max_catch_up: usize,
    align_outputs: bool,
    late_policy: LatePolicy,
    late_fade: usize,
    pre_roll: usize,
    lead_in: Option<usize>,
    skip_silence: bool,
    hop_range: Option<HopRange>,
}

impl InferenceConfig {
    /// Starts a configuration with no tensors.
    #[must_use]
    pub fn builder() -> InferenceConfigBuilder {
        InferenceConfigBuilder::new()
    }

    /// The input tensors, in the order they were added; streams among them are numbered in this order.
    #[must_use]
    pub fn inputs(&self) -> &[InputTensor] {
        &self.inputs
    }

    /// The output tensors, in the order they were added; streams among them are numbered in this order.
    #[must_use]
    pub fn outputs(&self) -> &[OutputTensor] {
        &self.outputs
    }

    /// The longest that one inference takes, if declared.
    #[must_use]
    pub fn max_inference(&self) -> Option<Duration> {
        self.max_inference
    }

    /// The same configuration with this worst inference time.
    #[must_use]
    pub fn with_max_inference(mut self, time: Duration) -> Self {
        self.max_inference = Some(time);
        self
    }

    /// What a worker may need before it begins, which the latency counts on.
    #[must_use]
    pub fn scheduling_allowance(&self) -> SchedulingAllowance {
        self.scheduling_allowance
    }

    /// Inferences that each engine runs on silence before its first real one.
    #[must_use]
    pub fn warm_up(&self) -> u32 {
        self.warm_up
    }

    /// Engines that may run at once (1 for a model with state).
    #[must_use]
    pub fn engines(&self) -> usize {
        self.engines
    }

    /// The share of a block's time that the audio thread may wait for results, in millionths (0 to 1,000,000).
    #[must_use]
    pub fn blocking_ppm(&self) -> u32 {
        self.blocking_ppm
    }

    /// The session's priority above others in the same pool; higher goes first. 0 unless set.
    #[must_use]
    pub fn priority(&self) -> i32 {
        self.priority
    }

    /// The sample rate in Hz that the model was made for, if it matters.
    #[must_use]
    pub fn sample_rate(&self) -> Option<f64> {
        self.sample_rate
    }

    /// Hops that may wait although their time has passed; older ones are dropped. Only a model that remembers runs them at all,
    /// so that its state goes on: without state, a hop whose time has passed is dropped at once.
    #[must_use]
    pub fn max_catch_up(&self) -> usize {
        self.max_catch_up
    }

    /// Whether all output streams are delayed by the same time.
    #[must_use]
    pub fn align_outputs(&self) -> bool {
        self.align_outputs
    }

    /// What is heard in place of samples that came late.
    #[must_use]
    pub fn late_policy(&self) -> LatePolicy {
        self.late_policy
    }

    /// Samples, of each output stream, of the fade between the model's output and what stands in for it.
    #[must_use]
    pub fn late_fade(&self) -> usize {
        self.late_fade
    }

    /// Samples of silence, of input stream 0, that the model has heard before a stream begins.
    #[must_use]
    pub fn pre_roll(&self) -> usize {
        self.pre_roll
    }

    /// Samples, of input stream 0, that a model with state hears before it is heard itself, where a session switches to it while sound
    /// runs; `None`: its pre-roll, or the longest decay of its outputs, whichever is longer.
    #[must_use]
    pub fn lead_in(&self) -> Option<usize> {
        self.lead_in
    }

    /// Whether inferences are left out while input and state are at rest.
    #[must_use]
    pub fn skip_silence(&self) -> bool {
        self.skip_silence
    }

    /// Whether any input is a state that the library feeds back.
    #[must_use]
    pub fn has_state(&self) -> bool {
        self.inputs.iter().any(|t| matches!(t.role, InputRole::State { .. }))
    }
}
