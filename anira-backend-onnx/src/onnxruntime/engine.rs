//! A session with its tensors bound to it, ready to run.

use std::fmt;

use anira_traits::{
    DType, Engine, EngineRequest, Error, ErrorKind, Result, Signature, TensorData, TensorInfo, TensorView,
    TensorViewMut,
};
use ort::memory::{AllocationDevice, AllocatorType, MemoryInfo, MemoryType};
use ort::session::{IoBinding, Session};
use ort::value::DynTensor;

use super::{NAME, fault, raw, tensor};
use crate::panic::catch;
use crate::shape::{check_count, check_shape};

/// Runs one model of ONNX Runtime's, on the calling thread. The library allocates and locks while it runs: for workers, not for
/// callbacks.
pub struct OnnxRuntimeEngine {
    session: Session,
    binding: IoBinding,
    inputs: Vec<Input>,
    outputs: Vec<Output>,
}

struct Input {
    dtype: DType,
    tensor: DynTensor,
}

/// An output: bound once where its shape is known, else fetched after each run.
enum Output {
    /// Read in place.
    Bound { dtype: DType, tensor: DynTensor },
    /// Bound, and copied, because not every byte is a boolean.
    Bools { tensor: DynTensor, data: TensorData },
    /// The caller ignores it, and the model leaves its extents open: as the last run gave it.
    Open { info: TensorInfo, data: TensorData },
}

impl OnnxRuntimeEngine {
    /// The request against the signature, before a session is made for it.
    pub(crate) fn check(signature: &Signature, request: &EngineRequest) -> Result<()> {
        check_count("inputs", signature.inputs.len(), request.inputs.len())?;
        check_count("outputs", signature.outputs.len(), request.outputs.len())?;
        for (info, shape) in signature.inputs.iter().zip(&request.inputs) {
            check_shape(info, shape)?;
        }
        let known = signature.outputs.iter().zip(&request.outputs);
        known.filter_map(|(info, shape)| Some((info, shape.as_ref()?))).try_for_each(|(info, shape)| {
            check_shape(info, shape)?;
            Ok(())
        })
    }

    pub(crate) fn new(session: Session, signature: &Signature, request: &EngineRequest) -> Result<Self> {
        let inputs = signature.inputs.iter().zip(&request.inputs);
        let inputs = inputs
            .map(|(info, shape)| Ok(Input { dtype: info.dtype, tensor: tensor::zeros(info, shape)? }))
            .collect::<Result<Vec<_>>>()?;
        let mut binding = session.create_binding().map_err(fault::bind)?;
        for (info, input) in signature.inputs.iter().zip(&inputs) {
            binding.bind_input(info.name.as_str(), &input.tensor).map_err(fault::bind)?;
        }
        let mut engine = Self { session, binding, inputs, outputs: Vec::new() };
        request.put(&mut engine);
        let shapes = catch(NAME, ErrorKind::Panicked, "a trial run", || engine.trial(signature))?;
        engine.bind_outputs(signature, request, &shapes)?;
        // Once more as every run will be: the library plans its memory in the first.
        catch(NAME, ErrorKind::Panicked, "a trial run", || engine.run())?;
        request.take_back(&mut engine);
        engine.outputs.iter_mut().for_each(Output::clear);
        Ok(engine)
    }

    /// A first run, the outputs wherever the library puts them; gives their shapes.
    fn trial(&mut self, signature: &Signature) -> Result<Vec<Vec<usize>>> {
        let memory = processor()?;
        for info in &signature.outputs {
            self.binding.bind_output_to_device(info.name.as_str(), &memory).map_err(fault::bind)?;
        }
        let values = self.session.run_binding(&self.binding).map_err(fault::run)?;
        let shape = |info: &TensorInfo| {
            let at = |kind, text: String| Error::new(kind, text).at(format!("tensor `{}`", info.name));
            let value = values.get(&info.name).and_then(tensor::shape_of);
            match value {
                Some((shape, ty)) if tensor::element_type(info.dtype) == Some(ty) => Ok(shape),
                Some((_, ty)) => {
                    let text = format!("the engine gave a {ty}; the model says {}", info.dtype);
                    Err(at(ErrorKind::DType, text))
                }
                None => Err(at(ErrorKind::Engine, format!("{NAME} gave no tensor"))),
            }
        };
        signature.outputs.iter().map(shape).collect()
    }

