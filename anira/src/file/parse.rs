//! Reading a configuration file: where it is, which format, and what is wrong with it.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use anira_traits::{Error, ErrorKind, Result};

use super::ConfigFile;
use super::resolve::check_version;

/// A configuration longer than this many bytes is refused unread.
const LONGEST: u64 = 16 << 20;

impl ConfigFile {
    /// Reads a file: TOML if its name ends in `.toml`, JSON if in `.json`. Blocks.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] or [`ErrorKind::Io`] with the path; [`ErrorKind::Config`] naming file, line, field and
    /// what would be right.
    pub fn read(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        Self::read_unnamed(path)
            .map(|file| Self { origin: Some(PathBuf::from(path)), ..file })
            .map_err(|error| error.at(path.display().to_string()))
    }

    fn read_unnamed(path: &Path) -> Result<Self> {
        let ending = path.extension().and_then(|e| e.to_str()).unwrap_or_default().to_ascii_lowercase();
        if !matches!(ending.as_str(), "toml" | "json") {
            return Err(Error::config("ending", format_args!("`{ending}`"), "`.toml` or `.json`"));
        }
        let mut bytes = Vec::new();
        File::open(path)?.take(LONGEST + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > LONGEST {
            return Err(Error::config(
                "size",
                "more than 16 MiB",
                "a configuration is a few kilobytes of text",
            ));
        }
        let text = String::from_utf8(bytes).map_err(|error| {
            let at = error.utf8_error().valid_up_to();
            Error::new(ErrorKind::Config, format!("is not UTF-8 text from byte {at} on"))
        })?;
        if ending == "toml" { Self::from_toml(&text) } else { Self::from_json(&text) }
    }

    /// Reads TOML.
    ///
    /// # Errors
    /// [`ErrorKind::Config`], naming line, field and what would be right.
    pub fn from_toml(text: &str) -> Result<Self> {
        let faulty = |error: &toml::de::Error, field: Option<String>| {
            let line = error.span().map(|span| line_of(text, span.start));
            faulty(text, line, field, error.message())
        };
        let table: toml::Table = toml::from_str(text).map_err(|error| faulty(&error, None))?;
        check_version(table.get("version").map(ToString::to_string))?;
        let document = toml::Deserializer::parse(text).map_err(|error| faulty(&error, None))?;
        serde_path_to_error::deserialize(document)
            .map_err(|error| faulty(error.inner(), Some(error.path().to_string())))
    }

    /// Reads JSON.
    ///
    /// # Errors
    /// [`ErrorKind::Config`], naming line, field and what would be right.
    pub fn from_json(text: &str) -> Result<Self> {
        let faulty = |error: &serde_json::Error, field: Option<String>| {
            let message = error.to_string();
            let message = message.rsplit_once(" at line ").map_or(message.as_str(), |(sentence, _)| sentence);
            faulty(text, (error.line() > 0).then_some(error.line()), field, message)
        };
        let value: serde_json::Value = serde_json::from_str(text).map_err(|error| faulty(&error, None))?;
        if !value.is_object() {
            return Err(Error::new(ErrorKind::Config, "is not a JSON object: { \"version\": 1, … }"));
        }
        check_version(value.get("version").map(ToString::to_string))?;
        let mut document = serde_json::Deserializer::from_str(text);
        serde_path_to_error::deserialize(&mut document)
            .map_err(|error| faulty(error.inner(), Some(error.path().to_string())))
    }
}

/// The number, from 1, of the line that holds this byte.
fn line_of(text: &str, byte: usize) -> usize {
    1 + text.bytes().take(byte).filter(|b| *b == b'\n').count()
}

/// The error that names the line with its text, the field, and what is wrong.
fn faulty(text: &str, line: Option<usize>, field: Option<String>, message: &str) -> Error {
    let mut error = Error::new(ErrorKind::Config, in_plain_words(message));
    if let Some(field) = field.filter(|field| field != ".") {
        error = error.at(field);
    }
    let Some(line) = line else { return error };
    let source: String = text.lines().nth(line - 1).unwrap_or_default().trim().chars().take(60).collect();
    error.at(if source.is_empty() { format!("line {line}") } else { format!("line {line} (`{source}`)") })
}

/// The parsers speak of Rust types; users do not.
fn in_plain_words(message: &str) -> String {
    let mut plain = message.trim().replace('\n', ", ");
    for whole in ["usize", "u64", "u32", "i32", "i64"] {
        let sign = if whole.starts_with('i') { "a whole number" } else { "a whole number, 0 or more" };
        plain = plain.replace(&format!("expected {whole}"), &format!("expected {sign}"));
    }
    plain.replace("expected f64", "expected a number").replace("expected a sequence", "expected a list")
}
