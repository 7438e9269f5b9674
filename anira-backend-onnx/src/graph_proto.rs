//! What an ONNX file says of its graph, read before any engine sees it: the signature, exactly as in the file, and
//! the bounds that keep a hostile file from exhausting stack or memory.
//!
//! Numbers of messages and fields are those of `onnx.proto3`.

use std::collections::{HashMap, HashSet};

use anira_traits::{DType, Error, ErrorKind, Result, Signature, TensorInfo, shape_text};

use crate::extent;
use crate::known::{Known, MOST_NUMBERS, floats};
pub(crate) use crate::node::Node;
use crate::node::{Body, in_order};
use crate::protobuf::{Fields, Value};
use crate::told;

/// Graphs inside graphs, and types inside types.
const MAX_DEPTH: usize = 8;
/// Elements of one input or output whose extents are all known.
pub(crate) const MAX_ELEMENTS: usize = 1 << 28;
/// Padding, stride, dilation, kernel length, … of one operator.
pub(crate) const MAX_ATTRIBUTE: i64 = 1 << 20;

/// Attributes that, multiplied with an input's length, decide how much memory an operator takes.
const SIZES: [&str; 7] =
    ["pads", "strides", "dilations", "kernel_shape", "output_padding", "output_shape", "blocksize"];

/// What an engine makes of a size that only the elements of an input say.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Told {
    /// An error, where it is too large.
    Survived,
    /// The end of the process: such a model is refused.
    #[cfg_attr(not(feature = "rten"), allow(dead_code, reason = "the other engines survive it"))]
    Refused,
}

/// Reads the signature of the model in `bytes`, and checks the whole graph's structure and sizes.
///
/// # Errors
/// [`ErrorKind::Model`] if it is malformed or asks for absurd sizes, [`ErrorKind::Unsupported`] for weights in other
/// files, for inputs or outputs that are not tensors of a known type and rank, and for what is [`Told::Refused`].
pub(crate) fn read(bytes: &[u8], sizes: Told) -> Result<Signature> {
    let (mut signature, mut versioned) = (None, false);
    for field in Fields::new(bytes) {
        match field? {
            // As in Protocol Buffers at large, the last one counts; all are checked.
            (7, graph) => {
                let (own, body) = read_graph(graph.bytes()?, 0)?;
                if sizes == Told::Refused {
                    told::check(&body)?;
                }
                signature = Some(own);
            }
            (8, _) => versioned = true,
            _ => {}
        }
    }
    let Some(signature) = signature else {
        return Err(Error::new(ErrorKind::Model, "holds no graph: empty, truncated, or not an ONNX model"));
    };
    // The graph comes before it in most files: without it the end is missing.
    if !versioned {
        return Err(Error::new(ErrorKind::Model, "names no version of its operators: truncated"));
    }
    check_names("input", &signature.inputs)?;
    check_names("output", &signature.outputs)?;
    if signature.outputs.is_empty() {
        return Err(Error::new(ErrorKind::Model, "its graph has no outputs"));
    }
    Ok(signature)
}

/// What a graph says of its inputs and outputs, if it is the outermost, and what is in it.
fn read_graph(bytes: &[u8], depth: usize) -> Result<(Signature, Body<'_>)> {
    if depth > MAX_DEPTH {
        return Err(Error::new(ErrorKind::Model, format!("graphs within graphs deeper than {MAX_DEPTH}")));
    }
    let (mut signature, mut body, mut weights) = (Signature::default(), Body::default(), Vec::new());
    for field in Fields::new(bytes) {
        let (number, value) = field?;
        match number {
            1 => body.nodes.push(read_node(value.bytes()?, depth)?),
            5 => weights.push((read_tensor(value.bytes()?)?, value.bytes()?)),
            11 => body.inputs.push(check_value(value.bytes()?)?),
            12 => body.outputs.push(check_value(value.bytes()?)?),
            13 => drop(check_value(value.bytes()?)?),
            15 => return Err(Error::new(ErrorKind::Unsupported, "sparse initializers")),
            _ => {}
        }
        // Only the outermost graph has to say what its tensors are.
        match number {
            11 if depth == 0 => signature.inputs.push(read_value(value.bytes()?)?),
            12 if depth == 0 => signature.outputs.push(read_value(value.bytes()?)?),
            _ => {}
        }
    }
    // Until IR version 3 weights were listed among the inputs, too.
    let listed: HashSet<&str> = weights.iter().map(|(name, _)| *name).collect();
    signature.inputs.retain(|input| !listed.contains(input.name.as_str()));
    body.inputs.retain(|name| !listed.contains(name));
    let mut known = HashMap::new();
    for input in &signature.inputs {
        let extents = input.shape.iter().map(|d| d.map(|n| n as i64)).collect();
        known.insert(input.name.as_str(), Known::shaped(extents));
    }
    for (name, tensor) in weights {
        known.insert(name, Known::weight(tensor)?);
    }
    extent::check(&in_order(&body.nodes, |name| known.contains_key(name))?, &mut known)?;
    drop(known);
    Ok((signature, body))
}

