//! Between a stream and an engine's tensors: [`PrePostProcessor`], and the default, [`HopProcessor`].

mod hop;

pub use hop::{HopEmit, HopProcessor, HopWorker};

use crate::{Engine, Result, SessionPlan, Span};

/// The windows of one slot: for each input stream the `context + hop` newest samples, read in place.
pub trait Windows {
    /// Channel `channel` of input stream `stream`, oldest sample first. Empty if there is no such channel.
    fn span(&self, stream: usize, channel: usize) -> Span<'_>;
}

/// The hops that one slot yields: for each output stream a planar buffer, to be written.
pub trait Hops {
    /// Channel `channel` of output stream `stream`: [`hop_len`](PrePostProcessor::hop_len) samples. Empty if there is
    /// no such channel.
    fn channel(&mut self, stream: usize, channel: usize) -> &mut [f32];
}

/// Turns windows of the input streams into an engine's inputs, and its outputs into hops of the output streams.
///
/// # For authors
/// A processor is split, once per `prepare`, into worker parts and one emit part:
/// - a [`WorkerPart`] per engine and lane runs **on a worker**, where time is: features, spectra, normalisation;
/// - the [`EmitPart`] runs **on the audio thread**, once per hop, in order: a copy, or an overlap-add.
///
/// # For users
/// [`HopProcessor`] is the default and serves any model whose tensors are samples: hop with context, any layout of rows,
/// channels and time that the configuration names.
pub trait PrePostProcessor: Send + Sync + 'static {
    /// The part that runs on workers.
    type Worker: WorkerPart;
    /// The part that runs on the audio thread.
    type Emit: EmitPart;

    /// Makes the parts for one prepared session: `plan.engines * plan.lanes` worker parts, engine by engine, and the
    /// emit part. Control thread; may allocate and fail.
    ///
    /// # Errors
    /// Any kind: the plan does not suit this processor.
    fn split(&self, plan: &SessionPlan) -> Result<(Vec<Self::Worker>, Self::Emit)>;

    /// Samples per channel that a slot carries from the worker part to the emit part of output stream `stream`. The
    /// stream's hop, unless hops overlap. Control thread.
    fn hop_len(&self, plan: &SessionPlan, stream: usize) -> usize {
        plan.outputs.get(stream).map_or(0, |s| s.hop)
    }

    /// Whether worker parts remember anything from slot to slot. If so the session runs on one engine, in order.
    fn is_stateful(&self) -> bool {
        false
    }
}

/// The worker's half of a processor: one for each engine and lane.
pub trait WorkerPart: Send + 'static {
    /// Fills the engine's stream inputs. Parameters, states and constants are already there. Worker.
    ///
    /// # Errors
    /// Any kind; the slot then counts as failed.
    fn prepare<E: Engine>(&mut self, windows: &impl Windows, engine: &mut E) -> Result<()>;

    /// Reads the engine's stream outputs into the slot's hops. Worker.
    ///
    /// # Errors
    /// Any kind; the slot then counts as failed.
    fn finish<E: Engine>(&mut self, engine: &E, hops: &mut impl Hops) -> Result<()>;

    /// Forgets earlier slots. Worker.
    fn reset(&mut self) {}
}

/// The audio thread's half of a processor.
pub trait EmitPart: Send + 'static {
    /// Writes one hop of channel `channel` of output stream `stream`. Called in the order of hops, also for those that
    /// were lost (`hop` is `None`: write what stands for silence). **Audio thread**: no allocation, lock, system call,
    /// panic.
    ///
    /// `hop` has [`hop_len`](PrePostProcessor::hop_len) samples, `target` the stream's hop.
    fn emit(&mut self, stream: usize, channel: usize, hop: Option<&[f32]>, target: &mut [f32]);

    /// Forgets earlier hops. **Audio thread**.
    fn reset(&mut self) {}
}
