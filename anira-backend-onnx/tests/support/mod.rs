//! What the integration tests share: where models lie, how tensors are read and compared.

#![allow(dead_code, reason = "each test binary uses a part")]

use std::path::{Path, PathBuf};

use anira_traits::*;

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

pub(crate) fn fixture(name: &str) -> PathBuf {
    root().join("tests/fixtures").join(name)
}

pub(crate) fn load<B: Backend>(backend: B, path: impl Into<PathBuf>) -> Result<B::Model> {
    backend.load(&ModelSource::file(path), &LoadRequest::new())
}

/// Every ONNX file of the repository that the tests know.
pub(crate) fn all_models() -> Vec<PathBuf> {
    let mut all: Vec<_> = ["models", "tests/fixtures"]
        .iter()
        .flat_map(|dir| std::fs::read_dir(root().join(dir)).unwrap())
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "onnx"))
        .collect();
    all.sort();
    assert!(all.len() >= 14, "the models are not where they should be: {all:?}");
    all
}

/// The model's own shapes, with this for open extents.
pub(crate) fn request(signature: &Signature, open: usize) -> EngineRequest {
    let shape = |t: &TensorInfo| t.shape.iter().map(|d| d.unwrap_or(open)).collect::<Vec<_>>();
    let outputs = signature.outputs.iter().map(|t| Some(shape(t))).collect();
    EngineRequest::new(signature.inputs.iter().map(shape).collect(), outputs)
}

/// What engines a backend's model makes.
pub(crate) type EngineOf<B> = <<B as Backend>::Model as Model>::Engine;

pub(crate) fn engine<B: Backend>(backend: B, path: impl Into<PathBuf>) -> EngineOf<B> {
    let model = load(backend, path).map_err(|error| error.to_string()).unwrap();
    model.engine(&request(model.signature(), 64)).unwrap()
}

pub(crate) fn set(engine: &mut impl Engine, index: usize, values: &[f32]) {
    engine.input(index).unwrap().f32_mut().unwrap().copy_from_slice(values);
}

pub(crate) fn get(engine: &impl Engine, index: usize) -> Vec<f32> {
    engine.output(index).unwrap().f32().unwrap().to_vec()
}

/// Numbers that look random and are always the same.
pub(crate) struct Noise(pub(crate) u64);

impl Noise {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub(crate) fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    pub(crate) fn sample(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1 << 23) as f32 - 1.0
    }
}

/// A float32 `.npy` file, C order.
pub(crate) fn npy(path: &Path) -> (Vec<usize>, Vec<f32>) {
    let bytes = std::fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    assert_eq!(&bytes[..8], b"\x93NUMPY\x01\x00");
    let len = usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    let header = std::str::from_utf8(&bytes[10..10 + len]).unwrap();
    assert!(header.contains("'<f4'") && header.contains("'fortran_order': False"), "{header}");
    let shape = header.split(['(', ')']).nth(1).unwrap();
    let shape = shape.split(',').filter_map(|d| d.trim().parse().ok()).collect();
    let data = bytes[10 + len..].chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect();
    (shape, data)
}

/// Writes Protocol Buffers, just enough for models made by hand.
#[derive(Clone, Default)]
pub(crate) struct Message(pub(crate) Vec<u8>);

impl Message {
    pub(crate) fn varint(mut self, mut n: u64) -> Self {
        while n >= 0x80 {
            self.0.push(n as u8 | 0x80);
            n >>= 7;
        }
        self.0.push(n as u8);
        self
    }

    pub(crate) fn int(self, field: u64, n: i64) -> Self {
        self.varint(field << 3).varint(n as u64)
    }

    pub(crate) fn bytes(self, field: u64, bytes: impl AsRef<[u8]>) -> Self {
        let mut all = self.varint(field << 3 | 2).varint(bytes.as_ref().len() as u64);
        all.0.extend_from_slice(bytes.as_ref());
        all
    }

    pub(crate) fn message(self, field: u64, message: Message) -> Self {
        self.bytes(field, message.0)
    }
}

/// An input or output of this ONNX type.
pub(crate) fn tensor_value(name: &str, kind: i64, shape: &[i64]) -> Message {
    let dims = shape.iter().fold(Message::default(), |m, n| m.message(1, Message::default().int(1, *n)));
    let tensor = Message::default().int(1, kind).message(2, dims);
    Message::default().bytes(1, name).message(2, Message::default().message(1, tensor))
}

pub(crate) fn weight(name: &str, kind: i64, dims: &[i64], raw: &[u8]) -> Message {
    dims.iter().fold(Message::default(), |m, n| m.int(1, *n)).int(2, kind).bytes(8, name).bytes(9, raw)
}

pub(crate) fn node(operator: &str, inputs: &[&str], output: &str) -> Message {
    inputs.iter().fold(Message::default(), |m, i| m.bytes(1, i)).bytes(2, output).bytes(4, operator)
}

/// A file of this graph.
pub(crate) fn model(graph: Message) -> Vec<u8> {
    let opset = Message::default().bytes(1, "").int(2, 17);
    Message::default().int(1, 8).message(8, opset).message(7, graph.bytes(2, "graph")).0
}

/// A model of one operator from x to y.
pub(crate) fn model_of(inputs: &[Message], outputs: &[Message], operator: &str) -> Vec<u8> {
    let graph = Message::default().message(1, node(operator, &["x"], "y"));
    let graph = inputs.iter().fold(graph, |graph, input| graph.message(11, input.clone()));
    model(outputs.iter().fold(graph, |graph, output| graph.message(12, output.clone())))
}

/// A model that ignores its input and gives a weight of booleans, of these bytes.
pub(crate) fn bool_weight_model(bytes: &[u8]) -> Vec<u8> {
    let shape = [bytes.len() as i64];
    let graph = Message::default()
        .message(1, node("Identity", &["w"], "y"))
        .message(5, weight("w", 9, &shape, bytes))
        .message(11, tensor_value("x", 1, &[1]))
        .message(12, tensor_value("y", 9, &shape));
    model(graph)
}

/// A model that picks from x, four numbers, those at the places i: fails if there is no such place.
pub(crate) fn picking_model() -> Vec<u8> {
    let graph = Message::default()
        .message(1, node("Gather", &["x", "i"], "y"))
        .message(11, tensor_value("x", 1, &[4]))
        .message(11, tensor_value("i", 7, &[2]))
        .message(12, tensor_value("y", 1, &[2]));
    model(graph)
}

/// A model that fills as much memory as its second input says.
pub(crate) fn greedy_model() -> Vec<u8> {
    let graph = Message::default()
        .message(1, node("ConstantOfShape", &["size"], "big"))
        .message(1, node("ReduceMax", &["big"], "most"))
        .message(1, node("Add", &["x", "most"], "y"))
        .message(11, tensor_value("x", 1, &[1]))
        .message(11, tensor_value("size", 7, &[1]))
        .message(12, tensor_value("y", 1, &[1]));
    model(graph)
}
