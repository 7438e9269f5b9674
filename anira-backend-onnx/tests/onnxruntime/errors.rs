//! Good files used badly, and models that the library lacks something for.

use anira_backend_onnx::OnnxRuntime;
use anira_traits::*;

use crate::support::{fixture, get, greedy_model, load, picking_model, request, root, set};

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

#[test]
fn a_run_that_fails_is_an_error_and_the_next_one_is_not() {
    let model = OnnxRuntime.load(&ModelSource::memory(picking_model()), &LoadRequest::new()).unwrap();
    let mut engine = model.engine(&request(model.signature(), 1)).unwrap();
    set(&mut engine, 0, &[10.0, 11.0, 12.0, 13.0]);
    for (places, right) in [([3, 1], Some([13.0, 11.0])), ([0, 9], None), ([2, 0], Some([12.0, 10.0]))] {
        engine.input(1).unwrap().i64_mut().unwrap().copy_from_slice(&places);
        match (engine.run(), right) {
            (Ok(()), Some(right)) => assert_eq!(get(&engine, 0), right),
            (Err(error), None) => {
                assert_eq!(error.kind(), ErrorKind::Engine, "{error}");
                assert!(error.to_string().starts_with("ONNX Runtime: "), "{error}");
            }
            (result, _) => panic!("{places:?}: {result:?}"),
        }
    }
}

/// Set for a child whose memory is limited.
const LIMITED: &str = "ANIRA_TEST_LIMITED";

/// Loads and runs the model that wants 10 GiB; the process is alive afterwards, and a sane model still runs.
#[test]
fn memory_that_cannot_be_had_is_an_error() {
    if std::env::var_os(LIMITED).is_none() {
        // A child that may have 4 GB, so that nobody's machine is filled.
        let mut child = std::process::Command::new("sh");
        child.args([
            "-c",
            "ulimit -v 4000000; exec \"$0\" --exact errors::memory_that_cannot_be_had_is_an_error",
        ]);
        let output = child.arg(std::env::current_exe().unwrap()).env(LIMITED, "1").output().unwrap();
        let text =
            String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && text.contains("1 passed"), "{text}");
        return;
    }
    let model = OnnxRuntime.load(&ModelSource::memory(greedy_model()), &LoadRequest::new()).unwrap();
    let request = EngineRequest::new(vec![vec![1], vec![1]], vec![None]);
    let asks = |n: f64| model.engine(&request.clone().values(vec![vec![], vec![n]]));
    assert!(asks(1000.0).is_ok());
    let error = asks(f64::from(1 << 20) * 2560.0).map(drop).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Engine, "{error}");
    let mut engine = crate::support::engine(OnnxRuntime, fixture("double.onnx"));
    engine.run().unwrap();
}
