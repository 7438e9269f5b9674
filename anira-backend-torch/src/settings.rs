//! The options of a load request.

use anira_traits::{DType, Error, LoadRequest, Result};

use crate::about::{self, Port};

/// What a user may say about the internal state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// As the file's code shows.
    Auto,
    None,
    Inside,
}

/// The options, read.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) method: String,
    pub(crate) state: State,
    pub(crate) optimize: bool,
    pub(crate) inputs: Option<Vec<Port>>,
    pub(crate) outputs: Option<Vec<Port>>,
}

impl Settings {
    /// Reads and checks all options.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](anira_traits::ErrorKind::Config), naming option, value and what would be right.
    pub(crate) fn read(request: &LoadRequest) -> Result<Self> {
        request.refuse_unknown_options(&["method", "state", "optimize", "inputs", "outputs"])?;
        let get = |name: &str| request.options.get(name).map(String::as_str);
        let state = match get("state") {
            None | Some("auto") => State::Auto,
            Some("none") => State::None,
            Some("inside") => State::Inside,
            Some(other) => return Err(wrong("state", other, "`auto`, `none` or `inside`")),
        };
        let optimize = match get("optimize") {
            None | Some("false") => false,
            Some("true") => true,
            Some(other) => return Err(wrong("optimize", other, "`true` or `false`")),
        };
        let ports = |name: &'static str| get(name).map(|text| ports(name, text)).transpose();
        Ok(Self {
            method: get("method").unwrap_or("forward").to_owned(),
            state,
            optimize,
            inputs: ports("inputs")?,
            outputs: ports("outputs")?,
        })
    }
}

fn wrong(name: &str, value: &str, right: &str) -> Error {
    Error::config(format!("options.{name}"), format_args!("`{value}`"), right)
}

/// `name, name:type, …`.
fn ports(option: &'static str, text: &str) -> Result<Vec<Port>> {
    let port = |part: &str| {
        let (name, dtype) = match part.split_once(':') {
            None => (part, None),
            Some((name, dtype)) => {
                let dtype: DType =
                    about::dtype(dtype.trim()).map_err(|e| e.at(format!("options.{option}")))?;
                (name, Some(dtype))
            }
        };
        match name.trim() {
            "" => Err(wrong(option, text, "names in the method's order, as in `input, count:int64`")),
            name => Ok(Port { name: name.to_owned(), dtype, ..Port::default() }),
        }
    };
    text.split(',').map(port).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_read_and_wrong_ones_named() {
        let request = LoadRequest::new().option("inputs", "x, n:int64").option("state", "inside");
        let settings = Settings::read(&request).unwrap();
        assert_eq!(
            (settings.method.as_str(), settings.state, settings.optimize),
            ("forward", State::Inside, false)
        );
        let inputs = settings.inputs.unwrap();
        assert_eq!(
            (inputs[0].dtype, inputs[1].name.as_str(), inputs[1].dtype),
            (None, "n", Some(DType::I64))
        );
        for (name, value, words) in [
            ("threads", "4", "reads only: method"),
            ("state", "yes", "`inside`"),
            ("optimize", "1", "`true` or `false`"),
            ("outputs", "a,,b", "names in the method's order"),
            ("inputs", "a:float", "float32"),
        ] {
            let error = Settings::read(&LoadRequest::new().option(name, value)).unwrap_err();
            assert!(error.to_string().contains(&format!("options.{name}")), "{error}");
            assert!(error.to_string().contains(words), "{error}");
        }
    }
}
