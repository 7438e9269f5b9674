//! Writes FlatBuffers, just enough for hostile models.

#![allow(dead_code, reason = "each test binary uses a part")]

/// A field's content.
#[derive(Clone)]
pub(crate) enum Field {
    Absent,
    U8(u8),
    I32(i32),
    Ints(Vec<i32>),
    Longs(Vec<i64>),
    Bytes(Vec<u8>),
    Table(Table),
    Tables(Vec<Table>),
}

pub(crate) type Table = Vec<Field>;

pub(crate) fn text(text: &str) -> Field {
    Field::Bytes(text.as_bytes().to_vec())
}

/// A file whose root is this table.
pub(crate) fn file(root: &Table) -> Vec<u8> {
    let mut out = vec![0, 0, 0, 0, b'T', b'F', b'L', b'3'];
    let at = write_table(&mut out, root);
    point(&mut out, 0, at);
    out
}

fn align(out: &mut Vec<u8>, to: usize) {
    out.resize(out.len().next_multiple_of(to), 0);
}

fn point(out: &mut [u8], from: usize, to: usize) {
    out[from..from + 4].copy_from_slice(&((to - from) as u32).to_le_bytes());
}

/// Every field has eight bytes, whatever it needs.
fn write_table(out: &mut Vec<u8>, table: &Table) -> usize {
    align(out, 8);
    let vtable = out.len();
    out.extend((4 + 2 * table.len() as u16).to_le_bytes());
    out.extend((8 + 8 * table.len() as u16).to_le_bytes());
    for (i, field) in table.iter().enumerate() {
        let place = if matches!(field, Field::Absent) { 0 } else { 8 + 8 * i as u16 };
        out.extend(place.to_le_bytes());
    }
    align(out, 8);
    let at = out.len();
    out.extend(((at - vtable) as i32).to_le_bytes());
    out.resize(at + 8 + 8 * table.len(), 0);
    for (i, field) in table.iter().enumerate() {
        let place = at + 8 + 8 * i;
        let to = match field {
            Field::Absent => continue,
            Field::U8(value) => {
                out[place] = *value;
                continue;
            }
            Field::I32(value) => {
                out[place..place + 4].copy_from_slice(&value.to_le_bytes());
                continue;
            }
            Field::Ints(values) => {
                write_vector(out, values.iter().map(|n| n.to_le_bytes().to_vec()), values.len())
            }
            Field::Longs(values) => {
                write_vector(out, values.iter().map(|n| n.to_le_bytes().to_vec()), values.len())
            }
            Field::Bytes(bytes) => {
                let to = write_vector(out, [bytes.clone()].into_iter(), bytes.len());
                out.push(0);
                to
            }
            Field::Table(table) => write_table(out, table),
            Field::Tables(tables) => {
                let to = write_vector(out, tables.iter().map(|_| vec![0; 4]), tables.len());
                for (k, table) in tables.iter().enumerate() {
                    let inner = write_table(out, table);
                    point(out, to + 4 + 4 * k, inner);
                }
                to
            }
        };
        point(out, place, to);
    }
    at
}

/// The length, and behind it the elements at a multiple of eight.
fn write_vector(out: &mut Vec<u8>, elements: impl Iterator<Item = Vec<u8>>, len: usize) -> usize {
    align(out, 8);
    out.extend([0; 4]);
    let at = out.len();
    out.extend((len as u32).to_le_bytes());
    elements.for_each(|bytes| out.extend(bytes));
    at
}
