//! Configurations made of arbitrary numbers and names.

use std::time::Duration;

use anira_traits::config::{MAX_CATCH_UP, MAX_ENGINES, MAX_EXTENT, MAX_LATE_FADE, MAX_TENSORS};
use anira_traits::{
    Axis, ErrorKind, InferenceConfig, InferenceConfigBuilder, InputRole, InputTensor, LatePolicy, Layout,
    OutputRole, OutputTensor,
};
use arbitrary::{Result, Unstructured};

/// Builds a configuration from `data` and checks what the builder promises.
///
/// # Panics
/// If a promise is broken.
pub fn check(data: &[u8]) {
    let mut input = Unstructured::new(data);
    // Bytes that run out half-way say nothing about anira.
    let Ok(builder) = builder(&mut input) else { return };
    match builder.clone().build() {
        Ok(config) => {
            accepted(&config);
            assert_eq!(builder.build().as_ref(), Ok(&config), "the same fields build the same configuration");
        }
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Config, "{error}");
            assert!(error.field().is_some_and(|field| !field.is_empty()), "no field: {error}");
            assert!(!error.message().is_empty(), "no message: {error:?}");
        }
    }
}

fn builder(input: &mut Unstructured<'_>) -> Result<InferenceConfigBuilder> {
    let mut builder = InferenceConfig::builder();
    for _ in 0..input.int_in_range(0..=3)? {
        builder = builder.input(input_tensor(input)?);
    }
    for _ in 0..input.int_in_range(0..=3)? {
        builder = builder.output(output_tensor(input)?);
    }
    // Most fields keep their defaults most of the time, so that whole configurations are accepted often enough.
    if input.ratio(1, 8)? {
        builder = builder.engines(extent(input)?);
    }
    if input.ratio(1, 8)? {
        builder = builder.blocking_ratio(input.arbitrary()?);
    }
    if input.ratio(1, 8)? {
        builder = builder.warm_up(input.arbitrary()?).max_catch_up(extent(input)?);
    }
    if input.ratio(1, 8)? {
        builder = builder.sample_rate(input.arbitrary()?).priority(input.arbitrary()?);
    }
    if input.ratio(1, 8)? {
        builder = builder.max_inference(Duration::from_micros(input.arbitrary()?));
        builder = builder.scheduling_allowance(Duration::from_micros(input.arbitrary()?));
    }
    if input.ratio(1, 8)? {
        let policies = LatePolicy::ALL.map(|(_, policy)| policy);
        builder = builder.late_policy(*input.choose(&policies)?).late_fade(extent(input)?);
    }
    if input.ratio(1, 8)? {
        builder = builder.align_outputs(input.arbitrary()?).pre_roll(extent(input)?);
    }
    Ok(builder)
}

fn input_tensor(input: &mut Unstructured<'_>) -> Result<InputTensor> {
    let name = name(input)?;
    let tensor = match input.int_in_range(0..=4)? {
        0 => InputTensor::parameter(name, values(input)?),
        1 => InputTensor::constant(name, values(input)?),
        2 => InputTensor::state(name, self::name(input)?).initial(values(input)?),
        3 => InputTensor::stream(name, extent(input)?).context(extent(input)?).channels(extent(input)?),
        _ => InputTensor::stream(name, extent(input)?),
    };
    let tensor = if input.ratio(1, 6)? { tensor.shape(shape(input)?) } else { tensor };
    Ok(match layout(input)? {
        Some(layout) => tensor.layout(layout),
        None => tensor,
    })
}

fn output_tensor(input: &mut Unstructured<'_>) -> Result<OutputTensor> {
    let name = name(input)?;
    let tensor = match input.int_in_range(0..=4)? {
        0 => OutputTensor::parameter(name),
        1 => OutputTensor::state(name),
        2 => OutputTensor::stream(name, extent(input)?).latency(input.arbitrary()?).channels(extent(input)?),
        3 => OutputTensor::stream(name, extent(input)?)
            .declared_latency(input.arbitrary()?)
            .decay(extent(input)? as u64),
        _ => OutputTensor::stream(name, extent(input)?),
    };
    if input.ratio(1, 6)? { Ok(tensor.shape(shape(input)?)) } else { Ok(tensor) }
}