fn read_node(bytes: &[u8], depth: usize) -> Result<Node<'_>> {
    let (mut node, mut attributes) = (Node::default(), Vec::new());
    for field in Fields::new(bytes) {
        match field? {
            (1, name) => node.inputs.push(name.text()?),
            (2, name) => node.outputs.push(name.text()?),
            (4, kind) => node.operator = kind.text()?,
            (5, attribute) => attributes.push(attribute.bytes()?),
            _ => {}
        }
    }
    for attribute in attributes {
        let attribute =
            read_attribute(attribute, depth).map_err(|e| e.at(format!("operator {}", node.operator)))?;
        node.constant = attribute.tensor.filter(|_| node.operator == "Constant").or(node.constant);
        node.attributes.push((attribute.name, attribute.numbers));
        node.bodies.extend(attribute.bodies);
    }
    Ok(node)
}

/// What an attribute holds, as far as anything here reads it.
struct Attribute<'a> {
    name: &'a str,
    tensor: Option<&'a [u8]>,
    numbers: Vec<f64>,
    bodies: Vec<Body<'a>>,
}

/// Checks an attribute.
fn read_attribute(bytes: &[u8], depth: usize) -> Result<Attribute<'_>> {
    let mut name = "";
    for field in Fields::new(bytes) {
        if let (1, text) = field? {
            name = text.text()?;
        }
    }
    let (mut tensor, mut numbers, mut bodies) = (None, Vec::new(), Vec::new());
    for field in Fields::new(bytes) {
        match field? {
            (3 | 8, value) => value.ints(|n| {
                if SIZES.contains(&name) {
                    check_size(name, n)?;
                }
                if numbers.len() <= MOST_NUMBERS {
                    numbers.push(n as f64);
                }
                Ok(())
            })?,
            (2 | 7, value) => floats(value, 4, &mut numbers),
            (5, value) => {
                read_tensor(value.bytes()?)?;
                tensor = Some(value.bytes()?);
            }
            (6 | 11, graph) => bodies.push(read_graph(graph.bytes()?, depth + 1)?.1),
            _ => {}
        }
    }
    Ok(Attribute { name, tensor, numbers, bodies })
}

fn check_size(name: &str, value: i64) -> Result<()> {
    if (-MAX_ATTRIBUTE..=MAX_ATTRIBUTE).contains(&value) {
        return Ok(());
    }
    let text = format!("attribute is {value}; at most {MAX_ATTRIBUTE}");
    Err(Error::new(ErrorKind::Model, text).at(name.to_owned()))
}

/// Checks that a weight's extents are covered by its data; gives its name.
fn read_tensor(bytes: &[u8]) -> Result<&str> {
    let (mut name, mut kind, mut external) = ("", 0, false);
    let (mut elements, mut raw, mut typed) = (Some(1i64), None, 0);
    for field in Fields::new(bytes) {
        let (number, value) = field?;
        match (number, value) {
            (1, dims) => dims.ints(|n| {
                elements = elements.and_then(|e| e.checked_mul(n)).filter(|e| *e >= 0);
                Ok(())
            })?,
            (2, value) => kind = value.int()?,
            (4 | 10, Value::Bytes(packed)) => typed += packed.len() / if number == 4 { 4 } else { 8 },
            (5 | 7 | 11, Value::Bytes(packed)) => typed += packed.iter().filter(|b| **b & 0x80 == 0).count(),
            (4..=7 | 10 | 11, _) => typed += 1,
            (8, text) => name = text.text()?,
            (9, data) => raw = Some(data.bytes()?.len()),
            (13, entry) => drop(Fields::new(entry.bytes()?).collect::<Result<Vec<_>>>()?),
            (14, location) => external = location.int()? == 1,
            _ => {}
        }
    }
    let at = |e: Error| e.at(format!("weight `{name}`"));
    if external {
        let text = "its data is in a file of its own, which is not read; export the model as a single file";
        return Err(at(Error::new(ErrorKind::Unsupported, text)));
    }
    let held = raw.map_or(typed, |len| len / element_size(kind));
    match elements.and_then(|e| usize::try_from(e).ok()) {
        Some(elements) if elements <= held => Ok(name),
        _ => Err(at(Error::new(ErrorKind::Model, "its extents ask for more elements than the file holds"))),
    }
}

/// Bytes per element in `raw_data`; 1 for types that engines refuse in words of their own.
fn element_size(kind: i64) -> usize {
    match kind {
        7 | 11 | 13 | 14 => 8,
        1 | 6 | 12 => 4,
        4 | 5 | 10 | 16 => 2,
        _ => 1,
    }
}

