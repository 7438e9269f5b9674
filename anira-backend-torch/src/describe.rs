//! A signature for a file that has none: from the method's head, the model's own description, options, configuration.

use anira_traits::{
    Axis, DType, Error, ErrorKind, InferenceConfig, InputRole, InputTensor, Layout, Result, TensorInfo,
    place, shape_text,
};

use crate::about::{About, Port};
use crate::archive::{Method, split};
use crate::settings::Settings;

/// The rank that is assumed where nothing tells: rows, channels, time.
const ASSUMED_RANK: usize = 3;

/// An output as a run showed it.
pub(crate) type Seen = (DType, Vec<usize>);

/// The method's inputs in its order, with what is known of each. With a configuration all extents are.
///
/// # Errors
/// [`ErrorKind::Unsupported`] for arguments that are not tensors; [`ErrorKind::Config`] where names or shapes are missing.
pub(crate) fn inputs(
    method: &Method,
    settings: &Settings,
    about: &About,
    config: Option<&InferenceConfig>,
) -> Result<Vec<Port>> {
    let mut ports = match settings.inputs.as_ref().or(about.inputs.as_ref()) {
        Some(named) => named.clone(),
        None => by_head(method, config),
    };
    let all = method.arguments.len();
    let needed = method.arguments.iter().take_while(|a| !a.optional).count();
    if !(needed..=all).contains(&ports.len()) {
        let names: Vec<_> = method.arguments.iter().map(|a| a.name.as_str()).collect();
        let right = format!("`{}` takes {needed} to {all}: {}", method.name, names.join(", "));
        return Err(Error::config("inputs", format_args!("{} names", ports.len()), right));
    }
    let names: Vec<String> = ports.iter().map(|port| port.name.clone()).collect();
    for (i, (argument, port)) in method.arguments.iter().zip(&mut ports).enumerate() {
        let number = argument.number();
        if !argument.is_tensor() && number.is_none() {
            let text = format!(
                "is {} in `{}`; this engine hands over tensors and numbers",
                argument.kind, method.name
            );
            return Err(Error::new(ErrorKind::Unsupported, text).at(format!("input `{}`", argument.name)));
        }
        let said = about.inputs.iter().flatten().find(|own| own.name == port.name);
        port.dtype = port.dtype.or(said.and_then(|own| own.dtype));
        port.shape = port.shape.take().or_else(|| said.and_then(|own| own.shape.clone()));
        let here = |t: &&InputTensor| place(t.name_in_model(), names.iter().map(String::as_str)) == Some(i);
        let tensor = config.and_then(|c| c.inputs().iter().find(here));
        if let Some(dtype) = number {
            port.number = true;
            port.dtype = Some(dtype);
            port.shape = Some(vec![Some(1)]);
        }
        if let Some(tensor) = tensor {
            port.trial = match &tensor.role {
                InputRole::Parameter { default: values }
                | InputRole::Constant { values }
                | InputRole::State { initial: values, .. } => values.clone(),
                _ => Vec::new(),
            };
            let shape = closed(tensor, port.shape.as_deref());
            port.shape = Some(shape.map_err(|e| e.at(format!("input `{}`", tensor.name)))?);
        }
    }
    Ok(ports)
}

/// Ports by the arguments' names. Of arguments that may be left out, those up to the last that the configuration names.
/// One input alone is the configuration's one input, whatever it is called.
fn by_head(method: &Method, config: Option<&InferenceConfig>) -> Vec<Port> {
    let configured = config.map_or(&[][..], |c| c.inputs());
    let needed = method.arguments.iter().take_while(|a| !a.optional).count();
    let argument =
        |t: &InputTensor| place(t.name_in_model(), method.arguments.iter().map(|a| a.name.as_str()));
    let count = configured.iter().filter_map(argument).map(|i| i + 1).max().unwrap_or(0).max(needed);
    let mut ports: Vec<Port> =
        method.arguments[..count].iter().map(|a| Port { name: a.name.clone(), ..Port::default() }).collect();
    if let ([port], [one]) = (&mut ports[..], configured) {
        port.name = one.name_in_model().to_owned();
    }
    ports
}

