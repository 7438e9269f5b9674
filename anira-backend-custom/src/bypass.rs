//! The backend that makes up a model to fit a session, and passes its streams through.

use anira_traits::{
    Axis, Backend, Engine, EngineRequest, Error, InferenceConfig, InputRole, InputTensor, Layout,
    LoadRequest, Model, ModelSource, OutputRole, OutputTensor, RealtimeSafe, Result, Signature, TensorInfo,
    TensorView, TensorViewMut,
};

use crate::buffer::{self, Buffer};
use crate::hop::Hop;

/// Makes up a model with the tensors of [`LoadRequest::config`]; the source is ignored.
///
/// Output stream k carries the newest hop of input stream k: channel by channel (over again from the first where the
/// input has fewer), each sample repeated or left out where the hops differ in length, zeros where there is no input
/// stream k. An output that feeds a state carries that state; the k-th output parameter carries the k-th input
/// parameter. Without a configuration the model is mono: `input` to `output`, both `[1, 1, 512]`.
///
/// A tensor has the shape that the configuration names, else `[1, channels, context + hop]` for a stream (or those
/// extents in the order of its layout), `[n]` for n values. All are float32.
#[derive(Clone, Copy, Debug, Default)]
pub struct Bypass;

impl Backend for Bypass {
    type Model = BypassModel;

    fn name(&self) -> &str {
        "bypass"
    }

    /// [`ErrorKind::Config`](anira_traits::ErrorKind::Config) for any option, and for a stream whose hop has no room in
    /// its shape.
    fn load(&self, _source: &ModelSource, request: &LoadRequest) -> Result<BypassModel> {
        request.refuse_unknown_options(&[])?;
        match &request.config {
            Some(config) => BypassModel::fitting(config),
            None => BypassModel::fitting(
                &InferenceConfig::builder()
                    .input(InputTensor::stream("input", 512))
                    .output(OutputTensor::stream("output", 512))
                    .build()?,
            ),
        }
    }
}

/// What fills one output tensor.
#[derive(Clone, Copy, Debug)]
enum Fill {
    /// Nothing: it stays zero.
    Zero,
    /// The elements of an input tensor, as many as there are.
    Copy { input: usize },
    /// The newest hop of an input stream.
    Hop { input: usize, from: Hop, to: Hop },
}

/// The model that [`Bypass`] makes up.
#[derive(Clone, Debug)]
pub struct BypassModel {
    signature: Signature,
    fills: Vec<Fill>,
}

impl BypassModel {
    fn fitting(config: &InferenceConfig) -> Result<Self> {
        let inputs: Vec<TensorInfo> =
            config.inputs().iter().map(|t| TensorInfo::f32(t.name_in_model(), &input_shape(t))).collect();
        let outputs: Vec<TensorInfo> = config
            .outputs()
            .iter()
            .map(|t| TensorInfo::f32(t.name_in_model(), &output_shape(config, t)))
            .collect();
        let (mut streams, mut parameters) = (0, 0);
        let mut fills = Vec::with_capacity(outputs.len());
        for output in config.outputs() {
            fills.push(match &output.role {
                OutputRole::Stream { hop, channels, .. } => {
                    streams += 1;
                    let (shape, own) = (output_shape(config, output), output.shape.is_some());
                    let to = hop_in(&shape, own, output.layout.as_ref(), *channels, *hop)
                        .map_err(|e| e.at(format!("output `{}`", output.name)))?;
                    stream(config, streams - 1)?.map_or(Fill::Zero, |(input, from)| Fill::Hop {
                        input,
                        from,
                        to,
                    })
                }
                OutputRole::State => copy(config, |t| fed_by(t, &output.name)),
                _ => {
                    parameters += 1;
                    let mut left = parameters;
                    copy(config, |t| {
                        left -= usize::from(matches!(t.role, InputRole::Parameter { .. }) && left > 0);
                        matches!(t.role, InputRole::Parameter { .. }) && left == 0
                    })
                }
            });
        }
        Ok(Self { signature: Signature { inputs, outputs }, fills })
    }
}

/// The hop of a stream, in a shape of the user's or made up here.
fn hop_in(
    shape: &[usize],
    own: bool,
    layout: Option<&Layout>,
    channels: Option<usize>,
    len: usize,
) -> Result<Hop> {
    let hop = Hop::new(shape, layout, len)?;
    let asked = channels.unwrap_or(if own { hop.channels } else { 1 });
    if hop.channels == asked {
        return Ok(hop);
    }
    // A guess takes the longest axis for time.
    let right = format!("{} in {shape:?}; a layout such as `NCT` tells channels from time", hop.channels);
    Err(Error::config("channels", asked, right))
}

