//! A loaded model among those of a session: [`Member`], and how all of them come to be heard in the same place: [`Alignment`].

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anira_scheduler::Origin;
use anira_traits::{
    Backend, Engine, Error, ErrorKind, InferenceConfig, InternalState, LoadRequest, Model, Result,
    SessionPlan, StreamPlan,
};

use super::EngineOf;
use super::crew::Cut;
use super::engine_spec::EngineSpec;
use crate::bind::{Binding, bind};
use crate::shared;

/// A loaded model, bound to its configuration. Control thread.
pub(super) struct Member<B: Backend> {
    pub(super) model: Arc<B::Model>,
    pub(super) config: InferenceConfig,
    pub(super) binding: Binding,
    pub(super) outputs: Vec<StreamPlan>,
    /// The engine that proved the model: it serves the first session.
    spare: Mutex<Vec<EngineOf<B>>>,
    /// Whether its engine or its processor remembers what cannot be copied.
    pub(super) is_closed: bool,
    origin: Origin,
}

impl<B: Backend> Member<B> {
    /// Loads a model, checks it against its configuration (`config` where it has none of its own), and tries one engine.
    pub(super) fn load(spec: &EngineSpec<B>, config: &InferenceConfig, stateful: bool) -> Result<Self> {
        let config = spec.config.as_ref().unwrap_or(config).clone();
        let mut request = LoadRequest::new().config(config.clone());
        request.options = spec.options.clone();
        let model = shared::load(&spec.backend, &spec.source, &request)?;
        Self::of(model, config, stateful)
    }

    /// A loaded model with this configuration: checks the two against each other, and tries one engine.
    pub(super) fn of(model: Arc<B::Model>, config: InferenceConfig, stateful: bool) -> Result<Self> {
        let binding = bind(&config, model.signature())?;
        let engine = model.engine(&binding.request)?;
        let outputs = binding.outputs(|tensor| engine.output(tensor).map(|t| t.len()))?;
        check_sizes(&engine, &binding.inputs, &outputs)?;
        for reading in &binding.readings {
            let len = engine.output(reading.tensor).map_or(0, |t| t.len());
            if len != reading.len {
                let right = format!("the engine yields {len}");
                let error = Error::config("elements", reading.len, right).of_kind(ErrorKind::Shape);
                return Err(error.at(format!("output `{}`", reading.name)));
            }
        }
        let is_closed = stateful || model.internal_state() == InternalState::Inside;
        let (spare, origin) = (Mutex::new(vec![engine]), Origin::here());
        Ok(Self { model, config, binding, outputs, spare, is_closed, origin })
    }

    /// Lets go of it, but for what was inherited: a model may wait at its end for threads that a fork left behind.
    pub(super) fn bury(self) {
        if self.origin != Origin::here() {
            std::mem::forget(self);
        }
    }

    /// Whether anything goes on from hop to hop.
    pub(super) fn remembers(&self) -> bool {
        self.is_closed || !self.binding.states.is_empty()
    }

    /// Whether a session that leaves out inferences at rest can tell by this model's tensors that it is.
    pub(super) fn check_silence(&self, session: &InferenceConfig) -> Result<()> {
        if session.skip_silence() && self.is_closed {
            let right = "false: the engine, or the processor, remembers inside, where nobody sees whether it is at rest";
            return Err(Error::config("skip_silence", true, right));
        }
        Ok(())
    }

    /// Hops that it hears, if it joins in while sound runs, before it is heard.
    pub(super) fn lead_in(&self) -> u64 {
        let Some(reference) = self.binding.inputs.first().or(self.outputs.first()) else { return 0 };
        if !self.remembers() {
            // All that it may look at is in its window.
            return 0;
        }
        let hop = reference.hop as u64;
        let rings = |o: &StreamPlan| (o.decay as u128 * u128::from(hop)).div_ceil(o.hop as u128) as u64;
        let longest = self.outputs.iter().map(rings).max().unwrap_or(0);
        let samples = self.config.lead_in().map_or(longest.max(self.config.pre_roll() as u64), |n| n as u64);
        samples.div_ceil(hop)
    }

    /// As many engines as a crew of this model has: one per lane if they remember, else one for all lanes.
    pub(super) fn engines(&self, lanes: usize) -> Result<Vec<EngineOf<B>>> {
        let mut spare = self.spare.lock().unwrap_or_else(PoisonError::into_inner);
        super::crew::engines(&*self.model, &self.binding, lanes, &mut spare)
    }

