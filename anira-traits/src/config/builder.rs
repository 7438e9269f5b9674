//! The builder of a configuration, and every check that needs no model.

use std::time::Duration;

use super::{
    HopRange, InferenceConfig, InputRole, InputTensor, LatePolicy, MAX_CATCH_UP, MAX_ENGINES, MAX_EXTENT,
    MAX_LATE_FADE, MAX_TENSORS, OutputRole, OutputTensor, SchedulingAllowance,
};
use crate::{Error, Result};

/// Collects an [`InferenceConfig`]; [`build`](Self::build) validates it once.
#[derive(Clone, Debug)]
pub struct InferenceConfigBuilder {
    config: InferenceConfig,
    blocking_ratio: f64,
}

impl InferenceConfigBuilder {
    pub(super) fn new() -> Self {
        let config = InferenceConfig {
            inputs: Vec::new(),
            outputs: Vec::new(),
            max_inference: None,
            scheduling_allowance: SchedulingAllowance::default(),
            warm_up: 0,
            engines: 1,
            blocking_ppm: 0,
            priority: 0,
            sample_rate: None,
            max_catch_up: 4,
            align_outputs: false,
            late_policy: LatePolicy::default(),
            late_fade: 64,
            pre_roll: 0,
            lead_in: None,
            skip_silence: false,
            hop_range: None,
        };
        Self { config, blocking_ratio: 0.0 }
    }

    /// Adds an input tensor.
    #[must_use]
    pub fn input(mut self, tensor: InputTensor) -> Self {
        self.config.inputs.push(tensor);
        self
    }

    /// Adds an output tensor.
    #[must_use]
    pub fn output(mut self, tensor: OutputTensor) -> Self {
        self.config.outputs.push(tensor);
        self
    }

    /// The longest that one inference takes. Needed for real time; it decides the latency.
    #[must_use]
    pub fn max_inference(mut self, time: Duration) -> Self {
        self.config.max_inference = Some(time);
        self
    }

    /// What a worker may need before it begins: a time, or [`Auto`](SchedulingAllowance::Auto). It is added to the inference
    /// time where the latency is computed; 0 unless set.
    #[must_use]
    pub fn scheduling_allowance(mut self, allowance: impl Into<SchedulingAllowance>) -> Self {
        self.config.scheduling_allowance = allowance.into();
        self
    }

    /// Inferences that each engine runs on silence before its first real one; 0 unless set.
    #[must_use]
    pub fn warm_up(mut self, inferences: u32) -> Self {
        self.config.warm_up = inferences;
        self
    }

    /// Engines that may run at once; 1 unless set, and 1 for a model with state.
    #[must_use]
    pub fn engines(mut self, count: usize) -> Self {
        self.config.engines = count;
        self
    }

    /// The share of a block's time, 0 to 1, that the audio thread may wait for results; 0 unless set.
    #[must_use]
    pub fn blocking_ratio(mut self, ratio: f64) -> Self {
        self.blocking_ratio = ratio;
        self
    }

    /// The session's priority above others in the same pool; higher goes first; 0 unless set.
    #[must_use]
    pub fn priority(mut self, priority: i32) -> Self {
        self.config.priority = priority;
        self
    }

    /// The sample rate in Hz that the model was made for.
    #[must_use]
    pub fn sample_rate(mut self, hertz: f64) -> Self {
        self.config.sample_rate = Some(hertz);
        self
    }

    /// Hops that may wait although their time has passed, so that a model that remembers hears them; 4 unless set. Where more
    /// would wait, all whose time has passed are dropped until the stream is on time again. A model without state never runs
    /// them. A worker that is busy takes a while to work them off: at 90 % load, nine hops for each.
    #[must_use]
    pub fn max_catch_up(mut self, hops: usize) -> Self {
        self.config.max_catch_up = hops;
        self
    }

    /// Whether all output streams are delayed by the same time: the smallest that is enough for each and a whole number of
    /// samples in each. Unless set, every output has its own smallest latency.
    #[must_use]
    pub fn align_outputs(mut self, align: bool) -> Self {
        self.config.align_outputs = align;
        self
    }

    /// What is heard in place of samples that came late; silence unless set.
    #[must_use]
    pub fn late_policy(mut self, policy: LatePolicy) -> Self {
        self.config.late_policy = policy;
        self
    }

    /// Samples of the fade between the model's output and what stands in for it; 64 unless set, 0 for a cut.
    #[must_use]
    pub fn late_fade(mut self, samples: usize) -> Self {
        self.config.late_fade = samples;
        self
    }

    /// Samples of silence, of input stream 0, that the model hears before a stream begins, rounded up to whole hops, with its
    /// parameters at their defaults; 0 unless set. A model whose state is at rest only after a while needs them.
    #[must_use]
    pub fn pre_roll(mut self, samples: usize) -> Self {
        self.config.pre_roll = samples;
        self
    }

