//! The bad files, made by hand or out of the repository's good ones, and the configurations for them.

use anira::prelude::*;
use anira::traits::Layout;
use anira_tests::{Random, here, valid};

use crate::flat::Field::{I32, Ints, U8};
use crate::plain::{Plain, operator, plain, tensor, with_options};

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Bad {
    /// No byte at all.
    Empty,
    /// A good file, cut at 200 places.
    Cut,
    /// The first bytes of a good file, and then anything: 200 of them.
    RandomBehindAHeader,
    /// A good file of each other format.
    AnothersFile,
    /// A configuration with an input of another shape than the file's.
    InputOfAnotherShape,
    /// A configuration with an output of another shape than the model gives.
    OutputOfAnotherShape,
    /// A file that declares an output of another shape than its operators give.
    FileSaysAnotherShape,
    /// A configuration with a stream on a tensor of whole numbers.
    StreamOfAnotherType,
    /// A file that declares a tensor of another type than its operators take or give.
    FileSaysAnotherType,
    /// An operator that nobody has.
    LackingOperator,
    /// A weight that is not a number.
    NanWeights,
    /// A tensor of ten gibibytes, declared in the file.
    TenGibDeclared,
    /// Ten gibibytes that an operator is told to make, by a number in the file.
    TenGibMade,
    /// Ten gibibytes and more that come of numbers in the file: a product of two, a column and a row, a row that is repeated.
    TenGibComputed,
    /// Ten gibibytes by a configuration, for an extent that the file leaves open.
    TenGibConfigured,
    /// Four gibibytes in the same way: a configuration may ask for them, a model not.
    FourGibConfigured,
    /// A good file without some bytes in its middle: 200 of them.
    Wound,
}

/// What an engine reads.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Format {
    Onnx,
    TorchScript,
    TfLite,
}

impl Format {
    pub(crate) fn of(engine: &str) -> Self {
        match engine {
            "torch" => Self::TorchScript,
            "tflite" | "litert" => Self::TfLite,
            _ => Self::Onnx,
        }
    }
}

/// Samples of a hop of the good files.
pub(crate) const HOP: usize = 512;

/// Floats of ten gibibytes.
const TEN_GIB: usize = 10 << 28;

/// How many floats a configuration asks for.
fn configured(bad: Bad) -> usize {
    if bad == Bad::TenGibConfigured { TEN_GIB } else { 1 << 30 }
}

/// A file and its session.
#[derive(Clone)]
pub(crate) struct Input {
    pub(crate) bytes: Vec<u8>,
    /// Where it comes from, if not from memory.
    pub(crate) source: Option<ModelSource>,
    pub(crate) options: Vec<(&'static str, &'static str)>,
    inputs: Vec<InputTensor>,
    outputs: Vec<OutputTensor>,
}

impl Input {
    fn new(bytes: Vec<u8>, inputs: &[InputTensor], outputs: &[OutputTensor]) -> Self {
        Self { bytes, source: None, options: Vec::new(), inputs: inputs.to_vec(), outputs: outputs.to_vec() }
    }

    pub(crate) fn config(&self) -> Result<InferenceConfig, Error> {
        let builder = self.inputs.iter().fold(anira_tests::cut(), |b, t| b.input(t.clone()));
        self.outputs.iter().fold(builder, |b, t| b.output(t.clone())).build()
    }

    /// New samples per inference.
    pub(crate) fn hop(&self) -> usize {
        let streams = self.inputs.iter().filter_map(|tensor| match tensor.role {
            anira::traits::InputRole::Stream { hop, .. } => Some(hop),
            _ => None,
        });
        streams.max().unwrap()
    }
}

fn read(path: &str) -> Vec<u8> {
    std::fs::read(here().join("..").join(path)).unwrap()
}

