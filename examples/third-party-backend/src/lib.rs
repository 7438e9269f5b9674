#![doc = include_str!("../README.md")]

mod bounds;

use std::sync::Arc;

use anira_traits::{
    Backend, DType, Engine, EngineRequest, Error, ErrorKind, InternalState, LoadRequest, Model, ModelSource,
    Result, Signature, TensorInfo, TensorView, TensorViewMut, shape_text,
};
use nam_rs::NamModel;

/// The most samples that one run takes: 2²⁰.
const MOST_SAMPLES: usize = 1 << 20;

/// Neural Amp Modeler files, by nam-rs.
#[derive(Clone, Copy, Debug, Default)]
pub struct Nam;

impl Backend for Nam {
    type Model = NamFile;

    fn name(&self) -> &str {
        "nam"
    }

    fn load(&self, source: &ModelSource, request: &LoadRequest) -> Result<NamFile> {
        request.refuse_unknown_options(&["trim"])?;
        let gain = gain(request)?;
        let bytes = source.bytes()?;
        NamFile::parse(&bytes, gain).map_err(|error| match source.path() {
            Some(path) => error.at(path.display().to_string()),
            None => error,
        })
    }
}

/// The option `trim`, as a factor.
fn gain(request: &LoadRequest) -> Result<f32> {
    let Some(text) = request.options.get("trim") else { return Ok(1.0) };
    match text.parse::<f32>() {
        Ok(decibels) if decibels.abs() <= 60.0 => Ok(10f32.powf(decibels / 20.0)),
        _ => Err(Error::config("options.trim", format_args!("`{text}`"), "decibels between -60 and 60")),
    }
}

/// A loaded file: shared by its engines, each of which builds its own network from it.
#[derive(Debug)]
pub struct NamFile {
    file: Arc<NamModel>,
    signature: Signature,
    gain: f32,
}

impl NamFile {
    fn parse(bytes: &[u8], gain: f32) -> Result<Self> {
        let text = std::str::from_utf8(bytes)
            .map_err(|_| Error::new(ErrorKind::Model, "nam-rs: not a text, as .nam files are"))?;
        let file = NamModel::from_json_str(text).map_err(|error| bounds::kind_of(&error))?;
        bounds::check(&file)?;
        // Built once to see that it can be.
        nam_rs::Model::from_nam(&file).map_err(|error| bounds::kind_of(&error))?;
        let tensor = |name: &str| vec![TensorInfo::new(name, DType::F32, vec![Some(1), Some(1), None])];
        let signature = Signature { inputs: tensor("input"), outputs: tensor("output") };
        Ok(Self { file: Arc::new(file), signature, gain })
    }
}

impl Model for NamFile {
    type Engine = NamEngine;

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn internal_state(&self) -> InternalState {
        InternalState::Inside
    }

    fn engine(&self, request: &EngineRequest) -> Result<NamEngine> {
        let ([input], [output]) = (request.inputs.as_slice(), request.outputs.as_slice()) else {
            let text =
                format!("{} inputs, {} outputs; one of each", request.inputs.len(), request.outputs.len());
            return Err(Error::new(ErrorKind::Shape, text).at("request"));
        };
        let samples = samples(&self.signature.inputs[0], input)?;
        if let Some(shape) = output
            && shape != input
        {
            let text = format!("shape is {shape:?}; as long as the input, {input:?}");
            return Err(Error::new(ErrorKind::Shape, text).at("tensor `output`"));
        }
        let mut network = nam_rs::Model::from_nam(&self.file).map_err(|error| bounds::kind_of(&error))?;
        network.reset();
        Ok(NamEngine { network, gain: self.gain, input: vec![0.0; samples], output: vec![0.0; samples] })
    }
}

/// The length of a `[1, 1, n]`.
fn samples(tensor: &TensorInfo, shape: &[usize]) -> Result<usize> {
    match shape {
        [1, 1, n] if (1..=MOST_SAMPLES).contains(n) => Ok(*n),
        _ => {
            let own = shape_text(&tensor.shape);
            let text = format!("shape is {shape:?}; the model's is {own}, at most {MOST_SAMPLES} samples");
            Err(Error::new(ErrorKind::Shape, text).at(format!("tensor `{}`", tensor.name)))
        }
    }
}

/// One network with its tensors.
#[derive(Debug)]
pub struct NamEngine {
    network: nam_rs::Model,
    gain: f32,
    input: Vec<f32>,
    output: Vec<f32>,
}

impl Engine for NamEngine {
    fn input(&mut self, index: usize) -> Option<TensorViewMut<'_>> {
        (index == 0).then_some(TensorViewMut::F32(&mut self.input))
    }

    fn output(&self, index: usize) -> Option<TensorView<'_>> {
        (index == 0).then_some(TensorView::F32(&self.output))
    }

    fn run(&mut self) -> Result<()> {
        self.output.copy_from_slice(&self.input);
        self.network.process_buffer(&mut self.output);
        self.output.iter_mut().for_each(|y| *y *= self.gain);
        Ok(())
    }

    fn reset(&mut self) -> Result<()> {
        self.network.reset();
        Ok(())
    }
}
