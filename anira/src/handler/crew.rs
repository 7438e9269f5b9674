//! [`Crew`]: one engine and all that goes with it, which one worker uses at a time.

use std::sync::Arc;

use anira_traits::{
    Engine, Error, ErrorKind, Hops, InternalState, Model, Result, SessionPlan, Span, StreamPlan, TensorData,
    Windows, WorkerPart,
};

use super::payload::{Answer, Planar};
use crate::bind::Binding;

/// The parameters of a slot, in the session's order.
pub(super) type Parameters = [Box<[f64]>];

/// Since when an engine has been heard without a break.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Start {
    /// The stream, raised by every reset.
    pub(super) generation: u64,
    /// 0 since the stream began; else a number of its own for every time that the engine joined in later.
    pub(super) joined: u64,
}

/// One engine and all that goes with it: what one worker uses at a time.
pub(super) struct Crew<E, W> {
    /// One engine for all lanes, or one per lane where engines remember.
    engines: Vec<E>,
    lanes: Vec<Lane<W>>,
    layout: Arc<Layout>,
    /// The states with which a stream begins.
    initial: Vec<TensorData>,
    start: Start,
    /// Where inferences before a stream leave what nobody hears, and their parameters; kept where they are run again at a reset.
    unheard: Option<(Box<Parameters>, Answer)>,
    /// The engine panicked or could not be reset: it is never run again.
    broken: Option<Error>,
}

/// What belongs to one group of channels: a processor's part and the states.
struct Lane<W> {
    part: W,
    states: Vec<State>,
}

/// A state in two copies: `next` is written while a slot runs, and becomes `now` only if the whole slot succeeds.
#[derive(Clone, Debug)]
struct State {
    now: TensorData,
    next: TensorData,
}

/// What all crews of a session share: which tensor is what, and how many channels a lane has.
#[derive(Debug)]
pub(super) struct Layout {
    pub(super) binding: Binding,
    pub(super) input_channels: Vec<usize>,
    pub(super) output_channels: Vec<usize>,
    /// Per parameter and reading of the model: its number in the session.
    parameters: Vec<Option<usize>>,
    readings: Vec<Option<usize>>,
    /// Per input stream: the model's window in that of a slot.
    windows: Vec<Cut>,
    /// Silence as long as the longest window of a slot.
    silence: Vec<f32>,
    /// Inferences on silence before a stream begins.
    pub(super) pre_roll: usize,
    /// Whether engine or processor remember what cannot be copied: then a reset runs the pre-roll again.
    pub(super) remembers: bool,
}

/// A model's window in the window of a slot, which serves all models of a session.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cut {
    /// Samples in front of it.
    pub(super) skip: usize,
    pub(super) len: usize,
    /// Samples of a slot's window.
    pub(super) of: usize,
}

impl Layout {
    /// The layout of a model that has its session for itself: how its tensors and channels lie, and what it hears before a stream.
    pub(super) fn new(binding: Binding, plan: &SessionPlan, pre_roll: usize, remembers: bool) -> Self {
        let cut = |s: &StreamPlan| Cut { skip: 0, len: s.window(), of: s.window() };
        let hop = plan.inputs.first().map_or(usize::MAX, |s| s.hop);
        let mut layout = Self {
            parameters: (0..binding.parameters.len()).map(Some).collect(),
            readings: (0..binding.readings.len()).map(Some).collect(),
            binding,
            input_channels: plan.inputs.iter().map(|s| s.channels).collect(),
            output_channels: plan.outputs.iter().map(|s| s.channels).collect(),
            silence: Vec::new(),
            windows: plan.inputs.iter().map(cut).collect(),
            pre_roll: pre_roll.div_ceil(hop),
            remembers,
        };
        layout.make_silence();
        layout
    }

    /// The same model among others: its parameters and readings by their numbers in the session, and where its windows lie in
    /// those of a slot.
    pub(super) fn among(
        mut self,
        parameters: Vec<Option<usize>>,
        readings: Vec<Option<usize>>,
        windows: Vec<Cut>,
    ) -> Self {
        (self.parameters, self.readings, self.windows) = (parameters, readings, windows);
        self.make_silence();
        self
    }