/// A stream in and one out under these names, both of this shape and this hop.
fn streams(names: (&str, &str), shape: &[usize], hop: usize) -> ([InputTensor; 1], [OutputTensor; 1]) {
    let layout: Layout = valid(if shape.last() == Some(&1) { "NTC" } else { "NCT" }.parse());
    let input = InputTensor::stream(names.0, hop).shape(shape);
    let output = OutputTensor::stream(names.1, hop).shape(shape);
    if shape.len() < 3 {
        return ([input], [output]);
    }
    ([input.layout(layout.clone())], [output.layout(layout)])
}

/// A session of these bytes with a stream in and one out.
fn session(bytes: Vec<u8>, names: (&str, &str), shape: &[usize], hop: usize) -> Input {
    let (inputs, outputs) = streams(names, shape, hop);
    Input::new(bytes, &inputs, &outputs)
}

/// Half of the input.
pub(crate) fn good(format: Format) -> Input {
    let (file, shape) = match format {
        Format::Onnx => ("models/gain.onnx", [1, 1, HOP]),
        Format::TorchScript => ("models/gain.pt", [1, 1, HOP]),
        Format::TfLite => ("models/gain.tflite", [1, HOP, 1]),
    };
    session(read(file), ("input", "output"), &shape, HOP)
}

/// Everything of one kind for one format. Empty where there is no such thing.
pub(crate) fn attempts(format: Format, bad: Bad) -> Vec<Input> {
    let good = good(format);
    let with = |bytes: Vec<u8>| Input { bytes, ..good.clone() };
    let len = good.bytes.len();
    let mut random = Random(31);
    match bad {
        Bad::Empty => vec![with(Vec::new())],
        Bad::Cut => (0..200).map(|i| with(good.bytes[..len * i / 200].to_vec())).collect(),
        Bad::RandomBehindAHeader => (0..200)
            .map(|i| {
                let noise: Vec<u8> = (0..16 + 8 * i).map(|_| random.below(256) as u8).collect();
                with([&good.bytes[..8], &noise].concat())
            })
            .collect(),
        Bad::Wound => (0..200)
            .map(|i| {
                let at = len / 4 + random.below(len / 4);
                with([&good.bytes[..at], &good.bytes[at + 1 + i % 7..]].concat())
            })
            .collect(),
        Bad::AnothersFile => [Format::Onnx, Format::TorchScript, Format::TfLite]
            .into_iter()
            .filter(|other| *other != format)
            .map(|other| with(self::good(other).bytes))
            .collect(),
        bad => match format {
            Format::Onnx => onnx(bad),
            Format::TorchScript => torch(bad),
            Format::TfLite => tflite(bad),
        },
    }
}

/// Protocol Buffers, just enough for models made by hand.
#[derive(Clone, Default)]
struct Message(Vec<u8>);

impl Message {
    fn varint(mut self, mut n: u64) -> Self {
        while n >= 0x80 {
            self.0.push(n as u8 | 0x80);
            n >>= 7;
        }
        self.0.push(n as u8);
        self
    }

    fn int(self, field: u64, n: i64) -> Self {
        self.varint(field << 3).varint(n as u64)
    }

    fn bytes(self, field: u64, bytes: &[u8]) -> Self {
        let mut all = self.varint(field << 3 | 2).varint(bytes.len() as u64);
        all.0.extend_from_slice(bytes);
        all
    }

    fn with(self, field: u64, message: &Self) -> Self {
        self.bytes(field, &message.0)
    }
}

/// An input or output of a graph; types: 1 float32, 7 int64.
fn value(name: &str, kind: i64, shape: &[i64]) -> Message {
    let dims = shape.iter().fold(Message::default(), |m, n| m.with(1, &Message::default().int(1, *n)));
    let tensor = Message::default().int(1, kind).with(2, &dims);
    Message::default().bytes(1, name.as_bytes()).with(2, &Message::default().with(1, &tensor))
}

