//! The run with which an engine is tried: on zeros, but for the values that the request has. The same for every engine.
#![cfg(any(feature = "rten", feature = "onnxruntime"))]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod support;

use anira_traits::*;
use support::{Message, get, model, node, tensor_value, weight};

/// Gives x, four numbers, at the places i − 5: an error unless each of them is from 1 to 8. (Places below 0 count from the end.)
fn picky_model() -> Vec<u8> {
    let graph = Message::default()
        .message(1, node("Sub", &["i", "five"], "place"))
        .message(1, node("Gather", &["x", "place"], "y"))
        .message(5, weight("five", 7, &[1], &5i64.to_le_bytes()))
        .message(11, tensor_value("x", 1, &[4]))
        .message(11, tensor_value("i", 7, &[2]))
        .message(12, tensor_value("y", 1, &[2]));
    model(graph)
}

fn tries_with_the_requests_values<B: Backend>(backend: &B) {
    let model = backend.load(&ModelSource::memory(picky_model()), &LoadRequest::new()).unwrap();
    let request = EngineRequest::new(vec![vec![4], vec![2]], vec![Some(vec![2])]);
    let error = model.engine(&request).map(drop).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Engine, "{error}");
    // One value for all elements, and one for each.
    for values in [vec![8.0], vec![1.0, 8.0]] {
        let mut engine = model.engine(&request.clone().values(vec![vec![], values])).unwrap();
        assert_eq!(engine.input(1).unwrap().i64_mut().unwrap(), [0, 0], "zeros again");
        engine.input(0).unwrap().f32_mut().unwrap().copy_from_slice(&[10.0, 11.0, 12.0, 13.0]);
        engine.input(1).unwrap().i64_mut().unwrap().copy_from_slice(&[5, 7]);
        engine.run().unwrap();
        assert_eq!(get(&engine, 0), [10.0, 12.0]);
    }
    assert!(model.engine(&request.values(vec![vec![], vec![9.0]])).is_err(), "there is no place 4");
}

/// Whole numbers divided by others, which may not be 0.
fn divisions_by_zero_are_errors<B: Backend>(backend: &B) {
    let graph = Message::default()
        .message(1, node("Div", &["x", "d"], "y"))
        .message(11, tensor_value("x", 6, &[2]))
        .message(11, tensor_value("d", 6, &[2]))
        .message(12, tensor_value("y", 6, &[2]));
    let model = backend.load(&ModelSource::memory(model(graph)), &LoadRequest::new()).unwrap();
    let request = EngineRequest::new(vec![vec![2], vec![2]], vec![Some(vec![2])]);
    assert_eq!(model.engine(&request).map(drop).unwrap_err().kind(), ErrorKind::Engine);
    let mut engine = model.engine(&request.values(vec![vec![], vec![1.0]])).unwrap();
    assert_eq!(engine.run().unwrap_err().kind(), ErrorKind::Engine, "zeros again");
    engine.input(0).unwrap().i32_mut().unwrap().copy_from_slice(&[9, 8]);
    engine.input(1).unwrap().i32_mut().unwrap().copy_from_slice(&[3, 2]);
    engine.run().unwrap();
    assert_eq!(engine.output(0).unwrap().i32().unwrap(), [3, 4]);
}

macro_rules! suite {
    ($feature:literal, $engine:ident, $backend:ident) => {
        #[cfg(feature = $feature)]
        mod $engine {
            use anira_backend_onnx::$backend;

            #[test]
            fn tries_with_the_requests_values() {
                super::tries_with_the_requests_values(&$backend);
            }

            #[test]
            fn divisions_by_zero_are_errors() {
                super::divisions_by_zero_are_errors(&$backend);
            }
        }
    };
}

suite!("rten", rten, Rten);
suite!("onnxruntime", onnxruntime, OnnxRuntime);