    fn make_silence(&mut self) {
        let longest = self.windows.iter().map(|cut| cut.of).max().unwrap_or(0);
        self.silence = vec![0.0; if self.pre_roll > 0 { longest } else { 0 }];
    }

    /// The values of each parameter of the model: those of the session, or its own defaults where the session has none.
    fn values<'a>(&'a self, session: &'a Parameters) -> impl Iterator<Item = (usize, &'a [f64])> {
        self.binding.parameters.iter().zip(&self.parameters).map(move |(own, from)| {
            let set = from.and_then(|index| session.get(index)).map(|values| &**values);
            // What the two have of the same name and length is one parameter.
            (own.tensor, set.filter(|values| values.len() == own.default.len()).unwrap_or(&own.default))
        })
    }

    /// These parameters of the session, with those that the model knows at the model's defaults.
    fn defaults(&self, session: &Parameters) -> Box<Parameters> {
        let mut values: Box<Parameters> = session.into();
        for (own, from) in self.binding.parameters.iter().zip(&self.parameters) {
            let place = from.and_then(|index| values.get_mut(index));
            place.into_iter().flatten().zip(&own.default).for_each(|(value, default)| *value = *default);
        }
        values
    }
}

/// As many engines as a crew of this model has: one per lane if they remember, else one for all lanes.
pub(super) fn engines<M: Model>(
    model: &M,
    binding: &Binding,
    lanes: usize,
    spare: &mut Vec<M::Engine>,
) -> Result<Vec<M::Engine>> {
    let count = if model.internal_state() == InternalState::Inside { lanes } else { 1 };
    (0..count).map(|_| spare.pop().map_or_else(|| model.engine(&binding.request), Ok)).collect()
}

impl<E: Engine, W: WorkerPart> Crew<E, W> {
    /// A crew with its states at their initial values and its constants in place.
    pub(super) fn new(mut engines: Vec<E>, parts: Vec<W>, layout: Arc<Layout>) -> Result<Self> {
        for engine in &mut engines {
            for (tensor, values) in &layout.binding.constants {
                input_of(engine, *tensor)?.copy_from(values.view())?;
            }
        }
        let initial: Vec<TensorData> = layout.binding.states.iter().map(|b| b.initial.clone()).collect();
        let states = || initial.iter().map(|s| State { now: s.clone(), next: s.clone() }).collect();
        let lanes = parts.into_iter().map(|part| Lane { part, states: states() }).collect();
        Ok(Self { engines, lanes, layout, initial, start: Start::default(), unheard: None, broken: None })
    }

    /// Runs every engine on silence, `times` times, then forgets it, and hears the silence before the stream. `answer` is one of a
    /// slot. Control thread.
    pub(super) fn make_ready(&mut self, times: u32, parameters: &Parameters, answer: &Answer) -> Result<()> {
        let layout = self.layout.clone();
        let binding = &layout.binding;
        for engine in self.engines.iter_mut().filter(|_| times > 0) {
            for (tensor, values) in layout.values(parameters) {
                write_numbers(engine, tensor, values)?;
            }
            for state in &binding.states {
                input_of(engine, state.input)?.copy_from(state.initial.view())?;
            }
            (0..times).try_for_each(|_| engine.run())?;
        }
        if times > 0 {
            self.clear()?;
        }
        if layout.pre_roll == 0 || !layout.remembers && binding.states.is_empty() {
            return Ok(());
        }
        // Whatever they are set to now: a stream begins the same after every reset.
        self.unheard = Some((layout.defaults(parameters), answer.clone()));
        self.pre_roll()?;
        if !layout.remembers {
            self.unheard = None;
            if let Some(lane) = self.lanes.first() {
                self.initial = lane.states.iter().map(|state| state.now.clone()).collect();
            }
        }
        Ok(())
    }

    /// Back to what it was when it was ready.
    fn forget(&mut self) -> Result<()> {
        self.clear()?;
        self.pre_roll()
    }

