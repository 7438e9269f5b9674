//! [`Audio`]: the audio thread's half of a session.

#![deny(clippy::indexing_slicing, clippy::panic, clippy::unreachable)]

use std::mem::ManuallyDrop;

use anira_scheduler::Origin;
use anira_traits::{Backend, PrePostProcessor, Scheduler};

use super::EngineOf;
use super::job::Job;
use super::stream::Streams;
use crate::block::{Sink, Source};

/// What a call on the audio thread has to say. Small, `Copy`, never an error to unwind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use = "a status tells of late samples and misuse"]
#[non_exhaustive]
pub struct Status {
    /// Samples per channel that were wanting and were replaced: by silence, or as the configuration says.
    pub late_samples: u64,
    /// What was wrong with the call, if anything. The block was then silenced as far as possible.
    pub fault: Option<Fault>,
}

/// What can be wrong with a call on the audio thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// The block has another number of channels than was prepared.
    Channels,
    /// The session has no stream of that number.
    NoStream,
    /// Parameters: no such parameter, a wrong number of values, or a value that is not finite.
    Parameter,
    /// The session has no engine of that number.
    NoEngine,
    /// This process is a fork of the one that prepared the session, and the workers did not come with it. The output is silence;
    /// a session that is prepared here sounds.
    Forked,
}

impl Status {
    /// Whether nothing was late and nothing wrong.
    #[must_use]
    pub fn is_ok(self) -> bool {
        self.late_samples == 0 && self.fault.is_none()
    }

    pub(crate) fn fault(fault: Fault) -> Self {
        Self { fault: Some(fault), ..Self::default() }
    }

    pub(crate) fn and(self, later: Status) -> Self {
        Self { late_samples: self.late_samples + later.late_samples, fault: self.fault.or(later.fault) }
    }
}

pub(super) type State<B, P, S> = Streams<
    EngineOf<B>,
    P,
    <S as Scheduler<EngineOf<B>>>::Submit<Job<EngineOf<B>, <P as PrePostProcessor>::Worker>>,
>;

/// The audio thread's half of a session: blocks in, blocks out, at once.
///
/// It is `Send` and used through `&mut`, so one thread at a time has it. Every method but [`Audio::latency`] is for the audio
/// thread: wait-free, no allocation, no lock, no system call but the one wake-up of a sleeping worker. Two
/// settings lift that: prepared for [offline](crate::Mode::Offline) rendering the same calls wait for their results, and with
/// a blocking ratio above 0 they wait for at most that share of the block, asleep after a few rounds. Dropping it is
/// wait-free: its memory goes back to the handler.
///
/// To [RealtimeSanitizer](crate::realtime) every call is a real-time context, in real time, and only the named system calls are let pass.
///
/// It moves to the audio thread, and only one thread has it:
///
/// ```
/// # use anira::prelude::*;
/// fn moves<T: Send>() {}
/// moves::<Audio<Bypass, HopProcessor, Pool>>();
/// ```
/// ```compile_fail,E0277
/// # use anira::prelude::*;
/// fn is_shared<T: Sync>() {}
/// is_shared::<Audio<Bypass, HopProcessor, Pool>>();
/// ```
pub struct Audio<B: Backend, P: PrePostProcessor, S: Scheduler<EngineOf<B>>> {
    /// `None` only while it is being dropped. Never freed here: it goes home.
    state: Option<ManuallyDrop<Box<State<B, P, S>>>>,
    origin: Origin,
    home: rtrb::Producer<Box<State<B, P, S>>>,
}

impl<B: Backend, P: PrePostProcessor, S: Scheduler<EngineOf<B>>> Audio<B, P, S> {
    pub(super) fn new(state: Box<State<B, P, S>>, home: rtrb::Producer<Box<State<B, P, S>>>) -> Self {
        Self { state: Some(ManuallyDrop::new(state)), origin: Origin::here(), home }
    }

