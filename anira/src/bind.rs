//! Where a configuration meets a model: every name, type and extent is checked here, once.

use anira_traits::{
    Axis, DType, EngineRequest, Error, ErrorKind, InferenceConfig, InputRole, InputTensor, Layout,
    OutputRole, OutputTensor, Result, Signature, StreamPlan, TensorData, TensorInfo, place, shape_text,
};

/// A configuration and a model that fit each other.
#[derive(Clone, Debug)]
pub(crate) struct Binding {
    pub(crate) request: EngineRequest,
    pub(crate) inputs: Vec<StreamPlan>,
    outputs: Vec<OpenOutput>,
    pub(crate) parameters: Vec<ParameterBinding>,
    pub(crate) readings: Vec<ReadingBinding>,
    pub(crate) states: Vec<StateBinding>,
    pub(crate) constants: Vec<(usize, TensorData)>,
}

/// A parameter of the user's.
#[derive(Clone, Debug)]
pub(crate) struct ParameterBinding {
    pub(crate) name: String,
    pub(crate) tensor: usize,
    pub(crate) default: Vec<f64>,
}

/// An output that the user reads.
#[derive(Clone, Debug)]
pub(crate) struct ReadingBinding {
    pub(crate) name: String,
    pub(crate) tensor: usize,
    pub(crate) len: usize,
}

/// An output that feeds an input of the next inference.
#[derive(Clone, Debug)]
pub(crate) struct StateBinding {
    pub(crate) input: usize,
    pub(crate) output: usize,
    pub(crate) initial: TensorData,
}

/// An output stream whose time extent may be open until an engine has shown it.
#[derive(Clone, Debug)]
struct OpenOutput {
    tensor: usize,
    shape: Vec<Option<usize>>,
    layout: Layout,
    name: String,
    hop: usize,
    channels: Option<usize>,
    latency: u64,
    declared_latency: Option<u64>,
    decay: u64,
}

/// Checks a configuration against a model.
pub(crate) fn bind(config: &InferenceConfig, model: &Signature) -> Result<Binding> {
    let mut binding = Binding {
        request: EngineRequest::new(Vec::new(), vec![None; model.outputs.len()]),
        inputs: Vec::new(),
        outputs: Vec::new(),
        parameters: Vec::new(),
        readings: Vec::new(),
        states: Vec::new(),
        constants: Vec::new(),
    };
    let mut shapes: Vec<Option<Vec<usize>>> = vec![None; model.inputs.len()];
    for tensor in config.inputs() {
        let at = |e: Error| e.at(format!("input `{}`", tensor.name));
        let index = find(tensor.name_in_model(), &model.inputs).map_err(at)?;
        let info = &model.inputs[index];
        let shape = binding.input(tensor, index, info, config, model).map_err(at)?;
        if shapes[index].replace(shape).is_some() {
            return Err(at(Error::config("name", "bound twice", "each tensor of the model is bound once")));
        }
    }
    for (info, shape) in model.inputs.iter().zip(shapes) {
        let right = "the model needs this input; give it a role: stream, parameter, state or constant";
        let shape = shape
            .ok_or_else(|| Error::config("input", format_args!("`{}`, not configured", info.name), right))?;
        binding.request.inputs.push(shape);
    }
    binding.request.values = binding.trial_values(model.inputs.len());
    for tensor in config.outputs() {
        let at = |e: Error| e.at(format!("output `{}`", tensor.name));
        let index = find(tensor.name_in_model(), &model.outputs).map_err(at)?;
        binding.output(tensor, index, &model.outputs[index]).map_err(at)?;
    }
    Ok(binding)
}

impl Binding {
    /// What the configuration says that each input holds at first; streams are silent.
    fn trial_values(&self, inputs: usize) -> Vec<Vec<f64>> {
        let numbers = |data: &TensorData| {
            let view = data.view();
            (0..view.len()).filter_map(|at| view.number(at)).collect()
        };
        let mut values = vec![Vec::new(); inputs];
        let parameters = self.parameters.iter().map(|p| (p.tensor, p.default.clone()));
        let constants = self.constants.iter().map(|(input, data)| (*input, numbers(data)));
        let states = self.states.iter().map(|s| (s.input, numbers(&s.initial)));
        for (input, numbers) in parameters.chain(constants).chain(states) {
            if let Some(place) = values.get_mut(input) {
                *place = numbers;
            }
        }
        values
    }

