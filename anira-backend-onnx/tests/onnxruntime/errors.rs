//! Good files used badly, and models that the library lacks something for.

use anira_backend_onnx::OnnxRuntime;
use anira_traits::*;

use crate::support::{fixture, load, root};

#[test]
fn shapes_that_do_not_fit_are_found_when_an_engine_is_made() {
    let knob = load(OnnxRuntime, fixture("knob.onnx")).unwrap();
    let dynamic = load(OnnxRuntime, fixture("dynamic.onnx")).unwrap();
    let cases = [
        (&knob, vec![vec![1, 1, 32], vec![1]], vec![None, None], "tensor `input`: shape is [1, 1, 32]"),
        (&knob, vec![vec![1, 1, 64]], vec![None, None], "inputs: the request has 1"),
        (&knob, vec![vec![1, 1, 64], vec![1]], vec![None], "outputs: the request has 1"),
        (&knob, vec![vec![1, 1, 64], vec![1]], vec![None, Some(vec![2])], "tensor `peak`: shape is [2]"),
        (&dynamic, vec![vec![1, 1, 8]], vec![Some(vec![1, 1, 9])], "[1, 1, 8]; expected [1, 1, 9]"),
        (&dynamic, vec![vec![1, 1, 0]], vec![None], "from 1 to"),
        (&dynamic, vec![vec![1, 1, 1 << 40]], vec![None], "from 1 to"),
    ];
    for (model, inputs, outputs, words) in cases {
        let error = model.engine(&EngineRequest::new(inputs, outputs)).map(drop).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Shape, "{error}");
        assert!(error.to_string().contains(words), "`{error}` lacks `{words}`");
    }
    // A refused request has not used up what the model keeps for its first engine.
    assert!(knob.engine(&EngineRequest::new(vec![vec![1, 1, 64], vec![1]], vec![None, None])).is_ok());
}

#[test]
fn missing_files_and_lacking_operators_are_told_apart() {
    let error = load(OnnxRuntime, "no/such.onnx").map(drop).unwrap_err();
    assert_eq!((error.kind(), error.field()), (ErrorKind::NotFound, Some("no/such.onnx")));
    let none = OnnxRuntime.load(&ModelSource::None, &LoadRequest::new()).map(drop).unwrap_err();
    assert_eq!(none.kind(), ErrorKind::Config);

    let mut bytes = std::fs::read(root().join("models/gain.onnx")).unwrap();
    for at in 0..bytes.len() - 2 {
        if bytes[at..at + 3] == *b"Mul" {
            bytes[at..at + 3].copy_from_slice(b"Mux");
        }
    }
    let error = OnnxRuntime.load(&ModelSource::memory(bytes), &LoadRequest::new()).map(drop).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
    assert!(error.to_string().contains("ONNX Runtime: ") && error.to_string().contains("Mux"), "{error}");
}

#[test]
fn a_refused_file_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("half.onnx");
    let bytes = std::fs::read(root().join("models/gain.onnx")).unwrap();
    std::fs::write(&file, &bytes[..bytes.len() / 2]).unwrap();
    let error = load(OnnxRuntime, &file).map(drop).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Model);
    assert!(error.field().unwrap().starts_with(file.to_str().unwrap()), "{error}");
}