fn node(operator: &str, inputs: &[&str], output: &str) -> Message {
    let node = inputs.iter().fold(Message::default(), |m, name| m.bytes(1, name.as_bytes()));
    node.bytes(2, output.as_bytes()).bytes(4, operator.as_bytes())
}

fn weight(name: &str, kind: i64, shape: &[i64], raw: &[u8]) -> Message {
    let dims = shape.iter().fold(Message::default(), |m, n| m.int(1, *n));
    dims.int(2, kind).bytes(8, name.as_bytes()).bytes(9, raw)
}

/// A file of these nodes, weights, inputs and outputs.
fn graph(nodes: &[Message], weights: &[Message], inputs: &[Message], outputs: &[Message]) -> Vec<u8> {
    let fields = [(1, nodes), (5, weights), (11, inputs), (12, outputs)];
    let graph = fields.into_iter().fold(Message::default(), |graph, (field, messages)| {
        messages.iter().fold(graph, |graph, message| graph.with(field, message))
    });
    let opset = Message::default().bytes(1, b"").int(2, 17);
    Message::default().int(1, 8).with(7, &graph.bytes(2, b"graph")).with(8, &opset).0
}

/// `y = x ∘ w`, of eight numbers each.
fn binary(operator: &str, weight: &Message) -> Vec<u8> {
    let (x, y) = (value("x", 1, &[1, 1, 8]), value("y", 1, &[1, 1, 8]));
    graph(&[node(operator, &["x", "w"], "y")], std::slice::from_ref(weight), &[x], &[y])
}

/// Makes as many numbers as `size` says, and adds the largest.
fn filling(size: &str) -> [Message; 3] {
    [
        node("ConstantOfShape", &[size], "big"),
        node("ReduceMax", &["big"], "most"),
        node("Add", &["x", "most"], "y"),
    ]
}

/// Makes as many numbers as an input says, which no reader of the file can know.
pub(crate) fn onnx_of_given_size() -> Input {
    let (x, y) = (value("x", 1, &[1, 1, 8]), value("y", 1, &[1, 1, 8]));
    let bytes = graph(&filling("size"), &[], &[x, value("size", 7, &[2])], &[y]);
    let (inputs, outputs) = streams(("x", "y"), &[1, 1, 8], 8);
    let [x] = inputs;
    Input::new(bytes, &[x, InputTensor::constant("size", [f64::from(1 << 20), 2560.0])], &outputs)
}

/// The bytes with each `from` replaced by as many of `to`.
fn replaced(mut bytes: Vec<u8>, from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut found = 0;
    for at in 0..=bytes.len() - from.len() {
        if bytes[at..].starts_with(from) {
            bytes[at..at + from.len()].copy_from_slice(to);
            found += 1;
        }
    }
    assert!(found > 0);
    bytes
}