    /// Samples, of input stream 0, that a model with state hears before it is heard itself, where a session switches to it while
    /// sound runs, rounded up to whole hops. Unless set: its pre-roll, or the longest decay of its outputs, whichever is longer. A
    /// model without state needs none: what it looks at is kept anyway.
    #[must_use]
    pub fn lead_in(mut self, samples: usize) -> Self {
        self.config.lead_in = Some(samples);
        self
    }

    /// Whether inferences are left out while every input is silent (all zero bits) over the whole window, parameters stay, and an
    /// inference has left every state as it was, bit for bit; no unless set. The output is the same, bit for bit, if the engine gives
    /// the same answer to the same tensors. A model or a processor that remembers inside is refused, where the handler is built.
    #[must_use]
    pub fn skip_silence(mut self, skip: bool) -> Self {
        self.config.skip_silence = skip;
        self
    }

    /// The hops that a session may choose from, for a model whose length is open; unless set, it is the configured hop.
    #[must_use]
    pub fn hop_range(mut self, range: HopRange) -> Self {
        self.config.hop_range = Some(range);
        self
    }

    /// Validates.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config), naming the field, its value and what would be right.
    pub fn build(mut self) -> Result<InferenceConfig> {
        let config = &mut self.config;
        // First of all: what follows compares each with each.
        for (field, count) in [("inputs", config.inputs.len()), ("outputs", config.outputs.len())] {
            if count > MAX_TENSORS {
                return Err(Error::config(field, count, format_args!("at most {MAX_TENSORS} tensors")));
            }
        }
        config.list_state_outputs();
        if !(0.0..=1.0).contains(&self.blocking_ratio) {
            return Err(Error::config("blocking_ratio", self.blocking_ratio, "a number from 0 to 1"));
        }
        config.blocking_ppm = (self.blocking_ratio * 1e6).round() as u32;
        if config.engines == 0 || config.engines > MAX_ENGINES {
            return Err(Error::config("engines", config.engines, format_args!("from 1 to {MAX_ENGINES}")));
        }
        if config.has_state() && config.engines > 1 {
            return Err(Error::config(
                "engines",
                config.engines,
                "1 for a model with state: its inferences depend on one another",
            ));
        }
        if config.max_inference.is_some_and(|t| t > Duration::from_secs(3600)) {
            return Err(Error::config("max_inference", "longer than an hour", "a time in milliseconds"));
        }
        if matches!(config.scheduling_allowance, SchedulingAllowance::Time(t) if t > Duration::from_secs(3600))
        {
            return Err(Error::config(
                "scheduling_allowance",
                "longer than an hour",
                "a time in milliseconds",
            ));
        }
        if config.warm_up > 100_000 {
            return Err(Error::config("warm_up", config.warm_up, "from 0 to 100000 inferences"));
        }
        if config.max_catch_up > MAX_CATCH_UP {
            let right = format_args!("from 0 to {MAX_CATCH_UP} hops");
            return Err(Error::config("max_catch_up", config.max_catch_up, right));
        }
        if config.late_fade > MAX_LATE_FADE {
            let right = format_args!("from 0 to {MAX_LATE_FADE} samples");
            return Err(Error::config("late_fade", config.late_fade, right));
        }
        check_extent("pre_roll", config.pre_roll, 0)?;
        check_extent("lead_in", config.lead_in.unwrap_or(0), 0)?;
        if config.sample_rate.is_some_and(|hz| !(hz.is_finite() && (1.0..=10e6).contains(&hz))) {
            let value = config.sample_rate.unwrap_or_default();
            return Err(Error::config("sample_rate", value, "from 1 to 10000000 Hz"));
        }
        config.check_tensors()?;
        config.check_hop_range()?;
        Ok(self.config)
    }
}

impl InferenceConfig {
    /// A state input names the output that feeds it; that alone lists the output.
    fn list_state_outputs(&mut self) {
        for tensor in &self.inputs {
            if let InputRole::State { from, .. } = &tensor.role
                && self.outputs.iter().all(|output| output.name != *from)
            {
                self.outputs.push(OutputTensor::state(from.clone()));
            }
        }
    }