/// The tensor index and the hop of input stream `k`.
fn stream(config: &InferenceConfig, k: usize) -> Result<Option<(usize, Hop)>> {
    let streams = config.inputs().iter().enumerate().filter_map(|(i, t)| match t.role {
        InputRole::Stream { hop, channels, .. } => Some((i, t, channels, hop)),
        _ => None,
    });
    let Some((i, tensor, channels, hop)) = streams.into_iter().nth(k) else { return Ok(None) };
    let own = tensor.shape.is_some();
    let hop = hop_in(&input_shape(tensor), own, tensor.layout.as_ref(), channels, hop);
    hop.map(|hop| Some((i, hop))).map_err(|e| e.at(format!("input `{}`", tensor.name)))
}

fn copy(config: &InferenceConfig, from: impl FnMut(&InputTensor) -> bool) -> Fill {
    config.inputs().iter().position(from).map_or(Fill::Zero, |input| Fill::Copy { input })
}

fn fed_by(tensor: &InputTensor, output: &str) -> bool {
    matches!(&tensor.role, InputRole::State { from, .. } if from == output)
}

fn input_shape(tensor: &InputTensor) -> Vec<usize> {
    tensor.shape.clone().unwrap_or_else(|| match &tensor.role {
        InputRole::Stream { hop, context, channels } => {
            let window = hop.saturating_add(context.unwrap_or(0));
            stream_shape(tensor.layout.as_ref(), channels.unwrap_or(1), window)
        }
        InputRole::Parameter { default: values }
        | InputRole::Constant { values }
        | InputRole::State { initial: values, .. } => vec![values.len().max(1)],
        _ => vec![1],
    })
}

/// One row of `channels` times `window`, in the order of the layout.
fn stream_shape(layout: Option<&Layout>, channels: usize, window: usize) -> Vec<usize> {
    let axes = layout.map_or(&[Axis::Row, Axis::Channel, Axis::Time][..], Layout::axes);
    let extent = |axis: &Axis| match axis {
        Axis::Row => 1,
        Axis::Channel => channels,
        Axis::Time => window,
    };
    axes.iter().map(extent).collect()
}

fn output_shape(config: &InferenceConfig, tensor: &OutputTensor) -> Vec<usize> {
    tensor.shape.clone().unwrap_or_else(|| match tensor.role {
        OutputRole::Stream { hop, channels, .. } => {
            stream_shape(tensor.layout.as_ref(), channels.unwrap_or(1), hop)
        }
        OutputRole::State => {
            config.inputs().iter().find(|t| fed_by(t, &tensor.name)).map_or_else(|| vec![1], input_shape)
        }
        _ => vec![1],
    })
}

impl Model for BypassModel {
    type Engine = BypassEngine;

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn engine(&self, request: &EngineRequest) -> Result<BypassEngine> {
        Ok(BypassEngine {
            inputs: buffer::inputs(&self.signature.inputs, &request.inputs)?,
            outputs: buffer::outputs(&self.signature.outputs, &request.outputs)?,
            fills: self.fills.clone(),
        })
    }
}

/// An engine that copies. May run inside an audio callback.
#[derive(Debug)]
pub struct BypassEngine {
    inputs: Vec<Buffer>,
    outputs: Vec<Buffer>,
    fills: Vec<Fill>,
}

impl BypassEngine {
    /// Calls `each` for every sample of the hops of all output streams, channel by channel, in the order of time: with the number of the
    /// channel among all, the place in the hop, the sample. Wait-free if `each` is.
    pub(crate) fn each_hop(&mut self, mut each: impl FnMut(usize, usize, &mut f32)) {
        let mut line = 0;
        for (fill, output) in self.fills.iter().zip(&mut self.outputs) {
            let Fill::Hop { to, .. } = fill else { continue };
            let Some(data) = output.data.view_mut().f32_mut() else { continue };
            for channel in 0..to.channels {
                for t in 0..to.len {
                    if let Some(sample) = data.get_mut(to.element(channel, t)) {
                        each(line, t, sample);
                    }
                }
                line += 1;
            }
        }
    }
}

