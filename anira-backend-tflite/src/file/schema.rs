//! The tables of TensorFlow Lite's schema (version 3), read into plain structures.
//!
//! Numbers of fields are those of `schema.fbs`. Every table that an engine follows is read here, also where nothing of it
//! is kept.

use anira_traits::{Error, ErrorKind, Result};

use super::flatbuffer::Table;

/// Element types, as the schema numbers them.
pub(crate) const RESOURCE: u8 = 13;

/// A whole file.
#[derive(Debug)]
pub(crate) struct Model<'a> {
    pub(crate) graphs: Vec<Graph<'a>>,
    /// The bytes of the constants; empty for everything else.
    pub(crate) buffers: Vec<&'a [u8]>,
    pub(crate) entries: Vec<Entry<'a>>,
}

/// A graph: the first is the model, the others are bodies of loops and branches.
#[derive(Debug)]
pub(crate) struct Graph<'a> {
    pub(crate) tensors: Vec<Tensor<'a>>,
    pub(crate) inputs: Vec<i32>,
    pub(crate) outputs: Vec<i32>,
    pub(crate) operators: Vec<Operator<'a>>,
}

/// A value in a graph.
#[derive(Debug)]
pub(crate) struct Tensor<'a> {
    pub(crate) name: &'a str,
    pub(crate) kind: u8,
    pub(crate) shape: Vec<i32>,
    /// The extents with −1 where one is open; empty if none is.
    pub(crate) open: Vec<i32>,
    pub(crate) buffer: usize,
    pub(crate) scale: Vec<f32>,
    pub(crate) zero_point: Vec<i64>,
    pub(crate) variable: bool,
}

/// A step of a graph.
#[derive(Debug)]
pub(crate) struct Operator<'a> {
    /// The schema's number of the operator.
    pub(crate) code: i32,
    /// Its name, if it is none of the schema's.
    pub(crate) custom: &'a str,
    pub(crate) version: i32,
    pub(crate) inputs: Vec<i32>,
    pub(crate) outputs: Vec<i32>,
    /// Its options, with the schema's number of their kind.
    pub(crate) options: Option<(u8, Table<'a>)>,
}

/// A named signature: names for the inputs and outputs of a graph.
#[derive(Debug)]
pub(crate) struct Entry<'a> {
    pub(crate) graph: usize,
    pub(crate) inputs: Vec<(&'a str, usize)>,
    pub(crate) outputs: Vec<(&'a str, usize)>,
}

fn unsupported(what: &'static str) -> Error {
    Error::new(ErrorKind::Unsupported, what)
}

impl<'a> Model<'a> {
    pub(crate) fn read(root: Table<'a>) -> Result<Self> {
        if root.u32(0)? != 3 {
            return Err(Error::new(ErrorKind::Model, "is of another version of the format than 3"));
        }
        if root.has(8)? || root.has(9)? {
            return Err(unsupported(
                "its weights are in files of their own; export the model as a single file",
            ));
        }
        root.text(3)?;
        let codes: Vec<_> = root.tables(1)?.into_iter().map(code).collect::<Result<_>>()?;
        let buffers: Vec<_> = root.tables(4)?.into_iter().map(data).collect::<Result<_>>()?;
        let within = |index: i64| usize::try_from(index).is_ok_and(|i| i < buffers.len());
        let metadata = root.tables(6)?.into_iter().map(|t| {
            name(&t)?;
            Ok(i64::from(t.u32(1)?))
        });
        let metadata: Vec<i64> = metadata.collect::<Result<_>>()?;
        if !root.ints(5)?.into_iter().map(i64::from).chain(metadata).all(within) {
            return Err(Error::new(ErrorKind::Model, "its metadata points to a buffer that is not there"));
        }
        let graphs = root.tables(2)?.into_iter().map(|t| Graph::read(t, &codes)).collect::<Result<_>>()?;
        let entries = root.tables(7)?.into_iter().map(entry).collect::<Result<_>>()?;
        Ok(Self { graphs, buffers, entries })
    }
}

/// The operator that an entry of the table of operators stands for, the larger of an old field and a new one, its
/// name if it is none of the schema's, and its version.
fn code(table: Table<'_>) -> Result<(i32, &str, i32)> {
    let old = table.u8(0)?.cast_signed();
    Ok((table.i32(3, 0)?.max(i32::from(old)), table.text(1)?, table.i32(2, 1)?))
}

/// A name that an engine asks for without looking whether there is one.
fn name<'a>(table: &Table<'a>) -> Result<&'a str> {
    if !table.has(0)? {
        return Err(Error::new(ErrorKind::Model, "has metadata or a signature without a name"));
    }
    table.text(0)
}