/// All extents of an input: the configuration's shape, else the model's with open extents filled, else those that the role
/// suggests.
fn closed(tensor: &InputTensor, own: Option<&[Option<usize>]>) -> Result<Vec<Option<usize>>> {
    if let Some(shape) = &tensor.shape {
        return Ok(shape.iter().copied().map(Some).collect());
    }
    let values = match (&tensor.role, own) {
        (InputRole::Stream { hop, context, channels }, own) => {
            return stream(tensor.layout.as_ref(), own, *hop, context.unwrap_or(0), *channels);
        }
        (_, Some(own)) => return Ok(own.iter().map(|d| d.or(Some(1))).collect()),
        (InputRole::Parameter { default: values } | InputRole::Constant { values }, None) => values.len(),
        (InputRole::State { initial, .. }, None) if initial.len() > 1 => initial.len(),
        _ => {
            let right = "TorchScript files tell no shapes: give it, as in `shape = [1, 1, 20]`";
            return Err(Error::config("shape", "missing", right));
        }
    };
    Ok(vec![Some(values.max(1))])
}

fn stream(
    layout: Option<&Layout>,
    own: Option<&[Option<usize>]>,
    hop: usize,
    context: usize,
    channels: Option<usize>,
) -> Result<Vec<Option<usize>>> {
    let guess = || Layout::guess(own?).map(|layout| layout.axes().to_vec());
    let planar = || vec![Axis::Row, Axis::Channel, Axis::Time];
    let axes = layout.map(|l| l.axes().to_vec()).or_else(guess).unwrap_or_else(planar);
    let open = vec![None; axes.len()];
    let own = own.unwrap_or(&open);
    if own.len() != axes.len() {
        let letters: Vec<_> = axes.iter().map(|axis| format!("{axis:?}")).collect();
        let right = format!("the model's shape is {}: one axis per dimension", shape_text(own));
        return Err(Error::config("layout", letters.join(", "), right).of_kind(ErrorKind::Shape));
    }
    let rows =
        axes.iter().zip(own).find_map(|(a, d)| if *a == Axis::Row { *d } else { None }).unwrap_or(1).max(1);
    let extent = |axis: &Axis| match axis {
        Axis::Row => 1,
        Axis::Channel => channels.unwrap_or(1),
        Axis::Time => (hop / rows).saturating_add(context),
    };
    Ok(axes.iter().zip(own).map(|(axis, d)| d.or(Some(extent(axis)))).collect())
}

/// The signature's outputs, exactly as a run showed them, or as far as the file tells.
///
/// # Errors
/// [`ErrorKind::Config`] if other outputs are named than there are, [`ErrorKind::DType`] if one has another type than
/// was said, [`ErrorKind::Unsupported`] if nothing tells how many there are.
pub(crate) fn outputs(
    method: &Method,
    seen: Option<&[Seen]>,
    settings: &Settings,
    about: &About,
    config: Option<&InferenceConfig>,
) -> Result<Vec<TensorInfo>> {
    let said = settings.outputs.as_ref().or(about.outputs.as_ref());
    let count = match (seen, tensors(&method.returns), said) {
        (Some(seen), ..) => seen.len(),
        (None, Some(count), _) => count,
        (None, None, Some(said)) => said.len(),
        (None, None, None) => {
            let text = format!(
                "gives {}: only a run tells whether, and how many, tensors; name the outputs (option `outputs`), or load \
                 the model with a configuration",
                method.returns
            );
            return Err(Error::new(ErrorKind::Unsupported, text).at(format!("method `{}`", method.name)));
        }
    };
    let ports = match said {
        Some(said) if said.len() == count => said.clone(),
        Some(said) => return Err(other_count("outputs", said.len(), count, method)),
        None => by_order(config, count, method)?,
    };
    let mut infos = Vec::with_capacity(count);
    for (i, port) in ports.into_iter().enumerate() {
        let own = about.outputs.iter().flatten().find(|own| own.name == port.name);
        let dtype = port.dtype.or(own.and_then(|own| own.dtype));
        let Some((given, shape)) = seen.and_then(|seen| seen.get(i)) else {
            let shape = port.shape.or_else(|| own.and_then(|own| own.shape.clone()));
            infos.push(info(port.name, dtype, shape));
            continue;
        };
        if let Some(dtype) = dtype.filter(|dtype| dtype != given) {
            let text = format!("the engine gave {given}; the model is said to give {dtype}");
            return Err(Error::new(ErrorKind::DType, text).at(format!("output `{}`", port.name)));
        }
        infos.push(info(port.name, Some(*given), Some(shape.iter().copied().map(Some).collect())));
    }
    Ok(infos)
}

/// A tensor of the signature; float32 of an assumed rank where nothing is known.
pub(crate) fn info(name: String, dtype: Option<DType>, shape: Option<Vec<Option<usize>>>) -> TensorInfo {
    TensorInfo::new(name, dtype.unwrap_or(DType::F32), shape.unwrap_or_else(|| vec![None; ASSUMED_RANK]))
}

fn other_count(what: &'static str, named: usize, count: usize, method: &Method) -> Error {
    let right = format!("`{}` gives {count}: name all of them in its order (option `outputs`)", method.name);
    Error::config(what, format_args!("{named} names"), right)
}

