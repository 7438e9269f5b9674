//! `extra/anira.json`: what a model says of its own tensors.

use anira_traits::{DType, Error, ErrorKind, Result};
use serde::Deserialize;

/// A tensor as far as it is known.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Port {
    pub(crate) name: String,
    pub(crate) dtype: Option<DType>,
    pub(crate) shape: Option<Vec<Option<usize>>>,
    /// The method takes a number here: its only element is handed over.
    pub(crate) number: bool,
    /// What a trial run gets: one value for all elements or one for each; zeros if empty.
    pub(crate) trial: Vec<f64>,
}

/// What the entry says. What is missing in it is not known.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct About {
    /// The method that it speaks of; `forward` where it does not say.
    pub(crate) method: Option<String>,
    pub(crate) inputs: Option<Vec<Port>>,
    pub(crate) outputs: Option<Vec<Port>>,
}

#[derive(Deserialize)]
struct Document {
    method: Option<String>,
    inputs: Option<Vec<Tensor>>,
    outputs: Option<Vec<Tensor>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Tensor {
    name: String,
    dtype: Option<String>,
    shape: Option<Vec<Option<usize>>>,
}

impl About {
    /// Reads the entry's text.
    ///
    /// # Errors
    /// [`ErrorKind::Model`] if it is not what the README describes.
    pub(crate) fn read(text: &str) -> Result<Self> {
        let at = |e: Error| e.at("extra/anira.json");
        let document: Document = serde_json::from_str(text)
            .map_err(|e| at(Error::new(ErrorKind::Model, format!("is not as described: {e}"))))?;
        let ports = |tensors: Option<Vec<Tensor>>| -> Result<Option<Vec<Port>>> {
            tensors.map(|tensors| tensors.into_iter().map(port).collect()).transpose()
        };
        let (inputs, outputs) = (ports(document.inputs).map_err(at)?, ports(document.outputs).map_err(at)?);
        Ok(Self { method: document.method, inputs, outputs })
    }

    /// What is said of this method: nothing, if it speaks of another.
    pub(crate) fn of_method(self, name: &str) -> Self {
        if self.method.as_deref().unwrap_or("forward") == name { self } else { Self::default() }
    }
}

fn port(tensor: Tensor) -> Result<Port> {
    let dtype = tensor.dtype.as_deref().map(|name| dtype(name).map_err(|e| e.of_kind(ErrorKind::Model)));
    Ok(Port { name: tensor.name, dtype: dtype.transpose()?, shape: tensor.shape, ..Port::default() })
}

/// The type of that name, as NumPy spells it.
pub(crate) fn dtype(name: &str) -> Result<DType> {
    use DType::*;
    let all = [F32, F64, F16, I64, I32, I8, U8, Bool];
    all.into_iter().find(|t| t.name() == name).ok_or_else(|| {
        let known: Vec<_> = all.iter().map(|t| t.name()).collect();
        Error::config("dtype", format_args!("`{name}`"), format_args!("one of {}", known.join(", ")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tensors_are_read_with_what_is_said_of_them() {
        let text =
            r#"{"inputs": [{"name": "x", "shape": [1, null]}, {"name": "n", "dtype": "int64"}], "more": 1}"#;
        let about = About::read(text).unwrap();
        let x = Port { name: "x".into(), shape: Some(vec![Some(1), None]), ..Port::default() };
        let n = Port { name: "n".into(), dtype: Some(DType::I64), ..Port::default() };
        assert_eq!(about, About { inputs: Some(vec![x, n]), ..About::default() });
    }

    #[test]
    fn nonsense_is_refused_by_name() {
        for text in ["", "[]", r#"{"inputs": [{}]}"#, r#"{"inputs": [{"name": "x", "dtype": "float"}]}"#] {
            let error = About::read(text).unwrap_err();
            assert_eq!(
                (error.kind(), error.field().map(|f| f.starts_with("extra/anira.json"))),
                (ErrorKind::Model, Some(true))
            );
        }
        assert_eq!(dtype("half").unwrap_err().kind(), ErrorKind::Config);
    }
}
