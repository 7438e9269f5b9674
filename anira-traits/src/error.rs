//! Errors: a kind for programs, a field and a sentence for people.

use std::borrow::Cow;
use std::fmt;

/// What went wrong, for code that decides by it.
///
/// The kind never changes once an [`Error`] is made; backends map their vendor's errors to one of these at the
/// crate's edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The engine was not compiled in: its Cargo feature is off.
    NotBuilt,
    /// A file or a library is not where it was looked for.
    NotFound,
    /// Reading or writing failed.
    Io,
    /// A model file is malformed, truncated or of another format.
    Model,
    /// The model is well formed but asks for something that the engine lacks (an operator, a type).
    Unsupported,
    /// A tensor's shape is not what the other side says.
    Shape,
    /// A tensor's element type is not what the other side says.
    DType,
    /// A configuration field holds a value that cannot be.
    Config,
    /// The host's block, rate or channels cannot be served.
    Host,
    /// The model cannot keep up with the stream, whatever the latency.
    Overload,
    /// The engine reported a failure while it ran.
    Engine,
    /// The engine panicked; it is never run again.
    Panicked,
    /// An output or a state held NaN or infinity.
    NonFinite,
    /// A wait reached its bound.
    Timeout,
    /// The session or the pool was closed.
    Closed,
    /// The operating system refused a thread, a priority or an affinity.
    System,
    /// A fault of ours.
    Internal,
}

impl ErrorKind {
    /// Whether the user can mend it: by another file, another value, another feature. (A model whose answers are not
    /// finite is such a file.)
    ///
    /// Command lines answer such an error with exit code 2, any other with 1.
    #[must_use]
    pub fn is_users(self) -> bool {
        use ErrorKind::*;
        matches!(
            self,
            NotBuilt
                | NotFound
                | Io
                | Model
                | Unsupported
                | Shape
                | DType
                | Config
                | Host
                | Overload
                | NonFinite
        )
    }

    /// The kind as a word, stable across versions.
    #[must_use]
    pub fn name(self) -> &'static str {
        use ErrorKind::*;
        match self {
            NotBuilt => "NotBuilt",
            NotFound => "NotFound",
            Io => "Io",
            Model => "Model",
            Unsupported => "Unsupported",
            Shape => "Shape",
            DType => "DType",
            Config => "Config",
            Host => "Host",
            Overload => "Overload",
            Engine => "Engine",
            Panicked => "Panicked",
            NonFinite => "NonFinite",
            Timeout => "Timeout",
            Closed => "Closed",
            System => "System",
            Internal => "Internal",
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// An error: its [kind](ErrorKind), the field or file it is about, and a sentence that says what would be right.
///
/// Making one from a `&'static str` does not allocate, so a worker may return one from an inference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    kind: ErrorKind,
    field: Option<Cow<'static, str>>,
    message: Cow<'static, str>,
}

impl Error {
    /// An error of this kind with this sentence.
    #[must_use]
    pub fn new(kind: ErrorKind, message: impl Into<Cow<'static, str>>) -> Self {
        Self { kind, field: None, message: message.into() }
    }

    /// A configuration error: names the field, the value it held, and what would be right.
    #[must_use]
    pub fn config(
        field: impl Into<Cow<'static, str>>,
        value: impl fmt::Display,
        right: impl fmt::Display,
    ) -> Self {
        Self::new(ErrorKind::Config, format!("is {value}; {right}")).at(field)
    }

    /// The same error, said of this field, tensor or file. A field named before is kept behind it.
    #[must_use]
    pub fn at(mut self, field: impl Into<Cow<'static, str>>) -> Self {
        let outer = field.into();
        self.field = Some(match self.field.take() {
            None => outer,
            Some(inner) => Cow::Owned(format!("{outer}: {inner}")),
        });
        self
    }

    /// The same error with its kind replaced.
    #[must_use]
    pub fn of_kind(mut self, kind: ErrorKind) -> Self {
        self.kind = kind;
        self
    }

    /// What went wrong, for code.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The field, tensor or file that it is about, if one was named.
    #[must_use]
    pub fn field(&self) -> Option<&str> {
        self.field.as_deref()
    }

    /// The sentence, without the field.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.field {
            Some(field) => write!(f, "{field}: {}", self.message),
            None => f.write_str(&self.message),
        }
    }
}

impl std::error::Error for Error {}

impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Self {
        let kind =
            if error.kind() == std::io::ErrorKind::NotFound { ErrorKind::NotFound } else { ErrorKind::Io };
        Self::new(kind, error.to_string())
    }
}

/// `Result` with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_config_error_names_field_value_and_what_would_be_right() {
        let error = Error::config("hop", 0, "at least 1 sample").at("tensor `input`");
        assert_eq!(error.to_string(), "tensor `input`: hop: is 0; at least 1 sample");
        assert_eq!(error.field(), Some("tensor `input`: hop"));
        assert!(error.kind().is_users());
    }

    #[test]
    fn a_missing_file_is_told_from_a_broken_disk() {
        let missing = Error::from(std::io::Error::from(std::io::ErrorKind::NotFound));
        let broken = Error::from(std::io::Error::other("disk"));
        assert_eq!((missing.kind(), broken.kind()), (ErrorKind::NotFound, ErrorKind::Io));
    }
}