/// Ports named by a configuration: its outputs, then what feeds a state and is not among them. One that it names by its place
/// (`#1`) is there, and the others fill what is left.
fn by_order(config: Option<&InferenceConfig>, count: usize, method: &Method) -> Result<Vec<Port>> {
    let mut named: Vec<&str> = Vec::new();
    if let Some(config) = config {
        named.extend(config.outputs().iter().map(|t| t.name_in_model()));
        for tensor in config.inputs() {
            if let InputRole::State { from, .. } = &tensor.role {
                let listed = config.outputs().iter().any(|t| t.name == *from);
                if !listed && !named.contains(&from.as_str()) {
                    named.push(from);
                }
            }
        }
    }
    let mut names: Vec<String> =
        (0..count).map(|i| if count == 1 { "output".to_owned() } else { format!("output_{i}") }).collect();
    let at = |name: &str| place(name, (0..count).map(|_| ""));
    let taken: Vec<usize> = named.iter().filter_map(|name| at(name)).collect();
    let mut free = (0..count).filter(|i| !taken.contains(i));
    for name in named.iter().filter(|name| at(name).is_none()) {
        let Some(i) = free.next() else { return Err(other_count("output", named.len(), count, method)) };
        (*name).clone_into(&mut names[i]);
    }
    Ok(names.into_iter().map(|name| Port { name, ..Port::default() }).collect())
}