/// Few enough names that tensors sometimes share one; now and then the empty one.
fn name(input: &mut Unstructured<'_>) -> Result<String> {
    Ok(match input.int_in_range(0..=31)? {
        0 => String::new(),
        n => format!("t{n}"),
    })
}

/// Small numbers mostly, the bounds and anything else now and then.
fn extent(input: &mut Unstructured<'_>) -> Result<usize> {
    Ok(match input.int_in_range(0..=31)? {
        0 => input.arbitrary()?,
        1 => MAX_EXTENT,
        2 => MAX_EXTENT + 1,
        3 => 0,
        _ => input.int_in_range(1..=64)?,
    })
}

fn values(input: &mut Unstructured<'_>) -> Result<Vec<f64>> {
    (0..input.int_in_range(0..=4)?).map(|_| input.arbitrary()).collect()
}

fn shape(input: &mut Unstructured<'_>) -> Result<Vec<usize>> {
    (0..input.int_in_range(0..=4)?).map(|_| extent(input)).collect()
}

/// A layout from text or guessed from a shape, which is where the checks of layouts are.
fn layout(input: &mut Unstructured<'_>) -> Result<Option<Layout>> {
    if input.ratio(1, 2)? {
        let shape: Vec<_> =
            shape(input)?.into_iter().map(|extent| (extent != MAX_EXTENT).then_some(extent)).collect();
        let layout = Layout::guess(&shape);
        if let Some(layout) = &layout {
            assert_eq!(layout.axes().len(), shape.len(), "{layout} for {shape:?}");
            assert!(layout.position(Axis::Time).is_some(), "{layout} has no time");
            assert_eq!(layout.to_string().parse().as_ref(), Ok(layout));
        }
        return Ok(layout);
    }
    let length = input.int_in_range(0..=5)?;
    let text: String =
        (0..length).map(|_| input.choose(&['N', 'C', 'T', 'X']).copied()).collect::<Result<_>>()?;
    match text.parse::<Layout>() {
        Ok(layout) => {
            assert_eq!(layout.to_string(), text);
            Ok(Some(layout))
        }
        Err(error) => {
            assert_eq!((error.kind(), error.field()), (ErrorKind::Config, Some("layout")));
            Ok(None)
        }
    }
}

/// What holds of every configuration that the builder gave out.
fn accepted(config: &InferenceConfig) {
    assert!((1..=MAX_ENGINES).contains(&config.engines()));
    assert!(config.blocking_ppm() <= 1_000_000);
    assert!(config.max_catch_up() <= MAX_CATCH_UP && config.late_fade() <= MAX_LATE_FADE);
    assert!(config.pre_roll() <= MAX_EXTENT && config.inputs().len() <= MAX_TENSORS);
    assert!(!config.has_state() || config.engines() == 1);
    let mut streams = 0;
    for (i, tensor) in config.inputs().iter().enumerate() {
        assert!(!tensor.name.is_empty());
        assert!(config.inputs()[..i].iter().all(|other| other.name != tensor.name));
        match &tensor.role {
            InputRole::Stream { hop, context, channels } => {
                streams += 1;
                assert!((1..=MAX_EXTENT).contains(hop));
                assert!(context.is_none_or(|n| n <= MAX_EXTENT));
                assert!(channels.is_none_or(|n| (1..=MAX_EXTENT).contains(&n)));
            }
            InputRole::State { from, initial } => {
                assert!(config.outputs().iter().any(|o| o.name == *from && o.role == OutputRole::State));
                assert!(initial.iter().all(|value| value.is_finite()));
            }
            InputRole::Parameter { default: values } | InputRole::Constant { values } => {
                assert!(!values.is_empty() && values.iter().all(|value| value.is_finite()));
            }
            _ => {}
        }
    }
    for tensor in config.outputs() {
        if let OutputRole::Stream { hop, channels, latency, declared_latency, decay } = &tensor.role {
            streams += 1;
            assert!((1..=MAX_EXTENT).contains(hop));
            assert!(channels.is_none_or(|n| (1..=MAX_EXTENT).contains(&n)));
            let most = MAX_EXTENT as u64;
            assert!(*latency <= most && *decay <= most && declared_latency.is_none_or(|n| n <= most));
        }
    }
    assert!(streams > 0);
}