#[allow(
    unsafe_code,
    reason = "a promise about real time, given for this engine alone; no memory is at stake"
)]
// SAFETY: nothing below `Engine for BypassEngine` allocates, frees, locks, waits or calls the system: all memory was
// taken in `BypassModel::engine`, `view`s borrow it, and a `run` only copies. Nothing indexes: elements are reached by
// `get`, so nothing panics. Loops are bounded by the tensors' lengths, which are fixed when the engine is made.
unsafe impl RealtimeSafe for BypassEngine {}

impl Engine for BypassEngine {
    fn input(&mut self, index: usize) -> Option<TensorViewMut<'_>> {
        self.inputs.get_mut(index).map(|b| b.data.view_mut())
    }

    fn output(&self, index: usize) -> Option<TensorView<'_>> {
        self.outputs.get(index).map(|b| b.data.view())
    }

    fn run(&mut self) -> Result<()> {
        for (fill, output) in self.fills.iter().zip(&mut self.outputs) {
            let (Fill::Copy { input } | Fill::Hop { input, .. }) = *fill else { continue };
            let source = self.inputs.get(input).and_then(|b| b.data.view().f32());
            let (Some(source), Some(target)) = (source, output.data.view_mut().f32_mut()) else { continue };
            match fill {
                Fill::Hop { from, to, .. } => copy_hop(source, from, target, to),
                _ => target.iter_mut().zip(source).for_each(|(y, x)| *y = *x),
            }
        }
        Ok(())
    }
}