fn onnx(bad: Bad) -> Vec<Input> {
    let gain = || read("models/gain.onnx");
    let identity = |x: Message, y: Message| graph(&[node("Identity", &["x"], "y")], &[], &[x], &[y]);
    let eight = |bytes| session(bytes, ("x", "y"), &[1, 1, 8], 8);
    let one = || value("x", 1, &[1, 1, 8]);
    match bad {
        Bad::InputOfAnotherShape => vec![
            session(gain(), ("input", "output"), &[1, 1, 256], 256),
            session(gain(), ("input", "output"), &[1, 512], 512),
        ],
        Bad::OutputOfAnotherShape => {
            let (inputs, _) = streams(("input", "output"), &[1, 1, 64], 64);
            let (_, outputs) = streams(("input", "output"), &[1, 1, 128], 128);
            vec![Input::new(read("tests/fixtures/dynamic.onnx"), &inputs, &outputs)]
        }
        Bad::FileSaysAnotherShape => {
            let (inputs, _) = streams(("x", "y"), &[1, 1, 8], 8);
            let (_, outputs) = streams(("x", "y"), &[1, 1, 16], 16);
            vec![Input::new(identity(one(), value("y", 1, &[1, 1, 16])), &inputs, &outputs)]
        }
        Bad::StreamOfAnotherType => {
            vec![session(
                identity(value("x", 7, &[1, 1, 8]), value("y", 7, &[1, 1, 8])),
                ("x", "y"),
                &[1, 1, 8],
                8,
            )]
        }
        Bad::FileSaysAnotherType => {
            let (inputs, _) = streams(("x", "y"), &[1, 1, 8], 8);
            vec![Input::new(
                identity(one(), value("y", 7, &[1, 1, 8])),
                &inputs,
                &[OutputTensor::parameter("y")],
            )]
        }
        Bad::LackingOperator => {
            vec![session(replaced(gain(), b"Mul", b"Mux"), ("input", "output"), &[1, 1, HOP], HOP)]
        }
        Bad::NanWeights => vec![eight(binary("Mul", &weight("w", 1, &[1], &f32::NAN.to_le_bytes())))],
        Bad::TenGibDeclared => {
            let huge = |name| value(name, 1, &[1, 1, TEN_GIB as i64]);
            let lying = weight("w", 1, &[TEN_GIB as i64], &[0; 4]);
            vec![
                session(identity(huge("x"), huge("y")), ("x", "y"), &[1, 1, 8], 8),
                eight(binary("Mul", &lying)),
            ]
        }
        Bad::TenGibMade => {
            let size = weight("w", 7, &[1], &(TEN_GIB as i64).to_le_bytes());
            vec![eight(graph(&filling("w"), &[size], &[one()], &[value("y", 1, &[1, 1, 8])]))]
        }
        Bad::TenGibComputed => {
            let y = || [value("y", 1, &[1, 1, 8])];
            let numbers = |name: &str, n: &[i64]| {
                weight(
                    name,
                    7,
                    &[n.len() as i64],
                    &n.iter().flat_map(|n| n.to_le_bytes()).collect::<Vec<_>>(),
                )
            };
            let floats = |name: &str, shape: [i64; 2]| weight(name, 1, &shape, &vec![0; 4 << 16]);
            let product = [&[node("Mul", &["a", "b"], "size")][..], &filling("size")].concat();
            let (a, b) = (numbers("a", &[256, 160]), numbers("b", &[256, 256]));
            // The operators in another order than that of their values.
            let reversed: Vec<_> = product.iter().rev().cloned().collect();
            let largest = [node("ReduceMax", &["big"], "most"), node("Add", &["x", "most"], "y")];
            let of = |first: Message| [&[first][..], &largest].concat();
            let square = of(node("Add", &["column", "row"], "big"));
            let sides = [floats("column", [1 << 16, 1]), floats("row", [1, 1 << 16])];
            let repeated = of(node("Tile", &["x", "times"], "big"));
            let times = numbers("times", &[1 << 10, 1 << 10, 1 << 10]);
            vec![
                eight(graph(&product, &[a.clone(), b.clone()], &[one()], &y())),
                eight(graph(&reversed, &[a, b], &[one()], &y())),
                eight(graph(&square, &sides, &[one()], &y())),
                eight(graph(&repeated, &[times], &[one()], &y())),
            ]
        }
        Bad::TenGibConfigured | Bad::FourGibConfigured => {
            let (bytes, n) = (read("tests/fixtures/dynamic.onnx"), configured(bad));
            vec![session(bytes, ("input", "output"), &[1, 1, n], HOP)]
        }
        _ => Vec::new(),
    }
}

const TORCH: &str = "anira-backend-torch/tests/fixtures";

