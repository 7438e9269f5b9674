//! Messages of Protocol Buffers made of arbitrary numbers, so that lengths fit and fields mean something.

use arbitrary::{Result, Unstructured};

/// Bytes that a message made here has at most, roughly.
const LONGEST: usize = 1 << 20;

/// Which fields a message has.
pub(crate) struct Message(pub(crate) &'static [(u64, Content)]);

/// What a field holds.
pub(crate) enum Content {
    Int,
    /// One of these, mostly.
    Word(&'static [&'static str]),
    Bytes,
    Message(&'static Message),
}

/// A message, as far as the input goes.
pub(crate) fn write(input: &mut Unstructured<'_>, message: &Message) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    fields(input, message, 0, &mut out)?;
    Ok(out)
}

fn fields(input: &mut Unstructured<'_>, message: &Message, depth: usize, out: &mut Vec<u8>) -> Result<()> {
    for _ in 0..input.int_in_range(0..=9)? {
        if depth > 24 || out.len() > LONGEST || input.is_empty() {
            break;
        }
        let start = out.len();
        let (number, content) = &message.0[input.choose_index(message.0.len())?];
        field(input, *number, content, depth, out)?;
        // Many of one kind: what takes long with each of them shows.
        if input.ratio(1, 24)? {
            let one = out[start..].to_vec();
            for _ in 0..1usize << input.int_in_range(1..=16)? {
                if out.len() > LONGEST {
                    break;
                }
                out.extend(&one);
            }
        }
    }
    Ok(())
}

fn field(
    input: &mut Unstructured<'_>,
    number: u64,
    content: &Content,
    depth: usize,
    out: &mut Vec<u8>,
) -> Result<()> {
    // Now and then another field, or another kind than the schema has.
    let number = if input.ratio(1, 32)? { input.int_in_range(0..=40)? } else { number };
    if input.ratio(1, 32)? {
        varint(out, number << 3 | u64::from(input.int_in_range(0..=7u8)?));
        out.extend(input.bytes(input.len().min(8))?);
        return Ok(());
    }
    let inner = match content {
        Content::Int => {
            varint(out, number << 3);
            varint(out, integer(input)?);
            return Ok(());
        }
        Content::Word(words) if input.ratio(15, 16)? => input.choose(words)?.as_bytes().to_vec(),
        Content::Word(_) | Content::Bytes => {
            let length = input.int_in_range(0..=20)?;
            input.bytes(length.min(input.len()))?.to_vec()
        }
        Content::Message(message) => {
            let mut inner = Vec::new();
            fields(input, message, depth + 1, &mut inner)?;
            inner
        }
    };
    varint(out, number << 3 | 2);
    varint(out, inner.len() as u64);
    out.extend(inner);
    Ok(())
}

/// Small ones mostly, then bounds, then anything.
fn integer(input: &mut Unstructured<'_>) -> Result<u64> {
    Ok(match input.int_in_range(0..=15u8)? {
        0 => input.arbitrary()?,
        1 => 1 << input.int_in_range(0..=63)?,
        2 => (1u64 << input.int_in_range(0..=63)?).wrapping_neg(),
        _ => input.int_in_range(0..=17)?,
    })
}

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}
