//! .tflite files for the reader that stands before both engines.

use anira_backend_tflite::signature;
use anira_traits::{ErrorKind, ModelSource, Signature, TensorInfo};
use arbitrary::{Result, Unstructured};

use crate::flat::{self, Field, Table};

/// Elements of a tensor whose extents are all known.
const MAX_ELEMENTS: usize = 1 << 26;
/// Tables that a file made here has at most.
const MOST: usize = 1 << 13;

/// Reads `data` as a file if it bears the format's mark, else a file made from it, and checks what the reader promises.
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
    if data.get(4..8) == Some(b"TFL3") {
        return Some(data.to_vec());
    }
    let mut left = MOST;
    table(&mut Unstructured::new(data), &MODEL, &mut left).ok().map(|root| flat::file(&root))
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

/// A table's fields, by the schema's numbers.
struct Shape(&'static [Kind]);

/// What a field holds.
enum Kind {
    Nothing,
    /// An 8-bit number, a 32-bit number: this one mostly.
    Byte(u8),
    Int(i32),
    /// A small number.
    Place,
    Ints,
    Longs,
    Bytes,
    Text,
    Table(&'static Shape),
    Tables(&'static Shape),
}

static MODEL: Shape = Shape(&[
    Kind::Int(3),
    Kind::Tables(&OPERATOR_CODE),
    Kind::Tables(&GRAPH),
    Kind::Text,
    Kind::Tables(&BUFFER),
    Kind::Ints,
    Kind::Tables(&METADATA),
    Kind::Tables(&SIGNATURE),
]);
static OPERATOR_CODE: Shape = Shape(&[Kind::Place, Kind::Nothing, Kind::Int(1), Kind::Place]);
static BUFFER: Shape = Shape(&[Kind::Bytes, Kind::Nothing, Kind::Nothing]);
static METADATA: Shape = Shape(&[Kind::Text, Kind::Place]);
static SIGNATURE: Shape =
    Shape(&[Kind::Tables(&MAP), Kind::Tables(&MAP), Kind::Text, Kind::Nothing, Kind::Int(0)]);
static MAP: Shape = Shape(&[Kind::Text, Kind::Place]);
static GRAPH: Shape =
    Shape(&[Kind::Tables(&TENSOR), Kind::Ints, Kind::Ints, Kind::Tables(&OPERATOR), Kind::Text]);
static TENSOR: Shape = Shape(&[
    Kind::Ints,
    Kind::Byte(0),
    Kind::Place,
    Kind::Text,
    Kind::Table(&QUANTISATION),
    Kind::Byte(0),
    Kind::Nothing,
    Kind::Ints,
]);
static QUANTISATION: Shape = Shape(&[
    Kind::Nothing,
    Kind::Nothing,
    Kind::Ints,
    Kind::Longs,
    Kind::Byte(0),
    Kind::Nothing,
    Kind::Place,
]);
static OPERATOR: Shape = Shape(&[
    Kind::Place,
    Kind::Ints,
    Kind::Ints,
    Kind::Place,
    Kind::Table(&OPTIONS),
    Kind::Nothing,
    Kind::Nothing,
    Kind::Bytes,
]);
static OPTIONS: Shape = Shape(&[
    Kind::Place,
    Kind::Place,
    Kind::Place,
    Kind::Place,
    Kind::Int(1),
    Kind::Int(1),
    Kind::Ints,
    Kind::Place,
]);

fn table(input: &mut Unstructured<'_>, shape: &Shape, left: &mut usize) -> Result<Table> {
    *left = left.saturating_sub(1);
    shape.0.iter().map(|kind| field(input, kind, left)).collect()
}

fn field(input: &mut Unstructured<'_>, kind: &Kind, left: &mut usize) -> Result<Field> {
    if input.is_empty() || input.ratio(1, 12)? {
        return Ok(match kind {
            // Without these the file ends before anything is looked at.
            Kind::Int(usual) => Field::I32(*usual),
            _ => Field::Absent,
        });
    }
    Ok(match kind {
        Kind::Nothing if input.ratio(1, 16)? => Field::I32(input.arbitrary()?),
        Kind::Nothing => Field::Absent,
        Kind::Byte(_) if input.ratio(1, 4)? => Field::U8(input.int_in_range(0..=20)?),
        Kind::Byte(usual) => Field::U8(*usual),
        Kind::Int(_) if input.ratio(1, 8)? => Field::I32(integer(input)?),
        Kind::Int(usual) => Field::I32(*usual),
        Kind::Place => Field::I32(integer(input)?),
        Kind::Ints => Field::Ints(list(input, left)?),
        Kind::Longs => Field::Longs(list(input, left)?.into_iter().map(i64::from).collect()),
        Kind::Bytes => {
            let length = input.int_in_range(0..=24)?;
            Field::Bytes(input.bytes(length.min(input.len()))?.to_vec())
        }
        Kind::Text => flat::text(input.choose(&["a", "b", "c", "input", "output", "", "ä"])?),
        Kind::Table(shape) => Field::Table(table(input, shape, left)?),
        Kind::Tables(shape) => {
            let mut tables = Vec::new();
            for _ in 0..input.int_in_range(0..=6)? {
                tables.push(table(input, shape, left)?);
            }
            // Many of one kind: what takes long with each of them shows.
            if input.ratio(1, 24)?
                && let Some(last) = tables.last().cloned()
            {
                let size = tables_in(&last);
                let more = (1usize << input.int_in_range(1..=14)?).min(*left / size);
                *left -= more * size;
                tables.extend(std::iter::repeat_n(last, more));
            }
            Field::Tables(tables)
        }
    })
}

/// The table and those in it.
fn tables_in(table: &Table) -> usize {
    let inner = table.iter().map(|field| match field {
        Field::Table(table) => tables_in(table),
        Field::Tables(tables) => tables.iter().map(tables_in).sum(),
        _ => 0,
    });
    1 + inner.sum::<usize>()
}

/// Small ones mostly, then bounds, then anything.
fn integer(input: &mut Unstructured<'_>) -> Result<i32> {
    Ok(match input.int_in_range(0..=31u8)? {
        0 => input.arbitrary()?,
        1 => 1i32 << input.int_in_range(0..=31)?,
        2 => -1,
        3..=9 => input.int_in_range(0..=161)?,
        _ => input.int_in_range(0..=5)?,
    })
}

/// A few numbers; or a run of them.
fn list(input: &mut Unstructured<'_>, left: &mut usize) -> Result<Vec<i32>> {
    let mut list = Vec::new();
    for _ in 0..input.int_in_range(0..=5)? {
        list.push(integer(input)?);
    }
    if input.ratio(1, 24)? {
        let more = (1i32 << input.int_in_range(1..=14)?).min(*left as i32);
        *left -= more as usize;
        list.extend(0..more);
    }
    Ok(list)
}
