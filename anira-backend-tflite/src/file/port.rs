//! The tensors through which sessions and engines meet: how a session sees them, and how the engine stores them.

use std::collections::{HashMap, HashSet};

use anira_traits::{DType, Error, ErrorKind, Result, TensorInfo, shape_text};

use super::MAX_ELEMENTS;
use super::schema::{Entry, Graph, Model, Tensor};

/// The element type that an engine stores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Storage {
    F32,
    F64,
    F16,
    I64,
    I32,
    I16,
    I8,
    U8,
    Bool,
}

/// What a quantised number stands for: `scale · (number − zero_point)`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Scale {
    pub(crate) scale: f32,
    pub(crate) zero_point: i32,
}

/// An input or output of the model.
#[derive(Clone, Debug)]
pub(crate) struct Port {
    /// As sessions see it: float32 if it is quantised.
    pub(crate) info: TensorInfo,
    pub(crate) storage: Storage,
    /// Given if it is quantised.
    pub(crate) scale: Option<Scale>,
    /// Its name in the graph, as engines know it.
    pub(crate) inner: String,
    /// Its extents in the file, with 1 or 0 for open ones.
    pub(crate) given: Vec<i32>,
    /// Whether it is a constant of the file's: never to be written.
    pub(crate) constant: bool,
}

impl Storage {
    fn new(kind: u8) -> Option<Self> {
        Some(match kind {
            0 => Self::F32,
            1 => Self::F16,
            2 => Self::I32,
            3 => Self::U8,
            4 => Self::I64,
            6 => Self::Bool,
            7 => Self::I16,
            9 => Self::I8,
            10 => Self::F64,
            _ => return None,
        })
    }

    /// The number in both engines' interfaces (the file's are others).
    pub(crate) fn number(self) -> u32 {
        match self {
            Self::F32 => 1,
            Self::I32 => 2,
            Self::U8 => 3,
            Self::I64 => 4,
            Self::Bool => 6,
            Self::I16 => 7,
            Self::I8 => 9,
            Self::F16 => 10,
            Self::F64 => 11,
        }
    }

    /// Bytes per element.
    #[cfg_attr(
        not(any(feature = "tflite", feature = "litert")),
        allow(dead_code, reason = "asked by engines")
    )]
    pub(crate) fn size(self) -> usize {
        match self {
            Self::F64 | Self::I64 => 8,
            Self::F32 | Self::I32 => 4,
            Self::F16 | Self::I16 => 2,
            Self::I8 | Self::U8 | Self::Bool => 1,
        }
    }

    /// The type as the session sees it, unless it is quantised.
    fn dtype(self) -> Option<DType> {
        Some(match self {
            Self::F32 => DType::F32,
            Self::F64 => DType::F64,
            Self::F16 => DType::F16,
            Self::I64 => DType::I64,
            Self::I32 => DType::I32,
            Self::I8 => DType::I8,
            Self::U8 => DType::U8,
            Self::Bool => DType::Bool,
            Self::I16 => return None,
        })
    }
}

/// The number of the named signature that names the tensors, if one does; the inputs; the outputs.
type Ports = (Option<usize>, Vec<Port>, Vec<Port>);

/// Inputs and outputs of the first graph, in its order.
///
/// Their names are those of the file's first named signature of this graph that names each of them once; else those of
/// the tensors, if each has one of its own; else `input_0`, `input_1`, … and `output_0`, ….
pub(crate) fn ports(model: &Model<'_>, graph: &Graph<'_>) -> Result<Ports> {
    if graph.outputs.is_empty() {
        return Err(Error::new(ErrorKind::Model, "its graph has no outputs"));
    }
    let named = |entry: &Entry<'_>| {
        let inputs = entry_names(&entry.inputs, &graph.inputs)?;
        Some((inputs, entry_names(&entry.outputs, &graph.outputs)?))
    };
    let entry = model.entries.iter().enumerate().filter(|(_, entry)| entry.graph == 0);
    let entry = entry.map(|(i, entry)| (i, named(entry))).find(|(_, names)| names.is_some());
    let (entry, inputs, outputs) = match entry {
        Some((i, Some((inputs, outputs)))) => (Some(i), inputs, outputs),
        _ => {
            (None, tensor_names(graph, &graph.inputs, "input"), tensor_names(graph, &graph.outputs, "output"))
        }
    };
    let all = |names: Vec<String>, places: &[i32]| -> Result<Vec<_>> {
        let tensors = places.iter().filter_map(|i| graph.tensors.get(usize::try_from(*i).ok()?));
        names.into_iter().zip(tensors).map(|(name, tensor)| port(name, tensor, model)).collect()
    };
    Ok((entry, all(inputs, &graph.inputs)?, all(outputs, &graph.outputs)?))
}

/// The names that a signature gives to these tensors, if it names each once and no other.
fn entry_names(entry: &[(&str, usize)], places: &[i32]) -> Option<Vec<String>> {
    let own: HashMap<usize, &str> = entry.iter().map(|(name, place)| (*place, *name)).collect();
    if own.len() != entry.len() || entry.len() != places.len() {
        return None;
    }
    let name = |place: &i32| own.get(&usize::try_from(*place).ok()?).map(|name| (*name).to_owned());
    let names: Vec<_> = places.iter().map(name).collect::<Option<_>>()?;
    distinct(&names).then_some(names)
}