    /// What the audio thread may use; in a fork of the process that prepared it, nothing.
    fn state(&mut self) -> Option<&mut State<B, P, S>> {
        if self.origin.is_here() { self.state.as_mut().map(|state| &mut ***state) } else { None }
    }

    /// Processes a block in place: input stream 0 is taken from it, output stream 0 is written to it. Any length, also 0;
    /// a block longer than was prepared is taken in parts.
    pub fn process<K: Source + Sink + ?Sized>(&mut self, block: &mut K) -> Status {
        let frames = Source::frames(block);
        let Some(state) = self.state() else { return silenced(block, frames) };
        let _realtime = state.realtime();
        let mut status = Status::default();
        state.for_parts(frames, |state, start, part| {
            status = status.and(state.process(block, start, part));
        });
        status
    }

    /// Processes a block out of place: `input` goes to input stream 0, output stream 0 fills `output`.
    pub fn process_into<I: Source + ?Sized, O: Sink + ?Sized>(
        &mut self,
        input: &I,
        output: &mut O,
    ) -> Status {
        let (taken, given) = (input.frames(), output.frames());
        if taken == 0 {
            return self.pop(0, output);
        }
        let Some(state) = self.state() else { return silenced(output, given) };
        let _realtime = state.realtime();
        let mut status = Status::default();
        let mut handed = 0;
        state.for_parts(taken, |state, start, part| {
            status = status.and(state.push(0, input, start, part));
            // The output keeps step with the input also where their rates differ.
            let due = (given as u128 * (start + part) as u128 / taken as u128) as usize;
            if due > handed {
                status = status.and(state.pop(0, output, handed, due - handed));
            }
            handed = due;
        });
        status
    }

    /// Hands in samples of one input stream. Hops that are complete in every input stream are submitted.
    pub fn push<I: Source + ?Sized>(&mut self, stream: usize, input: &I) -> Status {
        let Some(state) = self.state() else { return Status::fault(Fault::Forked) };
        let _realtime = state.realtime();
        let mut status = Status::default();
        state.for_parts(input.frames(), |state, start, part| {
            status = status.and(state.push(stream, input, start, part));
        });
        status
    }

    /// Hands in `frames` samples of silence: for an input that is not connected in this callback.
    pub fn push_silence(&mut self, stream: usize, frames: usize) -> Status {
        let Some(state) = self.state() else { return Status::fault(Fault::Forked) };
        let _realtime = state.realtime();
        let mut status = Status::default();
        state.for_parts(frames, |state, _, part| status = status.and(state.push_silence(stream, part)));
        status
    }

    /// Takes the next samples of one output stream.
    pub fn pop<O: Sink + ?Sized>(&mut self, stream: usize, output: &mut O) -> Status {
        let Some(state) = self.state() else { return silenced(output, output.frames()) };
        let _realtime = state.realtime();
        let mut status = Status::default();
        state.for_parts(output.frames(), |state, start, part| {
            status = status.and(state.pop(stream, output, start, part));
        });
        status
    }

    /// The input is over: what is still on its way comes out of output stream 0, as if silence came in on every input. Nothing
    /// but silence comes after [`Audio::tail`] samples, if what was declared is true. Any length; other output streams are had
    /// by [`pop`](Self::pop) after it.
    pub fn flush<O: Sink + ?Sized>(&mut self, output: &mut O) -> Status {
        let Some(state) = self.state() else { return silenced(output, output.frames()) };
        let _realtime = state.realtime();
        let mut status = Status::default();
        state.for_parts(output.frames(), |state, start, part| {
            status = status.and(state.flush(output, start, part));
        });
        status
    }

    /// Begins anew: the streams after it are those of a session just prepared, zeros of the latency included. Results of
    /// before are never heard. Parameters stay. An inference that runs at this moment is not waited for: samples that come late
    /// because it holds an engine are counted apart ([`late_after_reset`](anira_scheduler::TelemetrySnapshot::late_after_reset)).
    pub fn reset(&mut self) {
        if let Some(state) = self.state() {
            let _realtime = state.realtime();
            state.reset();
        }
    }

