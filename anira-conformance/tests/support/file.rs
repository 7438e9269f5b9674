//! The toy's file: a header, the number of weights, the weights, their sum.

use anira_traits::Result;

use super::{Fault, malformed};

/// A well-formed file.
pub(crate) fn file(a: f32, b: f32) -> Vec<u8> {
    let mut bytes = b"TOY1\x02\0\0\0".to_vec();
    for x in [a, b, a + b] {
        bytes.extend(x.to_le_bytes());
    }
    bytes
}

/// The weights, or what is wrong.
pub(super) fn parse(bytes: &[u8], fault: Fault) -> Result<[f32; 2]> {
    let right = Ok([1.0, 0.5]);
    match fault {
        Fault::EmptyAccepted if bytes.is_empty() => return right,
        Fault::CutAccepted if bytes.len() >= 4 && bytes.starts_with(b"TOY1") => return right,
        Fault::CutPanics => assert!(bytes.len() != 7, "the length does not fit"),
        Fault::FlipPanics => assert!(bytes.len() < 8 || bytes[4..8] == [2, 0, 0, 0], "too many weights"),
        Fault::HeaderIsEnough if bytes.len() == 20 && bytes.starts_with(b"TOY1") => return right,
        Fault::ForeignAccepted if bytes.starts_with(b"{") => return right,
        _ => {}
    }
    if !bytes.starts_with(b"TOY1") {
        return Err(malformed("it does not begin with TOY1"));
    }
    if bytes.get(4..8) != Some(&[2, 0, 0, 0]) || bytes.len() != 20 {
        return Err(malformed("it does not hold two weights and their sum"));
    }
    let numbers: Vec<f32> =
        bytes[8..].chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
    let finite = numbers.iter().all(|x| x.is_finite());
    if finite && numbers[0] + numbers[1] != numbers[2] {
        return Err(malformed("the sum of the weights is wrong"));
    }
    if !finite && fault != Fault::WildWeightsAccepted {
        return Err(malformed("a weight is not finite"));
    }
    Ok([numbers[0], numbers[1]])
}