    fn input(
        &mut self,
        tensor: &InputTensor,
        index: usize,
        info: &TensorInfo,
        config: &InferenceConfig,
        model: &Signature,
    ) -> Result<Vec<usize>> {
        let shape = given_shape(tensor.shape.as_deref(), &info.shape)?;
        match &tensor.role {
            InputRole::Stream { hop, context, channels } => {
                let layout = stream_layout(tensor.layout.as_ref(), info, &shape)?;
                let axes = Axes::resolve(&layout, &shape, *channels, *hop)?;
                let step = *hop / axes.rows;
                let time = axes.time.unwrap_or(context.unwrap_or(0) + step);
                let room = time.checked_sub(step).ok_or_else(|| {
                    let right =
                        format!("the tensor is {} and holds {time} samples per row", shape_text(&shape));
                    Error::config("hop", hop, right).of_kind(ErrorKind::Shape)
                })?;
                if context.is_some_and(|c| c != room) {
                    let right = format!(
                        "the tensor is {} and leaves room for {room} samples in front of the hop of {hop}",
                        shape_text(&shape)
                    );
                    return Err(
                        Error::config("context", context.unwrap_or(0), right).of_kind(ErrorKind::Shape)
                    );
                }
                self.inputs.push(axes.plan(&layout, &tensor.name, index, time, *hop, room));
                Ok(axes.shape(&layout, time))
            }
            InputRole::Parameter { default } => {
                let shape = closed(&shape)?;
                let default = spread("default", default, shape.iter().product())?;
                self.parameters.push(ParameterBinding { name: tensor.name.clone(), tensor: index, default });
                Ok(shape)
            }
            InputRole::Constant { values } => {
                let shape = closed(&shape)?;
                let len = shape.iter().product();
                self.constants.push((index, filled(info.dtype, &spread("values", values, len)?)));
                Ok(shape)
            }
            InputRole::State { from, initial } => {
                let shape = closed(&shape)?;
                let output = config.outputs().iter().find(|t| t.name == *from);
                let name = output.map_or(from.as_str(), |t| t.name_in_model());
                let output = find(name, &model.outputs).map_err(|e| e.at("from"))?;
                let source = &model.outputs[output];
                if source.dtype != info.dtype {
                    let right = format!("the state is {}, `{name}` is {}", info.dtype, source.dtype);
                    return Err(Error::new(ErrorKind::DType, right).at("from"));
                }
                if !fits(&shape, &source.shape) {
                    let right = format!("the state is {shape:?}, `{name}` is {}", shape_text(&source.shape));
                    return Err(Error::new(ErrorKind::Shape, right).at("from"));
                }
                let len = shape.iter().product();
                let initial = match initial.as_slice() {
                    [] => TensorData::zeros(info.dtype, len),
                    values => filled(info.dtype, &spread("initial", values, len)?),
                };
                self.states.push(StateBinding { input: index, output, initial });
                if let Some(request) = self.request.outputs.get_mut(output) {
                    *request = Some(shape.clone());
                }
                Ok(shape)
            }
            _ => Err(Error::config("role", "unknown", "one that this version knows")),
        }
    }

    fn output(&mut self, tensor: &OutputTensor, index: usize, info: &TensorInfo) -> Result<()> {
        let shape = given_shape(tensor.shape.as_deref(), &info.shape)?;
        let known: Option<Vec<usize>> = shape.iter().copied().collect();
        match &tensor.role {
            OutputRole::Stream { hop, channels, latency, declared_latency, decay } => {
                let layout = stream_layout(tensor.layout.as_ref(), info, &shape)?;
                self.outputs.push(OpenOutput {
                    tensor: index,
                    shape,
                    layout,
                    name: tensor.name.clone(),
                    hop: *hop,
                    channels: *channels,
                    latency: *latency,
                    declared_latency: *declared_latency,
                    decay: *decay,
                });
            }
            OutputRole::Parameter => {
                let len = closed(&shape)?.iter().product();
                self.readings.push(ReadingBinding { name: tensor.name.clone(), tensor: index, len });
            }
            OutputRole::State => return Ok(()),
            _ => return Err(Error::config("role", "unknown", "one that this version knows")),
        }
        if let (Some(request), Some(known)) = (self.request.outputs.get_mut(index), known) {
            *request = Some(known);
        }
        Ok(())
    }

    /// The output streams, now that an engine has shown how many elements each output tensor holds.
    pub(crate) fn outputs(&self, elements: impl Fn(usize) -> Option<usize>) -> Result<Vec<StreamPlan>> {
        let plan = |open: &OpenOutput| -> Result<StreamPlan> {
            let axes = Axes::resolve(&open.layout, &open.shape, open.channels, open.hop)?;
            let per_step = (axes.rows * axes.channels).max(1);
            let shown = elements(open.tensor).map(|n| n / per_step);
            let time = axes.time.or(shown).unwrap_or(0);
            let step = open.hop / axes.rows;
            let unused = time.checked_sub(step).ok_or_else(|| {
                let right =
                    format!("the tensor is {} and yields {time} samples per row", shape_text(&open.shape));
                Error::config("hop", open.hop, right).of_kind(ErrorKind::Shape)
            })?;
            let plan = axes.plan(&open.layout, &open.name, open.tensor, time, open.hop, unused);
            let plan = plan.with_latency(open.latency).with_decay(open.decay);
            Ok(plan.with_declared_latency(open.declared_latency))
        };
        let named =
            |open: &OpenOutput| plan(open).map_err(|e: Error| e.at(format!("output `{}`", open.name)));
        self.outputs.iter().map(named).collect()
    }
}

