//! Looks over an ONNX file before its parser does: lengths that lie about what follows, and graphs within graphs, which
//! would exhaust memory or stack. Numbers of fields are those of `onnx.proto3`.

use anira_traits::{Error, ErrorKind, Result};

/// The most bytes of a file: the weights of the largest network take a quarter.
const MAX_BYTES: usize = 1 << 26;

/// A kind of message, as far as the parser goes into it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Message {
    Model,
    Graph,
    Node,
    Attribute,
    Value,
    Type,
    TensorType,
    Shape,
    /// Fields whose lengths are checked, and nothing within.
    Flat,
}

impl Message {
    /// What a field of that number is; `None` for numbers and text.
    fn field(self, number: u64) -> Result<Option<Message>> {
        let message = match (self, number) {
            (Self::Model, 7) => Self::Graph,
            (Self::Model, 8 | 14) | (Self::Graph, 5) | (Self::Shape, 1) | (Self::Attribute, 5) => Self::Flat,
            (Self::Graph, 1) => Self::Node,
            (Self::Graph, 11..=13) => Self::Value,
            (Self::Node, 5) => Self::Attribute,
            (Self::Value, 2) => Self::Type,
            (Self::Type, 1) => Self::TensorType,
            (Self::TensorType, 2) => Self::Shape,
            (Self::Attribute, 6 | 11) => {
                return Err(Error::new(ErrorKind::Unsupported, "a graph within the graph (If, Loop, Scan)"));
            }
            (Self::Type, 4 | 5 | 8 | 9) => {
                return Err(Error::new(ErrorKind::Unsupported, "a value that is no dense tensor"));
            }
            _ => return Ok(None),
        };
        Ok(Some(message))
    }
}

/// Checks every length that the parser will believe.
///
/// # Errors
/// [`ErrorKind::Model`] for lengths that are wrong, [`ErrorKind::Unsupported`] for what is nested or too large.
pub(crate) fn check(bytes: &[u8]) -> Result<()> {
    if bytes.len() > MAX_BYTES {
        let text =
            format!("is {} bytes; at most {MAX_BYTES}: use an inference engine for this one", bytes.len());
        return Err(Error::new(ErrorKind::Unsupported, text));
    }
    walk(bytes, Message::Model)
}

/// Goes through a message. Messages nest as [`Message::field`] says, at most seven deep.
fn walk(mut bytes: &[u8], message: Message) -> Result<()> {
    while !bytes.is_empty() {
        let tag = varint(&mut bytes)?;
        match tag & 7 {
            0 => drop(varint(&mut bytes)?),
            1 => drop(take(&mut bytes, 8)?),
            5 => drop(take(&mut bytes, 4)?),
            2 => {
                let len = varint(&mut bytes)?;
                let field = take(&mut bytes, usize::try_from(len).unwrap_or(usize::MAX))?;
                if let Some(message) = message.field(tag >> 3)? {
                    walk(field, message)?;
                }
            }
            kind => {
                let text = format!("holds a field of kind {kind}: not ONNX");
                return Err(Error::new(ErrorKind::Model, text));
            }
        }
    }
    Ok(())
}

fn take<'a>(bytes: &mut &'a [u8], len: usize) -> Result<&'a [u8]> {
    let Some((taken, rest)) = bytes.split_at_checked(len) else {
        return Err(Error::new(ErrorKind::Model, "ends in the middle of a field: truncated, or not ONNX"));
    };
    *bytes = rest;
    Ok(taken)
}

fn varint(bytes: &mut &[u8]) -> Result<u64> {
    let mut value = 0;
    for shift in (0..70).step_by(7) {
        let byte = take(bytes, 1)?[0];
        value |= u64::from(byte & 0x7f).checked_shl(shift).unwrap_or(0);
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err(Error::new(ErrorKind::Model, "holds a number of more than ten bytes: not ONNX"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A message field of that number around these bytes.
    fn wrapped(number: u8, inner: &[u8]) -> Vec<u8> {
        let mut bytes = vec![number << 3 | 2];
        let mut len = inner.len();
        while len >= 0x80 {
            bytes.push(len as u8 | 0x80);
            len >>= 7;
        }
        bytes.push(len as u8);
        bytes.extend_from_slice(inner);
        bytes
    }

    #[test]
    fn graphs_within_graphs_are_refused_however_deep() {
        let mut graph = Vec::new();
        for depth in 0..2000 {
            let model = wrapped(7, &graph);
            let right = if depth == 0 { None } else { Some(ErrorKind::Unsupported) };
            assert_eq!(check(&model).err().map(|e| e.kind()), right);
            graph = wrapped(1, &wrapped(5, &wrapped(6, &graph)));
        }
    }

    #[test]
    fn lengths_that_lie_are_found_wherever_the_parser_would_believe_them() {
        // A graph, its initializer, and raw data of 2^60 bytes.
        let lie = [0x4a, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x10];
        for path in [&[7u8, 5][..], &[7, 1, 5, 5], &[7, 11, 2, 1, 2, 1], &[7, 1, 5], &[7, 1], &[8], &[7]] {
            let bytes = path.iter().rev().fold(lie.to_vec(), |inner, number| wrapped(*number, &inner));
            assert_eq!(check(&bytes).unwrap_err().kind(), ErrorKind::Model, "{path:?}");
        }
    }

    #[test]
    fn the_limit_itself_is_allowed() {
        assert!(check(&vec![0x08; MAX_BYTES + 1]).unwrap_err().to_string().contains("at most"));
        assert!(!check(&vec![0x0f; MAX_BYTES]).unwrap_err().to_string().contains("at most"));
    }
}