/// Copies a hop; where the lengths differ, each target sample takes the source sample of its time, rounded down.
fn copy_hop(source: &[f32], from: &Hop, target: &mut [f32], to: &Hop) {
    for c in 0..to.channels {
        let c_from = c.checked_rem(from.channels).unwrap_or(0);
        for t in 0..to.len {
            let t_from =
                if from.len == to.len { t } else { (t as u64 * from.len as u64 / to.len as u64) as usize };
            if let (Some(y), Some(x)) =
                (target.get_mut(to.element(c, t)), source.get(from.element(c_from, t_from)))
            {
                *y = *x;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anira_traits::ErrorKind;

    fn load(config: InferenceConfig) -> BypassModel {
        Bypass.load(&ModelSource::None, &LoadRequest::new().config(config)).unwrap()
    }

    /// An engine whose every input element is its index, plus 100 for each tensor before, after one run.
    fn ran(model: &BypassModel) -> BypassEngine {
        let known = |t: &TensorInfo| t.shape.iter().map(|d| d.unwrap()).collect::<Vec<_>>();
        let signature = model.signature();
        let inputs = signature.inputs.iter().map(known).collect();
        let outputs = signature.outputs.iter().map(|t| Some(known(t))).collect();
        let mut engine = model.engine(&EngineRequest::new(inputs, outputs)).unwrap();
        for i in 0..signature.inputs.len() {
            let data = engine.input(i).unwrap().f32_mut().unwrap();
            data.iter_mut().enumerate().for_each(|(k, x)| *x = (100 * i + k) as f32);
        }
        engine.run().unwrap();
        engine
    }

    fn output(engine: &BypassEngine, index: usize) -> &[f32] {
        engine.output(index).unwrap().f32().unwrap()
    }

    #[test]
    fn without_a_configuration_it_is_mono_and_an_identity() {
        let model = Bypass.load(&ModelSource::file("nowhere"), &LoadRequest::new()).unwrap();
        assert_eq!(model.signature().inputs, [TensorInfo::f32("input", &[1, 1, 512])]);
        assert_eq!(model.signature().outputs, [TensorInfo::f32("output", &[1, 1, 512])]);
        let engine = ran(&model);
        assert_eq!(output(&engine, 0), (0..512).map(|k| k as f32).collect::<Vec<_>>());
    }

    #[test]
    fn the_newest_hop_passes_and_the_context_does_not() {
        let config = InferenceConfig::builder()
            .input(InputTensor::stream("in", 2).context(3).channels(2).model_name("x"))
            .output(OutputTensor::stream("out", 2).channels(3).layout("NCT".parse().unwrap()))
            .build();
        let model = load(config.unwrap());
        assert_eq!(model.signature().inputs, [TensorInfo::f32("x", &[1, 2, 5])]);
        let engine = ran(&model);
        assert_eq!(output(&engine, 0), [3.0, 4.0, 8.0, 9.0, 3.0, 4.0], "a third channel repeats the first");
    }

    #[test]
    fn shapes_and_layouts_of_the_configuration_hold() {
        let config = InferenceConfig::builder()
            .input(InputTensor::stream("in", 3).shape([3, 1, 4]).layout("NCT".parse().unwrap()))
            .output(OutputTensor::stream("out", 3).shape([1, 4, 1]))
            .build();
        assert_eq!(output(&ran(&load(config.unwrap())), 0), [0.0, 3.0, 7.0, 11.0]);
        let interleaved = InferenceConfig::builder()
            .input(InputTensor::stream("in", 2).channels(2))
            .output(OutputTensor::stream("out", 2).channels(2).layout("TC".parse().unwrap()))
            .build();
        let model = load(interleaved.unwrap());
        assert_eq!(model.signature().outputs, [TensorInfo::f32("out", &[2, 2])]);
        assert_eq!(output(&ran(&model), 0), [0.0, 2.0, 1.0, 3.0]);
    }

    #[test]
    fn hops_of_other_lengths_take_the_nearest_sample_and_missing_inputs_are_zero() {
        let config = InferenceConfig::builder()
            .input(InputTensor::stream("in", 4))
            .output(OutputTensor::stream("up", 8))
            .output(OutputTensor::stream("none", 2))
            .build();
        let engine = ran(&load(config.unwrap()));
        assert_eq!(output(&engine, 0), [0.0, 0.0, 1.0, 1.0, 2.0, 2.0, 3.0, 3.0]);
        assert_eq!(output(&engine, 1), [0.0, 0.0]);
        let down = InferenceConfig::builder()
            .input(InputTensor::stream("in", 4))
            .output(OutputTensor::stream("out", 2))
            .build();
        assert_eq!(output(&ran(&load(down.unwrap())), 0), [0.0, 2.0]);
    }

    #[test]
    fn states_and_parameters_pass_through() {
        let config = InferenceConfig::builder()
            .input(InputTensor::constant("k", [1.0, 2.0]))
            .input(InputTensor::parameter("p", [0.5]))
            .input(InputTensor::state("h_in", "h_out").initial([0.0, 0.0, 0.0]))
            .input(InputTensor::stream("in", 4))
            .input(InputTensor::parameter("q", [0.5]))
            .output(OutputTensor::stream("out", 4))
            .output(OutputTensor::parameter("p_out"))
            .output(OutputTensor::parameter("q_out"))
            .output(OutputTensor::parameter("r_out"))
            .build();
        let model = load(config.unwrap());
        let shapes: Vec<_> = model.signature().inputs.iter().map(|t| t.shape.clone()).collect();
        let stream = vec![Some(1), Some(1), Some(4)];
        assert_eq!(shapes, [vec![Some(2)], vec![Some(1)], vec![Some(3)], stream, vec![Some(1)]]);
        let engine = ran(&model);
        assert_eq!(output(&engine, 0), [300.0, 301.0, 302.0, 303.0]);
        assert_eq!(
            (output(&engine, 1), output(&engine, 2), output(&engine, 3)),
            (&[100.0][..], &[400.0][..], &[0.0][..])
        );
        let state = model.signature().output("h_out").unwrap();
        assert_eq!(output(&engine, state), [200.0, 201.0, 202.0]);
    }

    #[test]
    fn what_does_not_fit_is_refused_at_load_and_at_engine() {
        let config = InferenceConfig::builder()
            .input(InputTensor::stream("in", 4).shape([1, 1, 3]))
            .output(OutputTensor::stream("out", 4))
            .build();
        let error = Bypass.load(&ModelSource::None, &LoadRequest::new().config(config.unwrap())).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.to_string().contains("input `in`: hop: is 4"), "{error}");
        let ambiguous = InferenceConfig::builder()
            .input(InputTensor::stream("in", 2).channels(3))
            .output(OutputTensor::stream("out", 2))
            .build();
        let request = LoadRequest::new().config(ambiguous.unwrap());
        let error = Bypass.load(&ModelSource::None, &request).unwrap_err();
        assert!(error.to_string().contains("input `in`: channels: is 3"), "{error}");
        let model = Bypass.load(&ModelSource::None, &LoadRequest::new()).unwrap();
        let request = EngineRequest::new(vec![vec![1, 1, 64]], vec![None]);
        assert_eq!(model.engine(&request).unwrap_err().kind(), ErrorKind::Shape);
        let error = Bypass.load(&ModelSource::None, &LoadRequest::new().option("a", "b")).unwrap_err();
        assert!(error.to_string().contains("reads no options"), "{error}");
    }
}