fn find(name: &str, tensors: &[TensorInfo]) -> Result<usize> {
    place(name, tensors.iter().map(|t| t.name.as_str())).ok_or_else(|| {
        let known: Vec<_> = tensors.iter().map(|t| format!("`{}`", t.name)).collect();
        Error::config("name", format_args!("`{name}`"), format_args!("the model has {}", known.join(", ")))
    })
}

fn fits(shape: &[usize], model: &[Option<usize>]) -> bool {
    shape.len() == model.len() && shape.iter().zip(model).all(|(a, b)| b.is_none_or(|b| b == *a))
}

/// The model's shape, with open extents taken from the configuration.
fn given_shape(given: Option<&[usize]>, model: &[Option<usize>]) -> Result<Vec<Option<usize>>> {
    match given {
        None => Ok(model.to_vec()),
        Some(given) if fits(given, model) => Ok(given.iter().copied().map(Some).collect()),
        Some(given) => {
            let right = format!("the model has {}", shape_text(model));
            Err(Error::config("shape", format_args!("{given:?}"), right).of_kind(ErrorKind::Shape))
        }
    }
}

/// All extents, one open extent of a small tensor counting as 1.
fn closed(shape: &[Option<usize>]) -> Result<Vec<usize>> {
    match shape.iter().filter(|d| d.is_none()).count() {
        0 | 1 => Ok(shape.iter().map(|d| d.unwrap_or(1)).collect()),
        _ => {
            let right = "the model leaves several extents open; give the shape";
            Err(Error::config("shape", shape_text(shape), right).of_kind(ErrorKind::Shape))
        }
    }
}

fn stream_layout(given: Option<&Layout>, info: &TensorInfo, shape: &[Option<usize>]) -> Result<Layout> {
    if info.dtype != DType::F32 {
        let right = format!("is {} in the model; a stream is float32", info.dtype);
        return Err(Error::new(ErrorKind::DType, right));
    }
    let layout = match given {
        Some(layout) => layout.clone(),
        None => Layout::guess(shape).ok_or_else(|| {
            let right = "no layout suggests itself; name one, or give the tensor another role";
            Error::config("shape", shape_text(shape), right).of_kind(ErrorKind::Shape)
        })?,
    };
    if layout.axes().len() != shape.len() {
        let right = format!("one letter per dimension of {}", shape_text(shape));
        return Err(Error::config("layout", format_args!("`{layout}`"), right).of_kind(ErrorKind::Shape));
    }
    Ok(layout)
}

fn spread(field: &'static str, values: &[f64], len: usize) -> Result<Vec<f64>> {
    match values {
        [one] => Ok(vec![*one; len]),
        values if values.len() == len => Ok(values.to_vec()),
        values => {
            let right = format!("the tensor has {len} elements: give 1 or {len}");
            Err(Error::config(field, format_args!("{} values", values.len()), right)
                .of_kind(ErrorKind::Shape))
        }
    }
}

fn filled(dtype: DType, values: &[f64]) -> TensorData {
    let mut data = TensorData::zeros(dtype, values.len());
    let mut view = data.view_mut();
    values.iter().enumerate().for_each(|(i, v)| view.set_number(i, *v));
    data
}

/// The extents of a stream's tensor by meaning.
struct Axes {
    rows: usize,
    channels: usize,
    time: Option<usize>,
}

impl Axes {
    fn resolve(
        layout: &Layout,
        shape: &[Option<usize>],
        channels: Option<usize>,
        hop: usize,
    ) -> Result<Axes> {
        let extent = |axis, open| layout.position(axis).map_or(Some(1), |i| shape[i].or(open));
        let axes = Axes {
            rows: extent(Axis::Row, Some(1)).unwrap_or(1).max(1),
            channels: extent(Axis::Channel, channels.or(Some(1))).unwrap_or(1),
            time: extent(Axis::Time, None),
        };
        if channels.is_some_and(|c| c != axes.channels) {
            let right = format!("the tensor is {} in the layout {layout}", shape_text(shape));
            return Err(Error::config("channels", channels.unwrap_or(0), right).of_kind(ErrorKind::Shape));
        }
        if !hop.is_multiple_of(axes.rows) {
            let right = format!("a multiple of the {} rows of {}", axes.rows, shape_text(shape));
            return Err(Error::config("hop", hop, right).of_kind(ErrorKind::Shape));
        }
        Ok(axes)
    }

    fn shape(&self, layout: &Layout, time: usize) -> Vec<usize> {
        let extent = |axis: &Axis| match axis {
            Axis::Row => self.rows,
            Axis::Channel => self.channels,
            Axis::Time => time,
        };
        layout.axes().iter().map(extent).collect()
    }

    fn plan(
        &self,
        layout: &Layout,
        name: &str,
        tensor: usize,
        time: usize,
        hop: usize,
        context: usize,
    ) -> StreamPlan {
        let shape = self.shape(layout, time);
        let stride = |axis| layout.position(axis).map_or(0, |i| shape[i + 1..].iter().product());
        StreamPlan::planar(name, tensor, self.channels, hop, context).with_rows(self.rows).with_strides(
            stride(Axis::Row),
            stride(Axis::Channel),
            stride(Axis::Time).max(1),
        )
    }
}