fn torch(bad: Bad) -> Vec<Input> {
    let fixture = |name: &str| read(&format!("{TORCH}/{name}.pt"));
    let eight = |name: &str| session(fixture(name), ("x", "output"), &[1, 1, 8], 8);
    match bad {
        // Five convolutions want one channel, and get two.
        Bad::InputOfAnotherShape => {
            let output = OutputTensor::stream("output", 64);
            vec![Input::new(fixture("tcn"), &[InputTensor::stream("x", 64).shape([1, 2, 128])], &[output])]
        }
        Bad::OutputOfAnotherShape => {
            let (inputs, _) = streams(("x", "output"), &[1, 1, 8], 8);
            let (_, outputs) = streams(("x", "output"), &[1, 1, 16], 16);
            vec![Input::new(fixture("gain"), &inputs, &outputs)]
        }
        Bad::StreamOfAnotherType => vec![Input { options: vec![("inputs", "x:int64")], ..eight("gain") }],
        Bad::LackingOperator => vec![eight("lacking")],
        Bad::NanWeights => vec![eight("nan")],
        Bad::TenGibMade => vec![eight("huge")],
        Bad::TenGibComputed => vec![eight("computed")],
        Bad::TenGibConfigured | Bad::FourGibConfigured => {
            vec![session(fixture("gain"), ("x", "output"), &[1, 1, configured(bad)], HOP)]
        }
        _ => Vec::new(),
    }
}

/// Asks for as much memory as the machine could never have, by a number that is computed while it runs.
pub(crate) fn torch_of_computed_size() -> Input {
    session(read(&format!("{TORCH}/computed.pt")), ("x", "output"), &[1, 1, 8], 8)
}

const FILL: u8 = 94;
const MUL: u8 = 18;
const REDUCE_MAX: u8 = 82;

fn tflite(bad: Bad) -> Vec<Input> {
    let fixture = |name: &str| read(&format!("anira-backend-tflite/tests/fixtures/{name}.tflite"));
    let gain = || fixture("gain");
    let four = |model: &Plain| session(model.bytes(), ("x", "y"), &[1, 4], 4);
    let mut made = added();
    match bad {
        Bad::InputOfAnotherShape => vec![
            session(fixture("tcn"), ("input", "output"), &[1, 64, 2], 64),
            session(gain(), ("input", "output"), &[64], 64),
        ],
        Bad::OutputOfAnotherShape => {
            let (inputs, _) = streams(("input", "output"), &[1, 64, 1], 64);
            let (_, outputs) = streams(("input", "output"), &[1, 128, 1], 128);
            vec![Input::new(fixture("dynamic"), &inputs, &outputs)]
        }
        Bad::FileSaysAnotherShape => {
            made.tensors[2] = tensor("y", 0, &[1, 8], 0);
            let (inputs, _) = streams(("x", "y"), &[1, 4], 4);
            let (_, outputs) = streams(("x", "y"), &[1, 8], 8);
            vec![Input::new(made.bytes(), &inputs, &outputs)]
        }
        Bad::StreamOfAnotherType => {
            let inputs = [
                InputTensor::stream("long_in", 1).shape([1]),
                InputTensor::constant("input", [0.0]),
                InputTensor::constant("short_in", [0.0]),
            ];
            vec![Input::new(fixture("counters"), &inputs, &[OutputTensor::parameter("output")])]
        }
        // A string, which nobody can add.
        Bad::FileSaysAnotherType => {
            made.tensors[0] = tensor("x", 5, &[1, 4], 0);
            vec![four(&made)]
        }
        Bad::LackingOperator => {
            made.codes[0][2] = I32(99);
            vec![session(fixture("lacking"), ("input", "output"), &[1, 64, 1], 64), four(&made)]
        }
        Bad::NanWeights => vec![session(fixture("nan"), ("input", "output"), &[1, 64, 1], 64)],
        Bad::TenGibDeclared => {
            made.tensors.iter_mut().for_each(|t| t[0] = Ints(vec![1 << 20, 2560]));
            let mut lying = added();
            lying.tensors[1][0] = Ints(vec![1 << 20, 2560]);
            vec![four(&made), four(&lying)]
        }
        Bad::TenGibMade => {
            made.codes = vec![crate::plain::code(FILL)];
            made.tensors[1] = tensor("w", 2, &[2], 1);
            made.buffers[1] = crate::plain::ints(&[1 << 20, 2560]);
            made.operators = vec![operator(0, &[1, 0], &[2])];
            vec![four(&made)]
        }
        Bad::TenGibComputed => vec![four(&filled(3)), four(&squared())],
        Bad::TenGibConfigured | Bad::FourGibConfigured => {
            let n = configured(bad);
            vec![session(fixture("dynamic"), ("input", "output"), &[1, n, 1], HOP)]
        }
        _ => Vec::new(),
    }
}