fn data(table: Table<'_>) -> Result<&[u8]> {
    // 0 and 1 say that the bytes are within.
    if table.u64(1)? > 1 || table.u64(2)? > 1 {
        return Err(unsupported("its weights lie behind the model proper, as in files beyond 2 GB"));
    }
    Ok(table.vector(0, 1)?.0)
}

fn entry(table: Table<'_>) -> Result<Entry<'_>> {
    if !table.has(2)? {
        return Err(Error::new(ErrorKind::Model, "has a signature without a key"));
    }
    table.text(2)?;
    let map = |field| -> Result<Vec<_>> {
        table.tables(field)?.into_iter().map(|t| Ok((name(&t)?, t.u32(1)? as usize))).collect()
    };
    Ok(Entry { graph: table.u32(4)? as usize, inputs: map(0)?, outputs: map(1)? })
}

impl<'a> Graph<'a> {
    fn read(table: Table<'a>, codes: &[(i32, &'a str, i32)]) -> Result<Self> {
        table.text(4)?;
        Ok(Self {
            tensors: table.tables(0)?.into_iter().map(Tensor::read).collect::<Result<_>>()?,
            inputs: table.ints(1)?,
            outputs: table.ints(2)?,
            operators: table
                .tables(3)?
                .into_iter()
                .map(|t| Operator::read(t, codes))
                .collect::<Result<_>>()?,
        })
    }
}

impl<'a> Tensor<'a> {
    fn read(table: Table<'a>) -> Result<Self> {
        if table.has(6)? || table.has(9)? || table.has(10)? {
            return Err(unsupported("holds sparse, variant or external tensors; export the model without"));
        }
        let (mut scale, mut zero_point) = (Vec::new(), Vec::new());
        if let Some(quantization) = table.table(4)? {
            quantization.vector(0, 4)?;
            quantization.vector(1, 4)?;
            quantization.i32(6, 0)?;
            if quantization.u8(4)? != 0 {
                return Err(unsupported("holds tensors quantised in a way of their own"));
            }
            (scale, zero_point) = (quantization.floats(2)?, quantization.longs(3)?);
        }
        table.u8(8)?;
        Ok(Self {
            name: table.text(3)?,
            kind: table.u8(1)?,
            shape: table.ints(0)?,
            open: table.ints(7)?,
            buffer: table.u32(2)? as usize,
            scale,
            zero_point,
            variable: table.u8(5)? != 0,
        })
    }
}

impl<'a> Operator<'a> {
    fn read(table: Table<'a>, codes: &[(i32, &'a str, i32)]) -> Result<Self> {
        let Some((code, custom, version)) = codes.get(table.u32(0)? as usize).copied() else {
            return Err(Error::new(
                ErrorKind::Model,
                "has an operator that is not in its table of operators",
            ));
        };
        if table.u8(11)? != 0 || table.has(12)? {
            return Err(unsupported(
                "holds StableHLO operators; export the model with TensorFlow Lite's own",
            ));
        }
        if table.u64(9)? > 1 || table.u64(10)? > 1 {
            return Err(unsupported("holds operators whose options lie behind the model proper"));
        }
        table.vector(5, 1)?;
        table.vector(7, 1)?;
        if !table.ints(8)?.is_empty() {
            return Err(unsupported(
                "holds operators with tensors between their own steps (quantised LSTMs)",
            ));
        }
        let kind = table.u8(3)?;
        let options = table.table(4)?.map(|options| (kind, options));
        if let Some((kind, options)) = options {
            check_options(kind, options)?;
        }
        Ok(Self { code, custom, version, inputs: table.ints(1)?, outputs: table.ints(2)?, options })
    }
}

/// Those options that are more than numbers.
fn check_options(kind: u8, options: Table<'_>) -> Result<()> {
    options.numbers()?;
    match kind {
        // ReshapeOptions, SqueezeOptions, BucketizeOptions
        17 | 30 | 115 => drop(options.ints(0)?),
        // ConcatEmbeddingsOptions
        3 => drop((options.ints(1)?, options.ints(2)?)),
        // VarHandleOptions
        111 => drop((options.text(0)?, options.text(1)?)),
        _ => {}
    }
    Ok(())
}