    /// The numbers of its own part in a session.
    pub(super) fn plan(&self, session: &SessionPlan) -> SessionPlan {
        let mut plan = SessionPlan::new(self.binding.inputs.clone(), self.outputs.clone());
        (plan.lanes, plan.engines, plan.sample_rate) = (session.lanes, session.engines, session.sample_rate);
        plan
    }

    /// Whether it can be heard in the place of the session's first: its streams and readings.
    pub(super) fn check_among(&self, first: &Self) -> Result<()> {
        same_streams("input", &first.binding.inputs, &self.binding.inputs)?;
        same_streams("output", &first.outputs, &self.outputs)?;
        for wanted in &first.binding.readings {
            let at = |e: Error| e.at(format!("output `{}`", wanted.name));
            let own = self.binding.readings.iter().find(|own| own.name == wanted.name);
            let right = format!("{} elements, as the session's first engine has", wanted.len);
            match own {
                None => return Err(at(Error::config("role", "missing", right))),
                Some(own) if own.len != wanted.len => {
                    return Err(at(Error::config("elements", own.len, right).of_kind(ErrorKind::Shape)));
                }
                Some(_) => {}
            }
        }
        for own in &self.binding.parameters {
            let of_session = first.binding.parameters.iter().find(|p| p.name == own.name);
            if let Some(session) = of_session.filter(|p| p.default.len() != own.default.len()) {
                let right = format!("{}, as the session's first engine has", session.default.len());
                let error = Error::config("elements", own.default.len(), right).of_kind(ErrorKind::Shape);
                return Err(error.at(format!("input `{}`", own.name)));
            }
        }
        Ok(())
    }

    /// Per parameter of its own: the session's number of it, by name.
    pub(super) fn parameters_in(&self, first: &Self) -> Vec<Option<usize>> {
        let of = |name: &str| first.binding.parameters.iter().position(|p| p.name == name);
        self.binding.parameters.iter().map(|own| of(&own.name)).collect()
    }

    /// Per reading of its own: the session's number of it, by name.
    pub(super) fn readings_in(&self, first: &Self) -> Vec<Option<usize>> {
        let of = |name: &str| first.binding.readings.iter().position(|r| r.name == name);
        self.binding.readings.iter().map(|own| of(&own.name)).collect()
    }
}

/// What a session counts on from one of its engines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Planned {
    /// The worst time of an inference.
    pub(super) time: Option<Duration>,
    /// Hops that it hears before it is heard.
    pub(super) lead_in: u64,
}

impl Planned {
    pub(super) fn of<B: Backend>(member: &Member<B>) -> Self {
        Self { time: member.config.max_inference(), lead_in: member.lead_in() }
    }

    /// The worst time of one inference; none in rendering where nobody said.
    pub(super) fn time(&self, offline: bool) -> Result<Duration> {
        match self.time {
            Some(time) => Ok(time),
            None if offline => Ok(Duration::ZERO),
            None => {
                let right = "the longest that one inference takes: real time cannot be promised without it";
                Err(Error::config("max_inference", "not set", right))
            }
        }
    }
}

fn same_streams(what: &str, session: &[StreamPlan], own: &[StreamPlan]) -> Result<()> {
    if session.len() != own.len() {
        let right = format!("{}, as many as the session's first engine has", session.len());
        return Err(Error::config(format!("{what} streams"), own.len(), right));
    }
    for (session, own) in session.iter().zip(own) {
        for (field, right, value) in
            [("hop", session.hop, own.hop), ("channels", session.channels, own.channels)]
        {
            if right != value {
                let right = format!("{right}, that of `{}` of the session's first engine", session.name);
                return Err(Error::config(field, value, right).at(format!("{what} `{}`", own.name)));
            }
        }
    }
    Ok(())
}

/// Every stream's last element must lie inside its tensor.
fn check_sizes(engine: &impl Engine, inputs: &[StreamPlan], outputs: &[StreamPlan]) -> Result<()> {
    // Inputs were requested in these very shapes; an output may differ from what its model declares.
    debug_assert!(inputs.iter().all(|plan| plan.rows * plan.step() == plan.hop));
    for plan in outputs {
        let have = engine.output(plan.tensor).map_or(0, |t| t.len());
        let want = plan.rows * plan.channels * plan.row_len();
        if have != want {
            let right = format!("the engine yields {have} elements, the layout needs {want}");
            let error = Error::config("shape", "another than configured", right).of_kind(ErrorKind::Shape);
            return Err(error.at(format!("output `{}`", plan.name)));
        }
    }
    Ok(())
}

