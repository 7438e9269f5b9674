//! ONNX files for the reader that stands before both engines.

use anira_backend_onnx::signature;
use anira_traits::{ErrorKind, ModelSource, Signature, TensorInfo};
use arbitrary::Unstructured;

use crate::wire::{self, Content, Message};

/// Elements of a tensor whose extents are all known.
const MAX_ELEMENTS: usize = 1 << 28;

/// Reads `data` as a file if it begins as ONNX files do, else a file made from it, and checks what the reader promises.
///
/// # Panics
/// If a promise is broken.
pub fn check(data: &[u8]) {
    let Some(file) = file(data) else { return };
    let source = ModelSource::memory(file);
    let read = signature(&source);
    match &read {
        Ok(signature) => accepted(signature),
        Err(error) => {
            let kind = error.kind();
            assert!(matches!(kind, ErrorKind::Model | ErrorKind::Unsupported), "{kind}: {error}");
            assert!(!error.message().is_empty(), "no message: {error:?}");
        }
    }
    assert_eq!(signature(&source), read, "the same file is read the same");
}

/// The file that `data` is, or that is made from it.
pub(crate) fn file(data: &[u8]) -> Option<Vec<u8>> {
    // Every exporter writes the format's version first.
    if data.first() == Some(&8) {
        return Some(data.to_vec());
    }
    wire::write(&mut Unstructured::new(data), &MODEL).ok()
}

fn accepted(signature: &Signature) {
    assert!(!signature.outputs.is_empty());
    for tensors in [&signature.inputs, &signature.outputs] {
        for (i, TensorInfo { name, shape, .. }) in tensors.iter().enumerate() {
            assert!(!name.is_empty() && tensors[..i].iter().all(|other| other.name != *name));
            let elements = shape.iter().flatten().try_fold(1usize, |n, d| n.checked_mul(*d));
            assert!(elements.is_some_and(|n| (1..=MAX_ELEMENTS).contains(&n)), "{shape:?}");
        }
    }
}

const NAMES: Content = Content::Word(&["x", "y", "w", "h", "", "t"]);

static MODEL: Message = Message(&[
    (1, Content::Int),
    (7, Content::Message(&GRAPH)),
    (7, Content::Message(&GRAPH)),
    (7, Content::Message(&GRAPH)),
    (8, Content::Message(&OPERATORS)),
]);
static OPERATORS: Message = Message(&[(1, Content::Bytes), (2, Content::Int)]);
static GRAPH: Message = Message(&[
    (1, Content::Message(&NODE)),
    (1, Content::Message(&NODE)),
    (2, NAMES),
    (5, Content::Message(&TENSOR)),
    (11, Content::Message(&VALUE)),
    (12, Content::Message(&VALUE)),
    (12, Content::Message(&VALUE)),
    (13, Content::Message(&VALUE)),
    (15, Content::Bytes),
]);
static NODE: Message = Message(&[
    (1, NAMES),
    (2, NAMES),
    (
        4,
        Content::Word(&[
            "Constant",
            "ConstantOfShape",
            "Expand",
            "Range",
            "Pad",
            "Tile",
            "Conv",
            "If",
            "DFT",
        ]),
    ),
    (5, Content::Message(&ATTRIBUTE)),
]);
static ATTRIBUTE: Message = Message(&[
    (1, Content::Word(&["pads", "strides", "value", "then_branch", "blocksize", "output_shape"])),
    (3, Content::Int),
    (5, Content::Message(&TENSOR)),
    (6, Content::Message(&GRAPH)),
    (8, Content::Int),
    (8, Content::Bytes),
]);
static TENSOR: Message = Message(&[
    (1, Content::Int),
    (1, Content::Bytes),
    (2, Content::Int),
    (4, Content::Bytes),
    (5, Content::Int),
    (7, Content::Int),
    (7, Content::Bytes),
    (8, NAMES),
    (9, Content::Bytes),
    (13, Content::Message(&OPERATORS)),
    (14, Content::Int),
]);
static VALUE: Message = Message(&[(1, NAMES), (2, Content::Message(&TYPE)), (2, Content::Message(&TYPE))]);
static TYPE: Message = Message(&[
    (1, Content::Message(&TENSOR_TYPE)),
    (1, Content::Message(&TENSOR_TYPE)),
    (1, Content::Message(&TENSOR_TYPE)),
    (4, Content::Message(&SEQUENCE)),
]);
static SEQUENCE: Message = Message(&[(1, Content::Message(&TYPE))]);
static TENSOR_TYPE: Message = Message(&[(1, Content::Int), (2, Content::Message(&SHAPE))]);
static SHAPE: Message = Message(&[(1, Content::Message(&EXTENT))]);
static EXTENT: Message = Message(&[(1, Content::Int), (2, NAMES)]);
