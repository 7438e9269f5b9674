//! `anira run`: one inference, NPY files in and out.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use anira::traits::{
    Backend, DType, Engine as _, EngineRequest, LoadRequest, Model, Signature, TensorInfo, TensorView,
    shape_text,
};
use anira::{Error, ErrorKind, InferenceConfig, InputTensor, ModelSource, Result};
use clap::Args;
use serde_json::json;

use crate::engine::{self, Engine, EngineArg, Task};
use crate::npy::Array;

/// Runs a model once on arrays.
///
/// Reads one .npy file per input tensor, runs one inference, writes one .npy file per output tensor: to compare an
/// engine with Python, or with another engine. No audio, no blocks, no state kept.
///
/// Arrays have the element types of the model's tensors and their shapes; where the model leaves a dimension open, the
/// array decides. `anira inspect MODEL` lists names, types and shapes.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  One inference of an LSTM, states included:
    anira run models/amp-lstm-2k.onnx --input input=x.npy --input h_in=h.npy --input c_in=c.npy --output-dir out

  The same in Python, to compare:
    numpy.load('out/output.npy') - onnxruntime.InferenceSession('models/amp-lstm-2k.onnx').run(['output'], feeds)[0]")]
pub(crate) struct RunArgs {
    /// The model file
    model: PathBuf,
    /// An input tensor's name, or its place (#0 is the first), and the .npy file with its elements; once per input
    #[arg(long = "input", value_name = "NAME=FILE.npy", value_parser = named_file)]
    inputs: Vec<(String, PathBuf)>,
    /// The folder that gets NAME.npy for each output; made if it is missing ('/' in a name becomes '_')
    #[arg(long, value_name = "DIR")]
    output_dir: PathBuf,
    /// The inference engine
    #[arg(long, value_enum, default_value = "auto")]
    engine: EngineArg,
    /// Say on standard output, as JSON, what was written
    #[arg(long)]
    json: bool,
}

fn named_file(text: &str) -> Result<(String, PathBuf), String> {
    match text.split_once('=') {
        Some((name, file)) if !name.is_empty() && !file.is_empty() => Ok((name.to_owned(), file.into())),
        _ => Err("write NAME=FILE.npy, as in input=x.npy".to_owned()),
    }
}

/// Does what the command says.
pub(crate) fn run(args: &RunArgs, out: &mut impl Write, log: &mut impl Write) -> Result<()> {
    let choice = args.engine.for_model(&args.model)?;
    if let Some(why) = &choice.why {
        writeln!(log, "engine: {why}")?;
    }
    let written = engine::with(choice.engine, Once { args })?;
    for file in &written {
        writeln!(log, "{}: {} {}", file.path.display(), file.dtype, shape_text(&file.shape))?;
    }
    if args.json {
        let outputs: Vec<_> = written
            .iter()
            .map(|f| json!({"name": f.name, "dtype": f.dtype.name(), "shape": f.shape, "file": f.path}))
            .collect();
        writeln!(out, "{}", json!({"engine": choice.engine.name(), "outputs": outputs}))?;
    }
    Ok(())
}

struct Written {
    name: String,
    dtype: DType,
    shape: Vec<Option<usize>>,
    path: PathBuf,
}

struct Once<'a> {
    args: &'a RunArgs,
}

impl Task for Once<'_> {
    type Output = Vec<Written>;

    fn run<B: Backend>(self, backend: B) -> Result<Vec<Written>> {
        let Self { args } = self;
        let source = ModelSource::file(&args.model);
        let mut model = backend.load(&source, &LoadRequest::new())?;
        if backend.name() == Engine::Torch.name() {
            // Its files say nothing of types and shapes: the arrays do.
            let arrays = arrays(&args.inputs, model.signature(), |array, _| Ok(array))?;
            model = backend.load(&source, &said_by(&arrays, model.signature())?)?;
        }
        let signature = model.signature();
        let arrays = arrays(&args.inputs, signature, fitting)?;
        let shapes = arrays.iter().map(|array| array.shape.clone()).collect();
        // Tried on what it will run on: there are models that fail on zeros.
        let numbers = |array: &Array| {
            let view = array.data.view();
            (0..view.len()).filter_map(|at| view.number(at)).collect()
        };
        let request = EngineRequest::new(shapes, vec![None; signature.outputs.len()]);
        let mut engine = model.engine(&request.values(arrays.iter().map(numbers).collect()))?;
        for (i, (array, info)) in arrays.iter().zip(&signature.inputs).enumerate() {
            let tensor = engine.input(i).ok_or_else(|| lost("input", info))?;
            tensor.copy_from(array.data.view()).map_err(|e| e.at(format!("input `{}`", info.name)))?;
        }
        engine.run()?;
        std::fs::create_dir_all(&args.output_dir)
            .map_err(|error| Error::from(error).at(args.output_dir.display().to_string()))?;
        let outputs = signature.outputs.iter().enumerate();
        outputs
            .map(|(i, info)| {
                let tensor = engine.output(i).ok_or_else(|| lost("output", info))?;
                let (shape, path) =
                    (shape_of(info, tensor, &arrays, signature)?, place(&args.output_dir, &info.name));
                Array::write(&path, &shape, tensor)?;
                let shape = shape.into_iter().map(Some).collect();
                Ok(Written { name: info.name.clone(), dtype: tensor.dtype(), shape, path })
            })
            .collect()
    }
}