/// A graph's input or output.
fn read_value(bytes: &[u8]) -> Result<TensorInfo> {
    let (mut name, mut tensor) = ("", None);
    for field in Fields::new(bytes) {
        match field? {
            (1, text) => name = text.text()?,
            (2, kind) => tensor = read_type(kind.bytes()?, 0)?,
            _ => {}
        }
    }
    let refuse = |text: String| Error::new(ErrorKind::Unsupported, text).at(format!("tensor `{name}`"));
    let Some(tensor) = tensor else { return Err(refuse("is not a tensor".into())) };
    let Some(dtype) = dtype(tensor.kind) else {
        return Err(refuse(format!(
            "its element type is number {} of ONNX, which anira has not",
            tensor.kind
        )));
    };
    let Some(shape) = tensor.shape else {
        return Err(refuse("has no shape; export the model with shapes, open extents by name".into()));
    };
    let elements = shape.iter().flatten().try_fold(1usize, |n, d| n.checked_mul(*d));
    if !elements.is_some_and(|n| (1..=MAX_ELEMENTS).contains(&n)) {
        let text = format!("its shape is {}; from 1 to {MAX_ELEMENTS} elements", shape_text(&shape));
        return Err(Error::new(ErrorKind::Model, text).at(format!("tensor `{name}`")));
    }
    Ok(TensorInfo::new(name, dtype, shape))
}

/// The structure of what a graph says of a tensor, anywhere; gives its name.
fn check_value(bytes: &[u8]) -> Result<&str> {
    let mut name = "";
    for field in Fields::new(bytes) {
        match field? {
            (1, text) => name = text.text()?,
            (2, kind) => drop(read_type(kind.bytes()?, 0)?),
            _ => {}
        }
    }
    Ok(name)
}

/// A tensor type: ONNX's number of the element type, and the extents if there are any.
struct TensorType {
    kind: i64,
    shape: Option<Vec<Option<usize>>>,
}

/// The type if it is that of a tensor.
fn read_type(bytes: &[u8], depth: usize) -> Result<Option<TensorType>> {
    if depth > MAX_DEPTH {
        return Err(Error::new(ErrorKind::Model, format!("types within types deeper than {MAX_DEPTH}")));
    }
    let mut tensor = None;
    for field in Fields::new(bytes) {
        match field? {
            (1, kind) => tensor = Some(read_tensor_type(kind.bytes()?)?),
            (4, sequence) => {
                for field in Fields::new(sequence.bytes()?) {
                    if let (1, element) = field? {
                        read_type(element.bytes()?, depth + 1)?;
                    }
                }
            }
            _ => {}
        }
    }
    Ok(tensor)
}

fn read_tensor_type(bytes: &[u8]) -> Result<TensorType> {
    let mut tensor = TensorType { kind: 0, shape: None };
    for field in Fields::new(bytes) {
        match field? {
            (1, kind) => tensor.kind = kind.int()?,
            (2, shape) => {
                let mut extents = Vec::new();
                for field in Fields::new(shape.bytes()?) {
                    if let (1, extent) = field? {
                        extents.push(read_extent(extent.bytes()?)?);
                    }
                }
                tensor.shape = Some(extents);
            }
            _ => {}
        }
    }
    Ok(tensor)
}

/// One extent; `None` if it is a name, or a negative number as some exporters write it.
fn read_extent(bytes: &[u8]) -> Result<Option<usize>> {
    let mut extent = None;
    for field in Fields::new(bytes) {
        match field? {
            (1, value) => extent = usize::try_from(value.int()?).ok(),
            (2, name) => drop(name.text()?),
            _ => {}
        }
    }
    Ok(extent)
}

fn dtype(kind: i64) -> Option<DType> {
    Some(match kind {
        1 => DType::F32,
        2 => DType::U8,
        3 => DType::I8,
        6 => DType::I32,
        7 => DType::I64,
        9 => DType::Bool,
        10 => DType::F16,
        11 => DType::F64,
        _ => return None,
    })
}

