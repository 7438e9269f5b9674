//! Networks in JSON: Neural Amp Modeler's `.nam`, and RTNeural's. Which it is, the keys tell.

mod nam;
mod rtneural;

use anira_traits::{Error, ErrorKind, Result};
use serde_json::{Map, Value};

use super::network::Network;

/// The most bytes of a file: some 800,000 weights.
const MAX_BYTES: usize = 1 << 24;

/// Reads a network from the bytes of a JSON file.
///
/// # Errors
/// [`ErrorKind::Model`] if it is malformed, [`ErrorKind::Unsupported`] for what it holds and we lack, named with what we have.
pub(crate) fn read(bytes: &[u8]) -> Result<Network> {
    if bytes.len() > MAX_BYTES {
        let text = format!("is {} bytes; at most {MAX_BYTES} of JSON", bytes.len());
        return Err(Error::new(ErrorKind::Unsupported, text));
    }
    let document: Value =
        serde_json::from_slice(bytes).map_err(|error| malformed(format!("not JSON: {error}")))?;
    let Some(object) = document.as_object() else { return Err(malformed("is no JSON object")) };
    if object.contains_key("architecture") {
        nam::read(object)
    } else if object.contains_key("layers") {
        rtneural::read(object)
    } else {
        let text = "has neither `architecture` (Neural Amp Modeler) nor `layers` (RTNeural)";
        Err(Error::new(ErrorKind::Unsupported, text))
    }
}

fn malformed(text: impl Into<String>) -> Error {
    Error::new(ErrorKind::Model, text.into())
}

/// The value of a key.
fn key<'a>(object: &'a Map<String, Value>, name: &str) -> Result<&'a Value> {
    object.get(name).ok_or_else(|| malformed("is missing").at(name.to_owned()))
}

/// A whole number from 1 up.
fn count(object: &Map<String, Value>, name: &str) -> Result<usize> {
    whole(key(object, name)?).map_err(|error| error.at(name.to_owned()))
}

fn whole(value: &Value) -> Result<usize> {
    let number = value.as_u64().and_then(|n| usize::try_from(n).ok()).filter(|n| *n > 0);
    number.ok_or_else(|| malformed(format!("is {}; a whole number from 1 up", short(value))))
}

fn text<'a>(value: &'a Value, name: &str) -> Result<&'a str> {
    value.as_str().ok_or_else(|| malformed(format!("is {}; a text", short(value))).at(name.to_owned()))
}

fn list<'a>(value: &'a Value, name: &str) -> Result<&'a [Value]> {
    let list = value.as_array().map(Vec::as_slice);
    list.ok_or_else(|| malformed(format!("is {}; a list", short(value))).at(name.to_owned()))
}

/// A list of numbers.
fn numbers(value: &Value, name: &str) -> Result<Vec<f32>> {
    let number = |(at, value): (usize, &Value)| {
        let number = value.as_f64().map(|n| n as f32).filter(|n| n.is_finite());
        number.ok_or_else(|| malformed(format!("number {at} is {}; a finite number", short(value))))
    };
    let numbers: Result<Vec<f32>> = list(value, name)?.iter().enumerate().map(number).collect();
    numbers.map_err(|error| error.at(name.to_owned()))
}

/// The beginning of a value, for messages.
fn short(value: &Value) -> String {
    match value {
        Value::Array(list) => format!("a list of {}", list.len()),
        Value::Object(object) => format!("an object of {} keys", object.len()),
        other => other.to_string().chars().take(60).collect(),
    }
}