    /// Sets a parameter, whole, from the audio thread: it applies from the next hop. `index` counts the parameters in the
    /// configuration's order; see [`Audio::parameter_index`].
    pub fn set_parameter(&mut self, index: usize, values: &[f64]) -> Status {
        let Some(state) = self.state() else { return Status::fault(Fault::Forked) };
        let _realtime = state.realtime();
        state.set_parameter(index, values)
    }

    /// The index of a parameter, for [`Audio::set_parameter`].
    #[must_use]
    pub fn parameter_index(&self, name: &str) -> Option<usize> {
        let state = self.state.as_ref()?;
        let _realtime = state.realtime();
        state.shared().parameter_index(name)
    }

    /// Switches to another engine of the session, of those that the [builder](crate::Builder::engine) was given, from the next hop
    /// on. An engine with state first [hears](crate::InferenceConfig::lead_in) the stream, unheard; then it is cross-faded in, and the
    /// other one rests. The latency stays, and everything stays in its place. Asked back within a fade, it goes back from where it is.
    /// An engine that fails before it was ever heard is not heard; one that goes on failing later gives way to the one before it;
    /// [`Control::switching`](crate::Control::switching) tells.
    pub fn set_engine(&mut self, engine: usize) -> Status {
        let Some(state) = &self.state else { return Status::default() };
        let _realtime = state.realtime();
        if state.shared().choice.ask(engine) { Status::default() } else { Status::fault(Fault::NoEngine) }
    }

    /// Lets the input through, delayed by the reported latency, instead of the model's output. The change is a cross-fade
    /// of 128 samples; the model keeps running, so that switching back is seamless. For output streams that have an input
    /// stream of the same number, hop and channels; others become silent.
    pub fn set_bypass(&mut self, bypass: bool) {
        if let Some(state) = self.state() {
            let _realtime = state.realtime();
            state.set_bypass(bypass);
        }
    }

    /// The latency of an output stream in samples, the model's own included: what a host's delay compensation is told.
    #[must_use]
    pub fn latency(&self, stream: usize) -> Option<u64> {
        self.state.as_ref()?.latency(stream)
    }

    /// Channels of an input stream and of an output stream of this number.
    pub(crate) fn channels(&self, stream: usize) -> (usize, usize) {
        self.state.as_ref().map_or((0, 0), |state| state.channels(stream))
    }

    /// How long an output stream may sound on after the last input, in samples: latency, receptive field and declared decay.
    #[must_use]
    pub fn tail(&self, stream: usize) -> Option<u64> {
        self.state.as_ref()?.tail(stream)
    }
}

/// What a call in a fork has to say: silence, and why.
fn silenced<O: Sink + ?Sized>(block: &mut O, frames: usize) -> Status {
    (0..block.channels()).for_each(|channel| block.silence(channel, 0, frames));
    Status::fault(Fault::Forked)
}

impl<B: Backend, P: PrePostProcessor, S: Scheduler<EngineOf<B>>> Drop for Audio<B, P, S> {
    fn drop(&mut self) {
        if let Some(state) = self.state.take() {
            let _realtime = state.realtime();
            // The ring has room for this one value, and its other end outlives this one. If it had not, the value would be left
            // behind: nothing is freed here, whatever comes.
            let back = self.home.push(ManuallyDrop::into_inner(state));
            back.unwrap_or_else(|rtrb::PushError::Full(state)| std::mem::forget(state));
        }
    }
}

impl<B: Backend, P: PrePostProcessor, S: Scheduler<EngineOf<B>>> std::fmt::Debug for Audio<B, P, S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Audio").field("latency", &self.latency(0)).finish_non_exhaustive()
    }
}