    /// Binds each output to a tensor of the requested shape, which has to be the one that the trial gave.
    fn bind_outputs(
        &mut self,
        signature: &Signature,
        request: &EngineRequest,
        shapes: &[Vec<usize>],
    ) -> Result<()> {
        self.binding.clear_outputs();
        for ((info, asked), given) in signature.outputs.iter().zip(&request.outputs).zip(shapes) {
            if let Some(asked) = asked.as_ref().filter(|asked| *asked != given) {
                let text = format!("the engine gave the shape {given:?}; expected {asked:?}");
                return Err(Error::new(ErrorKind::Shape, text).at(format!("tensor `{}`", info.name)));
            }
            let elements = given.iter().product();
            let output = if asked.is_none() && info.shape.iter().any(Option::is_none) {
                let memory = processor()?;
                self.binding.bind_output_to_device(info.name.as_str(), &memory).map_err(fault::bind)?;
                Output::Open { info: info.clone(), data: TensorData::zeros(info.dtype, elements) }
            } else {
                let mut tensor = tensor::zeros(info, given)?;
                self.binding.bind_output(info.name.as_str(), &mut tensor).map_err(fault::bind)?;
                match info.dtype {
                    DType::Bool => Output::Bools { tensor, data: TensorData::zeros(DType::Bool, elements) },
                    dtype => Output::Bound { dtype, tensor },
                }
            };
            self.outputs.push(output);
        }
        Ok(())
    }

    /// A run that leaves outputs of open shapes where the library put them: makes a list of all outputs.
    fn run_open(&mut self) -> Result<()> {
        let values = self.session.run_binding(&self.binding).map_err(fault::run)?;
        for output in &mut self.outputs {
            let Output::Open { info, data } = output else { continue };
            let value = values.get(&info.name);
            let taken = value.and_then(|value| {
                let (shape, _) = tensor::shape_of(value)?;
                tensor::copy(value, info.dtype, shape.iter().product())
            });
            *data = taken.ok_or_else(|| {
                let text = format!("{NAME} gave no tensor of type {}", info.dtype);
                Error::new(ErrorKind::DType, text).at(format!("tensor `{}`", info.name))
            })?;
        }
        Ok(())
    }
}

impl fmt::Debug for OnnxRuntimeEngine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (inputs, outputs) = (self.inputs.len(), self.outputs.len());
        f.debug_struct("OnnxRuntimeEngine")
            .field("inputs", &inputs)
            .field("outputs", &outputs)
            .finish_non_exhaustive()
    }
}

/// The processor's memory.
fn processor() -> Result<MemoryInfo<'static>> {
    MemoryInfo::new(AllocationDevice::CPU, 0, AllocatorType::Device, MemoryType::CPUOutput)
        .map_err(fault::bind)
}

impl Output {
    /// Back to zeros.
    fn clear(&mut self) {
        match self {
            Self::Bound { dtype, tensor } => {
                if let Some(mut view) = tensor::view_mut(tensor, *dtype) {
                    (0..view.len()).for_each(|i| view.set_number(i, 0.0));
                }
            }
            Self::Bools { data, .. } | Self::Open { data, .. } => {
                *data = TensorData::zeros(data.view().dtype(), data.view().len());
            }
        }
    }
}

impl Engine for OnnxRuntimeEngine {
    fn input(&mut self, index: usize) -> Option<TensorViewMut<'_>> {
        let Input { dtype, tensor } = self.inputs.get_mut(index)?;
        tensor::view_mut(tensor, *dtype)
    }

    fn output(&self, index: usize) -> Option<TensorView<'_>> {
        match self.outputs.get(index)? {
            Output::Bound { dtype, tensor } => tensor::view(tensor, *dtype),
            Output::Bools { data, .. } | Output::Open { data, .. } => Some(data.view()),
        }
    }

    fn run(&mut self) -> Result<()> {
        if self.outputs.iter().any(|output| matches!(output, Output::Open { .. })) {
            self.run_open()?;
        } else {
            raw::run(&mut self.session, &self.binding).map_err(fault::run)?;
        }
        for output in &mut self.outputs {
            if let Output::Bools { tensor, data: TensorData::Bool(to) } = output {
                tensor::take_bools(tensor, to);
            }
        }
        Ok(())
    }
}