    fn clear(&mut self) -> Result<()> {
        for lane in &mut self.lanes {
            lane.part.reset();
            for (state, initial) in lane.states.iter_mut().zip(&self.initial) {
                state.now.view_mut().copy_from(initial.view())?;
            }
        }
        for engine in &mut self.engines {
            if let Err(error) = engine.reset() {
                self.broken = Some(error.clone());
                return Err(error);
            }
        }
        Ok(())
    }

    /// Hears the silence before a stream, where that has to be done anew.
    fn pre_roll(&mut self) -> Result<()> {
        let Some((parameters, mut answer)) = self.unheard.take() else { return Ok(()) };
        let layout = self.layout.clone();
        let silence = Silence(&layout);
        let outcome =
            (0..layout.pre_roll).try_for_each(|_| self.infer_all(&parameters, &mut answer, silence, |_| ()));
        self.unheard = Some((parameters, answer));
        outcome
    }

    /// Whether it must not run any more: an engine panicked, or could not be reset.
    pub(super) fn is_broken(&self) -> bool {
        self.broken.is_some()
    }

    /// Lets it never run again.
    pub(super) fn retire(&mut self, error: Error) {
        self.broken = Some(error);
    }

    /// Whether the last run left every state as it was, bit for bit. Not asked of engines that remember inside.
    pub(super) fn is_at_rest(&self) -> bool {
        // What was swapped out is what it was before.
        let mut states = self.lanes.iter().flat_map(|lane| &lane.states);
        states.all(|state| state.now.view().is_identical(&state.next.view()))
    }

    /// Runs all lanes on `windows`, for a stream that began then; `release` is called as soon as the windows were read.
    pub(super) fn run<I: Windows>(
        &mut self,
        start: Start,
        parameters: &Parameters,
        answer: &mut Answer,
        windows: I,
        release: impl FnOnce(I),
    ) -> Result<()> {
        if let Some(error) = &self.broken {
            return Err(error.clone());
        }
        if self.start != start {
            // Who joins in later hears the stream itself instead of the silence before it.
            match start.joined {
                0 => self.forget()?,
                _ => self.clear()?,
            }
            self.start = start;
        }
        self.infer_all(parameters, answer, windows, release)
    }

    fn infer_all<I: Windows>(
        &mut self,
        parameters: &Parameters,
        answer: &mut Answer,
        windows: I,
        release: impl FnOnce(I),
    ) -> Result<()> {
        let last = self.lanes.len().saturating_sub(1);
        let mut windows = Some((windows, release));
        for index in 0..self.lanes.len() {
            let Some((of_all, _)) = &windows else { break };
            self.fill(index, parameters, of_all)?;
            // The last lane has read its windows: the audio thread may have the memory back while the engine runs.
            if index == last
                && let Some((of_all, release)) = windows.take()
            {
                release(of_all);
            }
            self.infer(index, answer)?;
        }
        if answer.hops.iter().any(|hop| !is_finite(hop.samples())) {
            return Err(Error::new(ErrorKind::NonFinite, "an output holds NaN or infinity"));
        }
        // All lanes succeeded: only now is anything remembered.
        let states = self.lanes.iter_mut().flat_map(|lane| &mut lane.states);
        states.for_each(|state| std::mem::swap(&mut state.now, &mut state.next));
        Ok(())
    }

    fn fill(&mut self, index: usize, parameters: &Parameters, windows: &impl Windows) -> Result<()> {
        let Self { engines, lanes, layout, .. } = self;
        let (engine, lane) = (engine_of(engines, index)?, lane_of(lanes, index)?);
        for (tensor, values) in layout.values(parameters) {
            write_numbers(engine, tensor, values)?;
        }
        for (state, binding) in lane.states.iter().zip(&layout.binding.states) {
            input_of(engine, binding.input)?.copy_from(state.now.view())?;
        }
        let (channels, cuts) = (&layout.input_channels, &layout.windows);
        lane.part.prepare(&LaneWindows { windows, channels, cuts, lane: index }, engine)
    }