fn tensor_names(graph: &Graph<'_>, places: &[i32], what: &str) -> Vec<String> {
    let tensors = places.iter().filter_map(|i| graph.tensors.get(usize::try_from(*i).ok()?));
    let names: Vec<_> = tensors.map(|t| t.name.to_owned()).collect();
    if distinct(&names) { names } else { (0..places.len()).map(|i| format!("{what}_{i}")).collect() }
}

fn distinct(names: &[String]) -> bool {
    let mut seen = HashSet::new();
    names.iter().all(|name| !name.is_empty() && seen.insert(name))
}

fn port(name: String, tensor: &Tensor<'_>, model: &Model<'_>) -> Result<Port> {
    let refuse = |kind, text: String| Err(Error::new(kind, text).at(format!("tensor `{name}`")));
    let Some(storage) = Storage::new(tensor.kind) else {
        let text = format!("its element type is number {} of the format, which anira has not", tensor.kind);
        return refuse(ErrorKind::Unsupported, text);
    };
    let scale = match (storage, &tensor.scale[..], &tensor.zero_point[..]) {
        (Storage::I8 | Storage::U8 | Storage::I16, &[scale], zero_point @ ([] | [_])) => {
            let zero_point = zero_point.first().copied().unwrap_or(0);
            // The check of sizes has seen that the zero point is within the type.
            (scale != 0.0).then_some(Scale { scale, zero_point: zero_point as i32 })
        }
        (Storage::I8 | Storage::U8 | Storage::I16, scales, _) if !scales.is_empty() => {
            let text = format!("is quantised with {} scales; one for the whole tensor", scales.len());
            return refuse(ErrorKind::Unsupported, text);
        }
        _ => None,
    };
    let dtype = if scale.is_some() { Some(DType::F32) } else { storage.dtype() };
    let Some(dtype) = dtype else {
        return refuse(ErrorKind::Unsupported, "is int16 without a scale, which anira has not".into());
    };
    let extents = if tensor.open.is_empty() { &tensor.shape } else { &tensor.open };
    let shape: Vec<_> = extents.iter().map(|n| usize::try_from(*n).ok()).collect();
    let elements = shape.iter().flatten().try_fold(1usize, |n, d| n.checked_mul(*d));
    if !elements.is_some_and(|n| (1..=MAX_ELEMENTS).contains(&n)) {
        let text = format!("its shape is {}; from 1 to {MAX_ELEMENTS} elements", shape_text(&shape));
        return refuse(ErrorKind::Model, text);
    }
    let info = TensorInfo::new(name, dtype, shape);
    let constant = model.buffers.get(tensor.buffer).is_some_and(|bytes| !bytes.is_empty());
    Ok(Port { info, storage, scale, inner: tensor.name.to_owned(), given: tensor.shape.clone(), constant })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_that_does_not_name_each_tensor_once_does_not_count() {
        let names = |entry: &[(&str, usize)]| entry_names(entry, &[4, 2]);
        assert_eq!(
            names(&[("a", 2), ("b", 4)]),
            Some(vec!["b".to_owned(), "a".to_owned()]),
            "the graph's order"
        );
        for entry in [
            &[("a", 2)][..],
            &[("a", 2), ("b", 2)],
            &[("a", 2), ("a", 4)],
            &[("a", 2), ("", 4)],
            &[("a", 2), ("b", 4), ("c", 4)],
            &[("a", 2), ("b", 4), ("c", 5)],
        ] {
            assert_eq!(names(entry), None, "{entry:?}");
        }
    }

    fn port(name: String, tensor: &Tensor<'_>) -> Result<Port> {
        super::port(name, tensor, &Model { graphs: vec![], buffers: vec![], entries: vec![] })
    }

    fn tensor(kind: u8, open: Vec<i32>, scale: Vec<f32>) -> Tensor<'static> {
        let zero_point = vec![3; scale.len()];
        Tensor { name: "t", kind, shape: vec![1, 1], open, buffer: 0, scale, zero_point, variable: false }
    }

    #[test]
    fn quantised_tensors_are_floats_to_sessions() {
        let quantised = port("x".into(), &tensor(9, vec![], vec![0.5])).unwrap();
        assert_eq!(quantised.info, TensorInfo::f32("x", &[1, 1]));
        assert_eq!((quantised.storage, quantised.inner.as_str()), (Storage::I8, "t"));
        assert_eq!(quantised.scale, Some(Scale { scale: 0.5, zero_point: 3 }));
        let plain = port("x".into(), &tensor(9, vec![1, -1], vec![])).unwrap();
        assert_eq!(plain.info, TensorInfo::new("x", DType::I8, vec![Some(1), None]));
    }

    #[test]
    fn types_and_shapes_that_cannot_be_are_refused_in_words() {
        for (tensor, kind, words) in [
            (tensor(5, vec![], vec![]), ErrorKind::Unsupported, "number 5"),
            (tensor(7, vec![], vec![]), ErrorKind::Unsupported, "int16 without a scale"),
            (tensor(9, vec![], vec![0.5, 0.5]), ErrorKind::Unsupported, "with 2 scales"),
            (tensor(0, vec![0, 1], vec![]), ErrorKind::Model, "shape is [0, 1]"),
            (tensor(0, vec![1 << 30, -1], vec![]), ErrorKind::Model, "[1073741824, ?]"),
        ] {
            let error = port("x".into(), &tensor).unwrap_err();
            assert_eq!((error.kind(), error.field()), (kind, Some("tensor `x`")), "{error}");
            assert!(error.to_string().contains(words), "`{error}` lacks `{words}`");
        }
    }
}