fn lost(side: &str, info: &TensorInfo) -> Error {
    Error::new(ErrorKind::Internal, "the engine lacks this tensor of the model")
        .at(format!("{side} `{}`", info.name))
}

/// `DIR/NAME.npy`, whatever the name: a name is not a path.
fn place(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{}.npy", name.replace(['/', '\\'], "_")))
}

/// A request that says of a module's inputs what the arrays are.
fn said_by(arrays: &[Array], signature: &Signature) -> Result<LoadRequest> {
    let elements = |array: &Array| array.shape.iter().product::<usize>();
    // A configuration has a stream: the largest array. The others are what they are, so that a method is tried on that.
    let largest = (0..arrays.len()).max_by_key(|i| elements(&arrays[*i]));
    let (mut builder, mut types) = (InferenceConfig::builder(), Vec::new());
    for (i, (array, info)) in arrays.iter().zip(&signature.inputs).enumerate() {
        let view = array.data.view();
        types.push(format!("{}:{}", info.name, view.dtype()));
        let numbers: Vec<f64> = (0..view.len()).filter_map(|at| view.number(at)).collect();
        let tensor = if Some(i) == largest {
            InputTensor::stream(info.name.clone(), elements(array).max(1))
        } else if view.is_finite() && !numbers.is_empty() {
            InputTensor::constant(info.name.clone(), numbers)
        } else {
            InputTensor::constant(info.name.clone(), [0.0])
        };
        builder = builder.input(tensor.shape(array.shape.clone()));
    }
    let request = LoadRequest::new();
    if arrays.is_empty() {
        return Ok(request);
    }
    Ok(request.option("inputs", types.join(", ")).config(builder.build()?))
}

/// The array of each input, in the model's order, which `check` finds right for it.
fn arrays(
    given: &[(String, PathBuf)],
    signature: &Signature,
    check: impl Fn(Array, &TensorInfo) -> Result<Array>,
) -> Result<Vec<Array>> {
    let mut places = BTreeMap::new();
    let mut unknown = Vec::new();
    for (name, path) in given {
        let Some(place) = signature.input(name) else {
            unknown.push(name.as_str());
            continue;
        };
        if places.insert(place, path).is_some() {
            return Err(Error::config("--input", format_args!("`{name}`, given twice"), "each input once"));
        }
    }
    let list = |infos: &mut dyn Iterator<Item = &TensorInfo>| {
        infos
            .map(|t| format!("{} ({} {})", t.name, t.dtype, shape_text(&t.shape)))
            .collect::<Vec<_>>()
            .join(", ")
    };
    if !unknown.is_empty() {
        let right = format!("the model's inputs are: {}", list(&mut signature.inputs.iter()));
        return Err(Error::config("--input", unknown.join(", "), right));
    }
    let inputs = || signature.inputs.iter().enumerate();
    let missing = list(&mut inputs().filter(|(i, _)| !places.contains_key(i)).map(|(_, t)| t));
    if !missing.is_empty() {
        return Err(Error::config("--input", "incomplete", format_args!("give also: {missing}")));
    }
    let array = |(i, info): (usize, &TensorInfo)| {
        let path = places.get(&i).ok_or_else(|| lost("input", info))?;
        let fits = |array| check(array, info).map_err(|e| e.at(path.display().to_string()));
        Array::read(path).and_then(fits).map_err(|e| e.at(format!("input `{}`", info.name)))
    };
    inputs().map(array).collect()
}

fn fitting(array: Array, info: &TensorInfo) -> Result<Array> {
    let dtype = array.data.view().dtype();
    if dtype != info.dtype {
        let message = format!("is {dtype}; the model has {}", info.dtype);
        return Err(Error::new(ErrorKind::DType, message));
    }
    let fits = array.shape.len() == info.shape.len()
        && array
            .shape
            .iter()
            .zip(&info.shape)
            .all(|(given, asked)| asked.is_none_or(|asked| asked == *given));
    if !fits {
        let message = format!("is {:?}; the model has {}", array.shape, shape_text(&info.shape));
        return Err(Error::new(ErrorKind::Shape, message));
    }
    Ok(array)
}

/// An output's shape: the model's, its one open dimension from the number of elements; several open ones from the
/// input of the same rank that yields this number.
fn shape_of(
    info: &TensorInfo,
    tensor: TensorView<'_>,
    arrays: &[Array],
    signature: &Signature,
) -> Result<Vec<usize>> {
    let known: usize = info.shape.iter().flatten().product();
    let open = info.shape.iter().filter(|d| d.is_none()).count();
    let fits = |shape: &[usize]| shape.iter().product::<usize>() == tensor.len();
    let with = |size: usize| info.shape.iter().map(|d| d.unwrap_or(size)).collect::<Vec<_>>();
    let candidate = match open {
        0 => with(1),
        1 => with(tensor.len().checked_div(known).unwrap_or(0)),
        _ => {
            let like = arrays.iter().zip(&signature.inputs).find_map(|(array, input)| {
                let same = input.shape.len() == info.shape.len();
                let shape: Vec<usize> =
                    info.shape.iter().zip(&array.shape).map(|(d, given)| d.unwrap_or(*given)).collect();
                (same && fits(&shape)).then_some(shape)
            });
            like.unwrap_or_default()
        }
    };
    if fits(&candidate) {
        return Ok(candidate);
    }
    // The elements are right; only how they are folded is unknown.
    Ok(vec![tensor.len()])
}