fn check_names(what: &str, tensors: &[TensorInfo]) -> Result<()> {
    let mut seen = HashSet::new();
    for (i, tensor) in tensors.iter().enumerate() {
        if tensor.name.is_empty() || !seen.insert(tensor.name.as_str()) {
            let text = format!("{what} {i} is named `{}`; each has a name, used once", tensor.name);
            return Err(Error::new(ErrorKind::Model, text));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A field that holds these bytes, of fewer than 128.
    fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
        [&[number << 3 | 2, bytes.len() as u8], bytes].concat()
    }

    /// A value of this name whose tensor type holds these fields.
    fn value(name: &str, tensor: &[u8]) -> Vec<u8> {
        [field(1, name.as_bytes()), field(2, &field(1, tensor))].concat()
    }

    /// Float32 with these extents, each a field of `Dimension`.
    fn float(name: &str, extents: &[&[u8]]) -> Vec<u8> {
        let dims: Vec<u8> = extents.iter().flat_map(|d| field(1, d)).collect();
        value(name, &[vec![8, 1], field(2, &dims)].concat())
    }

    fn model(fields: &[(u8, Vec<u8>)]) -> Result<Signature> {
        let graph: Vec<u8> = fields.iter().flat_map(|(number, bytes)| field(*number, bytes)).collect();
        // A length of two bytes: graphs may have more than 127.
        let head = [7 << 3 | 2, graph.len() as u8 | 0x80, (graph.len() >> 7) as u8];
        read(&[&head, &graph[..], &field(8, &[16, 17])].concat(), Told::Survived)
    }

    #[test]
    fn extents_may_be_numbers_names_or_absent() {
        const MINUS_ONE: [u8; 11] = [8, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1];
        let input = float("x", &[&[8, 2], &[0x12, 1, b't'], &[], &MINUS_ONE]);
        let signature = model(&[(11, input), (12, float("y", &[]))]).unwrap();
        let shape = vec![Some(2), None, None, None];
        assert_eq!(signature.inputs, [TensorInfo::new("x", DType::F32, shape)]);
        assert_eq!(signature.outputs, [TensorInfo::new("y", DType::F32, Vec::new())], "a scalar has a shape");
    }

    #[test]
    fn weights_that_old_files_list_among_the_inputs_are_none() {
        let weight = [vec![8, 1, 16, 1], field(8, b"w"), field(9, &[0; 4])].concat();
        let inputs =
            [(11, float("w", &[&[8, 1]])), (11, float("x", &[&[8, 1]])), (5, weight), (12, float("y", &[]))];
        let names: Vec<_> = model(&inputs).unwrap().inputs.into_iter().map(|t| t.name).collect();
        assert_eq!(names, ["x"]);
    }

    /// A field that holds these bytes, of any number.
    fn long(number: u8, bytes: &[u8]) -> Vec<u8> {
        let mut head = vec![number << 3 | 2];
        let mut len = bytes.len();
        while len >= 0x80 {
            head.push(len as u8 | 0x80);
            len >>= 7;
        }
        head.push(len as u8);
        [head, bytes.to_vec()].concat()
    }

    #[test]
    fn many_names_and_many_references_take_no_square_of_the_time() {
        // Each of these would take hours if every pair were looked at.
        const MANY: usize = 100_000;
        let whole = |graph: Vec<u8>| [long(7, &graph), field(8, &[16, 17])].concat();
        let mut graph = Vec::new();
        for i in 0..MANY {
            let name = i.to_string();
            graph.extend(field(11, &float(&name, &[])));
            graph.extend(field(5, &[vec![8, 0], field(8, format!("w{i}").as_bytes())].concat()));
        }
        graph.extend(field(12, &float("y", &[])));
        assert_eq!(read(&whole(graph), Told::Survived).unwrap().inputs.len(), MANY);

        let mut weight = vec![8, 0, 16, 7];
        weight.extend(field(8, b"w"));
        weight.extend([0x38, 1].repeat(MANY));
        let mut node = field(4, b"Tile");
        node.extend(field(1, b"w").repeat(MANY));
        let graph = [long(5, &weight), long(1, &node), field(12, &float("y", &[]))].concat();
        assert!(read(&whole(graph), Told::Survived).is_ok());
    }

    #[test]
    fn what_is_no_signature_is_refused_in_words() {
        use ErrorKind::{Model, Unsupported};
        let y = || (12, float("y", &[]));
        let cases = [
            (vec![], Model, "no outputs"),
            (vec![y(), y()], Model, "output 1 is named `y`"),
            (vec![y(), (11, float("", &[]))], Model, "input 0 is named ``"),
            (vec![y(), (11, float("x", &[&[8, 0]]))], Model, "tensor `x`: its shape is [0]"),
            (vec![y(), (11, value("x", &[8, 1]))], Unsupported, "tensor `x`: has no shape"),
            (
                vec![y(), (11, value("x", &[8, 8, 0x12, 0]))],
                Unsupported,
                "tensor `x`: its element type is number 8",
            ),
            (vec![y(), (11, field(1, b"x"))], Unsupported, "tensor `x`: is not a tensor"),
        ];
        for (fields, kind, words) in cases {
            let error = model(&fields).unwrap_err();
            assert_eq!(error.kind(), kind, "{error}");
            assert!(error.to_string().contains(words), "`{error}` lacks `{words}`");
        }
        assert!(read(&[], Told::Survived).unwrap_err().to_string().contains("no graph"));
        let without_versions = field(7, &field(12, &float("y", &[])));
        assert!(read(&without_versions, Told::Survived).unwrap_err().to_string().contains("no version"));
    }
}