/// How many tensors a value of this kind holds; `None` if only a run tells, or it is no kind that can be an output.
fn tensors(kind: &str) -> Option<usize> {
    if kind == "Tensor" {
        return Some(1);
    }
    let inner = kind.strip_prefix("Tuple[")?.strip_suffix(']')?;
    split(inner).into_iter().map(tensors).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::Argument;
    use anira_traits::{LoadRequest, OutputTensor};

    fn method(arguments: &[(&str, &str, bool)], returns: &str) -> Method {
        let argument = |(name, kind, optional): &(&str, &str, bool)| Argument {
            name: (*name).into(),
            kind: (*kind).into(),
            optional: *optional,
        };
        let arguments = arguments.iter().map(argument).collect();
        Method { name: "forward".into(), arguments, returns: returns.into() }
    }

    fn settings(options: &[(&str, &str)]) -> Settings {
        let request = options.iter().fold(LoadRequest::new(), |r, (name, value)| r.option(*name, *value));
        Settings::read(&request).unwrap()
    }

    fn config() -> InferenceConfig {
        InferenceConfig::builder()
            .input(InputTensor::stream("input", 8).context(4))
            .input(InputTensor::state("h", "h_out").shape([1, 1, 4]))
            .output(OutputTensor::stream("y", 8))
            .build()
            .unwrap()
    }

    fn names(ports: &[Port]) -> Vec<&str> {
        ports.iter().map(|p| p.name.as_str()).collect()
    }

    #[test]
    fn inputs_are_named_by_the_head_and_shaped_by_the_configuration() {
        let two = method(
            &[("input", "Tensor", false), ("h", "Tensor", false), ("more", "Optional[Tensor]", true)],
            "Tensor",
        );
        let ports = inputs(&two, &settings(&[]), &About::default(), Some(&config())).unwrap();
        assert_eq!(names(&ports), ["input", "h"]);
        assert_eq!(ports[0].shape, Some(vec![Some(1), Some(1), Some(12)]));
        assert_eq!(ports[1].shape, Some(vec![Some(1), Some(1), Some(4)]));
        let ports = inputs(&two, &settings(&[("inputs", "a, b:int64, c")]), &About::default(), None).unwrap();
        assert_eq!((names(&ports), ports[1].dtype), (vec!["a", "b", "c"], Some(DType::I64)));
        let error = inputs(&two, &settings(&[("inputs", "a")]), &About::default(), None).unwrap_err();
        assert!(error.to_string().contains("takes 2 to 3: input, h, more"), "{error}");
        let number = method(&[("n", "str", false)], "Tensor");
        let error = inputs(&number, &settings(&[]), &About::default(), None).unwrap_err();
        assert_eq!((error.kind(), error.field()), (ErrorKind::Unsupported, Some("input `n`")));
    }

    #[test]
    fn one_input_is_the_configurations_one_whatever_its_name() {
        let one = InferenceConfig::builder()
            .input(InputTensor::stream("audio", 8))
            .output(OutputTensor::stream("y", 8))
            .build()
            .unwrap();
        let ports = inputs(
            &method(&[("x", "Tensor", false)], "Tensor"),
            &settings(&[]),
            &About::default(),
            Some(&one),
        );
        assert_eq!(names(&ports.unwrap()), ["audio"]);
    }

    #[test]
    fn tensors_may_be_named_by_their_places() {
        let config = InferenceConfig::builder()
            .input(InputTensor::stream("sound", 8).model_name("#0"))
            .input(InputTensor::parameter("knob", [0.5, 1.0]).model_name("#2"))
            .input(InputTensor::state("h", "#1").model_name("h").shape([1, 1, 4]))
            .output(OutputTensor::stream("y", 8).model_name("#2"))
            .output(OutputTensor::parameter("peak"))
            .build()
            .unwrap();
        let method = method(
            &[("x", "Tensor", false), ("h", "Tensor", false), ("gain", "Optional[Tensor]", true)],
            "Tuple[Tensor, Tensor, Tensor]",
        );
        let ports = inputs(&method, &settings(&[]), &About::default(), Some(&config)).unwrap();
        assert_eq!(names(&ports), ["x", "h", "gain"], "the one that may be left out is named, too");
        assert_eq!(ports[0].shape, Some(vec![Some(1), Some(1), Some(8)]));
        assert_eq!((ports[2].shape.clone(), &ports[2].trial), (Some(vec![Some(2)]), &vec![0.5, 1.0]));
        let seen = [(); 3].map(|()| (DType::F32, vec![1, 1, 8]));
        let infos = outputs(&method, Some(&seen), &settings(&[]), &About::default(), Some(&config)).unwrap();
        let names: Vec<_> = infos.iter().map(|t| t.name.as_str()).collect();
        assert_eq!(names, ["peak", "output_1", "output_2"], "the place that nobody names is the first");
    }

    #[test]
    fn a_state_without_a_shape_is_asked_for_it() {
        let bare = InferenceConfig::builder()
            .input(InputTensor::stream("input", 8))
            .input(InputTensor::state("h", "h_out"))
            .output(OutputTensor::stream("y", 8))
            .build()
            .unwrap();
        let two = method(&[("input", "Tensor", false), ("h", "Tensor", false)], "Tensor");
        let error = inputs(&two, &settings(&[]), &About::default(), Some(&bare)).unwrap_err();
        assert_eq!((error.kind(), error.field()), (ErrorKind::Config, Some("input `h`: shape")));
        let known = Port { name: "h".into(), shape: Some(vec![Some(1), None, Some(4)]), ..Port::default() };
        let input =
            Port { name: "input".into(), shape: Some(vec![Some(1), None, Some(1)]), ..Port::default() };
        let about = About { inputs: Some(vec![input, known]), ..About::default() };
        let ports = inputs(&two, &settings(&[]), &about, Some(&bare)).unwrap();
        assert_eq!(ports[0].shape, Some(vec![Some(1), Some(8), Some(1)]));
        assert_eq!(ports[1].shape, Some(vec![Some(1), Some(1), Some(4)]));
    }

    #[test]
    fn outputs_are_named_in_the_configurations_order_then_by_what_feeds_states() {
        let three = method(&[], "Tuple[Tensor, Tuple[Tensor, Tensor]]");
        let seen = vec![(DType::F32, vec![1, 1, 8]), (DType::F32, vec![1, 1, 4]), (DType::I64, vec![1])];
        let list = |seen: Option<&[Seen]>, options: &[(&str, &str)]| {
            let infos = outputs(&three, seen, &settings(options), &About::default(), Some(&config()))?;
            Ok::<_, Error>(infos.into_iter().map(|t| (t.name, t.dtype, t.shape.len())).collect::<Vec<_>>())
        };
        let right = [("y", DType::F32, 3), ("h_out", DType::F32, 3), ("output_2", DType::I64, 1)];
        assert_eq!(list(Some(&seen), &[]).unwrap(), right.map(|(n, d, r)| (n.to_owned(), d, r)));
        assert_eq!(list(None, &[]).unwrap().len(), 3);
        assert_eq!(list(Some(&seen), &[("outputs", "a, b, c")]).unwrap()[2].0, "c");
        assert_eq!(list(Some(&seen), &[("outputs", "a")]).unwrap_err().kind(), ErrorKind::Config);
        assert_eq!(
            list(Some(&seen), &[("outputs", "a, b, c:float32")]).unwrap_err().kind(),
            ErrorKind::DType
        );
        assert_eq!(list(Some(&seen[..1]), &[]).unwrap_err().kind(), ErrorKind::Config);
        let unknown = outputs(&method(&[], "List[Tensor]"), None, &settings(&[]), &About::default(), None);
        assert_eq!(unknown.unwrap_err().kind(), ErrorKind::Unsupported);
    }
}