    fn check_tensors(&self) -> Result<()> {
        for (i, tensor) in self.inputs.iter().enumerate() {
            let at = |e: Error| e.at(format!("input `{}`", tensor.name));
            check_name(&tensor.name, self.inputs[..i].iter().map(|t| &t.name)).map_err(at)?;
            check_shape(tensor.shape.as_deref()).map_err(at)?;
            self.check_input_role(&tensor.role).map_err(at)?;
        }
        for (i, tensor) in self.outputs.iter().enumerate() {
            let at = |e: Error| e.at(format!("output `{}`", tensor.name));
            check_name(&tensor.name, self.outputs[..i].iter().map(|t| &t.name)).map_err(at)?;
            check_shape(tensor.shape.as_deref()).map_err(at)?;
            self.check_output_role(&tensor.name, &tensor.role).map_err(at)?;
        }
        let streams = self.inputs.iter().filter(|t| matches!(t.role, InputRole::Stream { .. })).count()
            + self.outputs.iter().filter(|t| matches!(t.role, OutputRole::Stream { .. })).count();
        if streams == 0 {
            return Err(Error::config(
                "tensors",
                "without a stream",
                "at least one tensor with the role `stream`",
            ));
        }
        Ok(())
    }

    fn check_input_role(&self, role: &InputRole) -> Result<()> {
        match role {
            InputRole::Stream { hop, context, channels } => {
                check_extent("hop", *hop, 1)?;
                check_extent("context", context.unwrap_or(0), 0)?;
                check_extent("channels", channels.unwrap_or(1), 1)
            }
            InputRole::Parameter { default } => check_values("default", default, 1),
            InputRole::Constant { values } => check_values("values", values, 1),
            InputRole::State { from, initial } => {
                check_values("initial", initial, 0)?;
                if from.is_empty() {
                    return Err(Error::config(
                        "from",
                        "empty",
                        "the name of the output that feeds this state",
                    ));
                }
                if self.outputs.iter().any(|t| t.name == *from && t.role != OutputRole::State) {
                    let right = "an output with the role `state`";
                    return Err(Error::config("from", format_args!("`{from}`"), right));
                }
                let feeds = self.inputs.iter().filter(|t| feeds(t, from)).count();
                if feeds > 1 {
                    let right = "an output may feed one state";
                    return Err(Error::config("from", format_args!("`{from}`, used {feeds} times"), right));
                }
                Ok(())
            }
        }
    }

    fn check_output_role(&self, name: &str, role: &OutputRole) -> Result<()> {
        match role {
            OutputRole::Stream { hop, channels, latency, declared_latency, decay } => {
                check_extent("hop", *hop, 1)?;
                check_extent("channels", channels.unwrap_or(1), 1)?;
                let samples = |latency: u64| usize::try_from(latency).unwrap_or(usize::MAX);
                check_extent("latency", samples(*latency), 0)?;
                check_extent("declared_latency", samples(declared_latency.unwrap_or(0)), 0)?;
                check_extent("decay", samples(*decay), 0)
            }
            OutputRole::Parameter => Ok(()),
            OutputRole::State if self.inputs.iter().any(|t| feeds(t, name)) => Ok(()),
            OutputRole::State => Err(Error::config(
                "role",
                "`state`",
                "an input with the role `state` must name this output in `from`",
            )),
        }
    }
}

fn feeds(tensor: &InputTensor, output: &str) -> bool {
    matches!(&tensor.role, InputRole::State { from, .. } if from == output)
}

fn check_name<'a>(name: &str, mut before: impl Iterator<Item = &'a String>) -> Result<()> {
    if name.is_empty() {
        return Err(Error::config("name", "empty", "the tensor's name"));
    }
    if before.any(|other| other == name) {
        return Err(Error::config(
            "name",
            format_args!("`{name}`, used twice"),
            "each tensor is listed once",
        ));
    }
    Ok(())
}

fn check_shape(shape: Option<&[usize]>) -> Result<()> {
    let Some(shape) = shape else { return Ok(()) };
    let elements = shape.iter().try_fold(1usize, |n, d| n.checked_mul(*d));
    match elements {
        Some(1..) if elements <= Some(1 << 31) => Ok(()),
        _ => Err(Error::config(
            "shape",
            format_args!("{shape:?}"),
            "extents of at least 1, at most 2^31 elements",
        )),
    }
}

fn check_extent(field: &'static str, value: usize, least: usize) -> Result<()> {
    if (least..=MAX_EXTENT).contains(&value) {
        return Ok(());
    }
    Err(Error::config(field, value, format_args!("from {least} to {MAX_EXTENT}")))
}

