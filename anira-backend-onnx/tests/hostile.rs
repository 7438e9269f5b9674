//! Models are untrusted: cut files, flipped bytes and absurd sizes are errors, never a crash.
//! The same for every engine.
#![cfg(any(feature = "rten", feature = "onnxruntime"))]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod support;

use anira_traits::*;
use support::{Message, Noise, all_models, model, node, request, tensor_value, weight};

/// Loads, and if that works makes an engine and runs it (small models; of large ones, some). What comes is an error that
/// makes sense, or success.
fn try_it<B: Backend>(backend: &B, bytes: Vec<u8>, what: &str) -> bool {
    let run = bytes.len() < 4096 || bytes.iter().map(|b| usize::from(*b)).sum::<usize>() % 8 == 0;
    let model = match backend.load(&ModelSource::memory(bytes), &LoadRequest::new()) {
        Ok(model) => model,
        Err(error) => {
            use ErrorKind::*;
            assert!(matches!(error.kind(), Model | Unsupported), "{what}: {:?}: {error}", error.kind());
            return false;
        }
    };
    if run && let Ok(mut engine) = model.engine(&request(model.signature(), 64)) {
        let _ = engine.run();
    }
    true
}

fn cut_files_never_crash<B: Backend>(backend: &B) {
    for path in all_models() {
        let bytes = std::fs::read(&path).unwrap();
        let cuts = (0..200).map(|i| bytes.len() * i / 200);
        let loaded = cuts
            .filter(|n| try_it(backend, bytes[..*n].to_vec(), &format!("{} cut to {n}", path.display())))
            .count();
        assert!(loaded < 20, "{}: {loaded} of 200 cut files loaded", path.display());
    }
}

fn flipped_bytes_never_crash<B: Backend>(backend: &B) {
    let mut noise = Noise(0x5eed);
    for path in all_models() {
        let bytes = std::fs::read(&path).unwrap();
        for round in 0..500 {
            let mut hurt = bytes.clone();
            for _ in 0..1 + noise.below(3) {
                let at = noise.below(hurt.len());
                hurt[at] = noise.next() as u8;
            }
            try_it(backend, hurt, &format!("{} round {round}", path.display()));
        }
    }
}

fn random_bytes_are_no_model<B: Backend>(backend: &B) {
    let mut noise = Noise(99);
    for len in 0..300 {
        let bytes: Vec<u8> = (0..len).map(|_| noise.next() as u8).collect();
        assert!(!try_it(backend, bytes, &format!("{len} random bytes")));
    }
}

fn value(name: &str, shape: &[i64]) -> Message {
    tensor_value(name, 1, shape)
}

/// x and y, both [1, 1, 8].
fn plain() -> Message {
    Message::default().message(11, value("x", &[1, 1, 8])).message(12, value("y", &[1, 1, 8]))
}

#[track_caller]
fn refused<B: Backend>(backend: &B, bytes: Vec<u8>, words: &str) {
    let error = backend.load(&ModelSource::memory(bytes), &LoadRequest::new()).map(drop).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Model, "{error}");
    assert!(error.to_string().contains(words), "`{error}` lacks `{words}`");
}

fn a_hand_made_model_loads<B: Backend>(backend: &B) {
    assert!(try_it(backend, model(plain().message(1, node("Identity", &["x"], "y"))), "plain"));
}

fn graphs_within_graphs_end_before_the_stack_does<B: Backend>(backend: &B) {
    let mut graph = plain();
    for _ in 0..3_000 {
        let attribute = Message::default().bytes(1, "then_branch").int(20, 5).message(6, graph);
        graph = Message::default().message(1, node("If", &["x"], "y").message(5, attribute));
    }
    refused(backend, model(graph), "deeper than");
}

fn types_within_types_end_before_the_stack_does<B: Backend>(backend: &B) {
    let mut kind = Message::default();
    for _ in 0..10_000 {
        kind = Message::default().message(4, Message::default().message(1, kind));
    }
    let value = Message::default().bytes(1, "s").message(2, kind);
    refused(backend, model(plain().message(13, value)), "deeper than");
}

