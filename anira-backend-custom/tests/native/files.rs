//! Networks in other projects' JSON, against answers in double precision (`models/train/small.py`), and what is wrong with them.

use std::path::Path;

use anira_backend_custom::native::{Native, NativeModel};
use anira_traits::*;
use serde_json::{Value, json};

use crate::run::{difference, engine, stream};

const FILES: [&str; 6] = [
    "lstm.nam",
    "wavenet.nam",
    "wavenet-gated.nam",
    "rtneural-lstm.json",
    "rtneural-gru.json",
    "rtneural-conv.json",
];

fn bytes(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/files").join(name)).unwrap()
}

fn npy(name: &str) -> Vec<f32> {
    let bytes = bytes(name);
    let header = usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    bytes[10 + header..].chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect()
}

fn load(bytes: impl Into<Vec<u8>>, simd: &str) -> Result<NativeModel> {
    Native.load(&ModelSource::memory(bytes.into()), &LoadRequest::new().option("simd", simd))
}

#[test]
fn files_of_other_projects_answer_as_their_formulas_do_in_any_block() {
    let input = npy("input.npy");
    for name in FILES {
        let right: Vec<f64> =
            npy(&format!("{}.npy", name.split('.').next().unwrap())).into_iter().map(f64::from).collect();
        for simd in ["auto", "portable"] {
            let model = load(bytes(name), simd).unwrap();
            let mut whole: Option<Vec<f32>> = None;
            for block in [600, 100, 60, 1] {
                let mut engine = engine(&model, block, &[]);
                let made = stream(&mut engine, &input, 1, block);
                let (worst, peak) = difference(&made, &right);
                assert!(worst <= 1e-5 * peak.max(1.0), "{name}, {simd}, block {block}: {worst:e} of {peak}");
                assert!(whole.get_or_insert_with(|| made.clone()) == &made, "{name}, {simd}, block {block}");
            }
        }
    }
}

/// The file with one thing changed.
fn changed(name: &str, change: impl Fn(&mut Value)) -> Result<()> {
    let mut document: Value = serde_json::from_slice(&bytes(name)).unwrap();
    change(&mut document);
    load(document.to_string(), "auto").map(drop)
}

#[track_caller]
fn refused(result: Result<()>, kind: ErrorKind, words: &[&str]) {
    let error = result.unwrap_err();
    assert_eq!(error.kind(), kind, "{error}");
    assert!(words.iter().all(|word| error.to_string().contains(word)), "{error}: {words:?}");
}

#[test]
fn weights_of_the_wrong_length_are_told_with_the_right_one() {
    for name in &FILES[..3] {
        let one_less = changed(name, |d| drop(d["weights"].as_array_mut().unwrap().pop()));
        refused(one_less, ErrorKind::Model, &["weights", "takes"]);
        let one_more = changed(name, |d| d["weights"].as_array_mut().unwrap().push(json!(0.5)));
        refused(one_more, ErrorKind::Model, &["weights", "the network takes"]);
    }
    for name in &FILES[3..] {
        let fewer = changed(name, |d| drop(d["layers"][0]["weights"][0].as_array_mut().unwrap().pop()));
        refused(fewer, ErrorKind::Model, &["layers: 0", "weights"]);
        let bias = changed(name, |d| d["layers"][0]["weights"][1].as_array_mut().unwrap().push(json!(0.5)));
        refused(bias, ErrorKind::Model, &["bias"]);
    }
}

#[test]
fn what_is_no_finite_number_is_told_by_its_place() {
    refused(
        changed("lstm.nam", |d| d["weights"][3] = Value::Null),
        ErrorKind::Model,
        &["weights", "number 3"],
    );
    refused(
        changed("lstm.nam", |d| d["weights"][4] = json!(1e39)),
        ErrorKind::Model,
        &["number 4", "finite"],
    );
    refused(
        changed("rtneural-gru.json", |d| d["layers"][1]["weights"][0][1][2] = json!("x")),
        ErrorKind::Model,
        &["layers: 1"],
    );
    let text =
        String::from_utf8(bytes("lstm.nam")).unwrap().replacen("\"weights\": [", "\"weights\": [NaN, ", 1);
    refused(load(text, "auto").map(drop), ErrorKind::Model, &["JSON"]);
}

#[test]
fn what_is_lacking_is_named_with_what_there_is() {
    use ErrorKind::Unsupported;
    refused(
        changed("lstm.nam", |d| d["architecture"] = json!("ConvNet")),
        Unsupported,
        &["ConvNet", "LSTM, WaveNet"],
    );
    let activation = changed("wavenet.nam", |d| d["config"]["layers"][1]["activation"] = json!("Snake"));
    refused(activation, Unsupported, &["layers: 1", "Snake", "Tanh, Hardtanh"]);
    refused(
        changed("rtneural-conv.json", |d| d["layers"][0]["type"] = json!("conv2d")),
        Unsupported,
        &["layers: 0", "conv2d", "dense, "],
    );
    refused(
        changed("rtneural-conv.json", |d| d["layers"][0]["activation"] = json!("elu")),
        Unsupported,
        &["elu", "tanh, relu"],
    );
    refused(load("{\"model\": 1}", "auto").map(drop), Unsupported, &["architecture", "layers"]);
}

#[test]
fn numbers_that_cannot_be_are_refused_before_anything_is_made_of_them() {
    for hidden in [json!(0), json!(-1), json!(2.5), json!("7"), json!(u64::MAX), json!(1u64 << 40)] {
        refused(changed("lstm.nam", |d| d["config"]["hidden_size"] = hidden.clone()), ErrorKind::Model, &[]);
    }
    for dilation in [json!(1u64 << 40), json!((1 << 16) + 1)] {
        let far = changed("wavenet.nam", |d| d["config"]["layers"][0]["dilations"][0] = dilation.clone());
        refused(far, ErrorKind::Unsupported, &["dilation", "65536"]);
    }
    assert!(changed("wavenet.nam", |d| d["config"]["layers"][0]["dilations"][0] = json!(1 << 16)).is_ok());
    assert!(load(format!("{}{}", "[".repeat(100_000), "]".repeat(100_000)), "auto").is_err());
    assert!(load(format!("{{\"layers\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000)), "auto").is_err());
}

#[test]
fn cut_files_are_errors() {
    for name in FILES {
        let bytes = bytes(name);
        for len in (0..bytes.len()).step_by(211) {
            let error = load(&bytes[..len], "auto").map(drop).unwrap_err();
            assert!(error.kind().is_users(), "{name} cut to {len}: {error}");
        }
    }
}
