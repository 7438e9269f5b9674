//! What a .tflite file says, read and checked before any engine sees it.
//!
//! TensorFlow Lite's own reader trusts the file: an offset or index that points nowhere is a crash. So everything that it
//! follows is followed here first: the structure of all tables, the indices between them, the order of the operators,
//! the numbers that decide how much memory they take.
#![cfg_attr(
    not(all(feature = "tflite", feature = "litert")),
    allow(dead_code, reason = "not every engine reads all; without one only the signature is read")
)]

mod extent;
mod flatbuffer;
mod graph;
mod operator;
mod port;
mod schema;
mod size;

use std::collections::BTreeSet;

use anira_traits::{Error, ErrorKind, Result, Signature};

pub(crate) use port::Port;
#[cfg(any(feature = "tflite", feature = "litert"))]
pub(crate) use port::{Scale, Storage};
use schema::Model;

/// Elements of one tensor.
pub(crate) const MAX_ELEMENTS: usize = 1 << 26;

/// What the engines need to know of a file.
#[derive(Debug)]
pub(crate) struct Contents {
    /// The tensors as sessions see them: quantised ones are float32.
    pub(crate) signature: Signature,
    /// The tensors as engines see them, in the order of the signature.
    pub(crate) inputs: Vec<Port>,
    pub(crate) outputs: Vec<Port>,
    /// Which of the file's named signatures is the one above; `None` if it has none.
    pub(crate) entry: Option<usize>,
    /// How many named signatures it has.
    pub(crate) entries: usize,
    /// Its operators with their versions, each once, for messages.
    pub(crate) operators: Vec<String>,
    /// Whether it computes what nobody uses.
    pub(crate) unused: bool,
    /// Whether it has variables, which live from run to run.
    #[cfg_attr(
        not(any(feature = "tflite", feature = "litert")),
        expect(dead_code, reason = "read by engines")
    )]
    pub(crate) remembers: bool,
}

/// Reads the file in `bytes`.
///
/// # Errors
/// [`ErrorKind::Model`] if it is malformed or asks for absurd sizes; [`ErrorKind::Unsupported`] for parts of the format
/// that this crate does not let through (text tensors, sparse or external weights, StableHLO operators).
pub(crate) fn read(bytes: &[u8]) -> Result<Contents> {
    let buffer = flatbuffer::Buffer::new(bytes, b"TFL3")?;
    let model = Model::read(buffer.root()?)?;
    graph::check(&model)?;
    size::check(&model)?;
    extent::check(&model)?;
    let Some(main) = model.graphs.first() else {
        return Err(Error::new(ErrorKind::Model, "holds no graph"));
    };
    let (entry, inputs, outputs) = port::ports(&model, main)?;
    let infos = |ports: &[Port]| ports.iter().map(|p| p.info.clone()).collect();
    let signature = Signature { inputs: infos(&inputs), outputs: infos(&outputs) };
    let remembers =
        model.graphs.iter().flat_map(|g| &g.tensors).any(|t| t.variable || t.kind == schema::RESOURCE);
    let steps = model.graphs.iter().flat_map(|g| &g.operators);
    let kinds: BTreeSet<_> = steps.map(|step| (step.code, step.version)).collect();
    let operators =
        kinds.into_iter().map(|(code, version)| format!("{} {version}", operator::name(code))).collect();
    let (entries, unused) = (model.entries.len(), graph::has_unused(&model));
    Ok(Contents { signature, inputs, outputs, entry, entries, operators, unused, remembers })
}