/// How engines of different latencies and contexts serve one session: each window of a slot holds what any of them needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Alignment {
    /// Per output stream: the model latency that all have in common.
    pub(super) latencies: Vec<u64>,
    /// Per input stream: samples in front of the hop, of the longest reach.
    pub(super) contexts: Vec<usize>,
}

impl Alignment {
    /// The smallest that serves all of these.
    pub(super) fn of<'a, B: Backend>(members: impl Iterator<Item = &'a Member<B>> + Clone) -> Result<Self> {
        let outputs = members.clone().next().map_or(0, |m| m.outputs.len());
        let inputs = members.clone().next().map_or(0, |m| m.binding.inputs.len());
        let slowest = members.clone().max_by_key(|m| m.outputs.first().map_or(0, |o| o.latency));
        let latency = |o: usize| slowest.and_then(|m| m.outputs.get(o)).map_or(0, |plan| plan.latency);
        let latencies = (0..outputs).map(latency).collect();
        let mut alignment = Self { latencies, contexts: vec![0; inputs] };
        for (index, member) in members.enumerate() {
            let shifts = alignment.shifts(member).map_err(|e| e.at(format!("engine {index}")))?;
            let reach = member.binding.inputs.iter().zip(shifts).map(|(s, shift)| s.context + shift);
            let contexts = alignment.contexts.iter_mut().zip(reach);
            contexts.for_each(|(context, reach)| *context = (*context).max(reach));
        }
        Ok(alignment)
    }

    /// Samples of each input stream by which a model's window ends before a slot's, so that its answer comes as late as the others'.
    fn shifts<B: Backend>(&self, member: &Member<B>) -> Result<Vec<usize>> {
        let (Some(first), Some(common)) = (member.outputs.first(), self.latencies.first()) else {
            return Ok(vec![0; member.binding.inputs.len()]);
        };
        let ahead = common.checked_sub(first.latency).ok_or_else(|| {
            let right = format!("at most {common} samples, which is what the session reported");
            Error::config("latency", first.latency, right).at(format!("output `{}`", first.name))
        })?;
        // By so many hops its answers are ahead: a fraction of these two, in every stream the same.
        let (ahead, hop) = (u128::from(ahead), first.hop as u128);
        for (plan, common) in member.outputs.iter().zip(&self.latencies) {
            let total = u128::from(plan.latency) * hop + ahead * plan.hop as u128;
            if total != u128::from(*common) * hop {
                let right = format!(
                    "such that one delay brings all outputs to those of the other engines ({common})"
                );
                let error = Error::config("latency", plan.latency, right);
                return Err(error.at(format!("output `{}`", plan.name)));
            }
        }
        if ahead > 0 && member.binding.inputs.is_empty() {
            let right = format!(
                "{common}, as another engine of the session: without an input there is nothing to delay"
            );
            return Err(Error::config("latency", first.latency, right).at(format!("output `{}`", first.name)));
        }
        let shift =
            |input: &StreamPlan| {
                let samples = ahead * input.hop as u128;
                let right = || format!("a whole number of samples of input `{}` below {common}", input.name);
                match samples.is_multiple_of(hop) {
                    true => Ok(usize::try_from(samples / hop).unwrap_or(usize::MAX)),
                    false => Err(Error::config("latency", first.latency, right())
                        .at(format!("output `{}`", first.name))),
                }
            };
        member.binding.inputs.iter().map(shift).collect()
    }

    /// Where a model's windows lie in those of a slot.
    pub(super) fn cuts<B: Backend>(&self, member: &Member<B>) -> Result<Vec<Cut>> {
        let shifts = self.shifts(member)?;
        let cut = |((plan, shift), context): ((&StreamPlan, usize), &usize)| {
            let skip = context.checked_sub(plan.context + shift).ok_or_else(|| {
                let right = format!("at most {}, which the session keeps", context.saturating_sub(shift));
                Error::config("context", plan.context, right).at(format!("input `{}`", plan.name))
            })?;
            Ok(Cut { skip, len: plan.window(), of: context + plan.hop })
        };
        member.binding.inputs.iter().zip(shifts).zip(&self.contexts).map(cut).collect()
    }
}

impl<B: Backend> std::fmt::Debug for Member<B> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Member").field("config", &self.config).finish_non_exhaustive()
    }
}