/// `y = x + w`, of four numbers each, as engines want it.
fn added() -> Plain {
    let mut model = plain();
    model.operators = vec![with_options(operator(0, &[0, 1], &[2]), 11, vec![U8(0)])];
    model
}

/// Makes as many numbers as a value says, which it gets at this place among the tensors: 3 is computed by the first operator, the
/// square of `a`; 1 is `a` itself.
fn filled(size: i32) -> Plain {
    let mut model = added();
    let code = crate::plain::code;
    model.codes = vec![code(MUL), code(FILL), code(REDUCE_MAX), code(0)];
    model.tensors = vec![
        tensor("x", 0, &[1, 4], 0),
        tensor("a", 2, &[2], 1),
        tensor("y", 0, &[1, 4], 0),
        tensor("size", 2, &[2], 0),
        tensor("zero", 0, &[], 2),
        tensor("big", 0, &[1, 1], 0),
        tensor("axes", 2, &[2], 3),
        tensor("most", 0, &[], 0),
    ];
    let ints = crate::plain::ints;
    model.buffers = vec![vec![], ints(&[1 << 10, 51]), ints(&[0]), ints(&[0, 1])];
    model.operators = vec![
        with_options(operator(0, &[1, 1], &[3]), 21, vec![U8(0)]),
        operator(1, &[size, 4], &[5]),
        with_options(operator(2, &[5, 6], &[7]), 27, vec![U8(0)]),
        with_options(operator(3, &[0, 7], &[2]), 11, vec![U8(0)]),
    ];
    model
}

/// Makes as many numbers as an input says, which no reader of the file can know.
pub(crate) fn tflite_of_given_size() -> Input {
    let mut model = filled(1);
    model.operators.remove(0);
    model.tensors[1] = tensor("a", 2, &[2], 0);
    model.inputs = vec![0, 1];
    let (inputs, outputs) = streams(("x", "y"), &[1, 4], 4);
    let [x] = inputs;
    let size = [f64::from(1 << 20), 2560.0];
    Input::new(model.bytes(), &[x, InputTensor::constant("a", size)], &outputs)
}

/// A column and a row, and what is declared of their sum is four numbers.
fn squared() -> Plain {
    let mut model = added();
    let zeros = || vec![crate::flat::Field::Bytes(vec![0; 4 << 16])];
    model.tensors = vec![
        tensor("x", 0, &[1, 4], 0),
        tensor("column", 0, &[1 << 16, 1], 1),
        tensor("y", 0, &[1, 4], 0),
        tensor("row", 0, &[1, 1 << 16], 2),
        tensor("big", 0, &[1, 4], 0),
        tensor("axes", 2, &[2], 3),
        tensor("most", 0, &[], 0),
    ];
    model.codes = vec![crate::plain::code(0), crate::plain::code(REDUCE_MAX)];
    model.buffers = vec![vec![], zeros(), zeros(), crate::plain::ints(&[0, 1])];
    model.operators = vec![
        with_options(operator(0, &[1, 3], &[4]), 11, vec![U8(0)]),
        with_options(operator(1, &[4, 5], &[6]), 27, vec![U8(0)]),
        with_options(operator(0, &[0, 6], &[2]), 11, vec![U8(0)]),
    ];
    model
}
