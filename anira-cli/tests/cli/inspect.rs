//! `anira inspect`: tensors, and a configuration that works as it is printed.

use serde_json::{Value, json};

use super::program::{Folder, anira, anira_in, repository};
use super::sound::{Format, read, wav};

#[test]
fn the_tensors_are_listed_and_null_is_open() {
    let done = anira(&["inspect", &repository("models/amp-lstm-2k.onnx"), "--json"]).ok();
    let json = done.json();
    let state = |name: &str| json!({"name": name, "dtype": "float32", "shape": [1, 1, 20]});
    let audio = |name: &str| json!({"name": name, "dtype": "float32", "shape": [1, null, 1]});
    assert_eq!(json["inputs"], json!([audio("input"), state("h_in"), state("c_in")]));
    assert_eq!(json["outputs"], json!([audio("output"), state("h_out"), state("c_out")]));
    assert_eq!((&json["inline"], &json["engine"]), (&json!(true), &json!("native")));
    let named =
        anira(&["inspect", &repository("models/amp-lstm-2k.onnx"), "--json", "--engine", "rten"]).ok();
    assert_eq!(named.json()["inline"], false);
    assert_eq!(json["config"]["version"], 1);
    assert_eq!(json["config"]["input"][1], json!({"name": "h_in", "role": "state", "from": "h_out"}));
    let done = anira(&["inspect", &repository("tests/fixtures/counter-i64.onnx"), "--json"]).ok();
    assert_eq!(done.json()["inputs"][1], json!({"name": "count_in", "dtype": "int64", "shape": [1]}));
    assert_eq!((&done.json()["inline"], &done.json()["engine"]), (&json!(false), &json!("rten")));
    assert!(done.err.contains("not native: "), "{}", done.err);
}

#[test]
fn people_get_a_table_and_a_file() {
    let done = anira(&["inspect", &repository("models/amp-tcn-29k.onnx")]).ok();
    assert!(done.err.contains("input   input   float32  [1, 1, 15380]"), "{}", done.err);
    assert!(done.err.contains("output  output  float32  [1, 1, 2048]"), "{}", done.err);
    for line in
        ["version = 1", "[engine.native]", "file = \"amp-tcn-29k.onnx\"", "hop = 2048", "context = 13332"]
    {
        assert!(done.out.lines().any(|l| l == line), "`{}` lacks `{line}`", done.out);
    }
}

/// Every suggestion, saved beside its model, is a configuration that processes, and the same as none.
#[test]
fn the_suggested_file_works_as_it_is() {
    let folder = Folder::new();
    let names =
        ["counter-i64", "dynamic", "knob", "rows", "sidechain", "smoother", "stereo", "time-last-batch"];
    let (bytes, _) = wav(Format::F32, 48_000, 2, 1_000);
    folder.write("in.wav", bytes);
    for name in names {
        let model = format!("{name}.onnx");
        std::fs::copy(repository(&format!("tests/fixtures/{model}")), folder.path().join(&model)).unwrap();
        let suggested = anira_in(folder.path(), &["inspect", &model]).ok().out;
        folder.write("a.toml", suggested);
        let json = anira_in(folder.path(), &["inspect", &model, "--json"]).ok().json();
        folder.write("b.json", json["config"].to_string());
        let process = |config: &str| {
            anira_in(folder.path(), &["process", config, "in.wav", "out.wav", "--block", "100"]).ok();
            read(&folder.join("out.wav")).1
        };
        let derived = process(&model);
        assert!(process("a.toml") == derived && process("b.json") == derived, "{name}");
        assert_eq!(derived.len(), 2);
    }
}

#[test]
fn what_suggests_nothing_is_still_listed() {
    let model = repository("tests/fixtures/double.onnx");
    let done = anira(&["inspect", &model]).ok();
    assert!(done.out.is_empty() && done.err.contains("no configuration suggests itself"), "{}", done.err);
    assert!(done.err.contains("float64  [1, 1, 64]"), "{}", done.err);
    let json = anira(&["inspect", &model, "--json"]).ok().json();
    assert_eq!((&json["config"], json["inputs"][0]["dtype"].as_str()), (&Value::Null, Some("float64")));
    assert!(json["problem"].as_str().unwrap().contains("float32"));
}

#[test]
fn what_is_no_model_is_told() {
    let folder = Folder::new();
    anira(&["inspect", &folder.join("no.onnx")]).refused(2, &["no.onnx", "No such file"]);
    let empty = folder.write("empty.onnx", b"");
    anira(&["inspect", &empty]).refused(2, &["empty.onnx"]);
    anira(&["inspect", &empty, "--engine", "bypass"]).refused(2, &["--engine", "bypass"]);
    let without = if cfg!(feature = "litert") { "empty.onnx" } else { "feature `litert`" };
    anira(&["inspect", &empty, "--engine", "litert"]).refused(2, &[without]);
}
