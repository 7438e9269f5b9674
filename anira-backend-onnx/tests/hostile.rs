//! Models are untrusted: cut files, flipped bytes and absurd sizes are errors, never a crash.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod support;

use anira_backend_onnx::Rten;
use anira_traits::*;
use support::{Noise, all_models, request};

/// Loads, and if that works makes an engine and runs it (small models; of large ones, some). What comes is an error that
/// makes sense, or success.
fn try_it(bytes: Vec<u8>, what: &str) -> bool {
    let run = bytes.len() < 4096 || bytes.iter().map(|b| usize::from(*b)).sum::<usize>() % 8 == 0;
    let model = match Rten.load(&ModelSource::memory(bytes), &LoadRequest::new()) {
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

#[test]
fn cut_files_never_crash() {
    for path in all_models() {
        let bytes = std::fs::read(&path).unwrap();
        let cuts = (0..200).map(|i| bytes.len() * i / 200);
        let loaded =
            cuts.filter(|n| try_it(bytes[..*n].to_vec(), &format!("{} cut to {n}", path.display()))).count();
        assert!(loaded < 20, "{}: {loaded} of 200 cut files loaded", path.display());
    }
}

#[test]
fn flipped_bytes_never_crash() {
    let mut noise = Noise(0x5eed);
    for path in all_models() {
        let bytes = std::fs::read(&path).unwrap();
        for round in 0..500 {
            let mut hurt = bytes.clone();
            for _ in 0..1 + noise.below(3) {
                let at = noise.below(hurt.len());
                hurt[at] = noise.next() as u8;
            }
            try_it(hurt, &format!("{} round {round}", path.display()));
        }
    }
}

#[test]
fn random_bytes_are_no_model() {
    let mut noise = Noise(99);
    for len in 0..300 {
        let bytes: Vec<u8> = (0..len).map(|_| noise.next() as u8).collect();
        assert!(!try_it(bytes, &format!("{len} random bytes")));
    }
}

/// Writes Protocol Buffers, just enough for hostile models.
#[derive(Clone, Default)]
struct Message(Vec<u8>);

impl Message {
    fn varint(mut self, mut n: u64) -> Self {
        while n >= 0x80 {
            self.0.push(n as u8 | 0x80);
            n >>= 7;
        }
        self.0.push(n as u8);
        self
    }

    fn int(self, field: u64, n: i64) -> Self {
        self.varint(field << 3).varint(n as u64)
    }

    fn bytes(self, field: u64, bytes: impl AsRef<[u8]>) -> Self {
        let mut all = self.varint(field << 3 | 2).varint(bytes.as_ref().len() as u64);
        all.0.extend_from_slice(bytes.as_ref());
        all
    }

    fn message(self, field: u64, message: Message) -> Self {
        self.bytes(field, message.0)
    }
}

fn value(name: &str, shape: &[i64]) -> Message {
    let dims = shape.iter().fold(Message::default(), |m, n| m.message(1, Message::default().int(1, *n)));
    let tensor = Message::default().int(1, 1).message(2, dims);
    Message::default().bytes(1, name).message(2, Message::default().message(1, tensor))
}

fn weight(name: &str, kind: i64, dims: &[i64], raw: &[u8]) -> Message {
    dims.iter().fold(Message::default(), |m, n| m.int(1, *n)).int(2, kind).bytes(8, name).bytes(9, raw)
}

fn node(operator: &str, inputs: &[&str], output: &str) -> Message {
    inputs.iter().fold(Message::default(), |m, i| m.bytes(1, i)).bytes(2, output).bytes(4, operator)
}

fn model(graph: Message) -> Vec<u8> {
    let opset = Message::default().bytes(1, "").int(2, 17);
    Message::default().int(1, 8).message(8, opset).message(7, graph).0
}

/// x and y, both [1, 1, 8].
fn plain() -> Message {
    Message::default().message(11, value("x", &[1, 1, 8])).message(12, value("y", &[1, 1, 8]))
}

#[track_caller]
fn refused(bytes: Vec<u8>, words: &str) {
    let error = Rten.load(&ModelSource::memory(bytes), &LoadRequest::new()).map(drop).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Model, "{error}");
    assert!(error.to_string().contains(words), "`{error}` lacks `{words}`");
}

#[test]
fn a_hand_made_model_loads() {
    assert!(try_it(model(plain().message(1, node("Identity", &["x"], "y"))), "plain"));
}

#[test]
fn graphs_within_graphs_end_before_the_stack_does() {
    let mut graph = plain();
    for _ in 0..3_000 {
        let attribute = Message::default().bytes(1, "then_branch").int(20, 5).message(6, graph);
        graph = Message::default().message(1, node("If", &["x"], "y").message(5, attribute));
    }
    refused(model(graph), "deeper than");
}

#[test]
fn types_within_types_end_before_the_stack_does() {
    let mut kind = Message::default();
    for _ in 0..10_000 {
        kind = Message::default().message(4, Message::default().message(1, kind));
    }
    let value = Message::default().bytes(1, "s").message(2, kind);
    refused(model(plain().message(13, value)), "deeper than");
}

#[test]
fn absurd_sizes_are_refused_before_anything_is_allocated() {
    let identity = || plain().message(1, node("Identity", &["x"], "y"));
    refused(model(identity().message(11, value("z", &[1 << 40]))), "tensor `z`");
    refused(model(identity().message(11, value("z", &[1 << 20, 1 << 20, 1 << 20, 1 << 20]))), "tensor `z`");
    refused(model(identity().message(11, value("z", &[0]))), "tensor `z`");
    refused(model(identity().message(5, weight("w", 1, &[1 << 40], &[0; 4]))), "weight `w`");
    refused(model(identity().message(5, weight("w", 1, &[1 << 62, 4], &[0; 4]))), "weight `w`");
    refused(model(identity().message(5, weight("w", 1, &[-1], &[0; 4]))), "weight `w`");
    let extents = [(1i64 << 31).to_le_bytes(), (1i64 << 31).to_le_bytes()].concat();
    let filled = plain().message(1, node("ConstantOfShape", &["w"], "y"));
    refused(model(filled.message(5, weight("w", 7, &[2], &extents))), "weight `w`");
    let constant = Message::default().bytes(1, "value").message(5, weight("", 7, &[2], &extents)).int(20, 4);
    let filled = plain().message(1, node("Constant", &[], "k").message(5, constant));
    refused(model(filled.message(1, node("ConstantOfShape", &["k"], "y"))), "weight `k`");
    let pads = Message::default().bytes(1, "pads").int(8, 1 << 40).int(20, 7);
    refused(model(plain().message(1, node("Conv", &["x"], "y").message(5, pads))), "operator Conv: pads");
}

#[test]
fn weights_in_other_files_and_sparse_ones_are_unsupported() {
    let path = Message::default().bytes(1, "location").bytes(2, "../../secret");
    let outside = Message::default().int(1, 4).int(2, 1).bytes(8, "w").message(13, path).int(14, 1);
    for graph in [plain().message(5, outside), plain().message(15, Message::default())] {
        let error = Rten.load(&ModelSource::memory(model(graph)), &LoadRequest::new()).map(drop).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
    }
}