    fn infer(&mut self, index: usize, answer: &mut Answer) -> Result<()> {
        let Self { engines, lanes, layout, .. } = self;
        let (engine, lane) = (engine_of(engines, index)?, lane_of(lanes, index)?);
        engine.run()?;
        let mut hops = LaneHops { hops: &mut answer.hops, channels: &layout.output_channels, lane: index };
        lane.part.finish(&*engine, &mut hops)?;
        for (state, binding) in lane.states.iter_mut().zip(&layout.binding.states) {
            let value = engine.output(binding.output).ok_or(Error::new(ErrorKind::Engine, NO_TENSOR))?;
            if !value.is_finite() {
                return Err(Error::new(ErrorKind::NonFinite, "a state holds NaN or infinity"));
            }
            state.next.view_mut().copy_from(value)?;
        }
        if index == 0 {
            for (reading, to) in layout.binding.readings.iter().zip(&layout.readings) {
                let Some(values) = to.and_then(|index| answer.readings.get_mut(index)) else { continue };
                let tensor = engine.output(reading.tensor).ok_or(Error::new(ErrorKind::Engine, NO_TENSOR))?;
                let numbers = (0..).map_while(|i| tensor.number(i));
                values.iter_mut().zip(numbers).for_each(|(value, number)| *value = number);
            }
        }
        Ok(())
    }
}

const NO_TENSOR: &str = "the engine lacks a tensor of its model's signature";

fn engine_of<E>(engines: &mut [E], lane: usize) -> Result<&mut E> {
    let index = lane.min(engines.len().saturating_sub(1));
    engines.get_mut(index).ok_or(Error::new(ErrorKind::Internal, "a crew without an engine"))
}

fn lane_of<W>(lanes: &mut [Lane<W>], lane: usize) -> Result<&mut Lane<W>> {
    lanes.get_mut(lane).ok_or(Error::new(ErrorKind::Internal, "a crew without a lane"))
}

fn input_of<E: Engine>(engine: &mut E, tensor: usize) -> Result<anira_traits::TensorViewMut<'_>> {
    engine.input(tensor).ok_or(Error::new(ErrorKind::Engine, NO_TENSOR))
}

fn write_numbers<E: Engine>(engine: &mut E, tensor: usize, values: &[f64]) -> Result<()> {
    let mut view = input_of(engine, tensor)?;
    values.iter().enumerate().for_each(|(i, value)| view.set_number(i, *value));
    Ok(())
}

fn is_finite(samples: &[f32]) -> bool {
    anira_traits::TensorView::F32(samples).is_finite()
}

/// The windows of one lane: its own channels, counted from 0.
struct LaneWindows<'a, I> {
    windows: &'a I,
    channels: &'a [usize],
    cuts: &'a [Cut],
    lane: usize,
}

impl<I: Windows> Windows for LaneWindows<'_, I> {
    fn span(&self, stream: usize, channel: usize) -> Span<'_> {
        match (self.channels.get(stream), self.cuts.get(stream)) {
            (Some(channels), Some(cut)) if channel < *channels => {
                self.windows.span(stream, self.lane * channels + channel).slice(cut.skip, cut.len)
            }
            _ => Span::default(),
        }
    }
}

/// The hops of one lane: its own channels, counted from 0.
struct LaneHops<'a> {
    hops: &'a mut [Planar],
    channels: &'a [usize],
    lane: usize,
}

impl Hops for LaneHops<'_> {
    fn channel(&mut self, stream: usize, channel: usize) -> &mut [f32] {
        let channels = self.channels.get(stream).copied().unwrap_or(0);
        if channel >= channels {
            return &mut [];
        }
        let hop = self.hops.get_mut(stream).and_then(|hop| hop.channel_mut(self.lane * channels + channel));
        hop.unwrap_or_default()
    }
}

/// Windows of silence, for any stream.
#[derive(Clone, Copy, Debug)]
struct Silence<'a>(&'a Layout);

impl Windows for Silence<'_> {
    fn span(&self, stream: usize, _channel: usize) -> Span<'_> {
        let window = self.0.windows.get(stream).and_then(|cut| self.0.silence.get(..cut.of));
        window.map_or(Span::default(), Span::from_slice)
    }
}

impl<E, W> std::fmt::Debug for Crew<E, W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (engines, lanes) = (self.engines.len(), self.lanes.len());
        f.debug_struct("Crew").field("engines", &engines).field("lanes", &lanes).finish_non_exhaustive()
    }
}