fn absurd_sizes_are_refused_before_anything_is_allocated<B: Backend>(backend: &B) {
    let identity = || plain().message(1, node("Identity", &["x"], "y"));
    refused(backend, model(identity().message(11, value("z", &[1 << 40]))), "tensor `z`");
    refused(
        backend,
        model(identity().message(11, value("z", &[1 << 20, 1 << 20, 1 << 20, 1 << 20]))),
        "tensor `z`",
    );
    refused(backend, model(identity().message(11, value("z", &[0]))), "tensor `z`");
    refused(backend, model(identity().message(5, weight("w", 1, &[1 << 40], &[0; 4]))), "weight `w`");
    refused(backend, model(identity().message(5, weight("w", 1, &[1 << 62, 4], &[0; 4]))), "weight `w`");
    refused(backend, model(identity().message(5, weight("w", 1, &[-1], &[0; 4]))), "weight `w`");
    let extents = [(1i64 << 31).to_le_bytes(), (1i64 << 31).to_le_bytes()].concat();
    let filled = plain().message(1, node("ConstantOfShape", &["w"], "y"));
    refused(backend, model(filled.message(5, weight("w", 7, &[2], &extents))), "weight `w`");
    let constant = Message::default().bytes(1, "value").message(5, weight("", 7, &[2], &extents)).int(20, 4);
    let filled = plain().message(1, node("Constant", &[], "k").message(5, constant));
    refused(backend, model(filled.message(1, node("ConstantOfShape", &["k"], "y"))), "weight `k`");
    let pads = Message::default().bytes(1, "pads").int(8, 1 << 40).int(20, 7);
    refused(
        backend,
        model(plain().message(1, node("Conv", &["x"], "y").message(5, pads))),
        "operator Conv: pads",
    );
}

fn weights_in_other_files_and_sparse_ones_are_unsupported<B: Backend>(backend: &B) {
    let path = Message::default().bytes(1, "location").bytes(2, "../../secret");
    let outside = Message::default().int(1, 4).int(2, 1).bytes(8, "w").message(13, path).int(14, 1);
    for graph in [plain().message(5, outside), plain().message(15, Message::default())] {
        let error =
            backend.load(&ModelSource::memory(model(graph)), &LoadRequest::new()).map(drop).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
    }
}

macro_rules! suite {
    ($feature:literal, $engine:ident, $backend:ident) => {
        #[cfg(feature = $feature)]
        mod $engine {
            use anira_backend_onnx::$backend;

            #[test]
            fn cut_files_never_crash() {
                super::cut_files_never_crash(&$backend);
            }

            #[test]
            fn flipped_bytes_never_crash() {
                super::flipped_bytes_never_crash(&$backend);
            }

            #[test]
            fn random_bytes_are_no_model() {
                super::random_bytes_are_no_model(&$backend);
            }

            #[test]
            fn a_hand_made_model_loads() {
                super::a_hand_made_model_loads(&$backend);
            }

            #[test]
            fn graphs_within_graphs_end_before_the_stack_does() {
                super::graphs_within_graphs_end_before_the_stack_does(&$backend);
            }

            #[test]
            fn types_within_types_end_before_the_stack_does() {
                super::types_within_types_end_before_the_stack_does(&$backend);
            }

            #[test]
            fn absurd_sizes_are_refused_before_anything_is_allocated() {
                super::absurd_sizes_are_refused_before_anything_is_allocated(&$backend);
            }

            #[test]
            fn weights_in_other_files_and_sparse_ones_are_unsupported() {
                super::weights_in_other_files_and_sparse_ones_are_unsupported(&$backend);
            }
        }
    };
}

suite!("rten", rten, Rten);
suite!("onnxruntime", onnxruntime, OnnxRuntime);