fn check_values(field: &'static str, values: &[f64], least: usize) -> Result<()> {
    if values.len() < least {
        return Err(Error::config(field, "empty", "one value per element, or one for all"));
    }
    match values.iter().find(|v| !v.is_finite()) {
        None => Ok(()),
        Some(bad) => Err(Error::config(field, bad, "finite numbers")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    fn plain() -> InferenceConfigBuilder {
        InferenceConfig::builder().input(InputTensor::stream("x", 64)).output(OutputTensor::stream("y", 64))
    }

    #[track_caller]
    fn refused(builder: InferenceConfigBuilder, words: &[&str]) {
        let error = builder.build().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        for word in words {
            assert!(error.to_string().contains(word), "`{error}` lacks `{word}`");
        }
    }

    #[test]
    fn a_plain_configuration_is_accepted() {
        let config = plain().blocking_ratio(0.25).build().unwrap();
        assert_eq!((config.blocking_ppm(), config.engines(), config.max_catch_up()), (250_000, 1, 4));
    }

    #[test]
    fn every_field_out_of_range_is_named_with_its_value() {
        refused(plain().blocking_ratio(1.5), &["blocking_ratio", "1.5", "0 to 1"]);
        refused(plain().blocking_ratio(-0.1), &["blocking_ratio", "-0.1"]);
        refused(plain().blocking_ratio(f64::NAN), &["blocking_ratio", "NaN"]);
        refused(plain().engines(0), &["engines", "is 0"]);
        refused(plain().engines(65), &["engines", "65"]);
        refused(plain().sample_rate(f64::NAN), &["sample_rate", "NaN"]);
        refused(plain().sample_rate(0.0), &["sample_rate", "is 0"]);
        refused(plain().max_inference(Duration::from_secs(4000)), &["max_inference"]);
        refused(plain().scheduling_allowance(Duration::from_secs(4000)), &["scheduling_allowance"]);
        refused(plain().warm_up(1_000_000), &["warm_up", "1000000"]);
        refused(plain().late_fade(MAX_LATE_FADE + 1), &["late_fade", "1048577", "1048576"]);
        refused(plain().pre_roll(MAX_EXTENT + 1), &["pre_roll", "16777217", "16777216"]);
        refused(plain().lead_in(MAX_EXTENT + 1), &["lead_in", "16777217", "16777216"]);
        // Hours, if each were compared with each.
        let many = |count: usize| {
            (0..count).fold(plain(), |config, i| config.input(InputTensor::parameter(i.to_string(), [0.0])))
        };
        refused(many(1_000_000), &["inputs", "1000001", "1024"]);
        assert!(many(MAX_TENSORS - 1).build().is_ok());
        refused(plain().max_catch_up(1025), &["max_catch_up", "1025", "1024"]);
        refused(plain().input(InputTensor::stream("z", 0)), &["input `z`", "hop", "is 0"]);
        refused(plain().input(InputTensor::stream("z", MAX_EXTENT + 1)), &["hop", "16777217"]);
        refused(plain().input(InputTensor::stream("z", 1).context(usize::MAX)), &["context"]);
        refused(plain().input(InputTensor::stream("z", 1).channels(0)), &["channels", "is 0"]);
        refused(plain().output(OutputTensor::stream("z", 1).latency(u64::MAX)), &["latency"]);
        refused(
            plain().output(OutputTensor::stream("z", 1).declared_latency(1 << 25)),
            &["output `z`", "declared_latency", "33554432", "16777216"],
        );
        refused(plain().output(OutputTensor::stream("z", 0)), &["output `z`", "hop"]);
        refused(plain().input(InputTensor::stream("x", 64)), &["`x`", "twice"]);
        refused(plain().output(OutputTensor::stream("y", 64)), &["`y`", "twice"]);
        refused(plain().input(InputTensor::stream("", 64)), &["name", "empty"]);
        refused(plain().input(InputTensor::parameter("p", [])), &["default", "empty"]);
        refused(plain().input(InputTensor::parameter("p", [f64::INFINITY])), &["default", "inf"]);
        refused(plain().input(InputTensor::constant("p", [])), &["values", "empty"]);
        refused(plain().input(InputTensor::stream("z", 1).shape([1, 0])), &["shape", "[1, 0]"]);
        refused(plain().input(InputTensor::stream("z", 1).shape([usize::MAX, 2])), &["shape"]);
        refused(InferenceConfig::builder().output(OutputTensor::parameter("p")), &["tensors", "stream"]);
    }

    #[test]
    fn states_come_in_pairs() {
        let state = |from: &str| InputTensor::state("h", from);
        refused(plain().input(state("")), &["input `h`", "from", "empty"]);
        refused(plain().input(state("y")), &["`y`", "role `state`"]);
        refused(plain().output(OutputTensor::state("g")), &["output `g`", "from"]);
        let implied = plain().input(state("g")).build().unwrap();
        let pair = plain().input(state("g")).output(OutputTensor::state("g"));
        assert_eq!(implied, pair.clone().build().unwrap());
        assert!(pair.clone().build().unwrap().has_state());
        refused(pair.clone().engines(2), &["engines", "state"]);
        refused(pair.input(InputTensor::state("i", "g")), &["`g`", "used 2 times"]);
    }
}
